"""BIDS-MRS: subjects, sessions, sidecars and the tables at a dataset's top.

Source: BIDS specification 1.10, "Magnetic Resonance Spectroscopy" (BEP 022; Bouchard et al.,
doi:10.1038/s41597-025-05543-2): suffixes ``svs`` and ``mrsref``, entity ``voi``, sidecar fields
``ReferenceSignal`` and ``AnatomicalImage``, inheritance of sidecars from folders above.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mrs_disc.data import Anatomy, Morphology, Provocation, Study, parse_level
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import Row, is_regular, read_table
from mrs_disc.io.formats.sidecar import read_sidecar
from mrs_disc.io.images import image_files, load_image
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.io.studies.study_toml import MorphologyValues, ProvocationValues
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.schema import validate

_SUBJECT = re.compile(r"^sub-[A-Za-z0-9]+\Z")
_SESSION = re.compile(r"^ses-[A-Za-z0-9]+\Z")
_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9]+)")
_MISSING = ("", "n/a", "na", "none", "nan")
_CLINICAL = ("age", "sex", "indication", "mri_safety_screening", "consent", "preauthorization")


@dataclass(frozen=True, slots=True)
class Name:
    """A BIDS file name in its parts."""

    path: Path
    entities: tuple[tuple[str, str], ...]
    suffix: str

    def get(self, entity: str) -> str | None:
        """Return an entity's label."""
        return dict(self.entities).get(entity)


def parse_name(path: Path) -> Name:
    """Return the entities and the suffix of a BIDS file name."""
    stem = path.name.split(".")[0]
    *parts, suffix = stem.split("_")
    entities = tuple((m[1], m[2]) for part in parts if (m := _ENTITY.fullmatch(part)))
    return Name(path, entities, suffix)


def is_subject(path: Path) -> bool:
    """Say whether a folder is a subject or a session of a BIDS dataset."""
    return bool(_SUBJECT.match(path.name) or (_SESSION.match(path.name) and _in_subject(path)))


def _in_subject(path: Path) -> bool:
    return bool(_SUBJECT.match(path.resolve().parent.name))


def sessions(subject: Path) -> list[Path]:
    """Return the session folders of a subject in order."""
    return sorted(p for p in subject.iterdir() if p.is_dir() and _SESSION.match(p.name))


def is_dataset(path: Path) -> bool:
    """Say whether a folder holds subjects."""
    return any(p.is_dir() and _SUBJECT.match(p.name) for p in path.iterdir())


def subjects(dataset: Path) -> Iterator[Path]:
    """Return the subject folders of a dataset in order."""
    yield from sorted(p for p in dataset.iterdir() if p.is_dir() and _SUBJECT.match(p.name))


def read(folder: Path) -> Study:
    """Return the study of ``sub-01`` or ``sub-01/ses-02``; no signal is read.

    Raises
    ------
    InputError
        If the folder holds no disc spectra, or several sessions.
    """
    folder, dataset, subject, session = _places(folder)
    study_id = f"{subject}_{session}" if session else subject
    found, left_out = _discs(folder, dataset, subject, session)
    if not found:
        raise InputError(
            f"{study_id}: no disc spectrum found; expected mrs/{study_id}_voi-L4L5_svs.nii.gz"
            + (f" ({'; '.join(sentences(left_out))})" if left_out else "")
        )
    return Study(
        study_id=study_id,
        session_id=session,
        discs=tuple(d.entry() for d in found),
        clinical=_clinical(dataset, subject),
        load_anatomy=lambda: _anatomy(folder, dataset, found),
        described_by=lambda: _described_by(folder, dataset, found),
        findings=tuple(left_out),
    )


def discs(folder: Path) -> list[DiscFiles]:
    """Return the discs of a subject or session folder, for a description."""
    return _discs(*_places(folder))[0]


def _places(folder: Path) -> tuple[Path, Path, str, str | None]:
    """Return the folder that holds `mrs`, the dataset's, the subject and the session."""
    folder = folder.resolve()
    if _SUBJECT.match(folder.name) and not (folder / "mrs").is_dir():
        found = sessions(folder)
        if len(found) > 1:
            names = ", ".join(p.name for p in found)
            raise InputError(f"{folder.name} has the sessions {names}: name one, or run 'batch'")
        if not found:
            raise InputError(f"{folder.name}: no folder 'mrs' in it")
        folder = found[0]
    session = folder.name if _SESSION.match(folder.name) else None
    subject = folder.parent.name if session else folder.name
    return folder, folder.parent.parent if session else folder.parent, subject, session


def _discs(
    folder: Path, dataset: Path, subject: str, session: str | None
) -> tuple[list[DiscFiles], list[Finding]]:
    mrs = folder / "mrs"
    files = sorted(p for p in mrs.iterdir() if ".nii" in p.suffixes) if mrs.is_dir() else []
    names = [parse_name(p) for p in files]
    spectra, references = ([n for n in names if n.suffix == suffix] for suffix in ("svs", "mrsref"))
    found: list[DiscFiles] = []
    left_out: list[Finding] = []
    for name in spectra:
        voi = name.get("voi")
        try:
            level = parse_level(voi or "")
        except InputError:
            left_out.append(finding("voi_no_level", file=Path(name.path.name), voi=voi or "…"))
            continue
        chain = _sidecars(name, dataset, folder)
        facts: dict[str, Any] = {}
        for path in chain:
            facts |= _told(path)
        water, noticed = _reference(name, facts, references, dataset, folder)
        water_chain = _sidecars(parse_name(water), dataset, folder) if water is not None else ()
        morphology, provocation = _seen(dataset, subject, session, level)
        found.append(
            DiscFiles(
                level=level,
                run=_run(name),
                folder=folder,
                metabolite=(str(name.path),),
                water=(str(water),) if water is not None else (),
                morphology=morphology,
                provocation=provocation,
                labels_from=dataset,
                sidecars={"metabolite": chain, "water": water_chain},
                findings=noticed,
            )
        )
    runs = Counter(d.level for d in found)
    return [replace(d, many_runs=runs[d.level] > 1) for d in found], left_out


def _run(name: Name) -> int:
    run = name.get("run") or "1"
    if not (run.isdecimal() and len(run) <= 6 and int(run) >= 1):
        raise ReadError(name.path, f"run-{run[:20]}: a number from 1 is expected, as in run-02")
    return int(run)


def _told(path: Path) -> dict[str, Any]:
    """Return the entries of a sidecar; a broken one fails its level, when that is read."""
    try:
        return read_sidecar(path)
    except ReadError:
        return {}


def _sidecars(name: Name, dataset: Path, folder: Path) -> tuple[Path, ...]:
    """Return the JSON files that speak for a data file, from general to particular."""
    wanted = set(name.entities)
    folders = dict.fromkeys([dataset, folder.parent, folder, name.path.parent])
    chain: list[tuple[int, int, Path]] = []
    for depth, place in enumerate(f for f in folders if f.is_relative_to(dataset)):
        for path in sorted(place.glob(f"*{name.suffix}.json")):
            other = parse_name(path)
            if other.suffix == name.suffix and set(other.entities) <= wanted:
                chain.append((depth, len(other.entities), path))
    return tuple(path for _, _, path in sorted(chain))


def _reference(
    name: Name, facts: Mapping[str, Any], references: list[Name], dataset: Path, folder: Path
) -> tuple[Path | None, tuple[Finding, ...]]:
    """Return the water reference: the sidecar's word first, then the names."""
    noticed: tuple[Finding, ...] = ()
    if (told := facts.get("ReferenceSignal")) is not None:
        path = _linked(told, dataset, folder)
        if path is not None:
            return path, ()
        noticed = (finding("reference_not_there", "water"),)
    here = [r for r in references if r.get("voi") == name.get("voi")]
    tries: tuple[tuple[str, ...], ...] = ((), ("acq",), ("run",), ("acq", "run"))
    for dropped in tries:
        keep = {(k, v) for k, v in name.entities if k not in dropped}
        fits = [r for r in here if {(k, v) for k, v in r.entities if k not in dropped} == keep]
        if len(fits) == 1:
            return fits[0].path, noticed
    return None, noticed


def _linked(value: Any, dataset: Path, folder: Path) -> Path | None:
    """Return the file in the dataset that a sidecar's BIDS URI or relative path names."""
    text = value[0] if isinstance(value, list) and value else value
    if not isinstance(text, str):
        return None
    if text.startswith("bids:"):
        candidates = [dataset / text.split(":", 2)[-1].lstrip("/")]
    else:
        subject = folder.parent if _SESSION.match(folder.name) else folder
        candidates = [subject / text, dataset / text]
    for path in candidates:
        if is_regular(path) and (found := path.resolve()).is_relative_to(dataset):
            return found
    return None


def _described_by(folder: Path, dataset: Path, discs: list[DiscFiles]) -> list[Path]:
    """Return the sidecars and the image that an analysis reads."""
    sidecars = [p for disc in discs for chain in disc.sidecars.values() for p in chain]
    image = _image(folder, dataset, discs)
    return sidecars + (image_files(image) if image is not None else [])


def _anatomy(folder: Path, dataset: Path, discs: list[DiscFiles]) -> Anatomy | None:
    image = _image(folder, dataset, discs)
    return load_image(image) if image is not None else None


def _image(folder: Path, dataset: Path, discs: list[DiscFiles]) -> Path | None:
    """Return the image that the sidecars name, else a T2-weighted one of `anat`, else any."""
    for disc in discs:
        for path in reversed(disc.sidecars.get("metabolite", ())):
            linked = _linked(_told(path).get("AnatomicalImage"), dataset, folder)
            if linked is not None:
                return linked
    anat = folder / "anat"
    images = sorted(p for p in anat.iterdir() if ".nii" in p.suffixes) if anat.is_dir() else []
    images.sort(key=lambda p: ("T2w" not in p.name, "sag" not in p.name.lower(), p.name))
    return images[0] if images else None


# --------------------------------------------------------------------------- tables


def _table(path: Path) -> list[Row]:
    """Return the rows of a dataset's table; empty where there is none."""
    return read_table(path, needed=("participant_id",)) if os.path.lexists(path) else []


def _seen(
    dataset: Path, subject: str, session: str | None, level: str
) -> tuple[Morphology | None, Provocation | None]:
    """Return what morphology.tsv says of a disc.

    Raises
    ------
    InputError
        If a row of the subject has no level or wrong grades, or two rows contradict each other.
    """
    path = dataset / "morphology.tsv"
    first = 0
    found: tuple[Morphology | None, Provocation | None] = (None, None)
    for line, row in ((r.line, r.cells) for r in _table(path)):
        if row.get("participant_id") not in (subject, subject.removeprefix("sub-")):
            continue
        told = row.get("session_id", "")
        if told.lower() not in _MISSING and session not in (told, f"ses-{told}"):
            continue
        source = f"{path.name} row {line}"
        try:
            if parse_level(row.get("level", "")) != level:
                continue
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        values = {
            k: _value(k, v)
            for k, v in row.items()
            if v.lower() not in _MISSING
            or (k in ("herniation", "disc_height_loss") and v.lower() == "none")
        }
        seen = {k: v for k, v in values.items() if k in MorphologyValues.model_fields}
        result = values.get("provocation", values.get("provocation_result"))
        morphology = validate(seen, MorphologyValues, source).record() if seen else None
        provocation = None
        if result is not None:
            checked = validate({"result": result}, ProvocationValues, source)
            provocation = Provocation(result=checked.result)
        if first and found != (morphology, provocation):
            raise InputError(
                f"{path.name}: the rows {first} and {line} contradict each other on {subject} "
                f"{level}; take one out, or give session_id"
            )
        first, found = line, (morphology, provocation)
    return found


def _value(key: str, text: str) -> Any:
    if key in ("pfirrmann", "modic") and re.fullmatch(r"\d{1,3}(\.0*)?", text):
        return int(float(text))
    if key == "hiz" and text.lower() in ("true", "yes", "1", "false", "no", "0"):
        return text.lower() in ("true", "yes", "1")
    return text


def _clinical(dataset: Path, subject: str) -> dict[str, Any]:
    """Return the known columns of participants.tsv; others are not shown."""
    for row in (r.cells for r in _table(dataset / "participants.tsv")):
        if row.get("participant_id") == subject:
            return {k: row[k] for k in _CLINICAL if row.get(k, "").lower() not in _MISSING}
    return {}
