"""What the scripts of the gallery share: colours that colour-blind eyes tell apart, and where pictures go."""

import sys
from pathlib import Path

from matplotlib.figure import Figure

# Okabe and Ito's colours; lines differ in dash as well.
BLACK, BLUE, ORANGE, GREEN, GREY = "#000000", "#0072b2", "#d55e00", "#009e73", "#7f7f7f"


def picture(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, laid out by matplotlib."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, script: str) -> None:
    """Write the picture as <script>.png into the folder named on the command line, or into this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    path = folder / f"{Path(script).stem}.png"
    figure.savefig(path, dpi=110)
    print(path)
