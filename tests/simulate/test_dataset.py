"""Simulated studies as files: the same from every format, complete, never over another one."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.cli import run
from mrs_disc.errors import OutputError
from mrs_disc.io import read_study
from mrs_disc.recipe import Recipe
from mrs_disc.simulate import Scan, simulate_study
from mrs_disc.simulate.dataset import FORMS, Simulated, write_dataset, write_study
from mrs_disc.steps import fit, preprocess

TINY = Scan(n_points=512, spectral_width_hz=2000.0, n_coils=2, n_transients=3, n_water=1)


@pytest.fixture(scope="module")
def written(small_study, tmp_path_factory):
    study, truth = small_study
    root = tmp_path_factory.mktemp("forms")
    return {form: write_study(root / form, study, truth, form=form) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_study_comes_back_with_morphology_and_truth(written, small_study, form):
    study, truth = small_study
    again = read_study(written[form])
    assert again.study_id == study.study_id
    assert again.levels == study.levels
    for entry in again:
        assert entry.morphology == study.entry(entry.level).morphology
        assert entry.provocation == study.entry(entry.level).provocation
    assert json.loads((written[form] / "truth.json").read_text()) == {study.study_id: truth}
    assert again.load_anatomy().image.dtype == np.uint8


@pytest.mark.parametrize("form", FORMS[1:])
def test_every_format_gives_the_same_spectrum(written, form):
    """NIfTI-MRS holds coils and transients, the others what a scanner's export would."""
    reference, other = read_study(written["nifti"]), read_study(written[form])
    for level in reference.levels:
        a, b = (preprocess(s[level], Recipe()) for s in (reference, other))
        scale = np.abs(a.fid.signal).max()
        assert np.allclose(a.fid.signal, b.fid.signal, atol=1e-5 * scale)  # single precision


@pytest.mark.parametrize("form", FORMS[1:])
def test_every_format_gives_the_same_amplitudes(written, form):
    reference, other = read_study(written["nifti"]), read_study(written[form])
    a, b = (fit(preprocess(s["L4-L5"], Recipe()), Recipe()) for s in (reference, other))
    assert np.allclose(a.amplitude, b.amplitude, rtol=1e-3, atol=1e-3 * a.amplitude[0])


def test_nifti_files_pass_the_standards_validator(written):
    from nifti_mrs.nifti_mrs import NIFTI_MRS

    for path in sorted(written["nifti"].glob("L*.nii.gz")):
        image = NIFTI_MRS(str(path))
        assert image.dim_tags[:2] == ["DIM_COIL", "DIM_DYN"]


def test_same_study_gives_same_bytes(small_study, written, tmp_path):
    study, truth = small_study
    for form in FORMS:
        again = write_study(tmp_path / form, study, truth, form=form)
        for path in sorted(p for p in again.rglob("*") if p.is_file()):
            other = written[form] / path.relative_to(again)
            assert path.read_bytes() == other.read_bytes(), path.name


def test_folder_that_holds_something_is_left_alone(small_study, tmp_path):
    study, truth = small_study
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="not empty"):
        write_study(tmp_path, study, truth, form="nifti")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture(scope="module")
def bids(tmp_path_factory):
    def studies():
        for subject, session in ((1, None), (2, 1), (2, 2)):
            study, truth = simulate_study(
                3,
                subject=subject,
                session=session,
                levels=("L4-L5", "L5-S1"),
                scan=TINY,
                repeats={"L4-L5": 2} if subject == 1 else None,
                provocation=True,
            )
            yield Simulated(study=study, truth=truth)

    root = tmp_path_factory.mktemp("bids") / "set"
    write_dataset(root, studies(), name="test")
    return root


def test_bids_has_sessions_runs_and_tables(bids):
    truth = json.loads((bids / "truth.json").read_text())
    assert list(truth) == ["sub-01", "sub-02_ses-01", "sub-02_ses-02"]
    for folder in (bids / "sub-01", bids / "sub-02" / "ses-01", bids / "sub-02" / "ses-02"):
        study = read_study(folder)
        names = {d.level if d.run == 1 else f"{d.level}_run-{d.run}" for d in study}
        assert names == set(truth[study.study_id])
        disc = study["L4-L5"]
        seen = truth[study.study_id]["L4-L5"]
        assert disc.morphology.pfirrmann == seen["morphology"]["pfirrmann"]
        assert disc.provocation.result == seen["provocation"]
        assert disc.metabolite.signal.shape == (2, 3, 512)
        assert study.load_anatomy() is not None
    description = json.loads((bids / "dataset_description.json").read_text())
    assert description["DatasetType"] == "raw"


def test_bids_sidecars_pair_files_that_exist(bids):
    sidecars = sorted(bids.rglob("*_svs.json"))
    assert len(sidecars) == 7
    for path in sidecars:
        content = json.loads(path.read_text())
        for link in ("ReferenceSignal", "AnatomicalImage"):
            assert (bids / content[link].removeprefix("bids::")).is_file()


@pytest.mark.parametrize("form", FORMS)
def test_command_writes_a_dataset_with_truth(form, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--seed", "2", "--levels", "L4L5", "--as", form]
    assert run(["simulate", "-o", str(out), *arguments]) == 0
    assert Path(capsys.readouterr().out.strip()) == out / "sub-01"
    truth = json.loads((out / "truth.json").read_text())
    assert list(truth["sub-01"]) == ["L4-L5"]
    assert read_study(out / "sub-01").levels == ("L4-L5",)


def test_command_refuses_a_full_folder_and_a_wrong_level(tmp_path, capsys):
    (tmp_path / "x").write_text("")
    assert run(["simulate", "-o", str(tmp_path)]) == 2
    assert run(["simulate", "-o", str(tmp_path / "new"), "--levels", "L9"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "not empty" in lines[0]
    assert "not a disc level" in lines[1]
    assert not (tmp_path / "new").exists()
