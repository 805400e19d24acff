"""Files in and NIfTI-MRS out: scanner formats to `Study`, lazily.

>>> from mrs_disc.io import READERS
>>> "nifti-mrs" in [reader.FORMAT for reader in READERS]
True

The names below load their module when they are first used. The writer of NIfTI-MRS stands in a
module of its own (`write_nifti_mrs`), those of vendors' files in `mrs_disc.simulate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrs_disc.io.describe import describe as describe
    from mrs_disc.io.images import load_image as load_image
    from mrs_disc.io.readers import READERS as READERS
    from mrs_disc.io.readers import read_scan as read_scan
    from mrs_disc.io.study import StudyPath as StudyPath
    from mrs_disc.io.study import find_studies as find_studies
    from mrs_disc.io.study import read_study as read_study
    from mrs_disc.models.basis import read_basis_fid as read_basis_fid

_HOME = {
    "READERS": "mrs_disc.io.readers",
    "StudyPath": "mrs_disc.io.study",
    "describe": "mrs_disc.io.describe",
    "find_studies": "mrs_disc.io.study",
    "load_image": "mrs_disc.io.images",
    "read_basis_fid": "mrs_disc.models.basis",
    "read_scan": "mrs_disc.io.readers",
    "read_study": "mrs_disc.io.study",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'mrs_disc.io' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
