"""Reading npz files from several threads at once."""

import ast
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from simmst.io.npz import read_npz


def test_threads_parse_headers_one_after_the_other(tmp_path, monkeypatch):
    # CPython before 3.11.8 and 3.12.2: `ast.literal_eval`, by which numpy reads a header, counts its depth for all
    # threads together, and raises SystemError where two are in it ("AST constructor recursion depth mismatch"). A
    # thread gives way there when the garbage collector runs, so here it is made to.
    parse, inside, most = ast.literal_eval, threading.Semaphore(0), []

    def watched(text):
        inside.release()
        time.sleep(0.002)
        most.append(inside._value)
        try:
            return parse(text)
        finally:
            inside.acquire()

    monkeypatch.setattr(ast, "literal_eval", watched)
    for i in range(4):
        np.savez(tmp_path / f"{i}.npz", a=np.full(3, i), b=np.array("x"))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda i: read_npz(tmp_path / f"{i}.npz"), range(4)))
    assert [arrays["a"].tolist() for arrays in read] == [[i] * 3 for i in range(4)]
    assert set(most) == {1} and len(most) == 16  # two arrays a file, each header is read twice
