"""The folders of a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Where a node keeps its things.

    Parameters
    ----------
    home : Path
        The node's folder.
    """

    home: Path

    @property
    def spool(self) -> Path:
        """What arrived, by study; the only place but DICOM objects that holds identities."""
        return self.home / "spool"

    @property
    def work(self) -> Path:
        """Studies as a worker sees them, while it does."""
        return self.home / "work"

    @property
    def results(self) -> Path:
        """One folder a study, and the tables: what ``mrs-disc review`` opens."""
        return self.home / "results"

    @property
    def states(self) -> Path:
        """One file a study."""
        return self.home / "states"

    @property
    def dead(self) -> Path:
        """Reports that no destination took."""
        return self.home / "dead"

    @property
    def requests(self) -> Path:
        """Files named as studies that ``mrs-disc node retry`` asks to try again."""
        return self.home / "requests"
