"""The examples of the contributor's page work as they stand; its floors are those that are held."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc import report
from mrs_disc.cli import run
from mrs_disc.io import acquire
from mrs_disc.io.formats import readers
from mrs_disc.io.formats.scan import Scan
from mrs_disc.record.findings import finding
from mrs_disc.record.wording import KINDS, Kind

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
DEMO = ROOT / "sample_data" / "demo"


def example(path: str) -> str:
    """Return the block of the page that belongs into `path`."""
    found = re.search(rf"```\w+ {re.escape(path)}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, path
    return found[1]


def module(path: str) -> types.ModuleType:
    """Return a block of Python as the module that it will be."""
    made = types.ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(compile(example(path), path, "exec"), made.__dict__)
    return made


def test_the_drawn_floors_are_those_that_import_linter_holds():
    drawn = re.search(r"## Floors\n.*?```text\n(.*?)```", PAGE, re.DOTALL)
    assert drawn is not None
    floors = [re.split(r"  +", line)[0] for line in drawn[1].splitlines()]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert floors == settings["tool"]["importlinter"]["contracts"][0]["layers"]


@pytest.fixture
def lab_file(tmp_path):
    """A disc of the demo, averaged, in the form of the example's format."""
    fid = md.preprocess(md.read_study(DEMO)["L4-L5"], md.load_recipe("default")).fid
    scale = 1 / np.abs(fid.signal).max()
    rows = [f"{z.real:.9g},{z.imag:.9g}" for z in scale * fid.signal]
    sampling = fid.sampling
    settings = (
        f"MHz={sampling.spectrometer_mhz} dwell_us={1e6 * sampling.dwell_time_s:.9g} TE_ms=28"
    )
    path = tmp_path / "study" / "L4-L5_press.lab"
    path.parent.mkdir()
    path.write_text(f"#lab-mrs {settings}\n" + "\n".join(rows) + "\n")
    return path


def test_the_reader_of_the_page_reads_a_study(lab_file, monkeypatch, tmp_path, capsys):
    assert run(["info", str(lab_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "plain-text"  # knows no settings
    lab_export = module("mrs_disc/io/formats/lab_export.py")
    monkeypatch.setattr(
        readers, "READERS", (*readers.READERS[:-1], lab_export, readers.READERS[-1])
    )
    assert run(["info", str(lab_file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["echo_time_s"], found["problems"]) == ("lab-export", 0.028, [])
    disc = md.analyze(md.read_study(lab_file.parent))["L4-L5"].measurement
    demo = md.analyze(md.read_study(DEMO))["L4-L5"].measurement
    assert disc is not None
    assert demo is not None
    # the same averaged FID, to the nine digits of the file; only the noise's whiteness differs
    expected = demo.quantities["LAAL/PG"]
    assert disc.quantities["LAAL/PG"].value == pytest.approx(expected.value, abs=expected.sd / 4)
    lab_file.write_text(lab_file.read_text().replace("\n", "\nbroken,", 1))
    assert run(["info", str(lab_file)]) == 2
    assert "two numbers a line" in capsys.readouterr().err


def test_the_metabolite_model_of_the_page_fits(tmp_path, capsys):
    (tmp_path / "three_groups.toml").write_text(example("three_groups.toml"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('schema_version = 1\n[fit]\nmodel = "three_groups.toml"\n')
    assert run(["model", "check", str(tmp_path / "three_groups.toml")]) == 0
    assert "three_groups@1: valid" in capsys.readouterr().out
    disc = md.analyze(md.read_study(DEMO), recipe)["L4-L5"]
    truth = json.loads((DEMO / "truth.json").read_text())["demo-01"]["L4-L5"]["amplitudes"]
    assert disc.measurement is not None
    fit = disc.measurement.fit
    assert fit.names == ("PG", "LAC", "CHO")
    # the sugars and humps that it leaves to the baseline cost accuracy: within a factor
    assert fit.amplitude[fit.index("PG")] == pytest.approx(truth["PG"], rel=0.3)


def test_the_score_model_of_the_page_scores(tmp_path, capsys):
    (tmp_path / "acid_cutoff.toml").write_text(example("acid_cutoff.toml"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('schema_version = 1\n[score]\nmodel = "acid_cutoff.toml"\n')
    assert run(["model", "check", str(tmp_path / "acid_cutoff.toml")]) == 0
    found = md.analyze(md.read_study(DEMO), recipe)
    painful, healthy = found["L4-L5"].score, found["L2-L3"].score
    assert painful is not None
    assert healthy is not None
    assert painful.model == "acid_cutoff@1"
    assert painful.value is not None
    assert painful.value > 0.5
    assert healthy.value is None or healthy.value < 0.5


def test_the_report_format_of_the_page_carries_what_every_format_has_to(tmp_path, monkeypatch):
    name = "mrs_disc.report.plain"
    monkeypatch.setitem(sys.modules, name, module("mrs_disc/report/plain.py"))
    monkeypatch.setitem(report.RENDERERS, "plain", name)
    monkeypatch.setattr(report, "FORMATS", (*report.FORMATS, "plain"))
    found = md.analyze(md.read_study(DEMO))
    md.write_report(found, tmp_path / "out", formats=("json", "plain"))
    text = (tmp_path / "out" / "report.txt").read_text()
    assert "L4-L5: likely painful, 0." in text
    assert found.recipe_sha256 in text
    assert "research use only" in text.lower()
    assert "indeterminate" in text


def test_the_finding_of_the_page_reaches_a_script_and_a_report(monkeypatch, capsys):
    wording = example("mrs_disc/record/wording.py")
    for kind, row in eval(f"{{{wording}}}", {"Kind": Kind}).items():
        monkeypatch.setitem(KINDS, kind, row)
    noticing: dict[str, Any] = {"Scan": Scan, "finding": finding}
    exec(example("mrs_disc/io/acquire.py"), noticing)

    def judge(source, given, judge=acquire.judge):
        judged = judge(source, given)
        return replace(judged, scan=noticing["few_averages"](judged.scan))

    monkeypatch.setattr(acquire, "judge", judge)
    assert run(["info", str(DEMO), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["levels"][0]
    found = {f["kind"]: f for f in first["findings"]}["few_averages"]
    n = found["values"]["n"]
    assert found == {"kind": "few_averages", "subject": "", "values": {"n": n, "least": 64}}
    sentence = f"{n} averages: 64 or more are usual for a disc"
    assert sentence in first["problems"]
    assert sentence in md.read_study(DEMO)["L4-L5"].notes


def test_the_citation_file_names_what_the_project_is():
    text = (ROOT / ".github" / "CITATION.cff").read_text()
    citation = dict(re.findall(r"^([\w-]+): *(.*)$", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == md.__version__
    assert citation["license"] == project["license"]
    assert citation["title"]
    assert citation["message"]
    assert "authors" in citation
