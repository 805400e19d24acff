"""The state of every study, in memory and on disk; the only place where one changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrs_disc.errors import ReadError
from mrs_disc.files import clear_scratch, write_whole, writing
from mrs_disc.record.node import (
    ALLOWED,
    State,
    StudyState,
    in_order,
    read_study_state,
    study_bytes,
)


class Ledger:
    """The states of all studies.

    Parameters
    ----------
    folder : Path
        One file a study; made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self.version = 0
        """Grows with every change."""
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        clear_scratch(folder)
        self._states: dict[str, StudyState] = {}
        self.damaged: list[str] = []
        """Files that hold no state any more; the spool says again what has to be done."""
        for path in sorted(folder.glob("*.json")):
            try:
                self._states[path.stem] = read_study_state(path)
            except ReadError:
                self.damaged.append(path.name)

    def get(self, key: str) -> StudyState | None:
        """Return a study's state."""
        return self._states.get(key)

    def all(self) -> tuple[StudyState, ...]:
        """Return all states in the order in which the studies came."""
        with self._lock:
            return in_order(tuple(self._states.values()))

    def of(self, *states: State) -> tuple[StudyState, ...]:
        """Return the studies in one of these states."""
        with self._lock:
            found = [one for one in self._states.values() if one.state in states]
        return in_order(found)

    def add(self, study: StudyState) -> StudyState:
        """Take in a study that is not known yet."""
        with self._lock:
            return self._put(study)

    def change(self, key: str, **fields: Any) -> StudyState:
        """Change fields of a study; a state has to follow from the one before.

        Raises
        ------
        ValueError
            If the study cannot go there: a bug.
        """
        return self.update(key, lambda study: replace(study, **fields))

    def update(self, key: str, how: Callable[[StudyState], StudyState]) -> StudyState:
        """Change a study by a function of what it is now."""
        with self._lock:
            before = self._states[key]
            after = how(before)
            if after.state not in ALLOWED[before.state] | {before.state}:
                raise ValueError(f"no way from {before.state} to {after.state}")
            return before if after == before else self._put(after)

    def _put(self, study: StudyState) -> StudyState:
        write_whole(self._folder / f"{study.key}.json", study_bytes(study), overwrite=True)
        self._states[study.key] = study
        self.version += 1
        return study
