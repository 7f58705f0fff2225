"""The bi-level task beside its peers: data, tasks, referee and one adapter file for each peer."""
