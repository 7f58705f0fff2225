"""Everything that is shown: pages, pictures and files of results that are there."""
