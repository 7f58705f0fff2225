"""One file for each peer: `ENGINES` by name, each making hypergradients of a task by that library alone.

An engine is called with (task, K, inner step length) and returns a function from x to the hypergradient at x. It
keeps its lower variable from call to call, unless the task says that the lower level starts from zero.
"""
