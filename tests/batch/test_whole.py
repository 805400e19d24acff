"""A batch in memory: the rows of its table, limits and images beside them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import mrs_disc as md
from mrs_disc.batch.collect import collect_results
from mrs_disc.errors import InputError


@pytest.fixture(scope="module")
def derivatives(tmp_path_factory):
    """Two examinations of one person, one of another, and one that failed."""
    out = tmp_path_factory.mktemp("derivatives")
    for seed, place in ((1, "sub-01/ses-01"), (2, "sub-01/ses-02"), (3, "sub-02")):
        study, _ = md.simulate_study(seed=seed, levels=["L4-L5", "L5-S1"])
        md.write_report(md.analyze(study), out / place, formats=["json"])
    (out / "sub-03").mkdir()
    (out / "sub-03" / "results.json").write_text("{")
    return out


def test_the_rows_are_those_of_the_table_on_disk(derivatives):
    collect_results(derivatives)
    found = md.read_cohort(derivatives)
    written = pd.read_csv(derivatives / "levels.tsv", sep="\t")
    assert len(found) == len(written) == 6
    for name in ("participant_id", "session_id", "level", "status", "verdict", "label"):
        assert found[name].fillna("").tolist() == written[name].fillna("").tolist()
    for name in ("LAC/PG", "LAC/PG_high", "score", "snr"):
        for a, b in zip(found[name], written[name], strict=True):
            assert (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-9)


def test_limits_stand_beside_what_is_below_them_and_every_column_is_explained(derivatives):
    found = md.read_cohort(derivatives)
    below = found[found["PA/PG_limit"] == "upper"]
    assert (below["PA/PG"] < 2 * below["PA/PG_sd"]).all()
    assert {"pfirrmann", "hiz"} <= set(found)
    explained = set(found.attrs["dictionary"])
    own = {"pfirrmann", "modic", "hiz", "herniation", "disc_height_loss"}
    assert set(found) - explained <= own
    assert list(found.attrs["failed"]) == ["sub-03"]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such"):
        md.read_cohort(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no study has a result"):
        md.read_cohort(tmp_path)
