"""JSON, YAML and raw daily files that are well-formed and wrong, or made to exhaust their reader."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.experiments.config import RunConfig
from simmst.simulator.prior.file import load_prior
from simmst.traffic.telecom.day import read_day

DAY = "2013-11-01"
FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
JUNK = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            "",
            "0",
            "../../etc/passwd",
            "/etc/passwd",
            "\x00",
            "x" * 5000,
            [],
            {},
            [[]],
            {"a": {}},
            -1,
            0,
        ]
    ),
    st.sampled_from([10**12, 2**63, 10**40, -(10**40), 1e308, float("nan"), float("inf"), -0.0, 0.5]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
)


def places(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all nodes of nested mappings and lists."""
    yield here
    items = (
        content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    )
    for key, value in items:
        yield from places(value, (*here, key))


def replaced(content: Any, where: tuple[Any, ...], junk: Any, drop: bool) -> Any:
    """Copy with the node at a path replaced, or left out."""
    if not where:
        return junk
    copy = dict(content) if isinstance(content, dict) else list(content)
    if drop and len(where) == 1:
        del copy[where[0]]
    else:
        copy[where[0]] = replaced(copy[where[0]], where[1:], junk, drop)
    return copy


def test_a_value_is_something_else(text_reader: Any) -> None:
    is_json = text_reader.file.endswith(".json")
    text = text_reader.sample.decode()
    content = json.loads(text) if is_json else yaml.safe_load(text)
    write = json.dumps if is_json else yaml.safe_dump

    @FUZZ
    @given(
        st.lists(st.tuples(st.sampled_from(list(places(content))), JUNK, st.booleans()), min_size=1, max_size=2)
    )
    def check(todo: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
        changed = content
        for where, junk, drop in todo:
            try:
                changed = replaced(changed, where, junk, drop)
            except (KeyError, IndexError, TypeError, ValueError):
                continue  # the first change took this place away
        text_reader.survives(write(changed).encode("utf-8", "surrogatepass"))

    check()


HOSTILE = {
    "brackets within brackets": "[" * 200_000,
    "mappings within mappings": '{"a":' * 100_000,
    "a number of a million digits": '{"format": ' + "9" * 1_000_000 + "}",
    "a name given twice": '{"format": 2, "format": 3}',
    "a list at the top": "[1, 2]",
    "a text at the top": '"format"',
    "a null at the top in a list": "[null]",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_no_reader_takes_a_hostile_text(text_reader: Any, what: str) -> None:
    taken = text_reader.survives(HOSTILE[what].encode())
    assert not taken or (text_reader.name == "JSON of a run" and what in ("a name given twice",))


YAML = {
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)),
    "laughs where numbers belong": "mixture: [&a [x,x,x,x,x,x,x,x,x], "
    + ", ".join(f"&{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefghij", "bcdefghijk", strict=True))
    + "]",
    "a mapping that holds itself": "city: &c {isd_km: *c}",
    "an object": "city: !!python/object/apply:os.system ['true']",
    "no day of the calendar": "city: 2024-99-99",
    "a number with nothing in it": "city: !!int ''",
    "a key that is a list": "? [a, b]\n: 1",
    "a key that is a number": "1: 2",
    "a merge of nothing": "<<: 1",
    "tabs": "\tcity: 1",
    "two documents": "city: {}\n---\nservice: {}\n",
    "a huge value": f"mixture: {'x' * 2_000_000}",
}


@pytest.mark.parametrize("what", YAML)
def test_a_prior_that_is_a_trap(tmp_path: Path, what: str) -> None:
    path = tmp_path / "prior.yaml"
    path.write_text(YAML[what])
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=r"prior\.yaml: ") as found:
            load_prior(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(found.value)) < 1000
    assert peak < 100e6


def test_a_configuration_holds_finite_numbers(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    content = json.loads(RunConfig.of_preset("smoke").model_dump_json())
    content["train"]["learning_rate"] = float("inf")
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="learning_rate"):
        RunConfig.read(path)


def test_a_daily_file_without_an_end_of_line(tmp_path: Path) -> None:
    path = tmp_path / f"sms-call-internet-mi-{DAY}.txt"
    path.write_bytes(b"1" * 5_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="a line of more than"):
        read_day(path, np.datetime64(DAY), 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_malformed_lines_are_not_kept_without_limit(tmp_path: Path) -> None:
    path = tmp_path / f"sms-call-internet-mi-{DAY}.txt"
    path.write_bytes(b"nonsense " * 50 + b"\n" * 200_000)
    with pytest.raises(DataError, match="11 malformed lines up to line 11") as found:
        read_day(path, np.datetime64(DAY), 10)
    assert len(str(found.value)) < 500
