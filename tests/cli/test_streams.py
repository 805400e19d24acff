"""A shell may close what is written to, and a terminal takes orders from what it shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "sample_data"
PROGRAM = f"{sys.executable} -c 'from mrs_disc.cli import main; main()'"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("words", ["model list", "recipe show"])
def test_a_closed_stream_is_no_bug(closed, words):
    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} {words} {closed}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "bug" not in done.stderr


def test_no_text_of_a_study_gives_orders_to_the_terminal(tmp_path, capsys):
    from mrs_disc.cli import run

    study = shutil.copytree(SAMPLES / "lumbar_nifti", tmp_path / "study")
    path = study / "study.toml"
    head, mark, discs = path.read_text().partition("[[disc]]")
    kept = [line for line in head.splitlines() if not line.startswith("anatomy")]
    text = "\n".join([*kept, 'anatomy = "\\u001b]0;pwned\\u0007"', mark + discs])
    path.write_text(text)
    run(["analyze", str(study), "-o", str(tmp_path / "out"), "--format", "json"])
    said = capsys.readouterr().err
    assert "pwned" in said
    assert "\x1b" not in said
    assert "\x07" not in said
