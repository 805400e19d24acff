"""Which studies a batch analyses: all of a dataset, narrowed to participants and to a shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
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


def find_tasks(
    dataset: Path, *, participants: Sequence[str] = (), shard: tuple[int, int] = (1, 1)
) -> list[Task]:
    """Return the studies of a dataset that a run has to analyse, in the order of their names.

    Raises
    ------
    InputError
        If there is no study, or a participant is asked for that is not there.
    """
    tasks = [Task.of(study) for study in find_studies(dataset)]
    if participants:
        tasks = _of_participants(tasks, participants)
    index, total = shard
    return [task for task in tasks if shard_of(task.key, total) == index]


def participant_ids(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels without the prefix of BIDS, each once, in order.

    >>> participant_ids(["sub-02", "01", "02"])
    ('01', '02')
    """
    return tuple(sorted({label.strip().removeprefix("sub-") for label in labels}))


def _of_participants(tasks: list[Task], participants: Sequence[str]) -> list[Task]:
    wanted = set(participant_ids(participants))
    there = {task.participant_id.removeprefix("sub-") for task in tasks}
    for label in sorted(wanted - there):
        some = ", ".join(sorted(there)[:10]) + (", …" if len(there) > 10 else "")
        raise InputError(
            f"--participant-label '{label}': the dataset has no such participant."
            f"{did_you_mean(label, there)} Participants: {some}."
        )
    return [task for task in tasks if task.participant_id.removeprefix("sub-") in wanted]
