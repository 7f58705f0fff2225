"""Layers that know nothing of the rest of simmst."""
