"""One way each to move on a polyhedron, one interface (`Method`).

A method of your own is one file: a class with `convex_only`, `start` and `move`, entered in `METHODS` under
the name that `BilevelSolver(method=...)` shall know it by.
"""

from cutplane.methods.base import Method
from cutplane.methods.level import Level
from cutplane.methods.linear import Linear
from cutplane.methods.proximal import Proximal
from cutplane.methods.two_phase import TwoPhase

METHODS: dict[str, Method] = {
    "primal-dual": TwoPhase(),
    "linear": Linear(),
    "level": Level(),
    "proximal": Proximal(),
}

OWN_OPTIONS: dict[str, tuple[str, ...]] = {
    "primal-dual": (
        "cut_every", "step_x", "step_y", "step_dual", "regularisation", "phase1_iterations", "penalty_growth",
    ),
    "linear": ("trust_radius",),
}  # fmt: skip
"""Options that one method alone reads."""
