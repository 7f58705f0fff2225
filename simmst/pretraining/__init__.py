"""A network trained once, on simulated worlds alone, that forecasts series of cities it has never seen."""
