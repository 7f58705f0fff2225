"""From performance-measurement files of 3GPP to traffic data."""
