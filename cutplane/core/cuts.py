"""Cut rules: from the value and gradient of a constraint at a point to a plane that separates the point."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array, positive
from cutplane.core.pool import Kind, Plane
from cutplane.errors import InputError

CutRule = Callable[[Kind, Array, float, Array], Plane]
"""(kind, point, value with ε taken off, gradient) -> plane."""


def gradient_cut(kind: Kind, z: Array, value: float, gradient: Array) -> Plane:
    """Plane value + gradient·(u − z) ≤ 0 in u: valid on {h ≤ 0} for a convex h [K, (6)–(7)].

    Parameters
    ----------
    kind : Kind
    z : ndarray of shape (n,)
        Where h was evaluated.
    value : float
        h(z), with ε already taken off.
    gradient : ndarray of shape (n,)
        A (sub)gradient of h at z.
    """
    return Plane(kind, gradient, value - float(gradient @ z))


@dataclass(frozen=True, slots=True)
class MuCut:
    """The cut of a weakly convex h: h + (μ/2)‖·‖² is convex.

    Parameters
    ----------
    mu : float
        Modulus of weak convexity, > 0.
    radius : float
        In the "trust-region" form, the largest ‖u − z‖ over the points u that must be kept; in the "ball"
        form the radius of a ball around 0 that holds all of them.
    form : {"trust-region", "ball"}
        Trust region: h(z) + ∇h·(u − z) ≤ (μ/2) radius² for ‖u − z‖ ≤ radius. Ball: the right side is
        μ (radius² + ‖z‖²), the form of AFTO (arXiv 2312.11835), valid for ‖u‖ ≤ radius.

    Notes
    -----
    μ and radius are in the variables that the solver works in, x/x_scale and y/y_scale.
    Both follow from h(z) + ∇h·(u − z) − (μ/2)‖u − z‖² ≤ h(u). The trust-region form is the tighter one,
    and loses its validity for points farther than `radius` from where it was made.
    """

    mu: float
    radius: float
    form: str = "trust-region"

    def __post_init__(self) -> None:
        positive(self.mu, "MuCut: mu (convex h needs no μ-cut)")
        positive(self.radius, "MuCut: radius")
        if self.form not in ("trust-region", "ball"):
            raise InputError(f"MuCut: form is 'trust-region' or 'ball', not {self.form!r}")

    def __call__(self, kind: Kind, z: Array, value: float, gradient: Array) -> Plane:
        """Return the plane at z; it separates z only where h(z) exceeds the slack that validity costs."""
        reach = self.radius**2 / 2 if self.form == "trust-region" else self.radius**2 + float(z @ z)
        return gradient_cut(kind, z, value - self.mu * reach, gradient)


def separates(plane: Plane, z: Array, tolerance: float = 0.0) -> bool:
    """Whether the plane cuts z off by more than `tolerance` (a distance)."""
    length = float(np.linalg.norm(plane.normal))
    return length > 0 and float(plane.normal @ z) + plane.offset > tolerance * length
