"""What the tables of a dataset hold, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

REPORT = "report.html"
"""The page of a study."""


@dataclass(slots=True, kw_only=True)
class LevelCounts:
    """How the discs of one level came out: verdicts, labels and scores in tenths."""

    verdicts: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    scores: list[int] = field(default_factory=lambda: [0] * 10)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one disc."""
        verdict = row["verdict"] or "failed"
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        if row["label"]:
            self.labels[row["label"]] = self.labels.get(row["label"], 0) + 1
        if row["score"] is not None:
            self.scores[min(9, int(10 * row["score"]))] += 1

    @property
    def total(self) -> int:
        """Number of discs."""
        return sum(self.verdicts.values())


@dataclass(slots=True, kw_only=True)
class Collected:
    """What the tables hold, in numbers."""

    n_studies: int = 0
    n_studies_failed: int = 0
    n_levels: int = 0
    n_levels_failed: int = 0
    n_reviewed: int = 0
    n_without_page: int = 0
    """Discs whose study has no page of its own."""
    units: dict[str, str] = field(default_factory=dict)
    components: dict[str, None] = field(default_factory=dict)
    """What was fitted anywhere, in the order of the first fit."""
    by_level: dict[str, LevelCounts] = field(default_factory=dict)
    recipes: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    broken_reviews: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    """Pairs of discs of two studies that one file is the measurement of."""
    _measured: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def measured_from(self, sha256: str, study: str, disc: str) -> None:
        """Take note of the file of a disc, and of one that was met in another study."""
        other, its = self._measured.setdefault(bytes.fromhex(sha256), (study, disc))
        if other != study:
            self.twice.append(f"{other} {its} and {study} {disc}")

    def add(
        self, row: Mapping[str, Any], units: Mapping[str, str], fitted: Iterable[str] = ()
    ) -> None:
        """Count one disc: its row, the units of its quantities by name, and its components."""
        self.components |= dict.fromkeys(fitted)
        self.n_levels += 1
        self.n_levels_failed += row["status"] != "ok"
        self.n_without_page += row.get("page", REPORT) != REPORT
        self.n_reviewed += row["review_status"] != "not reviewed"
        self.by_level.setdefault(row["level"], LevelCounts()).add(row)
        for name, unit in units.items():
            self.units[name] = self.units.get(name) or unit

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the tables has to know."""
        notes = []
        if len(self.recipes) > 1:
            notes.append(f"the results come from {len(self.recipes)} different recipes")
        if len(self.versions) > 1:
            notes.append(f"the results come from versions {', '.join(sorted(self.versions))}")
        if self.broken_reviews:
            named = ", ".join(self.broken_reviews[:5])
            more = " and others" if len(self.broken_reviews) > 5 else ""
            notes.append(f"the review log of {named}{more} is broken; mrs-disc review says where")
        if self.twice:
            named = "; ".join(self.twice[:5]) + ("; and others" if len(self.twice) > 5 else "")
            notes.append(f"one file is the measurement of two discs, which count twice: {named}")
        return tuple(notes)
