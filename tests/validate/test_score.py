"""The score's table on a few simulated patients."""

import numpy as np
import pytest

from mrs_disc.validate import score_text, validate_score
from mrs_disc.validate.discrimination import area_under_curve


def test_table_counts_every_disc():
    table = validate_score(2, 10)
    assert table.discs == 10
    assert table.scored + table.failed <= 10
    assert sum(one.n for one in table.bins) == table.scored
    assert table.wrong <= table.labelled <= table.scored
    assert "AUC" in score_text(table)


def test_area_under_curve_of_two_normals():
    """Equal variances, distance d: the normal probability of d / sqrt(2)."""
    rng = np.random.default_rng(0)
    value = np.concatenate([rng.normal(0, 1, 2000), rng.normal(2, 1, 2000)])
    positive = np.arange(4000) >= 2000
    assert area_under_curve(value, positive) == pytest.approx(0.921, abs=0.015)
    assert np.isnan(area_under_curve(value, np.zeros(4000, dtype=bool)))
