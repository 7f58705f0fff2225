"""Protocols, runs and reports: what the paper measures, as functions."""
