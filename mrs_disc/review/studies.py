"""One study as the page needs it: record, arrays, curves and review, kept while they are read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import sha256_of
from mrs_disc.record.file import RESULTS_NAME, read_results
from mrs_disc.record.level import Level, Results
from mrs_disc.record.overlay import read_review
from mrs_disc.record.review import (
    HEAD_NAME,
    LOG_NAME,
    Decision,
    Review,
    ReviewLog,
    read_log,
    review_of,
)
from mrs_disc.record.signals import SIGNALS_NAME, Signals, read_signals
from mrs_disc.report.curves import common_height
from mrs_disc.review.catalogue import StudyRow
from mrs_disc.scoring.again import reviewed


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the list shows of a study's review: its state, and the decisions by level and run."""

    state: str = "not reviewed"
    decisions: Mapping[str, Decision] = field(default_factory=dict)


def utc_now() -> str:
    """Return the time as the log has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


KEPT = 8
"""Studies that are held in memory: the one that is read and its neighbours."""


@dataclass(eq=False)
class LoadedStudy:
    """A study whose results have been read.

    Parameters
    ----------
    row : StudyRow
        Name and folder.
    results : Results
        As they were analysed.
    sha256 : str
        Of that file.
    """

    row: StudyRow
    results: Results
    sha256: str

    @property
    def folder(self) -> Path:
        """Where the results lie."""
        return self.row.folder

    @cached_property
    def signals(self) -> Signals:
        """The arrays; empty where there are none, with `signals_problem` saying why."""
        try:
            path = self.folder / SIGNALS_NAME
            return read_signals(path, self.results.files.signals.sha256)
        except InputError as error:
            self.signals_problem = str(error)
            return Signals(levels={})

    signals_problem: str = field(default="", init=False)

    @cached_property
    def height(self) -> float:
        """What stands for 100 in every spectrum of the study."""
        return common_height(self.results, self.signals)

    def log(self) -> ReviewLog:
        """Return the log as it is now."""
        return read_log(self.folder, self.results.study_id)

    def review(self, log: ReviewLog | None = None) -> Review:
        """Return the state of the review of these results."""
        return review_of(self.log() if log is None else log, self.sha256)

    def reviewed(self, review: Review) -> Results:
        """Return the record as the reviewer left it."""
        return reviewed(self.results, review)

    def level(self, key: str) -> Level:
        """Return a level by its key.

        Raises
        ------
        InputError
            If the study has no such level.
        """
        for level in self.results.levels:
            if level.key == key:
                return level
        raise InputError(f"this study has no level '{key[:40]}'")


class Library:
    """Studies in memory, read again when their results have changed; and the reviews of all."""

    def __init__(self) -> None:
        self.version = 0
        self._studies: OrderedDict[Path, tuple[tuple[int, int], LoadedStudy]] = OrderedDict()
        self._reviews: dict[Path, tuple[tuple[int, ...], Reviewed]] = {}
        self._lock = threading.Lock()

    def open(self, row: StudyRow) -> LoadedStudy:
        """Return a study.

        Raises
        ------
        InputError
            If its results are not there or are not valid.
        """
        path = row.folder / RESULTS_NAME
        try:
            stat = path.stat()
        except OSError:
            raise InputError(
                f"{row.study}: its results.json is not there any more; run mrs-disc collect again"
            ) from None
        stamp = (stat.st_mtime_ns, stat.st_size)
        with self._lock:
            kept = self._studies.get(row.folder)
            if kept and kept[0] == stamp:
                self._studies.move_to_end(row.folder)
                return kept[1]
        study = LoadedStudy(row, read_results(path), sha256_of(path, RESULTS_NAME))
        with self._lock:
            self._studies[row.folder] = (stamp, study)
            while len(self._studies) > KEPT:
                self._studies.popitem(last=False)
        return study

    def state(self, row: StudyRow) -> str:
        """Return the state of a study's review."""
        return self.reviewed(row).state

    def reviewed(self, row: StudyRow) -> Reviewed:
        """Return what was decided on a study, without opening it where there is no log."""
        kept = self._reviews.get(row.folder)
        try:
            log = (row.folder / LOG_NAME).stat()
            results = (row.folder / RESULTS_NAME).stat()
            head = _written_at(row.folder / HEAD_NAME)
            stamp = (log.st_mtime_ns, log.st_size, results.st_mtime_ns, results.st_size, head)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            review = read_review(row.folder)
        except (OSError, ReadError):
            return Reviewed()
        decided = {k: r.decision for k, r in review.levels.items() if r.decision is not None}
        reviewed = Reviewed(review.status, decided)
        with self._lock:
            self.version += decided != self.known(row)
            self._reviews[row.folder] = stamp, reviewed
        return reviewed

    def known(self, row: StudyRow) -> Mapping[str, Decision]:
        """Return the decisions that are known by now, without a look at the disk."""
        kept = self._reviews.get(row.folder)
        return kept[1].decisions if kept else {}

    def look_at_all(self, rows: Iterable[StudyRow]) -> None:
        """Read every review, so that the order of the list knows them; for a thread of its own."""
        for row in rows:
            self.reviewed(row)


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
