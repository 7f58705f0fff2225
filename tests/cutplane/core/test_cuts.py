"""Cut rules on functions whose level sets are known."""

import numpy as np
import pytest

from cutplane import InputError, MuCut
from cutplane.core.cuts import gradient_cut, separates
from cutplane.core.pool import Kind, Plane


def test_the_gradient_cut_is_violated_at_its_point_by_the_value():
    z, gradient = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    plane = gradient_cut(Kind.GAP, z, 0.7, gradient)
    assert plane.normal @ z + plane.offset == pytest.approx(0.7)
    assert separates(plane, z)
    assert not separates(plane, z, tolerance=1.0)


def test_a_plane_without_a_normal_separates_nothing():
    assert not separates(Plane(Kind.GAP, np.zeros(2), 1.0), np.zeros(2))


def test_the_mu_cut_gives_up_the_slack_of_its_form():
    z, gradient = np.array([0.5]), np.array([2.0])
    tight = MuCut(mu=2.0, radius=0.5)(Kind.GAP, z, 1.0, gradient)
    wide = MuCut(mu=2.0, radius=0.5, form="ball")(Kind.GAP, z, 1.0, gradient)
    assert tight.normal @ z + tight.offset == pytest.approx(1.0 - 2.0 * 0.5**2 / 2)
    assert wide.normal @ z + wide.offset == pytest.approx(1.0 - 2.0 * (0.5**2 + 0.5**2))
    assert separates(tight, z) and not separates(wide, z)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0.0, 1.0), "mu"), (("a", 1.0), "mu"), ((1.0, np.inf), "radius"), ((1.0, 1.0, "cube"), "form is")],
)
def test_a_mu_cut_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        MuCut(*arguments)
