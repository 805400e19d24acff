"""Files in and NIfTI-MRS out: scanner formats to `Study`, lazily.

The names below load their module when they are first used; all others are imported from theirs. The
table of readers is `mrs_disc.io.formats.readers.READERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrs_disc.io.formats.readers import read_scan as read_scan
    from mrs_disc.io.studies.neutral import is_code as is_code
    from mrs_disc.io.studies.neutral import without_names as without_names
    from mrs_disc.io.studies.study import StudyPath as StudyPath
    from mrs_disc.io.studies.study import find_studies as find_studies
    from mrs_disc.io.studies.study import read_study as read_study

__all__ = ["StudyPath", "find_studies", "is_code", "read_scan", "read_study", "without_names"]
_HOMES = {
    "read_scan": "formats.readers",
    "is_code": "studies.neutral",
    "without_names": "studies.neutral",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mrs_disc.io' has no attribute '{name}'")
    home = _HOMES.get(name, "studies.study")
    return getattr(import_module(f"mrs_disc.io.{home}"), name)
