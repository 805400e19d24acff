"""Simulated studies as files: a BIDS-MRS dataset, or folders as a scanner's export gives them.

What a format can hold decides the state that is written. NIfTI-MRS takes every coil and transient.
Philips SDAT and Siemens DICOM hold combined coils and single transients; Siemens RDA one average.
Combination and averaging are those of the analysis, as if the scanner had done them, so that the
same study gives the same amplitudes from every format. The truth is written last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from mrs_disc._version import __version__
from mrs_disc.data import (
    Anatomy,
    AnySignal,
    DiscAcquisition,
    Fid,
    RawSignal,
    Study,
    Transients,
)
from mrs_disc.errors import OutputError
from mrs_disc.files import gzipped, write_whole
from mrs_disc.io.write_nifti_mrs import sidecar, write_nifti_mrs
from mrs_disc.recipe import PhaseOptions, Recipe, WaterOptions
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.noise import noise_covariance
from mrs_disc.simulate.study import Truth
from mrs_disc.simulate.write_philips import write_sdat
from mrs_disc.simulate.write_siemens import write_dicom, write_rda
from mrs_disc.steps.preprocessing import preprocess, water_average
from mrs_disc.threads import one_blas_thread
from mrs_disc.toml_text import toml_text
from mrs_disc.typing import ComplexArray

Form: TypeAlias = Literal["nifti", "sdat", "rda", "dicom"]
FORMS: tuple[Form, ...] = ("nifti", "sdat", "rda", "dicom")

_MORPHOLOGY = ("pfirrmann", "modic", "hiz", "herniation", "disc_height_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A study with its truth, as `simulate_study` returns them."""

    study: Study
    truth: Truth

    @property
    def key(self) -> str:
        """Name in truth.json and in results: ``sub-01`` or ``sub-01_ses-02``."""
        return "_".join(self._parts)

    @property
    def folder(self) -> Path:
        """Folder in the dataset: ``sub-01`` or ``sub-01/ses-02``."""
        return Path(*self._parts)

    @property
    def _parts(self) -> tuple[str, ...]:
        session = self.study.session_id
        return (self.study.study_id, *([session] if session else []))


@one_blas_thread
def write_dataset(
    folder: Path, studies: Iterable[Simulated], *, form: Form = "nifti", name: str = "Simulated"
) -> list[Path]:
    """Write studies and their truth into a new folder.

    Parameters
    ----------
    folder : Path
        Absent or empty.
    studies : iterable of Simulated
        Taken one at a time, so that many need little memory.
    form : "nifti", "sdat", "rda" or "dicom"
        ``"nifti"`` gives a BIDS-MRS dataset, the others a folder with study.toml per study.
    name : str
        Title of a BIDS dataset.

    Returns
    -------
    list of Path
        The studies' folders.

    Raises
    ------
    OutputError
        If the folder holds something, or cannot be written to.
    """
    require_empty(folder)
    folders, truths, written = [], {}, []
    for one in studies:
        target = folder / one.folder
        if form == "nifti":
            _write_bids_study(folder, target, one)
        else:
            _write_export(target, replace(one.study, study_id=one.key), form)
        folders.append(target)
        truths[one.key] = one.truth
        written.append(one)
    if form == "nifti":
        _write_bids_head(folder, written, name)
    write_whole(folder / "truth.json", json_bytes(truths))
    return folders


def write_study(folder: Path, study: Study, truth: Truth | None, *, form: Form) -> Path:
    """Write one study as a folder with study.toml, NIfTI-MRS included, and its truth.

    Raises
    ------
    OutputError
        If the folder holds something, or cannot be written to.
    """
    require_empty(folder)
    _write_export(folder, study, form)
    if truth is not None:
        write_whole(folder / "truth.json", json_bytes({study.study_id: truth}))
    return folder


def require_empty(folder: Path) -> None:
    """Raise `OutputError` where the folder is a file or holds anything."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise OutputError(f"{folder} is there already and not empty; choose another folder")


def json_bytes(content: Any) -> bytes:
    """Return a JSON document as people read it, with a line end."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


# --------------------------------------------------------------------------- reconstruction


def combined(acquisition: DiscAcquisition) -> DiscAcquisition:
    """Return the acquisition with its coils combined, as the analysis would combine them."""
    metabolite, water = acquisition.metabolite, acquisition.water
    weights: ComplexArray | None = None  # of coils without a signal the first will do
    if isinstance(metabolite, RawSignal) and metabolite.signal.any():
        origin = water if isinstance(water, RawSignal) else metabolite
        weights = coil_weights(origin.signal, noise_covariance(metabolite.signal)).weights

    def one(signal: AnySignal) -> AnySignal:
        if not isinstance(signal, RawSignal):
            return signal
        raw = signal.signal
        samples = raw[0] if weights is None else combine(raw, weights).astype(np.complex64)
        return Transients(signal=samples, sampling=signal.sampling)

    return _with_signals(acquisition, one(metabolite), water and one(water))


def averaged(acquisition: DiscAcquisition) -> DiscAcquisition:
    """Return the acquisition as one average, aligned and averaged as the analysis would do it."""
    single = combined(acquisition)
    water = single.water and _water_mean(single.water)
    if not single.metabolite.signal.any():
        return _with_signals(single, _plain_mean(single.metabolite), water)
    # Without a water reference nothing is corrected for eddy currents or shifted yet.
    recipe = Recipe(water=WaterOptions(method="none"), phase=PhaseOptions(method="none"))
    done = preprocess(replace(single, water=None, water_protocol=None), recipe)
    bare = Fid(signal=done.fid.signal, sampling=done.fid.sampling)
    return _with_signals(single, bare, water)


def _water_mean(water: AnySignal) -> Fid:
    """Return the mean of the water transients, as the analysis makes it, without its history."""
    if isinstance(water, RawSignal) or not water.signal.any():
        return _plain_mean(water)
    return Fid(signal=water_average(water).signal, sampling=water.sampling)


def _plain_mean(signal: AnySignal) -> Fid:
    rows = np.atleast_2d(signal.signal)
    return Fid(signal=rows.mean(axis=0), sampling=signal.sampling)


def _with_signals(
    acquisition: DiscAcquisition, metabolite: AnySignal, water: AnySignal | None
) -> DiscAcquisition:
    """Return the acquisition with other signals, its protocols kept true."""

    def protocol(of: Any, signal: AnySignal | None) -> Any:
        if of is None or signal is None:
            return None
        rows = 1 if isinstance(signal, Fid) else signal.signal.shape[-2]
        averages = (of.n_averages or 1) * of.n_transients if isinstance(signal, Fid) else 1
        return replace(of, n_coils=1, n_transients=rows, n_averages=averages)

    return replace(
        acquisition,
        metabolite=metabolite,
        water=water,
        protocol=protocol(acquisition.protocol, metabolite),
        water_protocol=protocol(acquisition.water_protocol, water),
    )


# --------------------------------------------------------------------------- study.toml folders


def _write_export(folder: Path, study: Study, form: Form) -> None:
    """Write scanner files, the image and study.toml into a folder."""
    content: dict[str, Any] = {"schema_version": 1, "study_id": study.study_id}
    if study.region:
        content["region"] = study.region
    if study.load_anatomy and (picture := study.load_anatomy()) is not None:
        write_whole(folder / "t2_sagittal.nii.gz", image_bytes(picture))
        content["anatomy"] = "t2_sagittal.nii.gz"
    pulses = []
    content["disc"] = []
    patient = ""
    for series, entry in enumerate(study, start=1):
        acquisition = entry.load()
        if not patient:  # other spectra are of another person, though both be sub-01
            digest = hashlib.sha256(acquisition.metabolite.signal.tobytes()).hexdigest()
            patient = f"{study.study_id}-{digest[:8]}"
        row: dict[str, Any] = {"level": entry.level}
        if entry.run > 1 or any(e.level == entry.level and e.run > 1 for e in study):
            row["run"] = entry.run
        stem = entry.level if entry.run == 1 else f"{entry.level}_run-{entry.run}"
        row |= _WRITERS[form](folder, stem, acquisition, series, patient)
        pulses.append(acquisition.protocol.refocusing_pulse)
        if acquisition.morphology is not None:
            found = asdict(acquisition.morphology)
            row["morphology"] = {k: v for k, v in found.items() if v is not None}
        if acquisition.provocation is not None:
            row["provocation"] = {"result": acquisition.provocation.result}
        content["disc"].append(row)
    # Behind the discs, so that a line added before the first of them is one of the study.
    last = _told(content, pulses) | ({"clinical": study.clinical} if study.clinical else {})
    text = toml_text(content) + (toml_text(last) if last else "")
    write_whole(folder / "study.toml", text.encode())


def _told(content: dict[str, Any], pulses: Sequence[str | None]) -> dict[str, Any]:
    """Return the refocusing pulses, which no file format has a place for, where all discs agree."""
    if set(pulses) != {pulses[0]}:
        for row, pulse in zip(content["disc"], pulses, strict=True):
            row |= {} if pulse is None else {"acquisition": {"refocusing_pulse": pulse}}
        return {}
    return {} if pulses[0] is None else {"acquisition": {"refocusing_pulse": pulses[0]}}


Names: TypeAlias = dict[str, str]


def _export_nifti(
    folder: Path, stem: str, acquisition: DiscAcquisition, series: int, study: str
) -> Names:
    names = {"metabolite": f"{stem}_press.nii.gz"}
    write_nifti_mrs(folder / names["metabolite"], acquisition.metabolite, acquisition.protocol)
    if acquisition.water is not None:
        names["water"] = f"{stem}_water.nii.gz"
        write_nifti_mrs(folder / names["water"], acquisition.water, acquisition.water_protocol)
    return names


def _export_sdat(
    folder: Path, stem: str, acquisition: DiscAcquisition, series: int, study: str
) -> Names:
    return _export(folder, combined(acquisition), write_sdat, f"{stem}_{{}}.SDAT", ("act", "ref"))


def _export_rda(
    folder: Path, stem: str, acquisition: DiscAcquisition, series: int, study: str
) -> Names:
    names = ("press", "water")
    return _export(folder, averaged(acquisition), write_rda, f"{stem}_{{}}.rda", names)


def _export_dicom(
    folder: Path, stem: str, acquisition: DiscAcquisition, series: int, study: str
) -> Names:
    def write(path: Path, signal: Any, protocol: Any) -> Any:
        number = 10 * series + int(path.name.endswith("water"))
        return write_dicom(
            path, signal, protocol, series_number=number, description=path.name, study=study
        )

    return _export(folder, combined(acquisition), write, f"{stem}_{{}}", ("press", "water"))


def _export(
    folder: Path,
    acquisition: DiscAcquisition,
    write: Callable[..., Any],
    pattern: str,
    words: tuple[str, str],
) -> Names:
    names = {"metabolite": pattern.format(words[0])}
    write(folder / names["metabolite"], acquisition.metabolite, acquisition.protocol)
    if acquisition.water is not None:
        names["water"] = pattern.format(words[1])
        write(folder / names["water"], acquisition.water, acquisition.water_protocol)
    return names


_WRITERS: dict[Form, Callable[[Path, str, DiscAcquisition, int, str], Names]] = {
    "nifti": _export_nifti,
    "sdat": _export_sdat,
    "rda": _export_rda,
    "dicom": _export_dicom,
}


# --------------------------------------------------------------------------- BIDS


def _write_bids_study(root: Path, folder: Path, one: Simulated) -> None:
    """Write one subject or session in BIDS layout."""
    study = one.study
    prefix = one.key
    picture = study.load_anatomy() if study.load_anatomy else None
    image = folder / "anat" / f"{prefix}_acq-sagittal_T2w.nii.gz"
    if picture is not None:
        write_whole(image, image_bytes(picture))
        write_whole(_json(image), json_bytes({"Manufacturer": "simulated"}))
    for entry in study:
        acquisition = entry.load()
        run = (
            f"_run-{entry.run}" if any(e.level == entry.level and e.run > 1 for e in study) else ""
        )
        stem = folder / "mrs" / f"{prefix}_voi-{entry.level.replace('-', '')}{run}"
        links: dict[str, Any] = {}
        if picture is not None:
            links["AnatomicalImage"] = _uri(root, image)
        if acquisition.water is not None and acquisition.water_protocol is not None:
            water = stem.with_name(f"{stem.name}_mrsref.nii.gz")
            write_nifti_mrs(water, acquisition.water, acquisition.water_protocol)
            content = sidecar(acquisition.water, acquisition.water_protocol) | links
            write_whole(_json(water), json_bytes(content))
            links = {"ReferenceSignal": _uri(root, water)} | links
        path = stem.with_name(f"{stem.name}_svs.nii.gz")
        write_nifti_mrs(path, acquisition.metabolite, acquisition.protocol)
        content = sidecar(acquisition.metabolite, acquisition.protocol) | links
        write_whole(_json(path), json_bytes(content))


def _json(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


def _uri(root: Path, path: Path) -> str:
    return f"bids::{path.relative_to(root).as_posix()}"


def _write_bids_head(folder: Path, studies: Sequence[Simulated], name: str) -> None:
    """Write what stands at the top of a dataset."""
    description = {
        "Name": name,
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "License": "CC0",
        "GeneratedBy": [{"Name": "mrs_disc simulate", "Version": __version__}],
    }
    write_whole(folder / "dataset_description.json", json_bytes(description))
    write_whole(
        folder / "README",
        b"Simulated spectra of intervertebral discs; no person was measured.\n"
        b"truth.json holds what every disc was made of.\n",
    )
    write_whole(folder / ".bidsignore", b"truth.json\nmorphology.tsv\n")
    subjects = dict.fromkeys(one.study.study_id for one in studies)
    write_whole(folder / "participants.tsv", _table(["participant_id"], [[s] for s in subjects]))
    sessions = any(one.study.session_id for one in studies)
    provocation = any(e.provocation for one in studies for e in one.study)
    columns = ["participant_id", *(["session_id"] if sessions else []), "level", *_MORPHOLOGY]
    columns += ["provocation"] if provocation else []
    rows = []
    for one in studies:
        for entry in one.study:
            if entry.run > 1:
                continue
            found = asdict(entry.morphology) if entry.morphology else {}
            row = [one.study.study_id, *([one.study.session_id or "n/a"] if sessions else [])]
            row += [entry.level, *(_cell(found.get(column)) for column in _MORPHOLOGY)]
            if provocation:
                row.append(entry.provocation.result if entry.provocation else "n/a")
            rows.append(row)
    write_whole(folder / "morphology.tsv", _table(columns, rows))


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in (columns, *rows)).encode()


def image_bytes(picture: Anatomy) -> bytes:
    """Return an image as compressed NIfTI without a time stamp."""
    from nibabel.nifti1 import Nifti1Image

    image = Nifti1Image(picture.image, picture.affine)
    image.header.set_xyzt_units("mm", "sec")
    return gzipped(bytes(image.to_bytes()), level=9)
