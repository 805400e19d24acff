"""Of rows that contradict each other none is chosen in silence."""

from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path

import pytest

from mrs_disc.errors import InputError
from mrs_disc.io import read_study

SAMPLES = Path(__file__).parents[2] / "sample_data"
HEAD = "participant_id\tlevel\tpfirrmann\tmodic\n"


@pytest.fixture
def dataset(tmp_path):
    return shutil.copytree(SAMPLES / "bids", tmp_path / "bids")


ROWS = [
    ("sub-01\tL4-L5\t3\t0\n", "sub-01\tL4-L5\t4\t0\n", True),
    ("sub-01\tL4-L5\t3\t0\n", "01\tL4L5\t3\t1\n", True),
    ("sub-01\tL4-L5\t3\t0\n", '"sub-01"\tL4/5\tn/a\t0\n', True),
    ("sub-01\tL4-L5\t3\t0\n", "sub-01\tl4_l5\t3\t0\n", False),
    ("sub-01\tL4-L5\t3\t0\n", "sub-01\tL3-L4\t4\t0\n", False),
    ("sub-01\tL4-L5\t3\t0\n", "sub-02\tL4-L5\t4\t0\n", False),
]


@pytest.mark.parametrize(("one", "other", "contradict"), ROWS)
def test_rows_of_one_disc_agree_or_are_refused_in_any_order(dataset, one, other, contradict):
    for rows in permutations((one, other)):
        (dataset / "morphology.tsv").write_text(HEAD + "".join(rows))
        if contradict:
            with pytest.raises(InputError, match=r"rows 2 and 3 contradict .*sub-01 L4-L5"):
                read_study(dataset / "sub-01")
        else:
            assert read_study(dataset / "sub-01").entry("L4-L5").morphology.pfirrmann == 3
