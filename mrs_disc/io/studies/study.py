"""Which of the three forms a study has, and the studies of a dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mrs_disc.data import Study
from mrs_disc.errors import InputError, NoSuchPathError, ReadError
from mrs_disc.files import reading
from mrs_disc.io.images import image_label
from mrs_disc.io.names import level_in
from mrs_disc.io.studies import bids, folder, study_toml
from mrs_disc.io.studies.bids_filter import Filters
from mrs_disc.io.studies.disc_files import ROLES, DiscFiles, spectra
from mrs_disc.io.studies.neutral import files_in, is_code, neutral_id, resembles_a_person


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPath:
    """One study of a dataset, not yet read.

    `participant_id` is that of BIDS, the folder's name where that is a code, and else a neutral id.
    """

    path: Path
    participant_id: str
    session_id: str | None = None

    @property
    def relative(self) -> Path:
        """Where a batch writes its results: ``sub-01`` or ``sub-01/ses-02``."""
        return Path(self.participant_id, self.session_id or "")

    def read(self) -> Study:
        """Return the study."""
        return read_study(self.path)


def read_study(path: str | os.PathLike[str], *, filters: Filters | None = None) -> Study:
    """Return a study; no signal is read before it is asked for.

    Parameters
    ----------
    path : str or Path
        ``sub-01`` or ``sub-01/ses-02`` of a BIDS dataset, study.toml or the folder that holds it,
        or a folder whose scanner files name their level.
    filters : mapping, optional
        Suffix to entity to labels, of a BIDS dataset: which of its files are taken.

    Returns
    -------
    Study
        ``study["L4-L5"]`` reads that disc.

    Raises
    ------
    InputError
        If there is no study, or its description is wrong.

    Examples
    --------
    >>> read_study("no such folder")
    Traceback (most recent call last):
    ...
    mrs_disc.errors.NoSuchPathError: no such folder: there is no such file or folder
    """
    place = Path(path)
    if not place.exists():
        raise NoSuchPathError(place)
    with reading(place):
        form, place = form_of(place)
        return bids.read(place, filters) if form is bids else form.read(place)


def named_by_content(path: Path) -> bool:
    """Say whether a study has its id from its content, as nobody gave it one."""
    return path.is_dir() and form_of(path)[0] is folder


class Form(Protocol):
    """What each of the three modules offers for its form of a study."""

    def read(self, path: Path, /) -> Study:
        """Return the study; no signal is read."""

    def discs(self, path: Path, /) -> list[DiscFiles]:
        """Return the files of its discs, for a description."""

    def image(self, path: Path, /) -> Path | None:
        """Return the anatomy image that it names, whether it is there or not."""


def form_of(place: Path) -> tuple[Form, Path]:
    """Return the module for the form of a study, and the path that it reads.

    Raises
    ------
    ReadError
        If it is another file, or a dataset of several subjects.
    """
    if not place.is_dir():
        if place.suffix.lower() == ".toml":
            return study_toml, place
        raise ReadError(
            place,
            "is one file, not a study: name a folder or study.toml ('mrs-disc init' drafts it)",
        )
    with reading(place):
        if (place / study_toml.FILE_NAME).is_file():
            return study_toml, place / study_toml.FILE_NAME
        if bids.is_subject(place.resolve()):
            return bids, place
        if bids.is_dataset(place):
            raise ReadError(place, "is a dataset of several subjects: name one, or run 'batch'")
        return folder, place


def is_study(path: Path) -> bool:
    """Say whether a folder is a study by its names alone."""
    if (path / study_toml.FILE_NAME).is_file():
        return True
    if bids.is_subject(path.resolve()):
        return True
    return any(level_in(p.stem) for p in path.iterdir())


def find_studies(
    dataset: str | os.PathLike[str], pairing: Mapping[str, str] | None = None
) -> list[StudyPath]:
    """Return the studies of a BIDS dataset or of a folder of study folders; no signal is read.

    Parameters
    ----------
    dataset : str or Path
        The dataset's folder.
    pairing : mapping, optional
        Name of a folder to the id that it had before, for folders whose names may be persons'.

    Raises
    ------
    ReadError
        If there is no such folder, or no study in it.
    """
    place = Path(dataset)
    if not place.exists():
        raise NoSuchPathError(place, "folder")
    if not place.is_dir():
        raise ReadError(place, "is a file; name the folder of the dataset")
    one_study = ReadError(place, "is one study, not a dataset: run 'mrs-disc analyze' on it")
    if _holds_spectra(place):
        raise one_study
    with reading(place):
        if bids.is_dataset(place):
            found = list(_bids_studies(place))
        else:
            found = _folder_studies(place, pairing or {})
    if not found:
        if is_study(place):
            raise one_study
        raise ReadError(
            place, "holds no study: expected sub-* folders (BIDS) or folders with study.toml"
        )
    return found


def _bids_studies(dataset: Path) -> Iterator[StudyPath]:
    for subject in bids.subjects(dataset):
        if _holds_spectra(subject):
            yield StudyPath(path=subject, participant_id=subject.name)
        for session in bids.sessions(subject):
            if _holds_spectra(session):
                yield StudyPath(path=session, participant_id=subject.name, session_id=session.name)


def _holds_spectra(folder: Path) -> bool:
    """Say whether a subject or session has spectra: of BIDS, or a scanner's with a study.toml."""
    return (folder / "mrs").is_dir() or (folder / study_toml.FILE_NAME).is_file()


def _folder_studies(dataset: Path, pairing: Mapping[str, str]) -> list[StudyPath]:
    """Return the studies in the order of their ids, as that of names would tell of them."""
    paths = [
        path
        for path in sorted(dataset.iterdir())
        if path.is_dir() and not path.name.startswith(".") and is_study(path)
    ]
    ids = {path: path.name for path in paths if is_code(path.name)}
    taken = {name.casefold() for name in ids.values()}
    others = [path for path in paths if path not in ids]
    given = {path: _given_id(path) for path in others}
    counts = Counter(name.casefold() for name in given.values() if name)
    for path in others:
        own = given[path]
        alone = own if own and counts[own.casefold()] == 1 else None
        name = pairing.get(path.name) or alone or _content_id(path)
        number, wanted = 1, name
        while name.casefold() in taken:  # a copy of another
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name.casefold())
        ids[path] = name
    ordered = sorted(ids.items(), key=lambda item: item[1])
    return [StudyPath(path=path, participant_id=name) for path, name in ordered]


def _given_id(path: Path) -> str | None:
    """Return the id that the owner of a study's folder gave; none of a draft, of a broken file."""
    try:
        given = study_toml.given_id(path / study_toml.FILE_NAME)
    except InputError:
        return None
    return given if given and not resembles_a_person(given) else None


def _content_id(path: Path) -> str:
    try:
        form, place = form_of(path)
        files = spectra(form.discs(place))
    except InputError:
        files = []
    return neutral_id(files or files_in(path))


def paths_of_labels(path: Path) -> dict[str, str]:
    """Return where the files lie, or should, that a report names by labels: for a terminal alone.

    Raises
    ------
    InputError
        If the study cannot be read.
    """
    form, place = form_of(path)
    image = form.image(place)
    return ({} if image is None else {image_label(image): str(image)}) | {
        label: file
        for disc in form.discs(place)
        for role in ROLES
        for label, file in disc.labels(role).items()
    }
