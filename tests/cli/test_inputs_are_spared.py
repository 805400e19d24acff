"""No command writes to what it reads, by whatever name the output is given."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mrs_disc import analyze, simulate_study, write_report
from mrs_disc.cli import run

SAMPLES = Path(__file__).parents[2] / "sample_data"


def plain(path: Path) -> Path:
    return path


def other_spelling(path: Path) -> Path:
    return Path(f"{path.parent}/../{path.parent.name}/./{path.name}")


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path))


def symlink(path: Path) -> Path:
    link = path.with_name(f"link-{path.name}")
    link.symlink_to(path.name)
    return link


def hard_link(path: Path) -> Path:
    link = path.with_name(f"hard-{path.name}")
    link.hardlink_to(path)
    return link


def linked_folder(path: Path) -> Path:
    folder = path.parent.with_name(f"{path.parent.name}-link")
    folder.symlink_to(path.parent.name)
    return folder / path.name


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    write_report(analyze(simulate_study(seed=3, levels=("L4-L5",))[0]), out, formats=("json",))
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "spelt", [plain, other_spelling, relative, symlink, hard_link, linked_folder]
)
@pytest.mark.parametrize("which", ["convert", "report", "calibrate", "convert water"])
def test_no_command_writes_to_its_input(study, tmp_path, capsys, which, spelt):
    place = tmp_path / "in"
    place.mkdir()
    if which.startswith("convert"):
        raw = place / "raw.nii.gz"
        shutil.copy(SAMPLES / "lumbar_nifti" / "L4-L5_press.nii.gz", raw)
        target = spelt(raw)
        words = ["convert", raw, "-o", target, "--overwrite"]
        if which == "convert water":
            words = ["convert", target, "-o", raw, "--overwrite"]
    elif which == "calibrate":
        table = place / "table.toml"
        shutil.copy(SAMPLES / "cohort" / "levels.tsv", table)
        words = ["model", "calibrate", table, "-o", spelt(table), "--overwrite"]
    else:
        for name in ("results.json", "signals.npz"):
            shutil.copy(study / name, place)
        folder = spelt(place / "results.json").parent
        words = ["report", place, "-o", folder, "--format", "json", "--overwrite"]
    before = content(place)
    assert run([str(word) for word in words]) == 2
    assert content(place) == before
    if which != "calibrate":
        assert "inputs are never written to" in capsys.readouterr().err
