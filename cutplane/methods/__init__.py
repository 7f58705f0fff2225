"""One way each to move on a polyhedron, one interface (`Method`), one frozen dataclass with its own options.

A method of your own is one file: a class with `name`, `convex_only`, `start` and `move`, of which an object is
handed to `BilevelSolver`.
"""

from dataclasses import fields
from typing import Any

from cutplane.errors import InputError
from cutplane.methods.base import Method
from cutplane.methods.level import Level
from cutplane.methods.linear import Linear
from cutplane.methods.outer import OuterApproximation
from cutplane.methods.proximal import Proximal
from cutplane.methods.two_phase import PrimalDual

METHODS: dict[str, type[PrimalDual] | type[Linear] | type[Level] | type[Proximal] | type[OuterApproximation]] = {
    "primal-dual": PrimalDual, "linear": Linear, "level": Level, "proximal": Proximal,
    "outer": OuterApproximation,
}  # fmt: skip
"""The classes that names stand for."""

__all__ = ["METHODS", "Level", "Linear", "Method", "OuterApproximation", "PrimalDual", "Proximal", "as_method"]


def as_method(method: Any, own: dict[str, Any]) -> Method:
    """Return a method: `method` itself, or the one that a name stands for, with these options of its own.

    Raises
    ------
    InputError
        For an unknown name, an option of another method, options beside an object, or an object that is no method.
    TypeError
        For an option that no method has.
    """
    owners = {option: name for name, kind in METHODS.items() for option in _options(kind)}
    for option in own:
        if option not in owners:
            raise TypeError(f"BilevelSolver has no option {option!r}, and no method has")
    if isinstance(method, str):
        if method not in METHODS:
            raise InputError(f"method must be one of {', '.join(METHODS)}; not {method!r}")
        for option in own:
            if option not in _options(METHODS[method]):
                raise InputError(
                    f"{option} is an option of method={owners[option]!r}; with method={method!r} leave it out"
                )
        return METHODS[method](**own)
    if isinstance(method, type):
        raise InputError(f"method must be an object, not a class: {method.__name__}()")
    if not isinstance(method, Method) or not isinstance(method.name, str):
        raise InputError(
            f"method must be one of {', '.join(METHODS)}, or an object with name, convex_only, start and move; "
            f"not {method!r}"
        )
    for option in own:
        raise InputError(f"{option} is an option of {owners[option]!r}: give it to the method, not beside one")
    taken = METHODS.get(method.name)
    if taken is not None and not isinstance(method, taken):
        raise InputError(f"the name {method.name!r} is that of {taken.__name__}: give your method another one")
    return method


def _options(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init)
