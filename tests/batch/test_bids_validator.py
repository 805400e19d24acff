"""The BIDS validator passes what is written: raw, simulated and derivative datasets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mrs_disc.cli import run

SAMPLES = Path(__file__).parents[2] / "sample_data"
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VALIDATOR.exists(), reason="bids-validator-deno is absent"),
]


def errors(dataset):
    """What the validator calls an error, and how many subjects it finds."""
    command = [str(VALIDATOR), str(dataset), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(done.stdout)
    issues = [
        f"{one['code']} {one.get('location', '')}"
        for one in found["issues"]["issues"]
        if one["severity"] == "error"
    ]
    return issues, len(found["summary"]["subjects"])


def test_raw_and_simulated_datasets_are_valid(tmp_path):
    assert errors(SAMPLES / "bids") == ([], 6)
    words = ["simulate", "-o", str(tmp_path / "sim"), "--subjects", "2", "--levels", "L4-L5"]
    assert run(words) == 0
    assert errors(tmp_path / "sim") == ([], 2)


def test_derivatives_are_valid_in_every_format_and_beside_their_dataset(tmp_path):
    raw = shutil.copytree(SAMPLES / "bids", tmp_path / "raw")
    out = raw / "derivatives" / "mrs_disc"
    formats = ("html", "csv", "pdf", "png", "text", "xlsx", "nifti", "fhir", "citation")
    words = ["batch", str(raw), "-o", str(out), "--level", "L4-L5"]
    words += ["--participant-label", "01", "--participant-label", "03"]
    assert run([*words, *(w for name in formats for w in ("--format", name))]) == 0
    assert errors(out)[0] == []
    assert errors(raw)[0] == []


def bids2table_rows(dataset):
    """Subject, session and voi of each spectrum that bids2table lists."""
    import bids2table

    rows = bids2table.index_dataset(dataset).to_pylist()
    return [(row["sub"], row["ses"], row["voi"]) for row in rows if row["suffix"] == "svs"]


@pytest.mark.filterwarnings("ignore")
def test_pybids_and_bids2table_list_every_subject_session_and_voi(tmp_path):
    """pybids calls the voi "volume"; the tables of derivatives it lists where it does not check."""
    bids, _ = pytest.importorskip("bids"), pytest.importorskip("bids2table")
    raw = SAMPLES / "bids"
    spectra = sorted(raw.rglob("*_svs.nii.gz"))
    names = [dict(re.findall(r"(sub|ses|voi)-([^_]+)", path.name)) for path in spectra]
    expected = sorted((n["sub"], n.get("ses") or "", n["voi"]) for n in names)
    listed = [file.entities for file in bids.BIDSLayout(raw).get(suffix="svs", extension=".nii.gz")]
    by_pybids = [(f["subject"], f.get("session") or "", f["volume"]) for f in listed]
    assert sorted(by_pybids) == expected
    assert sorted((sub, ses or "", voi) for sub, ses, voi in bids2table_rows(raw)) == expected

    words = ["batch", str(raw), "-o", str(tmp_path / "out"), "--level", "L4-L5", "--jobs", "1"]
    assert run([*words, "--participant-label", "01", "--participant-label", "03"]) == 0
    layout = bids.BIDSLayout(tmp_path / "out", validate=False)
    assert layout.get_subjects() == ["01", "03"]
    assert layout.get_sessions() == ["01", "02"]
    (levels,) = layout.get(suffix="levels", extension=".tsv")
    rows = levels.get_df()[["participant_id", "session_id", "level"]].fillna("")
    assert rows.to_numpy().tolist() == [
        ["sub-01", "", "L4-L5"],
        ["sub-03", "ses-01", "L4-L5"],
        ["sub-03", "ses-02", "L4-L5"],
    ]
    assert set(levels.get_metadata()) >= {"score", "LAC/PG"}
    # bids2table lists the files of a subject whose names begin with sub-. Those of a study here are
    # called results.json, signals.npz, report.html: `levels.tsv` is where discs are listed.
    assert bids2table_rows(tmp_path / "out") == []
