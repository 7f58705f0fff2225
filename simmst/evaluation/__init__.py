"""Everything that measures: parts and protocols, scores, rows without training, paired tests, the back-test."""
