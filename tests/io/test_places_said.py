"""What `info` and `init` say of levels whose files contradict their names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import mrs_disc as md
from mrs_disc.cli.info import command as info
from mrs_disc.cli.init import command as init
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
from mrs_disc.toml_text import toml_value

ROOT = Path(__file__).parents[2]
LEVELS = ("L3-L4", "L4-L5", "L5-S1")


@pytest.fixture(scope="module")
def study():
    return md.simulate_study(seed=5, levels=LEVELS)[0]


def written(folder, study, files, changes=None):
    """Write the level of each entry of `files` under its key's name, and name it in study.toml."""
    lines = ["schema_version = 1", 'study_id = "s"']
    for name, source in files.items():
        acquisition = study[source]
        protocol = acquisition.protocol
        if changes and name in changes:
            protocol = replace(protocol, voxel_affine=changes[name](protocol.voxel_affine.copy()))
        target = folder / f"{name}.nii.gz"
        write_nifti_mrs(target, acquisition.metabolite, protocol)
        lines += [
            "[[disc]]",
            f"level = {toml_value(name)}",
            f"metabolite = {toml_value(target.name)}",
        ]
    (folder / "study.toml").write_text("\n".join(lines))
    return folder


def said(folder):
    result = CliRunner().invoke(info, [str(folder), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_info_of_a_sound_study_has_no_word_of_places(tmp_path, study):
    found = said(written(tmp_path, study, {level: level for level in LEVELS}))
    assert found["findings"] == []


def test_info_names_an_exchange_as_code_and_as_problem(tmp_path, study):
    files = {"L3-L4": "L4-L5", "L4-L5": "L3-L4", "L5-S1": "L5-S1"}
    folder = written(tmp_path, study, files)
    found = said(folder)
    assert [f["subject"] for f in found["findings"] if f["kind"] == "levels_exchanged"] == [
        "L3-L4",
        "L4-L5",
    ]
    problem = "L4-L5 lies 36 mm above L3-L4, though its name says below"
    assert any(problem in p for p in found["problems"])
    assert f"problem: {problem}" in CliRunner().invoke(info, [str(folder)]).output


def test_info_names_a_file_under_two_names(tmp_path, study):
    found = said(written(tmp_path, study, {"L3-L4": "L3-L4", "L4-L5": "L3-L4"}))
    assert {f["kind"] for f in found["findings"]} == {"same_file_twice"}


def test_init_remarks_on_names_that_their_places_contradict(tmp_path, study):
    files = {"L3-L4": "L4-L5", "L4-L5": "L3-L4", "L5-S1": "L5-S1"}
    (written(tmp_path, study, files) / "study.toml").unlink()
    result = CliRunner().invoke(init, [str(tmp_path)])
    assert "L4-L5 lies 36 mm above L3-L4" in result.stderr


def test_guessed_lines_are_data_and_named_until_they_are_confirmed(tmp_path, study):
    for name, level in (("a", "L3-L4"), ("b", "L4-L5"), ("c", "L5-S1")):
        acquisition = study[level]
        write_nifti_mrs(tmp_path / f"{name}.nii.gz", acquisition.metabolite, acquisition.protocol)
    CliRunner().invoke(init, [str(tmp_path)])
    draft = (tmp_path / "study.toml").read_text()
    assert draft.count("\nconfirmed = false") == 3
    found = said(tmp_path)
    assert [f["kind"] for f in found["findings"]] == ["level_unconfirmed"] * 3
    assert any("set confirmed = true in study.toml" in p for p in found["problems"])
    report = md.analyze(md.read_study(tmp_path), levels=["L4-L5"])
    assert report.impression.startswith(
        "INCOMPLETE: 1 usable disc, at least 3 needed. "
        "Levels by position, not confirmed: L3-L4, L4-L5 and L5-S1."
    )
    assert [f.kind for f in report.findings] == ["level_unconfirmed"] * 3
    (tmp_path / "study.toml").write_text(draft.replace("confirmed = false", "confirmed = true"))
    assert said(tmp_path)["findings"] == []


def test_a_level_of_a_files_name_is_a_note_of_its_report(tmp_path, study):
    acquisition = study["L4-L5"]
    write_nifti_mrs(tmp_path / "L4-L5_press.nii.gz", acquisition.metabolite, acquisition.protocol)
    entry = said(tmp_path)["levels"][0]
    assert "level_by_name" in [f["kind"] for f in entry["findings"]]
    assert "level from the file's name" in md.read_study(tmp_path)["L4-L5"].notes


def test_readme_shows_what_info_says_of_an_exchange(tmp_path):
    folder = tmp_path / "lumbar_sdat"
    shutil.copytree(ROOT / "sample_data" / "lumbar_sdat", folder)
    text = (folder / "study.toml").read_text()
    for old, new in (("L3-L4", "L0"), ("L4-L5", "L3-L4"), ("L0", "L4-L5")):
        text = text.replace(f'level = "{old}"', f'level = "{new}"')
    (folder / "study.toml").write_text(text)
    shown = (ROOT / "README.md").read_text().partition("```text\n")[2].partition("\n```")[0]
    assert shown in CliRunner().invoke(info, [str(folder)]).output
