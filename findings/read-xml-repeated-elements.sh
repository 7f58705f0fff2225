#!/usr/bin/env bash
# pandas 3.1.1 (lxml 6.1.3): read_xml keeps the last of several children of one name, and says nothing.
#
# Guess: columns r and r.1, as read_csv names a column that is there twice; or an error.
# What it does: one column `r` with the last child's text. In a measurement file of TS 32.435 each object has an <r p="…"> a
# counter, in any order, so the column mixes counters: of the two cells below, 7 is the successes of one and 200 the
# attempts of the other. `p` is nowhere. With names=[…], which the documentation gives for elements of the same name,
# they are told apart by their order and not by p: the columns a and b mix counters, too. Both parsers do the same, no
# warning.
# Why it surprises: the frame has the right number of rows, a plausible column of numbers and no empty cell.
# Seen: lxml [7, 200] by names [100, 8] [7, 200] | etree [7, 200] by names [100, 8] [7, 200] | warnings 0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 pandas==3.1.1 lxml==6.1.3
"$place/venv/bin/python" - <<'PYTHON'
import io
import warnings

import pandas as pd

text = """<measInfo><measType p="1">Attempts</measType><measType p="2">Successes</measType>
<measValue measObjLdn="Cell=1"><r p="1">100</r><r p="2">7</r></measValue>
<measValue measObjLdn="Cell=2"><r p="2">8</r><r p="1">200</r></measValue></measInfo>"""
seen = {}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for parser in ("lxml", "etree"):
        plain = pd.read_xml(io.StringIO(text), xpath=".//measValue", parser=parser)
        named = pd.read_xml(io.StringIO(text), xpath=".//measValue", parser=parser, names=["cell", "a", "b"])
        assert list(plain.columns) == ["measObjLdn", "r"], "the behaviour has changed"
        seen[parser] = plain["r"].tolist(), named["a"].tolist(), named["b"].tolist()
words = [f"{parser} {r} by names {a} {b}" for parser, (r, a, b) in seen.items()]
print(" | ".join([*words, f"warnings {len(told)}"]))
assert set(map(str, seen.values())) == {"([7, 200], [100, 8], [7, 200])"} and not told, "the behaviour has changed"
PYTHON
