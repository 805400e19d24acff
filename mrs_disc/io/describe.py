"""What `mrs-disc info` says of a file, a study or a dataset: what is there, what would go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError, NoSuchPathError, ReadError
from mrs_disc.files import reading
from mrs_disc.io import gate
from mrs_disc.io.names import COMPANIONS, names_water
from mrs_disc.io.readers import is_spectroscopy, read_scan
from mrs_disc.io.scan import Scan

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

    A file gives one entry (`KEYS`, `notes`, `problems`), a study ``{study_id, levels, problems}``,
    a dataset ``{dataset, n_studies, studies}`` without reading signals, any other folder
    ``{folder, files}``.

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
    from mrs_disc.io import bids, folder, study, study_toml

    if path.is_dir() and not study.is_study(path):
        if bids.is_dataset(path) or _holds_studies(path):
            return _describe_dataset(path)
        return _describe_folder(path)
    if not path.is_dir() or (path / study_toml.FILE_NAME).is_file():
        file = path / study_toml.FILE_NAME if path.is_dir() else path
        described = study_toml.read(file)
        discs = study_toml.discs(file)
    elif bids.is_subject(path.resolve()):
        described = bids.read(path)
        discs = bids.disc_files(path)
    else:
        described = folder.read(path)
        discs = folder.discs(path)
    levels = [_describe_disc(disc) for disc in discs]
    problems = [f"{e['level']}: {p}" for e in levels for p in e["problems"]]
    return {
        "study_id": described.study_id,
        "levels": levels,
        "problems": [*described.notes, *problems, *_anatomy_problem(described)],
    }


def _anatomy_problem(study: Any) -> list[str]:
    """Say what keeps the anatomy image from the report."""
    try:
        if study.load_anatomy is not None:
            study.load_anatomy()
    except InputError as error:
        return [f"the anatomy image could not be used: {error}"]
    return []


def describe_file(path: Path) -> dict[str, Any]:
    """Return one file's entry; the samples are read, so that a cut file is noticed."""
    scan = read_scan(path)
    entry = {"path": path.name, **_entry(scan)}
    if entry["is_water"] is None and scan.dwell_time_s and names_water(path.stem):
        entry["is_water"] = True
    return entry


def _entry(scan: Scan) -> dict[str, Any]:
    findings = gate.examine(scan)
    size = scan.voxel_size_mm
    is_water = findings.is_water
    if is_water is None and scan.water_suppressed is not None:
        is_water = not scan.water_suppressed
    problems = [*findings.forbids, *([] if findings.forbids else gate.missing(scan))]
    if findings.mirrored:
        problems.append("the spectrum lies mirrored about its carrier; analysis turns it over")
    values = {
        "format": scan.format,
        "reader": scan.reader,
        "nucleus": scan.nucleus,
        "spectrometer_mhz": scan.spectrometer_mhz,
        "dwell_time_s": _rounded(scan.dwell_time_s),
        "n_points": scan.n_points,
        "n_coils": scan.n_coils,
        "n_transients": scan.n_transients,
        "echo_time_s": _rounded(scan.echo_time_s),
        "repetition_time_s": _rounded(scan.repetition_time_s),
        "voxel_size_mm": [_rounded(v) for v in size] if size else None,
        "sequence": scan.sequence,
        "manufacturer": scan.manufacturer,
        "is_water": is_water,
    }
    if scan.water is not None:
        values["n_water_transients"] = scan.water.n_transients
    return {**values, "notes": list(scan.notes), "problems": problems}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.10g}")


def _describe_disc(disc: Any) -> dict[str, Any]:
    """Return a level's entry; what cannot be read is a problem and not an error."""
    from mrs_disc.io.acquire import to_acquisition

    entry: dict[str, Any] = {
        "level": disc.level,
        "run": disc.run,
        "path": _shown(disc.metabolite),
        "water": _shown(disc.water),
        **dict.fromkeys(KEYS),
        "notes": [],
        "problems": [],
    }
    try:
        metabolite = disc.scan("metabolite")
    except InputError as error:
        return {**entry, "problems": [str(error)]}
    names = disc.name("metabolite"), disc.name("water")
    try:
        filled = disc.given.fill(metabolite, names[0])[0]
        entry |= {k: v for k, v in _entry(filled).items() if k != "problems"}
        acquisition = to_acquisition(
            disc.level, disc.run, metabolite, disc.scan("water"), disc.given, names=names
        )
    except InputError as error:
        return {**entry, "problems": [str(error)]}
    notes = [*disc.notes, *acquisition.notes]
    if entry["is_water"] is None:
        entry["is_water"] = False  # the study names it as the metabolites
    unused = [n for n in notes if "is not used" in n or "is not suppressed" in n]
    entry["notes"] = [n for n in notes if n not in unused]
    entry["problems"] = unused + ([] if acquisition.water else ["no water reference"])
    return entry


def _shown(names: tuple[str, ...]) -> str | list[str] | None:
    shown = [Path(n).name if Path(n).is_absolute() else n for n in names]
    return shown[0] if len(shown) == 1 else shown or None


def _holds_studies(path: Path) -> bool:
    from mrs_disc.io.study import is_study

    return any(p.is_dir() and is_study(p) for p in path.iterdir())


def _describe_dataset(path: Path) -> dict[str, Any]:
    """Return the studies of a dataset with their levels; no signal is read."""
    from mrs_disc.io.study import find_studies

    studies: list[dict[str, Any]] = []
    for found in find_studies(path):
        entry: dict[str, Any] = {
            "path": found.path.relative_to(path).as_posix(),
            "participant_id": found.participant_id,
            "session_id": found.session_id,
            "study_id": None,
            "levels": [],
            "problems": [],
        }
        try:
            study = found.read()
            entry |= {
                "study_id": study.study_id,
                "levels": [f"{d.level} run {d.run}" if d.run > 1 else d.level for d in study],
                "problems": list(study.notes),
            }
        except InputError as error:
            entry["problems"] = [str(error)]
        studies.append(entry)
    return {"dataset": path.resolve().name, "n_studies": len(studies), "studies": studies}


def _describe_folder(path: Path) -> dict[str, Any]:
    """Return the spectroscopy files of a folder that is no study."""
    files: list[dict[str, Any]] = []
    found = sorted(p for p in path.iterdir() if p.is_file() and is_spectroscopy(p))
    stems = {p.stem for p in found if p.suffix.lower() not in COMPANIONS}
    for file in found:
        if file.suffix.lower() in COMPANIONS and file.stem in stems:
            continue  # told with the samples that it belongs to
        try:
            files.append(describe_file(file))
        except ReadError as error:
            files.append({"path": file.name, **dict.fromkeys(KEYS), "problems": [str(error)]})
    if not files:
        raise ReadError(path, "holds no study and no spectroscopy file that is read")
    return {"folder": path.resolve().name, "files": files}
