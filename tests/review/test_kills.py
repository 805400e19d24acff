"""A bounded number of kills of what is signed; the script beside strikes fifty times each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mrs_disc

ROOT = Path(mrs_disc.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_nothing_that_was_signed_is_lost_by_a_kill():
    """In a process of its own, since it forks."""
    pytest.importorskip("starlette", reason="the extra 'review' is not installed")
    count = os.environ.get("MRS_DISC_KILLS", "8")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kills.py")), "--count", count],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
