"""Whose report it is: the DICOM file that patient and study of DICOM output come from.

DICOM input says both itself. A reference that is named beside it must be of the same patient and
the same study. Where the data name neither, a reference must not contradict what they do say: the
day of the examination, the spectrometer frequency, the voxel. What contradicts is refused, since a
report under another patient's name is worse than none.

Decision: values are compared and never shown, a message holds their tags. ``results.json`` holds no
identity, nor a digest of one, which could be tried out: for `render_results` patient and study
cannot be compared, and that is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError

from mrs_disc.data import Study, StudyReport, parse_level
from mrs_disc.data.places import OTHER_SCANNER
from mrs_disc.errors import InputError, MrsDiscError, ReadError
from mrs_disc.io.formats import dicom as spectroscopy
from mrs_disc.io.formats.dicom_file import read_dicom
from mrs_disc.io.formats.scan import digest
from mrs_disc.record.level import Results
from mrs_disc.record.review import level_key
from mrs_disc.record.signals import Signals
from mrs_disc.typing import FloatArray
from mrs_disc.words import harmless

TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Attributes of patient and study that have to be there and may be empty."""
REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

_IDENTITY = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
_DAYS = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_TOLD = {"examination_date": "StudyDate", "accession_number": "AccessionNumber"}
"""What ``[clinical]`` may say of the examination, and the attribute that says it too."""
ASKED = "from_dicom_reference"
"""The option of ``[clinical]`` that names what is taken from the reference."""
_DAY = re.compile(r"\d{8}")
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
_GIVEN_APART = 1e-2
"""Relative difference that only another field has, of a frequency that the user gave by heart."""
_VOXEL_APART_MM = 5.0
"""Rounding in headers stays far below this; the next disc lies 30 mm away."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the data say that a reference can be compared with.

    Parameters
    ----------
    dicom : mapping
        Level to the files of its spectrum, where these are DICOM.
    days : tuple of str
        Digests of the day of examination, of other formats.
    frequencies : tuple of (float, float)
        Spectrometer frequency, MHz, and by how much of it another may differ.
    voxels : tuple of float arrays, shape (4, 4)
        Voxel indices to patient coordinates, mm, RAS.
    told : mapping
        Day of the examination (``YYYY-MM-DD``) and accession number, where the user gave them, by
        their DICOM names.
    source : str
        How a message names the data.
    """

    dicom: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    days: tuple[str, ...] = ()
    frequencies: tuple[tuple[float, float], ...] = ()
    voxels: tuple[FloatArray, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    source: str = "input"


def check_patient(study: Study | None, levels: Sequence[str], reference: str | Path | None) -> None:
    """Refuse before an analysis what is known by then to be of another patient.

    Raises
    ------
    InputError
        As `patient_of`.
    """
    wanted = {parse_level(level) for level in levels}
    chosen = [d for d in study or () if not wanted or d.level in wanted]
    data = Measured(
        dicom={level_key(d.level, d.run): paths for d in chosen if (paths := d.origin().dicom)},
        told=_told(study.clinical if study is not None else {}),
    )
    if data.dicom or reference is None:
        patient_file(data, _path(reference))
    else:  # what it must not contradict is known after the analysis
        present(Path(reference))


def patient_of(
    results: Results,
    signals: Signals | None,
    reference: str | Path | None,
    report: StudyReport | None,
    say: Say,
) -> Path:
    """Return the DICOM file whose patient and study a report goes under.

    Parameters
    ----------
    results, signals : Results, Signals
        The record.
    reference : str, Path or None
        As the user names it.
    report : StudyReport or None
        The analysis, which knows where its spectra came from; `None` for a record read again.
    say : callable
        As in `patient_file`.

    Raises
    ------
    InputError
        As `patient_file`.
    """
    origins = (
        {} if report is None else {level_key(v.level, v.run): v.origin() for v in report.levels}
    )
    arrays = {} if signals is None else signals.levels
    given = [
        level.key
        for level in results.levels
        if level.protocol is not None and "spectrometer_mhz" in level.protocol.given_by_user
    ]
    data = Measured(
        dicom={level: origin.dicom for level, origin in origins.items() if origin.dicom},
        days=tuple(origin.day for origin in origins.values() if origin.day is not None),
        frequencies=tuple(
            (a.sampling.spectrometer_mhz, _GIVEN_APART if key in given else OTHER_SCANNER)
            for key, a in arrays.items()
        ),
        voxels=tuple(a.voxel_affine for a in arrays.values() if a.voxel_affine is not None),
        told=_told(results.clinical),
        source="input" if report is not None else "results.json",
    )
    return patient_file(data, _path(reference), say)


def asked_of_reference(clinical: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the user asks to be taken from the reference, by its names in ``[clinical]``."""
    return tuple(name for name in _TOLD if name in (clinical.get(ASKED) or ()))


def taken_from(reference: Path, asked: Sequence[str], say: Say) -> dict[str, str]:
    """Return day and accession number of a reference that was held against the data.

    Parameters
    ----------
    reference : Path
        From `patient_of`.
    asked : sequence of str
        From `asked_of_reference`; nothing else is read.
    say : callable
        Takes a line on what the file does not hold.
    """
    header = _read(reference, [_TOLD[name] for name in asked])
    found = {}
    for name in asked:
        value = harmless(str(header.get(_TOLD[name]) or "").strip(), 64)
        if name == "examination_date":
            value = f"{value[:4]}-{value[4:6]}-{value[6:]}" if _DAY.fullmatch(value) else ""
        if value:
            found[name] = value
        else:
            say(f"the DICOM reference has no {_tagged(_TOLD[name])}: {name} is left out")
    return found


def _told(clinical: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(clinical[key]) for key, name in _TOLD.items() if clinical.get(key)}


def _path(reference: str | Path | None) -> Path | None:
    return None if reference is None else Path(reference)


def patient_file(data: Measured, reference: Path | None, say: Say = lambda _: None) -> Path:
    """Return the DICOM file whose patient and study the output takes over.

    Parameters
    ----------
    data : Measured
        What the reference is held against.
    reference : Path or None
        A DICOM file, or a folder with candidates; DICOM input needs none.
    say : callable
        Takes a line on what was chosen, or could not be compared.

    Raises
    ------
    InputError
        If there is no file, it contradicts the data, or the input is of several patients.
    """
    own = own_file(data)
    if reference is None:
        if own is None:
            raise InputError(
                f"--format dicom: the {data.source} names no patient; give 'analyze' or 'report' "
                "--dicom-reference FILE, a DICOM file of this patient's examination"
            )
        try:
            header = read_reference(own)
        except ReadError as error:  # without its name, which may hold a person's
            raise InputError(f"a DICOM file of the input {error.problem}") from error
        if apart := _told_apart(header, data.told):
            raise InputError(
                f"[clinical] differs from the DICOM files of the input in {_listed(list(apart))}: "
                "nothing is filed under either; correct what study.toml says"
            )
        return own
    present(reference)
    if reference.is_dir():
        chosen = _candidate(data, own, reference, say)
    else:
        chosen = reference
        if wrong := contradictions(read_reference(reference), own, data):
            raise InputError(_refusal(reference.name, wrong, own))
    if own is None:
        say(
            f"--dicom-reference {reference.name}: patient and study could not be compared, the "
            f"{data.source} names neither; make sure that the file is this patient's"
        )
    elif not _header(chosen).get("PatientID"):
        return own
    return chosen


def present(reference: Path) -> None:
    """Refuse a reference that is not there."""
    if not (reference.is_file() or reference.is_dir()):
        raise InputError(f"--dicom-reference {reference.name}: there is no such file or folder")


def own_file(data: Measured) -> Path | None:
    """Return the first DICOM file of the input; `None` where the input is of another format.

    Raises
    ------
    InputError
        If the levels are not of one patient and one study.
    """
    first: tuple[str, Path, Dataset] | None = None
    for level, paths in data.dicom.items():
        for path in paths:
            try:
                header = _header(path)
            except ReadError as error:  # its name may hold a person's, and this goes into records
                raise InputError(f"{level}: a file of the spectrum {error.problem}") from error
            first = first or (level, path, header)
            if wrong := _identities_apart(first[2], header, both_stated=False):
                raise InputError(
                    f"the spectra of {first[0]} and {level} differ in {_listed(wrong)}: they are "
                    "not of one patient and one study, and DICOM output is filed under one. Name "
                    "the levels of one examination with --level, or correct the study"
                )
    return None if first is None else first[1]


# --------------------------------------------------------------------------- one file


def read_reference(path: Path) -> Dataset:
    """Return patient and study of a DICOM file, in UTF-8, without its pixels.

    Raises
    ------
    ReadError
        If it is not a DICOM file, or lacks what ties an object to a study.
    """
    found = _read(path)
    for name in REQUIRED:
        if not found.get(name):
            raise ReadError(path, f"lacks {name}, so that nothing can be tied to its study")
    found.decode()
    found.SpecificCharacterSet = "ISO_IR 192"
    for name in TYPE_2:  # has to be there, may be empty; research files often lack it
        if name not in found:
            setattr(found, name, "")
    return found


def _header(path: Path) -> Dataset:
    """Return what tells patient, study and kind of a DICOM file."""
    return _read(path, [*_IDENTITY, *REQUIRED, "Modality"])


def _read(path: Path, names: Sequence[str] | None = None) -> Dataset:
    try:
        found: Dataset = read_dicom(
            path, "any" if names else "image", tags=names or (), pixels=False
        )
        return found
    except InvalidDicomError as error:
        raise ReadError(path, "is not a DICOM file; name one of this patient's images") from error
    except ReadError:
        raise
    except Exception as error:  # pydicom raises many kinds on broken files
        raise ReadError(path, f"is a damaged DICOM file ({type(error).__name__})") from error


def contradictions(reference: Dataset, own: Path | None, data: Measured) -> dict[str, str]:
    """Return in what a reference differs from the data, with what may be told of it.

    Parameters
    ----------
    reference : Dataset
        Of a candidate.
    own : Path or None
        A DICOM file of the input: patient and study then decide, and nothing else.
    data : Measured
        What is compared where the input has no patient and study.
    """
    if own is not None:
        apart = _identities_apart(_header(own), reference, both_stated=True)
        return dict.fromkeys(apart, "") | _told_apart(reference, data.told)
    days = [str(reference.get(name) or "") for name in _DAYS]
    known = {digest(text) for day in days for text in _spellings(day)}
    wrong = _told_apart(reference, data.told)
    if any(days) and any(day not in known for day in data.days):
        wrong[_tagged("StudyDate")] = ""
    name = "ImagingFrequency" if reference.get("ImagingFrequency") else "TransmitterFrequency"
    mhz = _number(reference.get(name))
    if mhz is not None and _is_proton(reference):
        other = [f for f, tolerance in data.frequencies if abs(f - mhz) > tolerance * f]
        if other:
            wrong[_tagged(name)] = f": {mhz:.4f} MHz, and the data have {other[0]:.4f} MHz"
    if data.voxels and not any(_meets(reference, voxel) for voxel in data.voxels):
        wrong["place"] = ": none of the voxels lies there"
    return wrong


def _identities_apart(input_: Dataset, other: Dataset, *, both_stated: bool) -> list[str]:
    """Return the tags in which two headers name different patients or studies.

    An input that says nothing of the patient (anonymised) is contradicted by none; two files of
    one input (`both_stated` false) have to say the same, be it nothing.
    """
    wrong = []
    for name in _IDENTITY:
        mine, theirs = (str(d.get(name) or "").strip() for d in (input_, other))
        silent = name == "IssuerOfPatientID" and not (mine and theirs)
        silent |= both_stated and (not mine or (name == "PatientID" and not theirs))
        if mine != theirs and not silent:
            wrong.append(_tagged(name))
    return wrong


def _told_apart(reference: Dataset, told: Mapping[str, str]) -> dict[str, str]:
    """Return the tags in which a reference contradicts what the user said of the examination."""
    wrong = {}
    for name, said in told.items():
        names = _DAYS if name == "StudyDate" else (name,)
        stated = [text for n in names if (text := str(reference.get(n) or "").strip())]
        same = said.replace("-", "") if name == "StudyDate" else said.strip()
        if stated and same not in stated:
            wrong[_tagged(name)] = ""
    return wrong


def _spellings(day: str) -> Iterator[str]:
    """Yield a date ``YYYYMMDD`` as the formats write it; GE counts years from 1900."""
    if len(day) == 8 and day.isdigit():
        y, m, d = day[:4], day[4:6], day[6:]
        yield day
        yield from (f"{y}-{m}-{d}", f"{y}.{m}.{d}", f"{d}.{m}.{y}")
        for year in (y, y[2:], str(int(y) - 1900)):
            yield from (f"{m}/{d}/{year}", f"{d}/{m}/{year}")


def _is_proton(reference: Dataset) -> bool:
    nuclei = {str(reference.get(n) or "") for n in ("ImagedNucleus", "ResonantNucleus")}
    return nuclei <= {"", "1H", "H1", "H", "PROTON"}


def _meets(reference: Dataset, voxel: FloatArray) -> bool:
    """Say whether a voxel can be of the reference's examination; also where that tells no place.

    An object of spectroscopy has a voxel of its own, which must be this one. An image must show
    the place when looked at along its normal: a sagittal slice beside the spine does.
    """
    path = Path(str(reference.filename))
    if spectroscopy.sniff(path):
        try:
            own = spectroscopy.read(path).voxel_affine
        except ReadError:
            return True
        return own is None or bool(np.linalg.norm(own[:3, 3] - voxel[:3, 3]) <= _VOXEL_APART_MM)
    centre = voxel[:3, 3] * (-1, -1, 1)  # DICOM counts to the left and back
    try:
        corner, axes, spacing, rows, columns = (reference.get(name) for name in _PLACE)
        along = np.reshape([float(v) for v in axes], (2, 3)) @ (
            centre - np.array([float(v) for v in corner])
        )
        extent = np.array([float(spacing[1]) * columns, float(spacing[0]) * rows])
    except (TypeError, ValueError, IndexError):
        return True
    reach = 0.5 * float(np.max(np.linalg.norm(voxel[:3, :3], axis=0)))
    return bool(np.all(along > -reach) and np.all(along < extent + reach))


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if number > 0 else None


def _tagged(name: str) -> str:
    """Return an attribute with its tag, as viewers of DICOM files list it.

    >>> _tagged("PatientID")
    'PatientID (0010,0020)'
    """
    tag = tag_for_keyword(name) or 0
    return f"{name} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(parts)


def _refusal(name: str, wrong: Mapping[str, str], own: Path | None) -> str:
    details = [what + detail for what, detail in wrong.items()]
    help_ = "leave the option out, the input names both" if own else "name a file of this patient's"
    return (
        f"--dicom-reference {name}: differs from the input in {_listed(details)}. It is of another "
        f"patient or examination, and nothing is written under its name; {help_}"
    )


# --------------------------------------------------------------------------- a folder


def _candidate(data: Measured, own: Path | None, folder: Path, say: Say) -> Path:
    """Return the first MR object of a folder that fits the data, if all that fit are one study's.

    Raises
    ------
    InputError
        If none fits, or those of several studies.
    """
    fits: dict[tuple[str, str], list[Path]] = {}
    wrong: Counter[str] = Counter()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            if spectroscopy.sop_class(path) is None or _header(path).get("Modality") != "MR":
                continue
            header = read_reference(path)
        except MrsDiscError:
            continue
        apart = contradictions(header, own, data)
        if apart:
            wrong[_listed(list(apart))] += 1
        else:
            whose = str(header.PatientID), str(header.StudyInstanceUID)
            fits.setdefault(whose, []).append(path)
    if not fits:
        why = "; ".join(f"{n} differ in {what}" for what, n in wrong.most_common(3))
        raise InputError(
            f"--dicom-reference {folder.name}: no MR object in the folder is of this patient's "
            f"examination ({why or 'it holds none'})"
        )
    if len(fits) > 1:
        raise InputError(
            f"--dicom-reference {folder.name}: the folder's MR objects are of {len(fits)} studies "
            "that fit the data; name the file of the right one"
        )
    paths = next(iter(fits.values()))
    name = paths[0].relative_to(folder).as_posix()
    say(f"--dicom-reference {folder.name}: {name} is taken, of {len(paths)} MR objects that fit")
    return paths[0]
