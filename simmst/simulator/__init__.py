"""Simulated traffic: worlds drawn from a randomised prior."""
