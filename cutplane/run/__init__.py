"""What surrounds a method: what its rest is worth, how a run ends, and whether it may go on."""
