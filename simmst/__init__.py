"""Sim-MSTNet: multi-task cellular traffic forecasting, trained on re-weighted simulated data."""
