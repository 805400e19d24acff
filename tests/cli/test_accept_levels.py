"""`--accept-levels`: exit 3 without it, and with it every format's impression says so first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mrs_disc.cli import run

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "lumbar_nifti"


@pytest.fixture(scope="module")
def doubled(tmp_path_factory):
    """Return a study of two levels of which the second names the files of the first."""
    folder = tmp_path_factory.mktemp("doubled")
    source = next(p for p in sorted(SAMPLE.glob("*.nii.gz")) if "ref" not in p.name)
    shutil.copy(source, folder / "one.nii.gz")
    shutil.copy(source, folder / "two.nii.gz")
    lines = ["schema_version = 1", 'study_id = "doubled"']
    for level, name in (("L3-L4", "one"), ("L4-L5", "two")):
        lines += ["[[disc]]", f'level = "{level}"', f'metabolite = "{name}.nii.gz"']
    (folder / "study.toml").write_text("\n".join(lines))
    return folder


def test_a_copy_under_two_names_is_exit_3_and_can_be_accepted(doubled, tmp_path, capsys):
    out = tmp_path / "refused"
    assert run(["analyze", str(doubled), "-o", str(out), "--format", "json"]) == 3
    assert "L3-L4 and L4-L5 are the same file" in capsys.readouterr().err
    record = json.loads((out / "results.json").read_text())
    assert [level["status"] for level in record["levels"]] == ["failed", "failed"]
    out = tmp_path / "accepted"
    formats = ["--format", "json", "--format", "html"]
    assert run(["analyze", str(doubled), "-o", str(out), *formats, "--accept-levels"]) == 0
    record = json.loads((out / "results.json").read_text())
    assert record["impression"].startswith("LEVELS NOT CONFIRMED: the files contradict L3-L4 and")
    assert record["recipe"]["levels"] == {"contradictions": "accept"}
    assert "LEVELS NOT CONFIRMED" in (out / "report.html").read_text()
    assert record["completeness"]["n_levels"] <= 1


def test_a_batch_takes_the_option_as_its_recipe(doubled, tmp_path):
    dataset = tmp_path / "dataset"
    shutil.copytree(doubled, dataset / "a")
    out = tmp_path / "out"
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--format", "json"]
    assert run([*words, "--accept-levels"]) == 0
    record = json.loads((out / "a" / "results.json").read_text())
    assert record["impression"].startswith("LEVELS NOT CONFIRMED")
