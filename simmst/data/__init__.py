"""Real traffic in: the data set, its windows and its sources."""
