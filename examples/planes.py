"""What a plane does: cut, move to the plane, cut again, for the plain and for the squared distance to y*(x)."""

import numpy as np
from gallery import BLACK, BLUE, GREY, ORANGE, picture, save

from cutplane import SolutionMap
from cutplane.core.cuts import gradient_cut
from cutplane.core.pool import Kind

CUTS = 5


def slope(x: np.ndarray) -> np.ndarray:
    """Return a curved answer y*(x) of the lower level."""
    return 1.2 * x - 0.25 * x**2


def walk(norm: str) -> tuple[np.ndarray, list]:
    """From (0.3, 2.4), move to the nearest point of each new plane; return the points and the planes."""
    lower = SolutionMap(slope, lambda x, v: v * (1.2 - 0.5 * x), norm=norm)
    points, planes = [np.array([0.3, 2.4])], []
    for _ in range(CUTS):
        z = points[-1]
        value, grad_x, grad_y = lower.gap(z[:1], z[1:])
        planes.append(gradient_cut(Kind.GAP, z, value, np.concatenate([grad_x, grad_y])))
        a, c = planes[-1].normal, planes[-1].offset
        points.append(z - a * (a @ z + c) / (a @ a))
    return np.array(points), planes


figure = picture(8, 3.6)
x = np.linspace(0, 2.6, 50)
for axes, norm in zip(figure.subplots(1, 2, sharey=True), ("plain", "squared"), strict=True):
    points, planes = walk(norm)
    for plane in planes:
        axes.plot(x, -(plane.normal[0] * x + plane.offset) / plane.normal[1], color=GREY, lw=0.8)
    axes.plot(x, slope(x), color=BLACK, lw=2, label="lower level's answer y*(x)")
    axes.plot(*points.T, "o--", color=BLUE, ms=5, lw=0.9, label="from plane to plane")
    axes.plot(*points[-1], "*", color=ORANGE, ms=12, label=f"after {CUTS} planes")
    left = abs(points[-1, 1] - slope(points[-1, 0]))
    axes.set(title=f"{norm} distance: {left:.1g} left", xlabel="x", xlim=(0, 2.6), ylim=(0, 2.6))
axes.legend(fontsize="small", loc="lower right")
figure.axes[0].set_ylabel("y")
save(figure, __file__)
