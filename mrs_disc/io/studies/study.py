"""Which of the three forms a study has, and the studies of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mrs_disc.data import Study
from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import reading
from mrs_disc.io.names import level_in
from mrs_disc.io.studies import bids, folder, study_toml
from mrs_disc.io.studies.disc_files import ROLES, DiscFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPath:
    """One study of a dataset, not yet read."""

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


def read_study(path: str | os.PathLike[str]) -> Study:
    """Return a study; no signal is read before it is asked for.

    Parameters
    ----------
    path : str or Path
        ``sub-01`` or ``sub-01/ses-02`` of a BIDS dataset, study.toml or the folder that holds it,
        or a folder whose scanner files name their level.

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
        return form.read(place)


class Form(Protocol):
    """What each of the three modules offers for its form of a study."""

    def read(self, path: Path, /) -> Study:
        """Return the study; no signal is read."""

    def discs(self, path: Path, /) -> list[DiscFiles]:
        """Return the files of its discs, for a description."""


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


def find_studies(dataset: str | os.PathLike[str]) -> list[StudyPath]:
    """Return the studies of a BIDS dataset or of a folder of study folders; none is read.

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
        found = list(_bids_studies(place) if bids.is_dataset(place) else _folder_studies(place))
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


def _folder_studies(dataset: Path) -> Iterator[StudyPath]:
    for path in sorted(dataset.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and is_study(path):
            yield StudyPath(path=path, participant_id=path.name)


def paths_of_labels(path: Path) -> dict[str, str]:
    """Return where the files lie, or should, that a report names by labels: for a terminal alone.

    Raises
    ------
    InputError
        If the study cannot be read.
    """
    form, place = form_of(path)
    return {
        disc.label(role): ", ".join(str(disc.folder / name) for name in disc.named(role))
        for disc in form.discs(place)
        for role in ROLES
        if disc.named(role)
    }
