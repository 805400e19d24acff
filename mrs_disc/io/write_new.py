"""Files that appear whole or not at all, and never over another one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mrs_disc.errors import OutputError


def write_new(path: Path, content: bytes) -> Path:
    """Write a new file: to a temporary name in the same folder first, then under its own.

    Raises
    ------
    OutputError
        If the file exists, or the folder cannot be written to.
    """
    if path.exists():
        raise OutputError(f"{path} exists and is not overwritten; choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o666 & ~_umask())
            os.replace(name, path)  # noqa: PTH105 - atomic, also where the target appeared meanwhile
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error})") from error
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
