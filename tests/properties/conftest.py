"""One profile for all property tests: no deadline on a shared machine, and the same examples in every run."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "cutplane",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # an example here is a solver's run: shrinking takes minutes
)
settings.load_profile("cutplane")
