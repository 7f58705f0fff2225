"""What the paper prints, as far as it is known here, to stand beside our figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simmst.evaluation.benchmark import Benchmark


@dataclass(frozen=True, slots=True)
class Printed:
    """MAE and RMSE that the paper (arXiv 2601.21384) prints for rows of a city and a service; ranges over rows."""

    city: str
    service: str
    rows: str
    mae: str
    rmse: str


#: Ranges over the baselines' rows, and Sim-MSTNet with the baselines of its own table. The paper states neither
#: the unit, the time step nor the squares.
PRINTED: tuple[Printed, ...] = (
    Printed("Milano", "internet", "single-task baselines", "5.05 to 5.25", "8.94 to 9.64"),
    Printed("Milano", "internet", "baselines beside Sim-MSTNet", "5.15", "9.73"),
    Printed("Milano", "internet", "Sim-MSTNet", "1.40", "2.09"),
    Printed("Milano", "call", "baselines", "0.94 to 1.08", ""),
    Printed("Milano", "sms", "baselines", "1.54 to 1.81", ""),
    Printed("Trento", "internet", "baselines", "5.7 to 7.7", "8.7 to 11.6"),
)

#: How the paper's text and its tables differ, and what keeps the figures from being compared.
SLIPS: Sequence[str] = (
    "The paper gives neither the unit, the time step, the squares nor the test days of its figures. On 100 "
    "squares of Milano drawn at random the mean of ten minutes is the scale that fits their size best: a guess.",
    "Its figure for Sim-MSTNet on Milano lies 3.7 times below its baselines, which differ among themselves by "
    "4 %; on the same squares models gain up to about a fifth over a ridge here.",
    "Its text names ConvLSTM among eight single-task baselines; the table has seven rows and no ConvLSTM.",
    "MTTC classifies flows and CSLSL predicts places: their rows, and AST-MTL's, are adaptations that nobody "
    "published, there and here.",
)


def why_not_comparable(benchmark: Benchmark) -> Mapping[str, str]:
    """Say for each city why its printed figures cannot be held against this benchmark's."""
    name = benchmark.target.name.lower()
    reasons = {}
    for city in ("Milano", "Trento"):
        if city.lower() not in name:
            reasons[city] = f"other data ({benchmark.target.name})"
        elif benchmark.name == "paper":
            reasons[city] = "squares, days and unit of the paper are unknown; ours are the mean of ten minutes"
        else:
            reasons[city] = (
                "squares, days and unit of the paper are unknown, and it forecasts three services together; "
                "ours are the mean of ten minutes"
            )
    return reasons
