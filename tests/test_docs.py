"""README: its commands run, its Python is true, and the page begins with the two commands."""

from __future__ import annotations

import doctest
import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import mrs_disc as md
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


@pytest.mark.long
def test_every_command_of_readme_works(tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    before = sorted((ROOT / "sample_data").rglob("*"))
    assert len(commands()) > 5
    for command in commands():
        words = shlex.split(command)
        assert words[0] == "mrs-disc"
        capsys.readouterr()
        assert run(words[1:]) == 0, command
        if words[1:3] == ["plan", "--snr"]:
            planned = capsys.readouterr().out.splitlines()
    shown = re.search(r"second says .*?```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert [line for line in planned if line in shown[1].splitlines()] == shown[1].splitlines()
    assert sorted((ROOT / "sample_data").rglob("*")) == before


@pytest.mark.parametrize("site", ["siemens", "philips", "ge"])
def test_the_three_steps_of_each_site_work(site, tmp_path, monkeypatch):
    """Siemens and Philips from sample_data without its study.toml, GE from a P-file."""
    monkeypatch.chdir(tmp_path)
    export = tmp_path / f"{site}_export"
    if site == "ge":
        export.mkdir()
        write_pfile(export)
    else:
        sample = {"siemens": "lumbar_rda", "philips": "lumbar_sdat"}[site]
        unwanted = shutil.ignore_patterns("study.toml", "truth.json")
        shutil.copytree(ROOT / "sample_data" / sample, export, ignore=unwanted)
    steps = [c for c in re.findall(r"`(mrs-disc [^`]+)`", README) if f"{site}_export" in c]
    assert [step.split()[1] for step in steps] == ["init", "analyze"]
    for step in steps:
        assert run(shlex.split(step)[1:]) == 0, step
    results = json.loads((tmp_path / f"report_{site}" / "results.json").read_text())
    assert [level["status"] for level in results["levels"]] == ["ok"] * (1 if site == "ge" else 4)
    assert results["levels"][-1]["level"] == "L5-S1"


def write_pfile(folder):
    """Write the lowest disc of the sample study as a P-file, as the readers' tests build them."""
    spec = importlib.util.spec_from_file_location("built", ROOT / "tests" / "io" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    built = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(built)
    disc = md.read_study(ROOT / "sample_data" / "lumbar_sdat")["L5-S1"]
    rows = disc.metabolite.signal
    built.ge_pfile(folder, 1e6 * rows / abs(rows).max(), disc.protocol)


def test_links_inside_the_pages_lead_somewhere():
    pages = [
        ROOT / "README.md",
        *ROOT.glob("*/README.md"),
        *ROOT.glob(".github/docs/**/*.md"),
        *(ROOT / ".github").glob("*.md"),
    ]
    assert len(pages) > 5
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", ["README.md", ".github/docs/scripting.md"])
def test_the_python_of_a_page_is_true(page, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(ROOT)
    pyplot.switch_backend("agg")
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False)
    pyplot.close("all")
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
