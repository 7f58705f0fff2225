"""Linear masters over the planes of a pool, and the bounds that their multipliers prove."""
