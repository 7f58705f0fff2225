"""The tables and the figure of the paper: protocols, cells, paired tests, pages."""
