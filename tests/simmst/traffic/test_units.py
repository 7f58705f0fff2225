"""Units of several services in one text come apart as they were put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.traffic.units import by_service, joined_units

NAMES = st.text("ab=, .", min_size=1, max_size=6)
UNITS = st.text("MB/%s ", min_size=1, max_size=4)


@given(st.dictionaries(st.sampled_from(["dl", "up", "a=b", "x, y", "dl up"]), UNITS, min_size=2))
def test_they_come_apart_as_they_were_put_together(units):
    text = joined_units(units)
    if len(set(units.values())) == 1:
        assert text == next(iter(units.values())) and by_service(text, tuple(units)) == {}
    else:
        assert by_service(text, tuple(units)) == units


def test_a_unit_with_the_marks_is_refused_and_one_for_all_is_none_by_service():
    for bad in ("a,b", "a=b"):
        with pytest.raises(ConfigError, match="must hold neither"):
            joined_units({"x": bad, "y": "MB"})
    for text in ("MB", "unknown", "y=MB", "x=MB", "x=MB,y=GB", "z=1, x=MB, y=GB"):
        assert by_service(text, ("x", "y")) == {}
