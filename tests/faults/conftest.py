from __future__ import annotations

import gzip
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mrs_disc.simulate import simulate_study
from mrs_disc.simulate.dataset import write_study

LEVELS = ["L4-L5", "L5-S1"]


@pytest.fixture(scope="session")
def whole_studies(tmp_path_factory) -> dict[str, Path]:
    """Return form to folder, each of which a test copies."""
    return write_whole(tmp_path_factory.mktemp("whole"))


def write_whole(place: Path) -> dict[str, Path]:
    """Write one simulated person's two discs, as plain NIfTI-MRS and in scanner files."""
    study, _ = simulate_study(11, levels=LEVELS, snr=15.0, anatomy=False, study_id="whole")
    folders = {form: place / form for form in ("nifti", "sdat", "rda", "dicom")}
    for form, folder in folders.items():
        write_study(folder, study, None, form=form)
    nifti = folders["nifti"]
    for path in nifti.glob("*.nii.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    toml = nifti / "study.toml"
    toml.write_text(toml.read_text().replace(".nii.gz", ".nii"))
    return folders


@pytest.fixture
def make_study(whole_studies, tmp_path) -> Callable[[str], Path]:
    """Copy a whole study into the test's own folder."""

    def make(form: str = "nifti") -> Path:
        return Path(shutil.copytree(whole_studies[form], tmp_path / "study"))

    return make


class Hang(BaseException):
    """Not an OSError, as TimeoutError is, which a reader would take for the file's."""


@pytest.fixture(autouse=True)
def no_hang():
    """End a test that hangs: a file must never take longer than two minutes."""

    def late(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
