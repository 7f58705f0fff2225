"""Real traffic: data sets, their parts, scales, neighbours and windows, what is odd in them, and sources."""
