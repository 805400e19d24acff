"""BIDS-MRS: subjects, sessions, sidecars and the tables at a dataset's top.

Source: BIDS specification 1.10, "Magnetic Resonance Spectroscopy" (BEP 022; Bouchard et al.,
doi:10.1038/s41597-025-05543-2): suffixes ``svs`` and ``mrsref``, entity ``voi``, sidecar fields
``ReferenceSignal`` and ``AnatomicalImage``, inheritance of sidecars from folders above.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mrs_disc.data import Anatomy, Morphology, Provocation, Study, parse_level
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import is_regular
from mrs_disc.io.formats.sidecar import read_sidecar
from mrs_disc.io.images import image_files, labelled_image
from mrs_disc.io.studies.bids_filter import Filters, fits
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.io.studies.study_toml import MorphologyValues, ProvocationValues, personal
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.schema import validate
from mrs_disc.tables import Row, read_table

_SUBJECT = re.compile(r"^sub-[A-Za-z0-9]+\Z")
_SESSION = re.compile(r"^ses-[A-Za-z0-9]+\Z")
_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9]+)")
_MISSING = ("", "n/a", "na", "none", "nan")
_CLINICAL = (
    *("age", "sex", "referring_question", "indication", "comparison"),
    *("mri_safety_screening", "consent", "preauthorization"),
)


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


def read(folder: Path, filters: Filters | None = None) -> Study:
    """Return the study of ``sub-01`` or ``sub-01/ses-02``; no signal is read.

    Of its files those are taken that fit `filters`.

    Raises
    ------
    InputError
        If the folder holds no disc spectra, or several sessions.
    """
    folder, dataset, subject, session = _places(folder)
    study_id = f"{subject}_{session}" if session else subject
    found, left_out = _discs(folder, dataset, subject, session, filters or {})
    if not found and filters:
        raise InputError(f"{study_id}: no disc spectrum fits the filters")
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
        findings=(*personal(study_id), *left_out),
    )


def discs(folder: Path) -> list[DiscFiles]:
    """Return the discs of a subject or session folder, for a description."""
    return _discs(*_places(folder))[0]


def image(folder: Path) -> Path | None:
    """Return the anatomy image of a subject or session."""
    place, dataset, *_ = _places(folder)
    return _image(place, dataset, discs(folder))


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
    folder: Path, dataset: Path, subject: str, session: str | None, filters: Filters | None = None
) -> tuple[list[DiscFiles], list[Finding]]:
    mrs = folder / "mrs"
    files = sorted(p for p in mrs.iterdir() if ".nii" in p.suffixes) if mrs.is_dir() else []
    names = [parse_name(p) for p in files]
    names = [n for n in names if fits(filters or {}, n.suffix, dict(n.entities))]
    strange = [n for n in names if not _of_the_folder(n, subject, session)]
    names = [n for n in names if n not in strange]
    spectra, references = ([n for n in names if n.suffix == suffix] for suffix in ("svs", "mrsref"))
    left_out = [
        finding("named_for_other", file=Path(n.path.name), place=session or subject)
        for n in strange
        if n.suffix in ("svs", "mrsref")
    ]
    of_level: dict[str, list[Name]] = defaultdict(list)
    for name in spectra:
        voi, nucleus = name.get("voi"), _nucleus(name, dataset, folder)
        file = Path(name.path.name)
        try:
            level = parse_level(voi or "")
        except InputError:
            left_out.append(finding("voi_no_level", file=file, voi=voi or "…"))
            continue
        if nucleus not in (None, "1H"):
            left_out.append(finding("nucleus_left_out", file=file, nucleus=nucleus))
            continue
        if _run(name) is None:
            label = (name.get("run") or "")[:20]
            left_out.append(finding("run_no_number", level, file=file, run=label))
            continue
        of_level[level].append(name)
    found = []
    for level, named in of_level.items():
        morphology, provocation = _seen(dataset, subject, session, level)
        for run, alike, said in _runs(named):
            disc = _disc_files(level, alike[0], references, dataset, folder)
            alike_names = [one.path.name for one in alike]
            refused = finding("names_alike", level, files=alike_names)
            found.append(
                replace(
                    disc,
                    run=run,
                    many_runs=len(named) > 1,
                    morphology=morphology,
                    provocation=provocation,
                    findings=(*said, *disc.findings),
                    refused=refused if len(alike) > 1 else None,
                )
            )
    return found, left_out


def _of_the_folder(name: Name, subject: str, session: str | None) -> bool:
    """Say whether a file's name gives the subject and session that its folder has."""
    told, ses = name.get("sub"), name.get("ses")
    right = told is None or f"sub-{told}" == subject
    return right and (ses is None or session is None or f"ses-{ses}" == session)


def _disc_files(
    level: str, name: Name, references: list[Name], dataset: Path, folder: Path
) -> DiscFiles:
    """Return the files of one spectrum with its water reference and sidecars."""
    chain = _sidecars(name, dataset, folder)
    water, noticed = _reference(name, _facts(chain), references, dataset, folder)
    water_chain = _sidecars(parse_name(water), dataset, folder) if water is not None else ()
    return DiscFiles(
        level=level,
        folder=folder,
        metabolite=(str(name.path),),
        water=(str(water),) if water is not None else (),
        labels_from=dataset,
        sidecars={"metabolite": chain, "water": water_chain},
        findings=noticed,
    )


def _facts(chain: Sequence[Path]) -> dict[str, Any]:
    """Return what a chain of sidecars tells, the particular over the general."""
    facts: dict[str, Any] = {}
    for path in chain:
        facts |= _told(path)
    return facts


def _nucleus(name: Name, dataset: Path, folder: Path) -> str | None:
    """Return the nucleus that name or sidecar state; the file itself is not read."""
    told = name.get("nuc") or _facts(_sidecars(name, dataset, folder)).get("ResonantNucleus")
    told = told[0] if isinstance(told, list) and len(told) == 1 else told
    return told[:10] if isinstance(told, str) else None


def _runs(names: Sequence[Name]) -> list[tuple[int, list[Name], tuple[Finding, ...]]]:
    """Return the runs of a level, each with its files: one, or several that are named alike.

    Numbers are those of the names; where two files of one number differ in another entity (acq,
    echo, rec), all are numbered anew, by the number first and then by their entities.
    """
    groups: dict[tuple[int, tuple[tuple[str, str], ...]], list[Name]] = defaultdict(list)
    for name in names:
        others = tuple(sorted((k, v) for k, v in name.entities if k != "run"))
        groups[_run(name) or 1, others].append(name)
    if len({run for run, _ in groups}) == len(groups):
        return [(run, alike, ()) for (run, _), alike in groups.items()]
    ordered = sorted(groups, key=lambda key: (key[0], [(k, _counted(v)) for k, v in key[1]]))
    found: list[tuple[int, list[Name], tuple[Finding, ...]]] = []
    for number, key in enumerate(ordered, start=1):
        file = Path(groups[key][0].path.name)
        said = finding("run_by_name", run=number, file=file, n=len(ordered))
        found.append((number, groups[key], (said,)))
    return found


def _counted(label: str) -> tuple[bool, int, str]:
    """Return what orders labels of an entity: numbers by their size, before words."""
    number = label.isdecimal()
    return not number, int(label) if number else 0, label


def _run(name: Name) -> int | None:
    """Return the run; 1 where the name states none, `None` where it states no number from 1."""
    run = name.get("run")
    if run is None:
        return 1
    return int(run) if run.isascii() and run.isdecimal() and len(run) <= 6 and int(run) else None


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
        values = told if isinstance(told, list) else [told]
        linked = [p for value in values if (p := _linked(value, dataset, folder)) is not None]
        others = [p for p in linked if parse_name(p).get("sub") not in (None, name.get("sub"))]
        if others:
            file = Path(others[0].name)
            return None, (finding("water_not_used", "water", file=file, why=finding("of_other")),)
        if linked:
            return _chosen(name, [parse_name(path) for path in dict.fromkeys(linked)])
        noticed = (finding("reference_not_there", "water"),)
    here = [r for r in references if r.get("voi") == name.get("voi")]
    here = [r for r in here if r.get("nuc") in (None, "1H")]
    if not here:
        return None, noticed
    nearest = min(_apart(name, r) for r in here)
    path, said = _chosen(name, [r for r in here if _apart(name, r) == nearest])
    return path, (*noticed, *said)


def _chosen(name: Name, references: Sequence[Name]) -> tuple[Path, tuple[Finding, ...]]:
    """Return the reference whose entities agree most, then the first by name, and say so."""
    first, *others = sorted(references, key=lambda r: (_apart(name, r), r.path.name))
    if not others:
        return first.path, ()
    said = finding(
        "water_chosen",
        "water",
        file=Path(first.path.name),
        others=[Path(r.path.name) for r in others],
    )
    return first.path, (said,)


def _apart(name: Name, reference: Name) -> tuple[int, int]:
    """Count the entities in which a reference differs: run, acq and echo, then the others."""
    mine, theirs = dict(name.entities), dict(reference.entities)
    differ = {k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k)}
    first = differ & {"run", "acq", "echo"}
    return len(first), len(differ - first)


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
    return labelled_image(image) if image is not None else None


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
