"""Files in and NIfTI-MRS out: scanner formats to `Study`, lazily.

The names below load their module when they are first used; all others are imported from theirs. The
table of readers is `mrs_disc.io.formats.readers.READERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrs_disc.io.formats.readers import read_scan as read_scan
    from mrs_disc.io.studies.study import StudyPath as StudyPath
    from mrs_disc.io.studies.study import find_studies as find_studies
    from mrs_disc.io.studies.study import read_study as read_study

__all__ = ["StudyPath", "find_studies", "read_scan", "read_study"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mrs_disc.io' has no attribute '{name}'")
    home = "formats.readers" if name == "read_scan" else "studies.study"
    return getattr(import_module(f"mrs_disc.io.{home}"), name)
