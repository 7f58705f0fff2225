"""Forecasts by closed forms and by networks, with intervals, and what is kept to make them."""
