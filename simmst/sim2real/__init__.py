"""The K-step oracle and the re-weighting that plugs it into cutplane."""
