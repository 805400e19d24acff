"""The sample data are what their script writes, small, and honest about their truth."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.io import read_study

SAMPLES = Path(__file__).parents[2] / "sample_data"


def size(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def test_sizes_stay_small():
    assert size(SAMPLES) < 25e6
    assert size(SAMPLES / "demo") < 5e6


def test_script_writes_the_demo_anew(tmp_path):
    """The same in one environment; elsewhere a rounding may move a sample by a digitiser's step."""
    make = runpy.run_path(str(SAMPLES / "make.py"))
    make["make"](tmp_path, ["demo"])
    assert (tmp_path / "demo/study.toml").read_bytes() == (SAMPLES / "demo/study.toml").read_bytes()
    a, b = read_study(tmp_path / "demo"), read_study(SAMPLES / "demo")
    for level in a.levels:
        x, y = a[level].metabolite.signal, b[level].metabolite.signal
        steps = np.abs(x - y) / np.std(y[..., -100:])
        assert steps.max() < 0.2
        assert (steps > 0).mean() < 1e-3


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/study.toml")), ids=lambda p: p.parent.name)
def test_studies_name_the_discs_of_their_truth(path):
    study = read_study(path.parent)
    truth = json.loads((path.parent / "truth.json").read_text())
    assert list(truth) == [study.study_id]
    assert tuple(truth[study.study_id]) == study.levels


def test_readme_names_every_part():
    text = (SAMPLES / "README.md").read_text()
    for folder in (p for p in SAMPLES.iterdir() if p.is_dir() and p.name != "__pycache__"):
        assert f"`{folder.name}`" in text
