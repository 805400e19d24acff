"""The reference is that of the code, leaves no option without words, and builds to a site."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mrs_disc.cli import EXIT_STATUS
from mrs_disc.record.wording import KINDS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "docs" / "reference"


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages():
    return tool("reference").pages()


def test_every_page_is_current(pages):
    assert sorted(pages) == sorted(path.name for path in FOLDER.glob("*.md"))
    stale = [name for name, text in pages.items() if (FOLDER / name).read_text() != text]
    assert not stale, "run python tests/tools/reference.py"


def test_every_option_says_what_it_takes_and_means(pages):
    of_schemas = [name for name, text in pages.items() if "| option | takes |" in text]
    assert len(of_schemas) == 6
    for name in of_schemas:
        for row in re.findall(r"^\| `.*\|$", pages[name], re.MULTILINE):
            _, option, takes, _, words, _ = re.split(r"(?<!\\)\|", row)
            assert takes.strip(), (name, option)
            assert words.strip(), (name, option)
            assert "mrs_disc" not in takes, (name, option)


def test_every_code_status_and_function_is_there(pages):
    for kind in KINDS:
        assert f"| `{kind}` |" in pages["findings.md"]
    for status in EXIT_STATUS:
        assert f"| {status} |" in pages["commands.md"]
    assert "0x" not in pages["python.md"]  # an address would change from run to run


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocs_jupyter")
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "tools" / "site.py", "-o", tmp_path / "site"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "site" / "notebooks" / "6_my_own_analysis" / "index.html").exists()
    assert (tmp_path / "site" / "search" / "search_index.json").stat().st_size > 100_000
