"""Layers that know nothing of the rest of simmst.

One convention throughout: the task axis leads, `[S, B, L, D]` (task, batch, time, channel), and each task
has weights of its own. One batched product then serves all tasks, which on a CPU costs about the same for
one task as for five.
"""
