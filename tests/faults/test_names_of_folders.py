"""Folders, images and sidecars named by persons: what outputs call a study where nobody gave an id.

Every output byte is searched, as in `test_privacy.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.cli import run
from mrs_disc.errors import OutputError
from mrs_disc.files import write_private
from mrs_disc.io import read_study
from mrs_disc.io.studies.neutral import is_code, neutral_id, resembles_a_person, without_names

from . import spoil as s
from .test_privacy import BIRTH, NAME, leaks

PERSON = f"{NAME}_{BIRTH}"


@pytest.mark.parametrize(
    "name",
    [
        *("Zwiebelfisch", "Zwiebelfisch_Anton", "zwiebelfisch-a", "ZWIEBELFISCH^ANTON", "AntonZ"),
        *(
            "Kim01",
            "kim_01",
            "KIM-1",
            "Wu3",
            "Ng_12",
            "Lee.07",
            "sub-Ito2",
            "金01",
            "金_明",
            "Park_2b",
        ),
        *("Li_Wu", "Kim", "Müller_01", "19610713", "1961-07-13", "13.07.1961", "p_19610713"),
        *("QX77341223", "MRN-7734100", "Anton's spine", "=formula", "a/b", "", ".hidden", "x" * 80),
    ],
)
def test_what_may_name_a_person_is_no_code(name):
    assert not is_code(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "sub-01",
            "p1",
            "01",
            "12345",
            "lumbar_sdat",
            "study-1a2b3c4d",
            "HC07",
            "two",
            "a",
            "k10b",
        ),
        *("Spine01", "LBP07", "Disc12", "Control03", "Ctrl_4", "IVD-2", "MRI01", "DDD_9", "Lbp07"),
        *("patient-003", "control_12", "Visit-2", "L4-L5_press", "case.7"),
    ],
)
def test_codes_keep_their_names(name):
    assert is_code(name)
    assert not resembles_a_person(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Kim01", "sub-Kim01", "Kim_01", "sub-Mueller7", "patient-Garcia", "LiWu2", "Ng_Wu_01"),
        *("sub-金01", "sub-김민지", "Müller01", "case_Ito_3", "hans_mueller", "sub-HansM01"),
    ],
)
def test_an_id_like_a_name_is_told(name):
    assert resembles_a_person(name)


@pytest.mark.parametrize(
    "name",
    ["GE01", "sub-NDARINV12", "cohort-Basel-07", "site-Zurich_3", "QX12", "sub-abc", "sub-A1"],
)
def test_an_id_like_a_code_is_not_told(name):
    assert not resembles_a_person(name)


@given(st.text(min_size=4, max_size=30, alphabet="bcdfghjklmnqrvwxyz"))
def test_no_word_that_is_unknown_passes(word):
    """Words without the vowels of the vocabulary: none of them is in it."""
    assert not is_code(word)
    assert not is_code(f"sub-{word}-01")


def test_the_id_is_of_the_content_alone(make_study, tmp_path):
    study = make_study()
    (study / "study.toml").unlink()
    before = read_study(study).study_id
    moved = shutil.copytree(study, tmp_path / PERSON)
    for path in list(moved.iterdir()):
        path.rename(moved / f"{NAME}_{path.name}")
    assert read_study(moved).study_id == before
    press = next(moved.glob("*L4-L5_press.nii"))
    content = bytearray(press.read_bytes())
    content[-8] ^= 1
    press.write_bytes(content)
    assert read_study(moved).study_id != before


def test_the_id_does_not_depend_on_order_or_on_what_cannot_be_read(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    files = sorted(tmp_path.iterdir())
    assert neutral_id(files) == neutral_id([*files[::-1], tmp_path / "gone", tmp_path])
    assert neutral_id(files) != neutral_id(files[:2])


def test_a_folder_named_by_a_person_is_analysed_under_a_neutral_id(make_study, tmp_path, capsys):
    study = make_study().rename(tmp_path / PERSON)
    (study / "study.toml").unlink()
    for path in study.iterdir():
        path.rename(study / f"{NAME}_{path.name}")
    out, pairing = tmp_path / "out", tmp_path / "pairing.json"
    formats = [w for name in ("json", "html", "csv", "nifti") for w in ("--format", name)]
    words = ["analyze", str(study), "-o", str(out), "--level", "L4-L5", "--pairing", str(pairing)]
    assert run([*words, *formats]) == 0
    name = json.loads((out / "results.json").read_text())["study_id"]
    assert name.startswith("study-")
    assert not leaks(out)
    assert f"mrs-disc: {name} is {PERSON}" in capsys.readouterr().err
    assert json.loads(pairing.read_text())["study_of_folder"] == {PERSON: name}
    assert stat.S_IMODE(pairing.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: None,
        pytest.param(lambda path: path.write_text("no image"), marks=pytest.mark.slow),
        pytest.param(lambda path: path.symlink_to(f"{path}-gone"), marks=pytest.mark.slow),
        pytest.param(lambda path: path.mkdir(), marks=pytest.mark.slow),
    ],
    ids=["absent", "broken", "a link to nothing", "an empty folder"],
)
def test_an_image_named_by_a_person_that_cannot_be_used(make_study, tmp_path, spoil):
    study = make_study()
    image, toml = study / f"{PERSON}.nii", study / "study.toml"
    spoil(image)
    text = toml.read_text()
    toml.write_text(text.replace("\n[[disc]]", f'\nanatomy = "{image.name}"\n\n[[disc]]', 1))
    out = tmp_path / "out"
    words = ["analyze", str(study), "-o", str(out), "--level", "L4-L5"]
    assert run([*words, "--format", "json", "--format", "html"]) == 0
    assert "anatomy.nii" in (out / "results.json").read_text()
    assert not leaks(out)


@pytest.mark.parametrize(
    "named", [f"/{NAME}/IM_*.dcm", f"{NAME}**x[", f"{NAME}*.dat", NAME * 400, f"{NAME}\\u0000"]
)
def test_a_pattern_or_name_that_finds_nothing_stays_out(make_study, tmp_path, named):
    """The level fails, the other does not, and no name comes out."""
    study = make_study()
    toml = study / "study.toml"
    toml.write_text(toml.read_text().replace(s.PRESS, named))
    words = ["analyze", str(study), "-o", str(tmp_path / "out"), "--level", "L4-L5"]
    assert run([*words, "--format", "json"]) == 3
    assert not leaks(tmp_path / "out")


def test_results_in_folders_named_by_a_person_are_compared_by_number(make_study, tmp_path):
    study = make_study()
    for year in ("1", "2"):
        out = tmp_path / f"{PERSON}_{year}"
        assert run(["analyze", str(study), "-o", str(out), "--format", "json"]) == 0
    outs = [str(tmp_path / f"{PERSON}_{year}") for year in ("1", "2")]
    assert run(["compare", *outs, "-o", str(tmp_path / "course")]) == 0
    assert "whole (1)" in (tmp_path / "course" / "course.html").read_text()
    assert not leaks(tmp_path / "course")


def named_dataset(make_study, tmp_path: Path) -> Path:
    """Write a dataset named by a person whose studies are named by persons, well and ill."""
    dataset = tmp_path / f"dataset_{PERSON}"
    study = make_study()
    for name in ("", "_drafted", "_broken", "_several", "_copy", "_p7", "_named"):
        shutil.copytree(study, dataset / f"{PERSON}{name}")
    for name in ("_drafted", "_several", "_copy"):
        (dataset / f"{PERSON}{name}" / "study.toml").unlink()
    (dataset / f"{PERSON}_broken" / "study.toml").write_text("[[")
    several = dataset / f"{PERSON}_several"
    shutil.copy(several / s.PRESS, several / f"{NAME}_L4-L5.nii")
    for name, given_id in (("_p7", "p7"), ("_named", f"{NAME} {BIRTH}")):
        toml = dataset / f"{PERSON}{name}" / "study.toml"
        toml.write_text(toml.read_text().replace('"whole"', f'"{given_id}"'))
    return dataset


@pytest.mark.slow
def test_folders_named_by_persons_are_no_participants(make_study, tmp_path, capsys):
    dataset, out = named_dataset(make_study, tmp_path), tmp_path / "out"
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--level", "L4-L5"]
    assert run(words) == 3  # a broken study.toml, several files of a level
    said = capsys.readouterr().err
    assert not leaks(out)
    folders = sorted(p.name for p in out.iterdir() if p.is_dir() and p.name != ".batch")
    assert len(folders) == 7
    assert {"p7", "whole"} <= set(folders)  # given by the owner
    assert sum(name.startswith("study-") for name in folders) == 5
    assert all(f"mrs-disc: {name} is {NAME}" in said for name in folders)
    assert json.loads((out / "dataset_description.json").read_text())["SourceDatasets"] == []
    assert run(["collect", str(out)]) in (0, 3)
    assert not leaks(out)


@pytest.mark.slow
def test_a_pairing_file_keeps_ids_when_the_content_changes(make_study, tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    study = make_study().rename(tmp_path / "whole")
    dataset.mkdir()
    study = study.rename(dataset / PERSON)
    (study / "study.toml").unlink()
    pairing = tmp_path / "private" / "pairs.json"
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--level", "L4-L5"]
    words += ["--format", "json", "--pairing", str(pairing), "--resume"]
    assert run(words) == 0
    (name,) = json.loads(pairing.read_text())["study_of_folder"].values()
    press = study / s.PRESS
    content = bytearray(press.read_bytes())
    content[-8] ^= 1
    press.write_bytes(content)
    capsys.readouterr()
    assert run(words) == 0
    assert "1 redone (1 the spectra changed)" in capsys.readouterr().err
    assert [p.name for p in out.iterdir() if p.is_dir() and p.name != ".batch"] == [name]
    assert run([*words, "--participant-label", PERSON]) == 0  # by the folder's name, too
    assert not leaks(out)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"study_of_folder": 3}', "a,b\n1,2\n"])
def test_a_pairing_file_is_no_other_file(make_study, tmp_path, capsys, content):
    study = make_study().rename(tmp_path / PERSON)
    (study / "study.toml").unlink()
    other = tmp_path / "other.json"
    other.write_text(content)
    words = ["analyze", str(study), "-o", str(tmp_path / "out"), "--pairing", str(other)]
    assert run(words) == 2
    assert "other.json" in capsys.readouterr().err
    assert other.read_text() == content


def test_a_pairing_file_does_not_go_with_the_results(make_study, tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    shutil.copytree(make_study(), dataset / PERSON)
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--pairing", str(out / "p.json")]
    assert run(words) == 2
    assert "keep it elsewhere" in capsys.readouterr().err
    assert not (out / "p.json").exists()


def test_an_id_that_looks_like_a_person_is_remarked(make_study, tmp_path, capsys):
    study = make_study()
    toml = study / "study.toml"
    toml.write_text(toml.read_text().replace('"whole"', '"Mueller-Hans"'))
    assert run(["info", str(study)]) == 0
    assert "looks like a person's name" in capsys.readouterr().out


def test_a_private_file_is_private_from_its_first_byte_on(tmp_path, monkeypatch):
    """Whatever the umask allows; and a failure leaves the earlier content."""
    path = tmp_path / "new" / "private"
    old = os.umask(0)
    try:
        write_private(path, b"first")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OutputError, match="full"):
        write_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in path.parent.iterdir()] == ["private"]


def test_a_message_loses_the_names_that_are_no_codes(tmp_path):
    folder = tmp_path / PERSON
    folder.mkdir()
    for name in (f"{NAME}_L4-L5.dat", "L4-L5_press.dat"):
        (folder / name).touch()
    text = f"{folder}/study.toml: several files ({NAME}_L4-L5.dat, L4-L5_press.dat)"
    told = without_names(text, folder)
    assert told == "…/study.toml: several files (…, L4-L5_press.dat)"
