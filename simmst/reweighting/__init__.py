"""Weights for simulated samples: the K-step oracle, the exact linear proxy, and the re-weighting by cutplane."""
