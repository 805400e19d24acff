"""A bounded number of mutants of every format; the script beside tries ten thousand of each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mrs_disc

ROOT = Path(mrs_disc.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_no_mutant_ends_in_a_traceback_a_hang_or_a_gigabyte():
    """In a process of its own, since it limits its memory for good."""
    count = os.environ.get("MRS_DISC_MUTANTS", "150")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("mutants.py")), "--count", count],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
