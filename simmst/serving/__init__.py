"""A small HTTP service of forecasts; it needs the extra `serve`."""
