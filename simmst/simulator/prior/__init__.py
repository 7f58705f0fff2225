"""The prior over cities: distributions, their domains, the parameters, and priors as files."""
