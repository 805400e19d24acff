"""The score's table on a few simulated patients."""

import numpy as np
import pytest

from mrs_disc.errors import InputError
from mrs_disc.simulate import LUMBAR
from mrs_disc.validate import score_text, validate_score
from mrs_disc.validate.discrimination import _kinds, area_under_curve


def test_table_counts_every_disc():
    table = validate_score(2, 8, cohorts=["mixed", "three"])
    mixed, three = table.cohorts
    assert (mixed.patients, mixed.discs) == (2, 10)
    assert (three.patients, three.discs) == (3, 9)
    for one in table.cohorts:
        assert one.scored + one.failed <= one.discs
        assert sum(b.n for b in one.bins) == one.scored
        assert sum(b.n for b in one.by_snr) == one.scored
        assert one.wrong <= one.labelled <= one.scored
    assert "AUC" in score_text(table)


def test_cohorts_fix_the_kinds_that_their_words_say():
    for subject in range(20):
        assert len(set(_kinds("alike", 1, subject, LUMBAR).values())) == 1
        mostly = list(_kinds("mostly painful", 1, subject, LUMBAR).values())
        assert (mostly.count("P"), mostly.count("D")) == (4, 1)
    assert _kinds("mixed", 1, 1, LUMBAR) is None
    with pytest.raises(InputError, match="Did you mean 'alike'"):
        validate_score(1, 1, cohorts=["alik"])


def test_area_under_curve_of_two_normals():
    """Equal variances, distance d: the normal probability of d / sqrt(2)."""
    rng = np.random.default_rng(0)
    value = np.concatenate([rng.normal(0, 1, 2000), rng.normal(2, 1, 2000)])
    positive = np.arange(4000) >= 2000
    assert area_under_curve(value, positive) == pytest.approx(0.921, abs=0.015)
    assert np.isnan(area_under_curve(value, np.zeros(4000, dtype=bool)))
