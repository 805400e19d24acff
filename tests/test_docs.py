"""README: its commands run, its Python is true, and the page begins with the two commands."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from mrs_disc.cli import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Return the mrs-disc commands of the shell blocks, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_begins_with_the_two_commands():
    first = re.search(r"```bash\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert first[1].splitlines() == [
        "pip install . && mrs-disc demo",
        "pip install '.[test]' && pytest",
    ]


def test_every_command_of_readme_works(tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    before = sorted((ROOT / "sample_data").rglob("*"))
    assert len(commands()) > 5
    for command in commands():
        words = shlex.split(command)
        assert words[0] == "mrs-disc"
        if words[1] == "init":
            assert run(words[1:]) == 2  # the sample study has its study.toml, which stays
            assert "study.toml" in capsys.readouterr().err
        else:
            assert run(words[1:]) == 0, command
    assert sorted((ROOT / "sample_data").rglob("*")) == before


def test_the_python_of_readme_is_true(monkeypatch):
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried > 5
    assert failed == 0


@pytest.mark.parametrize("page", ["README.md", "tests/README.md"])
@pytest.mark.parametrize("name", ["accuracy", "score", "challenge"])
def test_tables_stand_in_both_pages_as_one_run_wrote_them(page, name):
    """The stamp of the run, command and date, is the same in short and whole."""
    tables = [
        re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", text, re.DOTALL)
        for text in ((ROOT / page).read_text(), README)
    ]
    stamps = [re.search(r"`mrs-disc validate .*?`, [\d-]+, .*? cores", t[1]) for t in tables if t]
    assert len(stamps) == 2
    assert all(stamps)
    assert stamps[0][0] == stamps[1][0]
