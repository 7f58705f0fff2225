"""What the arrays of a saved state must be: a state that was read is whole, or refused in words.

Anybody may have made the file. A wrong shape would come out far from here, as an error of NumPy's, and a wrong
value as an answer; so everything that a run reads of its state is looked at once, when it is read.
"""

import hashlib
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.core.pool import Kind
from cutplane.errors import InputError
from cutplane.history import Status

FORMAT = 1
_BASIS = 4
"""Largest number that HiGHS has for the state of a row or column in a basis."""
_LARGEST = 1 << 60
"""Counts and serial numbers above this would run over while a run goes on."""
_OWN, _PARTS = ("point", "best", "numbers", "floats", "digest"), ("pool", "memory", "history")

# The arrays that each method cannot go on without: shape and sign by name. "n" is the length of a point; "k" and
# "m" are any, the same within a group; "+" are positive, "0" at least 0, "" any finite numbers, "i" whole ones,
# and "∞" may be infinite.
_NUMBER, _FACTOR, _COUNT = ((), ""), ((), "+"), ((), "i0")
_POINT: tuple[tuple[Any, ...], str] = (("n",), "")
_PHASE1 = {"lipschitz": _FACTOR, "last_point": _POINT, "last_gradient": _POINT, "in_phase1": _COUNT}
_PHASE2 = {
    "rho": _FACTOR, "finished": _COUNT, "fun": _NUMBER, "gradient": _POINT, "slope": _POINT, "bb": _FACTOR,
    "values": ((8,), ""),
}  # fmt: skip
_CLOSING = {"closing": _COUNT, "gap_before": ((), "0∞")}
_NEEDED: dict[tuple[str, int], dict[str, tuple[tuple[Any, ...], str]]] = {
    ("primal-dual", 1): _PHASE1, ("primal-dual", 2): _PHASE2 | {"in_phase1": _COUNT},
    ("linear", 1): {"delta": _FACTOR, "since": _COUNT, "nulls": _COUNT},
    ("level", 1): {}, ("outer", 1): {}, ("outer", 2): {}, ("proximal", 1): {"weight": _FACTOR, "nulls": _COUNT},
    ("primal-dual", 3): _CLOSING, ("linear", 3): _CLOSING, ("proximal", 3): _CLOSING,
}  # fmt: skip
# Those that a run may do without, in groups that come together.
_OPTIONAL: tuple[dict[str, tuple[tuple[Any, ...], str]], ...] = (
    {"spread": _FACTOR}, {"unanswered": _COUNT}, {"several_at": _POINT}, {"rounds": _COUNT}, {"loosened": _COUNT},
    {"relaxed_best": _POINT, "relaxed_fun": _NUMBER}, {"radius": ((), "i+")}, {"exact": _COUNT},
    {"made_at": _POINT, "answers": (("m",), ""), "sets": ((32,), "i0")},
    {"gram": (("k", "k"), ""), "gram_serials": (("k",), "i")},
    {"near_serials": (("k",), "i0"), "near_multipliers": (("k",), "0")},
    {"lp_columns": (("n+1",), "i0"), "lp_rows": (("k",), "i0"), "lp_serials": (("k",), "i")},
    {"wide_serials": (("k",), "i0"), "wide_multipliers": (("k",), "0"), "wide_set": (("m",), "0"),
     "wide_width": _FACTOR},
)  # fmt: skip


def digest(arrays: dict[str, Array]) -> Array:
    """16 bytes that stand for names, kinds, shapes and contents of all arrays."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        value = np.asarray(arrays[name])
        found.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        found.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return np.frombuffer(found.digest(), dtype=np.uint8)


def check_saved(arrays: dict[str, Array]) -> None:
    """Raise `InputError`, which says what is wrong, unless a state can be made of the arrays and gone on with.

    Parameters
    ----------
    arrays : dict of arrays
        As `State.to_arrays` gives them; the history's are looked at by `History.from_dict`.
    """
    unknown = [name for name in arrays if name not in _OWN and name.split("/")[0] not in _PARTS]
    if unknown:
        raise InputError(f"it holds {unknown[0]!r}, which no state has")
    numbers = _get(arrays, "numbers")
    if numbers.dtype.kind == "i" and numbers.ndim == 1 and numbers.size and int(numbers[0]) != FORMAT:
        raise InputError(f"state format {int(numbers[0])} is not {FORMAT}: another version wrote it")
    _is(numbers, "numbers", (9,), np.int64)
    _, code, n_x, n_y, phase, *counts, _ = (int(v) for v in numbers)
    if code not in {status.code for status in Status}:
        raise InputError(f"{code} is no status's code")
    if min(n_x, n_y) < 0 or phase not in (1, 2, 3) or min(counts) < 0 or max(n_x, n_y, *counts) > _LARGEST:
        raise InputError(f"numbers is {numbers[2:].tolist()}: lengths and counts start at 0, the phase is 1 to 3")
    fun, gap, bound = (float(v) for v in _is(_get(arrays, "floats"), "floats", (3,), np.float64))
    if np.isnan([fun, gap, bound]).any() or fun == -np.inf or gap < 0 or bound == np.inf:
        raise InputError(f"floats is {[fun, gap, bound]}: the best value, its gap (≥ 0) and the bound")
    point = _get(arrays, "point")
    if point.dtype not in (np.float32, np.float64):
        raise InputError(f"point holds {point.dtype}, float32 or float64 was expected")
    method, n = _made_with(arrays, n_x, n_y)
    for name in ("point", "best"):
        _finite(_is(_get(arrays, name), name, (n,), point.dtype), name)
    _check_pool(arrays, n, point.dtype)
    _check_memory(arrays, method, phase, n)


def check_digest(arrays: dict[str, Array]) -> None:
    """Raise `InputError` where an array is another one than was saved, however well it looks.

    A plane or a step of another value would be followed, to a wrong answer as like as not. The sums of the archive
    see a damaged disk, but not a program that wrote the arrays anew.
    """
    rest = {name: value for name, value in arrays.items() if name != "digest"}
    if not np.array_equal(_get(arrays, "digest"), digest(rest)):
        raise InputError("its arrays are not those that it was saved with (their digest differs)")


def _made_with(arrays: dict[str, Array], n_x: int, n_y: int) -> tuple[str, int]:
    """Return the method, and the length of a point under the formulation."""
    made, scales = "memory/method and formulation", "memory/x_scale, y_scale and epsilon"
    words = _get(arrays, made)
    if words.dtype.kind != "U" or words.shape != (2,) or words[1] not in ("joint", "reduced"):
        raise InputError(f"{made} is {words!r}: two words were expected")
    numbers = _finite(_is(_get(arrays, scales), scales, (3,), None), scales)
    if not (numbers[:2] > 0).all() or numbers[2] < 0:
        raise InputError(f"{scales} is {numbers.tolist()}: scales are above 0, epsilon is at least 0")
    return str(words[0]), n_x + n_y if words[1] == "joint" else n_x


def _check_pool(arrays: dict[str, Array], n: int, dtype: Any) -> None:
    """Planes of n variables, of known kinds, with serial numbers of their own."""
    columns = {
        "norms": np.float64, "multipliers": np.float64, "kinds": np.int8, "serials": np.int64,
        "idle": np.int64, "age": np.int64,
    }  # fmt: skip
    pool = {name: _get(arrays, f"pool/{name}") for name in ("numbers", "normals", "offsets", *columns)}
    unknown = [k for k in arrays if k.startswith("pool/") and k[5:] not in pool]
    if unknown:
        raise InputError(f"it holds {unknown[0]!r}, which no pool has")
    width, cap, aggregated, following = (int(v) for v in _is(pool["numbers"], "pool/numbers", (4,), np.int64))
    if width != n:
        raise InputError(f"the pool's planes have {width} entries, a point has {n}")
    if cap < 2 or aggregated < 0 or not 0 <= following <= _LARGEST:
        raise InputError(f"pool/numbers is {pool['numbers'].tolist()}: length, cap ≥ 2, merged, next serial")
    size = pool["offsets"].size
    _finite(_is(pool["offsets"], "pool/offsets", (size,), np.float64), "pool/offsets")
    _finite(_is(pool["normals"], "pool/normals", (size, n), dtype), "pool/normals")
    for name, kind in columns.items():
        _finite(_is(pool[name], f"pool/{name}", (size,), kind), f"pool/{name}", "0")
    kinds, serials = pool["kinds"], pool["serials"]
    if (kinds > max(Kind)).any():
        raise InputError(f"pool/kinds holds {int(kinds.max())}; kinds of planes go from 0 to {max(Kind)}")
    if np.unique(serials).size < size or (serials >= following).any():
        raise InputError("pool/serials are not all different and below the next one")


def _check_memory(arrays: dict[str, Array], method: str, phase: int, n: int) -> None:
    """Memory of the methods known here, by name; that of a method of the user's own is the user's."""
    if method not in {known for known, _ in _NEEDED}:
        return
    for name, value in arrays.items():
        if name.startswith("memory/") and value.dtype.kind == "f" and name != "memory/gap_before":
            _finite(value, name)
    needed = _NEEDED.get((method, phase))
    if needed is None:
        raise InputError(f"the method {method!r} has no phase {phase}")
    for group in (needed, *_OPTIONAL):
        if group is not needed and not any(f"memory/{name}" in arrays for name in group):
            continue
        length = {"n": n, "n+1": n + 1}
        for name, (shape, sign) in group.items():
            name = f"memory/{name}"
            value = _get(arrays, name)
            if value.ndim == len(shape):
                for axis, entry in zip(value.shape, shape, strict=True):
                    if entry in ("k", "m"):
                        length.setdefault(entry, axis)
            _finite(_is(value, name, tuple(length.get(entry, entry) for entry in shape), None), name, sign)
            if "i" in sign and value.dtype.kind == "f":
                raise InputError(f"{name} holds {value.dtype}, whole numbers were expected")
    for name in ("memory/lp_columns", "memory/lp_rows"):
        if name in arrays and (arrays[name] > _BASIS).any():
            raise InputError(f"{name} holds {arrays[name].max()}; a basis's states go from 0 to {_BASIS}")


def _get(arrays: dict[str, Array], name: str) -> Array:
    if name not in arrays:
        raise InputError(f"it lacks {name!r}; another version wrote it, or it was changed")
    return arrays[name]


def _is(value: Array, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array of this shape and kind; numbers of any kind where `dtype` is None."""
    if value.shape != shape:
        raise InputError(f"{name} has shape {value.shape}, {shape} was expected")
    if value.dtype != dtype if dtype is not None else value.dtype.kind not in "iuf":
        wanted = "numbers" if dtype is None else np.dtype(dtype)
        raise InputError(f"{name} holds {value.dtype}, {wanted} were expected")
    return value


def _finite(value: Array, name: str, sign: str = "") -> Array:
    if np.isnan(value).any() or not ("∞" in sign or np.isfinite(value).all()):
        raise InputError(f"{name} holds a non-finite entry")
    if ("0" in sign and (value < 0).any()) or ("+" in sign and (value <= 0).any()):
        raise InputError(f"{name} holds {value.min()}; it must be {'above' if '+' in sign else 'at least'} 0")
    return value
