"""Bi-level optimisation by cutting planes."""
