"""What few discs hold: named where it is, counted to the baseline, never among the amounts."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.recipe import Recipe
from mrs_disc.steps import fit, grade, preprocess
from mrs_disc.validate.stress import stress_row


@pytest.mark.parametrize(
    ("row", "there"),
    [("plain", None), ("creatine", "CRE"), ("acetate", "ACE"), ("more macromolecules", "MM")],
)
def test_what_few_discs_hold_is_named_where_it_is(row, there):
    named = []
    for index in range(4):
        preprocessed = preprocess(stress_row(row).make(40427, index).acquisition, Recipe())
        fitted = fit(preprocessed)
        assert not {"CRE", "ACE", "TAU", "MM"} & set(fitted.names)
        assert fitted.covariance.shape == (len(fitted.names),) * 2
        assert np.all(np.isfinite(fitted.curves.baseline))
        found = grade(fitted, preprocessed).findings
        named += [one.subject for one in found if one.kind == "foreign_found"]
    # Half a millimole of acetate is below what can be said.
    assert named.count(there) >= 1 if there else not named
    assert set(named) <= {there}
