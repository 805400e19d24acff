"""The notebooks are those of their sources, small, with pictures and no errors; and they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
SOURCES = sorted((FOLDER / "source").glob("*.py"))
LARGEST = 600_000
LONGEST_S = 330


def test_there_are_six_and_the_page_lists_each():
    page = (FOLDER / "README.md").read_text()
    assert len(SOURCES) == 6
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == [p.stem for p in SOURCES]
    assert re.findall(r"\]\((\w+\.ipynb)\)", page) == [f"{path.stem}.ipynb" for path in SOURCES]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_that_of_its_source_and_carries_its_pictures(source):
    path = FOLDER / f"{source.stem}.ipynb"
    book = json.loads(path.read_text())
    parts = re.split(r"^# %%.*\n", source.read_text(), flags=re.MULTILINE)[1:]
    texts = ["".join(cell["source"]) for cell in book["cells"]]
    for part, cell, text in zip(parts, book["cells"], texts, strict=True):
        if cell["cell_type"] == "markdown":
            assert text.split() == re.sub(r"^# ?", "", part, flags=re.MULTILINE).split()
        else:
            assert text == part.strip(), "run python tests/tools/notebooks.py"
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", [])]
    kinds = [output["output_type"] for output in outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert "error" not in kinds
    assert len(pictures) >= 3
    assert path.stat().st_size < LARGEST
    for text in texts:
        assert not re.search(r"/(work|tmp|home|root)/", text)


def test_links_of_the_notebooks_lead_somewhere():
    for source in SOURCES:
        for target in re.findall(r"\]\(([^)#:]+)\)", source.read_text()):
            assert (FOLDER / target).exists(), f"{source.name}: {target}"


@pytest.mark.slow
def test_all_run_within_five_minutes(tmp_path):
    """In a process of its own: Jupyter's warnings are not ours. It counts processor time."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    command = [sys.executable, ROOT / "tests" / "tools" / "notebooks.py", "-o", tmp_path]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    after = os.times()
    assert len(list(tmp_path.glob("*.ipynb"))) == len(SOURCES)
    assert after.children_user + after.children_system < LONGEST_S + (
        before.children_user + before.children_system
    )
