"""From a table of one's own export to traffic data."""
