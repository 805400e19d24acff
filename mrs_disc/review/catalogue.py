"""The table of studies: what the list shows, and the only way from an address to a folder.

It is read from ``levels.tsv`` of a batch (10,000 studies in a fraction of a second), or from the
results themselves where there is no table. An address carries the identifier of a row, which is
looked up here; text from an address never becomes part of a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from mrs_disc.errors import InputError, ReadError
from mrs_disc.record.file import RESULTS_NAME, read_results
from mrs_disc.record.level import Results
from mrs_disc.record.node import STATUS_FILE
from mrs_disc.record.review import level_key
from mrs_disc.record.table import MISSING
from mrs_disc.tables import table_lines

TABLE_NAME = "levels.tsv"
FAILURES_NAME = "failures.tsv"
_KIND = "table of a batch"
MAX_SCANNED = 2_000
"""Results that are opened where a folder has no table."""
PAGE_SIZE = 50

_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}")
"""What the folder of a study may be called: one part of a path, and never a hidden one."""
_COLUMNS = (
    "participant_id",
    "session_id",
    "level",
    "run",
    "status",
    "verdict",
    "label",
    "score",
)
_LABEL_RANK = {"likely painful": 0, "indeterminate": 1, "unlikely painful": 2}

Sort: TypeAlias = Literal["worst", "quality", "name"]
SORTS: dict[Sort, str] = {
    "worst": "most painful first",
    "quality": "worst quality first",
    "name": "by name",
}
LABELS = ("likely painful", "indeterminate", "unlikely painful")
QUALITIES = {"poor": "with a poor level", "failed": "with a failed level", "usable": "all usable"}


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One level of a study as the list shows it."""

    level: str
    run: int
    status: str
    verdict: str
    label: str
    score: float | None
    decision: str = ""

    @property
    def key(self) -> str:
        """Level and run as the review names them."""
        return level_key(self.level, self.run)

    @property
    def failed(self) -> bool:
        """Whether it was not measured."""
        return self.status != "ok"

    @property
    def title(self) -> str:
        """Level as the list shows it."""
        return self.level if self.run == 1 else f"{self.level} run {self.run}"


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study: its name in addresses, its folder and its levels, or why it has none."""

    study: str
    folder: Path
    levels: tuple[LevelRow, ...]
    failure: str = ""

    def after(self, decisions: Mapping[str, str]) -> StudyRow:
        """Return the row with what a reviewer decided; a rejected level has no score any more."""
        if not decisions:
            return self
        levels = []
        for level in self.levels:
            decision = decisions.get(level.key, "")
            if decision == "reject":
                level = replace(level, label="indeterminate", score=None)
            levels.append(replace(level, decision=decision))
        return replace(self, levels=tuple(levels))

    @property
    def n_rejected(self) -> int:
        """Number of levels that a reviewer rejected."""
        return sum(row.decision == "reject" for row in self.levels)

    @property
    def n_poor(self) -> int:
        """Number of levels of poor quality."""
        return sum(row.verdict == "poor" for row in self.levels)

    @property
    def n_failed(self) -> int:
        """Number of levels that were not measured; a study without results counts as one."""
        return sum(row.failed for row in self.levels) + bool(self.failure)

    @property
    def highest(self) -> LevelRow | None:
        """The level of highest score."""
        scored = [row for row in self.levels if row.score is not None]
        return max(scored, key=lambda row: row.score or 0.0, default=None)

    @property
    def worst(self) -> tuple[int, float, int, str]:
        """Order of the list: label, then score, then quality, then name."""
        label = min((_LABEL_RANK.get(row.label, 1) for row in self.levels), default=1)
        score = max((row.score or 0.0 for row in self.levels), default=0.0)
        return label, -score, -(self.n_poor + self.n_failed), self.study

    @property
    def worst_quality(self) -> tuple[int, int, str]:
        """Order of the list by quality."""
        return -self.n_failed, -self.n_poor, self.study


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the list shows."""

    search: str = ""
    label: str = ""
    quality: str = ""
    review: str = ""
    sort: Sort = "worst"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list."""

    rows: tuple[StudyRow, ...]
    n_found: int
    number: int
    n_pages: int


class Reviews(Protocol):
    """What the order and the filters of the list know of the reviews."""

    version: int
    """Grows with every decision that becomes known."""

    def state(self, row: StudyRow) -> str:
        """Return the state of a study's review, from the disk."""

    def known(self, row: StudyRow) -> Mapping[str, str]:
        """Return the decisions that are known by now, without a look at the disk."""


class Catalogue:
    """All studies of a folder; read again when its table has changed.

    Parameters
    ----------
    folder : Path
        Output of ``analyze`` or ``batch``, or the folder of a node.

    Raises
    ------
    InputError
        If there is nothing to review.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder. Give the output folder of mrs-disc analyze or batch."
            )
        if (folder / "results" / STATUS_FILE).is_file():  # the node's folder for its results
            folder = folder / "results"
        self.folder = folder
        self.single = (folder / RESULTS_NAME).is_file()
        self._stamp: tuple[int, int] | None = None
        self._studies: dict[str, StudyRow] = {}
        self._sorted: dict[Sort, tuple[int, list[StudyRow]]] = {}
        if not self.studies and not self.of_node:
            raise InputError(
                f"{folder}: holds no results.json and no {TABLE_NAME}. "
                "Give the output folder of mrs-disc analyze or batch."
            )

    @property
    def of_node(self) -> bool:
        """Whether a node writes this folder; then it may still be empty."""
        return (self.folder / STATUS_FILE).is_file()

    @property
    def studies(self) -> dict[str, StudyRow]:
        """The studies by name."""
        table = self.folder / TABLE_NAME
        stamp = None
        if not self.single and table.is_file():
            stat = table.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
        if not self._studies or stamp != self._stamp:
            if stamp:
                rows = _rows_of_table(table) + _failed_studies(self.folder / FAILURES_NAME)
            else:
                rows = _rows_of_results(self.folder, self.single)
            self._studies = {row.study: row for row in rows}
            self._sorted = {}
            self._stamp = stamp
        return self._studies

    def ordered(self, sort: Sort, reviews: Reviews) -> list[StudyRow]:
        """Return all studies in an order, as their reviewers left them."""
        studies, version = self.studies, reviews.version
        if sort not in self._sorted or self._sorted[sort][0] != version:
            keys: dict[Sort, Callable[[StudyRow], Any]] = {
                "worst": lambda row: row.worst,
                "quality": lambda row: row.worst_quality,
                "name": lambda row: row.study,
            }
            rows = (row.after(reviews.known(row)) for row in studies.values())
            self._sorted[sort] = version, sorted(rows, key=keys[sort])
        return self._sorted[sort][1]

    def found(self, query: Query, reviews: Reviews) -> list[StudyRow]:
        """Return the studies that a query names, in its order.

        Parameters
        ----------
        query : Query
            Search and filters.
        reviews : Reviews
            Asked for states only where the query asks for one.
        """
        rows: Iterable[StudyRow] = self.ordered(query.sort, reviews)
        if query.search:
            wanted = query.search.casefold()
            rows = (row for row in rows if wanted in row.study.casefold())
        if query.label:
            rows = (row for row in rows if any(r.label == query.label for r in row.levels))
        if query.quality:
            rows = (row for row in rows if _has_quality(row, query.quality))
        if query.review:
            rows = (row for row in rows if reviews.state(row) == query.review)
        return list(rows)

    def page(self, query: Query, reviews: Reviews) -> Page:
        """Return one page of the studies that a query names."""
        rows = self.found(query, reviews)
        n_pages = max(1, -(-len(rows) // PAGE_SIZE))
        number = min(max(query.page, 1), n_pages)
        start = (number - 1) * PAGE_SIZE
        return Page(tuple(rows[start : start + PAGE_SIZE]), len(rows), number, n_pages)


def _has_quality(row: StudyRow, quality: str) -> bool:
    if quality == "poor":
        return row.n_poor > 0
    if quality == "failed":
        return row.n_failed > 0
    return row.n_poor == row.n_failed == 0


# --------------------------------------------------------------------------- reading


def _rows_of_table(path: Path) -> list[StudyRow]:
    """Read the first columns of ``levels.tsv``, whatever stands in the many behind them."""
    lines = table_lines(path, "table of a batch")
    _, header = next(lines)
    absent = [name for name in ("participant_id", "level", "status") if name not in header]
    if absent:
        raise ReadError(path, f"lacks the column '{absent[0]}'; run mrs-disc collect again")
    places = [header.index(name) if name in header else None for name in _COLUMNS]
    levels: dict[tuple[str, str], list[LevelRow]] = {}
    for _, cells in lines:
        found = ("" if k is None or cells[k] == MISSING else cells[k] for k in places)
        participant, session, *rest = found
        levels.setdefault((participant, session), []).append(_level_row(*rest))
    return [
        StudyRow("_".join(filter(None, key)), path.parent.joinpath(*filter(None, key)), tuple(rows))
        for key, rows in levels.items()
        if all(_NAME.fullmatch(part) for part in key if part)
    ]


def _failed_studies(path: Path) -> list[StudyRow]:
    """Read the studies that have no results at all; single levels stand in the other table."""
    rows = []
    for study, level, _, stage, message in _failures(path):
        parts = study.split("/")
        if level == "n/a" and all(_NAME.fullmatch(part) for part in parts):
            folder = path.parent.joinpath(*parts)
            rows.append(StudyRow("_".join(parts), folder, (), f"{stage}: {message}"))
    return rows


def _failures(path: Path) -> Iterator[list[str]]:
    """Yield the cells of a table of failures; none of what is not one."""
    try:
        for number, cells in table_lines(path, _KIND):
            if number > 1 and len(cells) == 5:
                yield cells
    except ReadError:
        return


def _level_row(level: str, run: str, status: str, verdict: str, label: str, score: str) -> LevelRow:
    try:
        value: float | None = float(score)
    except ValueError:
        value = None
    return LevelRow(level, int(run) if run.isdecimal() else 1, status, verdict, label, value)


def _rows_of_results(folder: Path, single: bool) -> list[StudyRow]:
    """Read the results themselves: of the folder, or of those one or two levels below it."""
    if single:
        results = read_results(folder / RESULTS_NAME)
        name = results.study_id if _NAME.fullmatch(results.study_id) else "study"
        return [StudyRow(name, folder, _levels_of(results))]
    found = sorted((*folder.glob(f"*/{RESULTS_NAME}"), *folder.glob(f"*/*/{RESULTS_NAME}")))
    if len(found) > MAX_SCANNED:
        raise InputError(
            f"{folder}: holds {len(found)} results but no {TABLE_NAME}; "
            f"write it with: mrs-disc collect {folder.name}"
        )
    rows = []
    for path in found:
        parts = path.parent.relative_to(folder).parts
        if all(_NAME.fullmatch(part) for part in parts):
            rows.append(_row_of_file("_".join(parts), path))
    return rows


def _row_of_file(name: str, path: Path) -> StudyRow:
    """Return the row of one of many results; one that is damaged says so and spares the others."""
    try:
        return StudyRow(name, path.parent, _levels_of(read_results(path)))
    except ReadError as error:
        return StudyRow(name, path.parent, (), error.problem)


def _levels_of(results: Results) -> tuple[LevelRow, ...]:
    rows = []
    for one in results.levels:
        quality, score = one.quality, one.score
        verdict, label = quality.verdict if quality else "", score.label if score else ""
        status = "ok" if one.measured else "failed"
        value = score.value if score else None
        rows.append(LevelRow(one.level, one.run, status, verdict, label, value))
    return tuple(rows)
