"""Compile the kernels of the fit where there is a C compiler; else say nothing.

hatchling runs this for each wheel (`[tool.hatch.build.hooks.custom]` in pyproject.toml). With the
library in it the wheel is one of its platform, of any Python; without it is pure, and the same
algorithm runs in NumPy. An editable installation has the library beside its source.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("mrs_disc", "signal", "fit")
LIBRARY = FOLDER / "_kernel.so"
FLAGS = ("-O3", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-ffp-contract=off")
"""No -march=native: a wheel goes to other machines. No -ffast-math and no contraction: the same
input gives the same bytes."""


class KernelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is written."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version == "editable":
            compiled(root / FOLDER, root / LIBRARY)
            return
        self._folder = tempfile.mkdtemp(prefix="mrs-disc-kernel-")
        library = Path(self._folder) / LIBRARY.name
        if compiled(root / FOLDER, library):
            build_data["force_include"][os.fspath(library)] = LIBRARY.as_posix()
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for this wheel."""
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)


def platform() -> str:
    """Return the platform's part of the wheel's tag."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compiled(folder: Path, library: Path) -> bool:
    """Compile the sources of a folder; return whether it was possible."""
    library.unlink(missing_ok=True)
    if sys.platform == "win32":
        return False  # ctypes would find no functions: kernel.c exports none there
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    sources = sorted(folder.glob("kernel*.[ch]"))  # what `kernel.py` compares the digest with
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()
    files = [os.fspath(one) for one in sources if one.suffix == ".c"]
    command = [
        *compiler, *FLAGS, f'-DSOURCE="{digest}"', *files, "-o", os.fspath(library), "-lm",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and library.is_file()
