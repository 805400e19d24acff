"""Which studies a batch analyses: all of a dataset, narrowed to participants and to a shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.io import StudyPath, find_studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One study of a batch; `key` names it and is where its results go below the output."""

    key: str
    path: str
    participant_id: str
    session_id: str | None = None

    @property
    def folder(self) -> str:
        """Name of the study's folder, which may be a person's: for a terminal alone."""
        return Path(self.path).name

    @property
    def renamed(self) -> bool:
        """Whether outputs call the study otherwise than its folder."""
        return self.session_id is None and self.folder != self.participant_id

    @classmethod
    def of(cls, study: StudyPath) -> Task:
        """Return the task of a study that was found."""
        return cls(
            key=study.relative.as_posix(),
            path=str(study.path),
            participant_id=study.participant_id,
            session_id=study.session_id,
        )


def parse_shard(text: str) -> tuple[int, int]:
    """Return a shard's number and how many there are.

    >>> parse_shard("2/8")
    (2, 8)

    Raises
    ------
    InputError
        If it is not of the form I/N with 1 <= I <= N.
    """
    first, _, second = text.partition("/")
    if first.strip().isdecimal() and second.strip().isdecimal():
        index, total = int(first), int(second)
        if 1 <= index <= total <= 1_000_000:
            return index, total
    raise InputError(f"--shard '{text[:40]}': I/N expected with 1 <= I <= N, as in 3/20")


def shard_of(key: str, total: int) -> int:
    """Return the shard of a study, 1 to `total`: the same on every machine and at any time.

    >>> shard_of("sub-01", 4) == shard_of("sub-01", 4)
    True
    """
    digest = hashlib.sha256(os.fsencode(key)).digest()
    return int.from_bytes(digest[:8], "big") % total + 1


def all_tasks(dataset: Path, pairing: Mapping[str, str] | None = None) -> list[Task]:
    """Return the studies of a dataset in the order of their ids; `pairing` as of `find_studies`.

    Raises
    ------
    InputError
        If there is no study.
    """
    return [Task.of(study) for study in find_studies(dataset, pairing)]


def narrowed(
    tasks: list[Task],
    participants: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    sessions: Sequence[str] = (),
) -> list[Task]:
    """Return the studies that a run has to analyse.

    Raises
    ------
    InputError
        If a participant or session is asked for that is not there.
    """
    if participants:
        tasks = _of_participants(tasks, participants)
    if sessions:
        tasks = _of_sessions(tasks, sessions)
    index, total = shard
    return [task for task in tasks if shard_of(task.key, total) == index]


def find_tasks(
    dataset: Path,
    *,
    participants: Sequence[str] = (),
    shard: tuple[int, int] = (1, 1),
    sessions: Sequence[str] = (),
) -> list[Task]:
    """Return the studies of a dataset that a run has to analyse (errors of both parts)."""
    return narrowed(all_tasks(dataset), participants, shard, sessions)


def _of_sessions(tasks: list[Task], sessions: Iterable[str]) -> list[Task]:
    wanted = set(session_ids(sessions))
    there = {task.session_id.removeprefix("ses-") for task in tasks if task.session_id}
    for label in sorted(wanted - there):
        known = f"Sessions: {', '.join(sorted(there)[:10])}." if there else "It has no sessions."
        raise InputError(
            f"--session-label '{label}': no participant asked for has such a session."
            f"{did_you_mean(label, there)} {known}"
        )
    return [t for t in tasks if t.session_id and t.session_id.removeprefix("ses-") in wanted]


def session_ids(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels without the prefix of BIDS, each once, in order."""
    return tuple(sorted({label.strip().removeprefix("ses-") for label in labels}))


def participant_ids(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels without the prefix of BIDS, each once, in order.

    >>> participant_ids(["sub-02", "01", "02"])
    ('01', '02')
    """
    return tuple(sorted({label.strip().removeprefix("sub-") for label in labels}))


def _of_participants(tasks: list[Task], participants: Sequence[str]) -> list[Task]:
    """Return those asked for by id, or by the folder's name where that is not the id."""
    wanted = set(participant_ids(participants))
    there = {_label(task) for task in tasks}
    folders = {task.folder: _label(task) for task in tasks if task.renamed}
    for label in sorted(wanted - there - folders.keys()):
        some = ", ".join(sorted(there)[:10]) + (", …" if len(there) > 10 else "")
        raise InputError(
            f"--participant-label '{label}': the dataset has no such participant."
            f"{did_you_mean(label, there)} Participants: {some}."
        )
    wanted |= {folders[label] for label in wanted & folders.keys()}
    return [task for task in tasks if _label(task) in wanted]


def _label(task: Task) -> str:
    return task.participant_id.removeprefix("sub-")
