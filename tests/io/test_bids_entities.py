"""BIDS files of one disc that differ in an entity: runs, left out, or refused, a level at a time.

What is expected of each set of names is written out by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mrs_disc.data import RawSignal
from mrs_disc.errors import InputError
from mrs_disc.io.studies.study import read_study
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs


@pytest.fixture
def subject(tmp_path, spectrum, sampling, protocol):
    """Return a function that writes a subject's files by their names after ``sub-01_``."""
    mrs = tmp_path / "sub-01" / "mrs"
    mrs.mkdir(parents=True)

    def write(*names, sidecars=None):
        for seed, name in enumerate(names):
            water = 3000.0 if "mrsref" in name else 0.5
            raw = RawSignal(signal=spectrum(3, seed=seed, water=water)[None], sampling=sampling)
            suffix = "" if name.endswith(".nii") else ".nii.gz"
            write_nifti_mrs(mrs / f"sub-01_{name}{suffix}", raw, protocol)
        for name, content in (sidecars or {}).items():
            (mrs / f"sub-01_{name}.json").write_text(json.dumps(content))
        return tmp_path / "sub-01"

    return write


def files_of(folder):
    """Return the runs of a study: level, run and the metabolite's name after ``sub-01_``."""
    return [
        (d.level, d.run, Path(d.inputs()[0].path).name.removeprefix("sub-01_").split(".")[0])
        for d in read_study(folder)
    ]


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        (("acq-steam_voi-L4L5_svs", "acq-press_voi-L4L5_svs"),
         [(1, "acq-press_voi-L4L5_svs"), (2, "acq-steam_voi-L4L5_svs")]),
        (("voi-L4L5_echo-10_svs", "voi-L4L5_echo-2_svs"),
         [(1, "voi-L4L5_echo-2_svs"), (2, "voi-L4L5_echo-10_svs")]),
        (("voi-L4L5_rec-avg_svs", "voi-L4L5_svs"),
         [(1, "voi-L4L5_rec-avg_svs"), (2, "voi-L4L5_svs")]),
        (("voi-L4L5_run-1_svs", "voi-L4L5_run-3_svs"),
         [(1, "voi-L4L5_run-1_svs"), (3, "voi-L4L5_run-3_svs")]),
        (("acq-a_voi-L4L5_run-1_svs", "acq-b_voi-L4L5_run-1_svs", "acq-a_voi-L4L5_run-2_svs"),
         [(1, "acq-a_voi-L4L5_run-1_svs"), (2, "acq-b_voi-L4L5_run-1_svs"),
          (3, "acq-a_voi-L4L5_run-2_svs")]),
    ],
)  # fmt: skip
def test_what_names_tell_apart_are_runs_in_a_fixed_order(subject, names, runs):
    folder = subject(*names)
    assert files_of(folder) == [("L4-L5", number, name) for number, name in runs]
    for entry in read_study(folder):
        assert entry.load().run == entry.run


def test_a_run_that_was_numbered_by_its_name_says_so(subject):
    folder = subject("acq-press_voi-L4L5_svs", "acq-steam_voi-L4L5_svs")
    note = "run 2 is sub-01_acq-steam_voi-L4L5_svs.nii.gz, one of 2 files"
    assert any(note in n for n in read_study(folder)["L4-L5", 2].notes)


@pytest.mark.parametrize("by_name", [True, False])
def test_another_nucleus_is_left_out_with_its_reason(subject, by_name):
    other = "nuc-31P_voi-L4L5_svs" if by_name else "acq-p_voi-L4L5_svs"
    told = {} if by_name else {other: {"ResonantNucleus": ["31P"]}}
    folder = subject("voi-L4L5_svs", other, sidecars=told)
    assert files_of(folder) == [("L4-L5", 1, "voi-L4L5_svs")]
    (finding,) = read_study(folder).findings
    assert (finding.kind, finding.values["nucleus"]) == ("nucleus_left_out", "31P")


def test_files_that_names_do_not_tell_apart_cost_their_level_alone(subject):
    folder = subject("voi-L4L5_run-1_svs", "voi-L4L5_run-01_svs", "voi-L5S1_svs")
    study = read_study(folder)
    assert study["L5-S1"].run == 1
    with pytest.raises(InputError, match=r"run-01_svs.* and .*run-1_svs.* cannot be told apart"):
        study["L4-L5"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("acq-quant_voi-L4L5_mrsref", "acq-ecc_voi-L4L5_mrsref"), "acq-ecc_voi-L4L5_mrsref"),
        (("acq-ecc_voi-L4L5_mrsref", "acq-press_voi-L4L5_mrsref"), None),
        (("voi-L4L5_echo-1_mrsref", "voi-L4L5_echo-2_mrsref"), "voi-L4L5_echo-1_mrsref"),
    ],
)
def test_of_two_water_references_one_is_taken_and_said(subject, names, chosen):
    """The acq of the spectrum is press: a reference of the same needs no word."""
    folder = subject("acq-press_voi-L4L5_svs", *names)
    disc = read_study(folder)["L4-L5"]
    assert disc.water is not None
    said = [f for f in disc.findings if f.kind == "water_chosen"]
    taken = [f.values["file"].name for f in said]
    assert taken == ([f"sub-01_{chosen}.nii.gz"] if chosen else [])


def test_of_a_list_of_reference_signals_one_is_taken_and_said(subject):
    links = [f"bids::sub-01/mrs/sub-01_acq-{a}_voi-L4L5_mrsref.nii.gz" for a in ("b", "a")]
    folder = subject(
        "voi-L4L5_svs",
        "acq-a_voi-L4L5_mrsref",
        "acq-b_voi-L4L5_mrsref",
        sidecars={"voi-L4L5_svs": {"ReferenceSignal": links}},
    )
    disc = read_study(folder)["L4-L5"]
    (said,) = (f for f in disc.findings if f.kind == "water_chosen")
    assert said.values["file"].name == "sub-01_acq-a_voi-L4L5_mrsref.nii.gz"
    assert "acq-b_voi-L4L5_mrsref.nii.gz is not used" in " ".join(disc.notes)


def test_a_file_that_its_name_gives_to_another_subject_is_no_disc_of_this_one(subject):
    folder = subject("voi-L4L5_svs", "voi-L5S1_svs", "voi-L4L5_mrsref", "voi-L5S1_mrsref")
    mrs = folder / "mrs"
    for name in ("voi-L5S1_svs", "voi-L4L5_mrsref"):
        (mrs / f"sub-01_{name}.nii.gz").rename(mrs / f"sub-02_{name}.nii.gz")
    study = read_study(folder)
    assert [d.level for d in study] == ["L4-L5"]
    assert study["L4-L5"].water is None
    assert [f.kind for f in study.findings] == ["named_for_other"] * 2


def test_a_water_reference_that_is_another_subjects_is_not_used(subject, tmp_path):
    link = {"voi-L4L5_svs": {"ReferenceSignal": "bids::sub-02/mrs/sub-02_voi-L4L5_mrsref.nii.gz"}}
    folder = subject("voi-L4L5_svs", "voi-L4L5_mrsref", sidecars=link)
    other = tmp_path / "sub-02" / "mrs" / "sub-02_voi-L4L5_mrsref.nii.gz"
    other.parent.mkdir(parents=True)
    (folder / "mrs" / "sub-01_voi-L4L5_mrsref.nii.gz").rename(other)
    disc = read_study(folder)["L4-L5"]
    assert disc.water is None
    assert any("its name gives another subject" in note for note in disc.notes)
