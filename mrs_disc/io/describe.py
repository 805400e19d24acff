"""What `mrs-disc info` says of a file, a study or a dataset: what is there, what would go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrs_disc.data.places import (
    Site,
    contradictions,
    doubts,
    image_of_other,
    is_repeat,
    water_digest,
)
from mrs_disc.errors import InputError, NoSuchPathError, ReadError
from mrs_disc.files import reading
from mrs_disc.io import gate
from mrs_disc.io.formats.readers import is_spectroscopy, not_read, read_scan
from mrs_disc.io.formats.scan import Scan
from mrs_disc.io.names import COMPANIONS, names_water
from mrs_disc.io.series import dicom_series, files_below
from mrs_disc.record.findings import Finding, finding, finding_of, of_role, once, plain, sentences

if TYPE_CHECKING:
    from mrs_disc.data import Anatomy, Study
    from mrs_disc.io.studies.disc_files import DiscFiles

MIN_LEVELS = 3
"""Discs that make a complete examination (CPT 0609T), as the default recipe has it."""

KEYS = (
    "format",
    "reader",
    "nucleus",
    "spectrometer_mhz",
    "dwell_time_s",
    "n_points",
    "n_coils",
    "n_transients",
    "echo_time_s",
    "repetition_time_s",
    "voxel_size_mm",
    "sequence",
    "manufacturer",
    "is_water",
)


def describe(path: Path) -> dict[str, Any]:
    """Return what is at `path`, ready for JSON.

    A file gives one entry (`KEYS`, `notes`, `problems`, `findings`), a study ``{study_id, levels,
    anatomy, enough_levels, problems, findings}``, a dataset ``{dataset, n_studies, studies}``
    without reading signals, any other folder ``{folder, files, images, series}``, the last of its
    DICOM files (`dicom_series`). `findings` are notes and problems as data, ``{kind, subject,
    values}``: a script acts on these codes, a person reads the sentences. `analysable` of a level
    says whether `analyze` would measure it, of a study of a dataset whether it can be read.

    Raises
    ------
    ReadError
        If a file cannot be read, or a folder holds nothing that is read.
    """
    if not path.exists():
        raise NoSuchPathError(path)
    with reading(path):
        return _describe(path)


def _describe(path: Path) -> dict[str, Any]:
    if not path.is_dir() and path.suffix.lower() != ".toml":
        return describe_file(path)
    from mrs_disc.io.studies.bids import is_dataset
    from mrs_disc.io.studies.study import form_of, is_study

    if path.is_dir() and not is_study(path):
        if is_dataset(path) or _holds_studies(path):
            return _describe_dataset(path)
        return _describe_folder(path)
    form, place = form_of(path)
    described, discs = form.read(place), form.discs(place)
    described_discs = [_describe_disc(disc) for disc in discs]
    levels = [entry for entry, _ in described_discs]
    problems = [f"{e['level']}: {p}" for e in levels for p in e["problems"]]
    anatomy, unusable = _anatomy(described)
    sites = [site for _, site in described_discs]
    if anatomy is not None and (of_other := image_of_other(sites, anatomy.subjects)) is not None:
        anatomy, unusable = None, [of_other]
    unlikely = doubts(sites, anatomy.affine, anatomy.image.shape) if anatomy else doubts(sites)
    against = contradictions(sites)
    places = (*against, *unlikely)
    refused = {one.subject for one in against if not is_repeat(one)}
    for entry, site in described_discs:
        entry["analysable"] = entry["analysable"] and site.name not in refused
    measurable = {entry["level"] for entry in levels if entry["analysable"]}
    return {
        "study_id": described.study_id,
        "levels": levels,
        "anatomy": anatomy is not None,
        "enough_levels": len(measurable) >= MIN_LEVELS,
        "problems": [*described.notes, *sentences(places), *problems, *sentences(unusable)],
        "findings": [plain(one) for one in (*described.findings, *places, *unusable)],
    }


def _anatomy(study: Study) -> tuple[Anatomy | None, list[Finding]]:
    """Return the anatomy image, or what keeps it from the report."""
    try:
        return study.load_anatomy() if study.load_anatomy is not None else None, []
    except InputError as error:
        return None, [finding("anatomy_not_used", why=str(error.__cause__ or error))]


def describe_file(path: Path) -> dict[str, Any]:
    """Return one file's entry; the samples are read, so that a cut file is noticed."""
    scan = read_scan(path)
    entry = {"path": path.name, **_entry(scan)}
    if entry["is_water"] is None and scan.dwell_time_s and names_water(path.stem):
        entry["is_water"] = True
    return entry


def _entry(scan: Scan) -> dict[str, Any]:
    examined = gate.examine(scan)
    is_water = examined.is_water
    if is_water is None and scan.water_suppressed is not None:
        is_water = not scan.water_suppressed
    values = {key: _shown(getattr(scan, key)) for key in KEYS if key != "is_water"}
    values["is_water"] = is_water
    if scan.water is not None:
        values["n_water_transients"] = scan.water.n_transients
    stops = examined.forbids or gate.missing(scan) or gate.echo_time_asked(scan)
    noticed = list(once([*scan.findings, *stops]))
    if examined.mirrored:
        noticed.append(finding("mirrored"))
    return {**values, **_said(noticed)}


def _shown(value: Any) -> Any:
    """Return a value of a scan as JSON holds it, numbers without the noise of their last bits."""
    if isinstance(value, tuple):
        return [_shown(v) for v in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _said(noticed: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as `info` shows them: in words, by what follows from them, and as data."""
    problems = of_role(noticed, "forbids", "problem")
    notes = [one for one in noticed if one not in problems]
    return {
        "notes": list(sentences(notes)),
        "problems": list(sentences(problems)),
        "findings": [plain(one) for one in noticed],
    }


def _refused(error: InputError) -> dict[str, Any]:
    """Return an error as a description's only problem, in words that name the file."""
    return {"problems": [str(error)], "findings": [plain(finding_of(error))]}


def _describe_disc(disc: DiscFiles) -> tuple[dict[str, Any], Site]:
    """Return a level's entry and place; what cannot be read is a problem and not an error."""
    entry: dict[str, Any] = {
        "level": disc.level,
        "run": disc.run,
        "path": _names(disc.metabolite),
        "water": _names(disc.water),
        **dict.fromkeys(KEYS),
        "notes": [],
    }
    noticed: list[Finding] = []
    site = disc.site(None)
    try:
        metabolite = disc.scan("metabolite")
        if metabolite is not None:
            site = disc.site(metabolite)
            filled, _ = disc.given.fill(metabolite, disc.name("metabolite"))
            entry |= _entry(filled)
            noticed += filled.findings
        acquisition = disc.acquire(
            lambda role: metabolite if role == "metabolite" else disc.scan(role),
            {"metabolite": disc.name("metabolite"), "water": disc.name("water")},
        )
    except InputError as error:
        said = _said([*noticed, finding_of(error)]) | {"problems": [str(error)]}
        return entry | said | {"analysable": False}, site
    site = replace(site, water_sha256=water_digest(acquisition))
    if entry["is_water"] is None:
        entry["is_water"] = False  # the study names it as the metabolites
    without = () if acquisition.water else (finding("no_water", "water"),)
    return entry | _said([*acquisition.findings, *without]) | {"analysable": True}, site


def _names(names: tuple[str, ...]) -> str | list[str] | None:
    shown = [Path(n).name if Path(n).is_absolute() else n for n in names]
    return shown[0] if len(shown) == 1 else shown or None


def _holds_studies(path: Path) -> bool:
    from mrs_disc.io.studies.study import is_study

    return any(p.is_dir() and is_study(p) for p in path.iterdir())


def _describe_dataset(path: Path) -> dict[str, Any]:
    """Return the studies of a dataset with their levels; no signal is read."""
    from mrs_disc.io.studies.study import find_studies

    studies: list[dict[str, Any]] = []
    for found in find_studies(path):
        entry: dict[str, Any] = {
            "path": found.path.relative_to(path).as_posix(),
            "participant_id": found.participant_id,
            "session_id": found.session_id,
            "study_id": None,
            "levels": [],
            "problems": [],
            "findings": [],
            "analysable": True,
        }
        try:
            study = found.read()
            entry |= {
                "study_id": study.study_id,
                "levels": [f"{d.level} run {d.run}" if d.run > 1 else d.level for d in study],
                "problems": list(study.notes),
                "findings": [plain(one) for one in study.findings],
            }
        except InputError as error:
            entry |= _refused(error) | {"analysable": False}
        studies.append(entry)
    return {"dataset": path.resolve().name, "n_studies": len(studies), "studies": studies}


def _describe_folder(path: Path) -> dict[str, Any]:
    """Return the spectroscopy files of a folder that is no study, and of the folders in it."""
    files: list[dict[str, Any]] = []
    images: list[str] = []
    inside = files_below(path)
    found = [p for p in inside if is_spectroscopy(p)]
    stems = {p.with_suffix("") for p in found if p.suffix.lower() not in COMPANIONS}
    for file in found:
        if file.suffix.lower() in COMPANIONS and file.with_suffix("") in stems:
            continue  # told with the samples that it belongs to
        name = file.relative_to(path).as_posix()
        try:
            files.append(describe_file(file) | {"path": name})
        except ReadError as error:
            if finding_of(error).kind == "image":
                images.append(name)
                continue
            files.append({"path": name, **dict.fromkeys(KEYS), **_refused(error)})
    if not files:
        of_images = f"; {images[0]} is an image" if images else ""
        raise ReadError(
            path,
            not_read(path) or f"holds no study and no spectroscopy file that is read{of_images}",
        )
    return {
        "folder": path.resolve().name,
        "files": files,
        "images": images,
        "series": dicom_series(inside, set(found)),
    }
