"""What a method works on: a problem in one of its formulations, and the pool of planes."""
