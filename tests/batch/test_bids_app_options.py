"""The options that BIDS Apps share, in both spellings, and what they change."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from mrs_disc.batch.lock import Claim
from mrs_disc.batch.plan import find_tasks
from mrs_disc.cli import bids_app, run
from mrs_disc.errors import InputError, ReadError
from mrs_disc.io import read_study
from mrs_disc.io.studies.bids_filter import read_filters

BIDS = Path(__file__).parents[2] / "sample_data" / "bids"


@pytest.fixture
def asked(monkeypatch):
    """What a command line asks of a batch; nothing is analysed."""
    found = []

    def record(dataset, output, options, **_):
        found.append(options)
        return 0

    monkeypatch.setattr(bids_app, "run", record)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())

    def ask(*words, status=0):
        found.clear()
        assert run(["bids-app", str(BIDS), "out", "participant", *map(str, words)]) == status
        return found[0] if found else None

    return ask


@pytest.mark.parametrize("mark", ["-", "_"])
def test_both_spellings_ask_the_same(asked, tmp_path, mark):
    filters = tmp_path / "my_filter.json"
    filters.write_text('{"svs": {"acquisition": null, "voi": ["L4L5", "L5S1"]}}')
    words = ["--participant-label", "01", "03", "--session-label", "ses-01", "02"]
    words += [
        "--skip-bids-validator",
        "--bids-filter-file",
        filters,
        "--work-dir",
        tmp_path / "w_d",
    ]
    words += ["--mem-mb", 2048, "--n-cpus", 3]
    words = [str(w).replace("-", mark) if str(w)[:2] == "--" else w for w in words]
    options = asked(*(f"--{w[2:]}" if str(w)[:2] == "__" else w for w in words))
    assert options.participants == ("01", "03")
    assert options.sessions == ("ses-01", "02")
    assert options.filters == {"svs": {"acq": (None,), "voi": ("L4L5", "L5S1")}}
    assert (options.jobs, options.memory_limit_gb) == (3, pytest.approx(2 / 3))
    assert os.environ["TMPDIR"] == str(tmp_path / "w_d")


def test_memory_bounds_the_number_of_workers(asked):
    assert asked("--mem_mb", 1200, "--nprocs", 8).jobs == 2
    assert asked("--mem-mb", 100_000, "--nprocs", 2).memory_limit_gb == bids_app.MEMORY_LIMIT_GB
    asked("--mem-mb", 100, status=2)


def test_the_work_folder_is_not_in_the_dataset(asked, capsys):
    asked("-w", BIDS / "work", status=2)
    assert "never written to" in capsys.readouterr().err
    assert not (BIDS / "work").exists()


def test_sessions_narrow_the_studies():
    assert [t.key for t in find_tasks(BIDS, sessions=["ses-02"])] == ["sub-03/ses-02"]
    with pytest.raises(InputError, match="Sessions: 01, 02"):
        find_tasks(BIDS, sessions=["3"])
    assert not Claim(sessions=("01",)).meets(Claim(sessions=("02",)))
    assert Claim(sessions=("01",)).meets(Claim(participants=("03",)))
    assert Claim(sessions=("01",)).name != Claim(sessions=("02",)).name


def test_a_filter_takes_files_by_their_entities(tmp_path):
    """sub-05 has a disc that was measured twice; the truth is the names of its files."""
    names = [p.name for p in (BIDS / "sub-05" / "mrs").glob("*_svs.nii.gz")]
    second = [n for n in names if "run-2" in n or "run-02" in n]
    study = read_study(BIDS / "sub-05", filters={"svs": {"run": ("2",)}})
    assert len(study.discs) == len(second) == 1
    without = read_study(BIDS / "sub-05", filters={"svs": {"run": (None,)}})
    assert len(without.discs) == sum("run-" not in n for n in names)
    with pytest.raises(InputError, match="no disc spectrum fits the filters"):
        read_study(BIDS / "sub-05", filters={"svs": {"acq": ("press",)}})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"bold": {}}, "no suffix is called 'bold'"),
        ({"svs": {"vio": "L4L5"}}, "Did you mean 'voi'"),
        ({"svs": ["L4L5"]}, "entities in braces"),
        ({"svs": {"voi": 1.5}}, "a label, a list of labels or null"),
    ],
)
def test_what_a_filter_file_may_not_say_is_said(tmp_path, content, told):
    path = tmp_path / "filter.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ReadError, match=told):
        read_filters(path)
