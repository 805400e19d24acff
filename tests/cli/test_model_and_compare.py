"""`mrs-disc model` and `mrs-disc compare` as a user runs them."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import pytest

from mrs_disc.cli import run
from mrs_disc.models import model_names, model_path
from mrs_disc.models.scores import load_score_model


def test_list_names_every_shipped_model(capsys):
    assert run(["model", "list"]) == 0
    out = capsys.readouterr().out
    for name in model_names():
        assert f"{name}@" in out


@pytest.mark.parametrize("name", model_names())
def test_show_and_check_take_every_shipped_model(capsys, name):
    assert run(["model", "show", name]) == 0
    assert model_path(name).read_text() in capsys.readouterr().out
    assert run(["model", "check", name]) == 0
    assert re.search(r"valid, digest [0-9a-f]{64}", capsys.readouterr().out)


def test_the_card_shows_the_lone_disc_as_arithmetic_that_can_be_done(capsys):
    run(["model", "show", "acidity_structure"])
    out = capsys.readouterr().out
    line = re.search(r"p = (.*)", out).group(1)
    r, e = -1.2, 0.3

    def normal(x, s):
        return math.exp(-((r - x) ** 2) / (2 * (s**2 + e**2))) / math.sqrt(s**2 + e**2)

    formula = re.sub(r"(\d) N\(", r"\1 * N(", line)
    by_card = eval(formula, {"N": normal, "__builtins__": {}})
    from mrs_disc.models.scores import load_score_model
    from mrs_disc.scoring.card import lone_disc_probability

    model = load_score_model("acidity_structure")
    assert by_card == pytest.approx(lone_disc_probability(model, r, e), abs=1e-3)
    assert "NO" in out
    assert "simulated" in out


RECIPE = Path(__file__).parents[2] / "pipelines" / "default.toml"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "acidity_struture"], "Did you mean 'acidity_structure'?"),
        (["check", "nowhere.toml"], "nowhere.toml"),
        (["check", str(RECIPE)], "'mrs-disc recipe check"),
        (["calibrate", "nowhere.tsv", "-o", "x.toml"], "nowhere.tsv"),
        (["calibrate", "nowhere.tsv", "-o", "x.json"], "TOML"),
        (["calibrate", "nowhere.tsv", "-o", "x.toml", "--quantity", "LAC/PG"], "--kind logistic"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(capsys, arguments, words):
    assert run(["model", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1


COMPONENT = """
quality_peak = "LAC"
[[component]]
name = "LAC"
source = "Govindaraju 2000"
status = "V"
{more}
"""
RESONANCE = "[[component.resonance]]\nppm = 1.31\nweight = 3"


def checked(folder, more, head=""):
    path = folder / "mine.toml"
    path.write_text(f'schema_version = 1\nname = "mine"\n{head}{COMPONENT.format(more=more)}')
    return run(["model", "check", str(path)])


def test_sources_of_single_numbers_may_be_plain_strings(tmp_path):
    from mrs_disc.models import load_metabolite_model

    sources = '[component.sources]\nppm = "de Graaf"\nj_hz = {source = "own", status = "P"}\n'
    assert checked(tmp_path, sources + RESONANCE) == 0
    found = load_metabolite_model(str(tmp_path / "mine.toml")).component[0].sources
    assert (found["ppm"].source, found["ppm"].status) == ("de Graaf", "V")
    assert found["j_hz"].status == "P"


def test_check_reads_the_basis_files(tmp_path, capsys):
    basis = tmp_path / "X.raw"
    assert checked(tmp_path, 'basis = "X.raw"') == 2
    assert "X.raw: cannot be read" in capsys.readouterr().err
    basis.write_text(" $NMID\n id='X'\n fmtdat='(2E15.6)'\n $END\n" + "1.0 0.0\n" * 64)
    assert checked(tmp_path, 'basis = "X.raw"') == 2
    assert "give basis_dwell_time_s at the head of the model mine" in capsys.readouterr().err
    assert checked(tmp_path, 'basis = "X.raw"', "basis_dwell_time_s = 4e-4\n") == 0


def test_a_mistake_in_the_only_item_of_a_list_counts_once(tmp_path, capsys):
    assert checked(tmp_path, RESONANCE.replace("1.31", "99")) == 2
    error = capsys.readouterr().err
    assert "ppm should be less than or equal to 15. Came: 99." in error
    assert "more)" not in error


# ------------------------------------------------------------------ compare


def quantity(value, half, limit=None):
    return {
        "value": value,
        "sd": None if limit else half / 1.96,  # as a limited logarithm has it
        "low": 0.0 if limit else value - half,
        "high": value + half,
        "limit": limit,
        "unit": "",
        "how": "x",
    }


def level(name, value, half, run=1, limit=None, verdict="good"):
    return {
        "level": name,
        "run": run,
        "status": "ok",
        "error": None,
        "protocol": {"echo_time_s": 0.03, "repetition_time_s": 1.5, "spectrometer_mhz": 127.7},
        "quality": {
            "verdict": verdict,
            "reasons": [],
            "snr": 10.0 - run,
            "linewidth_hz": 12.0,
            "n_transients": 64,
            "n_rejected": 0,
            "drift_hz": 1.0,
            "residual_water": 0.5,
        },
        "fit": {
            "model": "disc_1h@1",
            "converged": True,
            "metabolites": {},
            "correlation": {"names": [], "matrix": []},
            "residual_ratio": 1.0,
        },
        "quantities": {
            "log(acidity/structure)": quantity(value, half, limit),
            "PG/water": {"value": None, "reason": "no water reference"},
        },
        "score": {"model": "m@1", "value": 0.5, "low": 0.1, "high": 0.9, "label": "indeterminate"},
        "history": [],
    }


def write(path: Path, levels, study="sub-01_ses-01", digest="a" * 64, echo=None):
    path.mkdir()
    if echo:
        for entry in levels:
            entry["protocol"]["echo_time_s"] = echo
    record = {
        "schema_version": "1",
        "study_id": study,
        "software": {"name": "mrs_disc", "version": "0"},
        "recipe": {},
        "recipe_sha256": digest,
        "models": {},
        "inputs": [],
        "signals": {"file": "signals.npz", "sha256": None},
        "completeness": {"n_levels": 2, "min_levels": 3, "met": False},
        "impression": "",
        "notices": [],
        "levels": levels,
        "comparison": {"quantity": "x"},
    }
    (path / "results.json").write_text(json.dumps(record))
    return str(path / "results.json")


def rows(folder: Path):
    with (folder / "course.csv").open() as file:
        return {(r["level"], r["quantity"]): r for r in csv.DictReader(file)}


LOG = "log(acidity/structure)"
METABOLITE = {
    "amplitude": 9.0, "sd": 1.0, "repetition_sd": 1.0, "low": 7.0, "high": 11.0, "limit": None,
    "crlb_percent": 9.0, "ppm": 2.0, "linewidth_hz": 12.0,
}  # fmt: skip


def test_change_has_the_errors_of_both_in_quadrature(tmp_path, capsys):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3), level("L5-S1", -1.0, 0.4)])
    last = write(
        tmp_path / "b",
        [level("L4-L5", -1.4, 0.4), level("L5-S1", -0.9, 0.3)],
        study="sub-01_ses-02",
    )
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out / "course.html"), str(out / "course.csv")]
    change = rows(out)["L4-L5", LOG]
    assert float(change["change"]) == pytest.approx(0.6)
    assert float(change["change_low"]) == pytest.approx(0.1)
    assert float(change["change_high"]) == pytest.approx(1.1)
    page = (out / "course.html").read_text()
    assert page.count('class="beyond"') == 1
    assert "No disc was measured more than once" in page
    assert "research use only" in page.lower()
    assert "different names" not in page


def test_what_each_examination_said_stands_side_by_side(tmp_path):
    """Label, likelihood ratio, probability, quality and, where it was given, the day."""
    first = level("L4-L5", -2.0, 0.3)
    last = level("L4-L5", -0.9, 0.4, verdict="acceptable")
    for one in (first, last):  # bands are those of discs measured alike
        one["fit"]["metabolites"] = dict.fromkeys(("PG", "COL"), METABOLITE)
    last["score"] |= {
        "value": 0.91, "low": 0.8, "high": 0.95, "label": "likely painful",
        "evidence": {"value": 30.0, "low": 9.0, "high": 90.0},
    }  # fmt: skip
    paths = [write(tmp_path / "a", [first]), write(tmp_path / "b", [last, level("L5-S1", -1, 0.2)])]
    record = json.loads(Path(paths[1]).read_text())
    record["clinical"] = {"examination_date": "2025-01-31"}
    card = load_score_model("acidity_structure").model_dump(mode="json")
    record["score_model_card"] = card
    Path(paths[1]).write_text(json.dumps(record))
    assert run(["compare", *paths, "-o", str(tmp_path / "out")]) == 0
    row = rows(tmp_path / "out")["L4-L5", LOG]
    assert (row["date_1"], row["date_2"]) == ("", "2025-01-31")
    assert (row["label_1"], row["label_2"]) == ("indeterminate", "likely painful")
    assert (float(row["likelihood_ratio_2"]), float(row["score_2"])) == (30.0, 0.91)
    assert (row["verdict_1"], row["verdict_2"]) == ("good", "acceptable")
    page = (tmp_path / "out" / "course.html").read_text()
    assert "likelihood ratio 30 (9 to 90); probability 0.91 (0.80 to 0.95)" in page
    assert "examined 2025-01-31" in page
    assert "not examined" in page  # L5-S1 in the first
    assert ">painful</text>" in page  # the band behind the chart


def with_repetition(level, sd):
    level["quantities"][LOG]["repetition_sd"] = sd
    return level


@pytest.mark.parametrize(
    ("changes", "half", "error"),
    [
        ({}, 1.96 * math.hypot(0.1, 0.05), "repetition"),
        ({"digest": "b" * 64}, math.hypot(0.3, 0.4), "truth"),
        ({"echo": 0.035}, math.hypot(0.3, 0.4), "truth"),
    ],
)
def test_a_change_between_like_examinations_has_the_error_of_repetition(
    tmp_path, changes, half, error
):
    first = write(tmp_path / "a", [with_repetition(level("L4-L5", -2.0, 0.3), 0.1)])
    second = [with_repetition(level("L4-L5", -1.4, 0.4), 0.05)]
    last = write(tmp_path / "b", second, study="sub-01_ses-02", **changes)
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    change = rows(out)["L4-L5", LOG]
    assert float(change["change_low"]) == pytest.approx(0.6 - half, rel=1e-4)
    assert float(change["change_high"]) == pytest.approx(0.6 + half, rel=1e-4)
    assert change["change_error"] == error
    page = (out / "course.html").read_text()
    assert ("has the error of repetition" in page) == (error == "repetition")
    assert ("has the error of the truth" in page) == (error == "truth")


def test_repeats_are_held_against_what_noise_alone_gives(tmp_path):
    twice = [
        with_repetition(level("L4-L5", -2.0, 0.3), 0.1),
        with_repetition(level("L4-L5", -1.8, 0.3, run=2), 0.2),
    ]
    first = write(tmp_path / "a", twice)
    last = write(tmp_path / "b", [with_repetition(level("L4-L5", -2.2, 0.3), 9.0)])
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    expected = 1.96 * math.sqrt(2) * math.sqrt((0.1**2 + 0.2**2) / 2)
    assert f"<td>{expected:.3g}</td></tr>" in (out / "course.html").read_text()


def test_repeatability_comes_from_runs_within_an_examination(tmp_path):
    twice = [level("L4-L5", -2.0, 0.3), level("L4-L5", -1.8, 0.3, run=2)]
    first = write(tmp_path / "a", twice)
    last = write(tmp_path / "b", [level("L4-L5", -2.2, 0.3), level("L4-L5", -1.9, 0.3, run=2)])
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    # Within-disc variance (.02 + .045) / 2.
    expected = 1.96 * math.sqrt(2) * math.sqrt(0.065 / 2)
    page = (out / "course.html").read_text()
    assert f"{expected:.3g}" in page


def test_limits_and_missing_values_give_a_reason_and_no_number(tmp_path):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3, limit="upper")])
    last = write(tmp_path / "b", [level("L4-L5", -1.0, 0.3), level("L5-S1", -1.0, 0.2)])
    out = tmp_path / "out"
    assert run(["compare", str(tmp_path / "a"), last, "-o", str(out)]) == 0
    table = rows(out)
    assert table["L4-L5", LOG]["change"] == ""
    assert "upper limit" in table["L4-L5", LOG]["reason"]
    assert table["L5-S1", LOG]["reason"] == "measured once"
    assert "no water reference" in table["L4-L5", "PG/water"]["reason"]
    assert first


def test_a_ratio_below_its_limit_changes_by_what_was_measured(tmp_path):
    """A logarithm has no value there, the ratio has: 0.05 and 0.30, each with its own error."""
    folders = []
    for name, value, sd in (("a", 0.05, 0.06), ("b", 0.30, 0.08)):
        entry = level("L4-L5", -1.0, 0.3)
        limited = value < 2 * sd
        entry["quantities"] = {
            LOG: {"value": None, "high": -1.9, "limit": "upper", "reason": "no acid above zero"}
            if limited
            else quantity(math.log(value), 0.5),
            "acidity/structure": {
                **quantity(value, 1.959964 * sd, "upper" if limited else None),
                "sd": sd,
            },
        }
        folders.append(write(tmp_path / name, [entry]))
    out = tmp_path / "out"
    assert run(["compare", *folders, "-o", str(out)]) == 0
    change = rows(out)["L4-L5", "acidity/structure"]
    assert float(change["change"]) == pytest.approx(0.25)
    half = 1.959964 * math.hypot(0.06, 0.08)
    assert float(change["change_low"]) == pytest.approx(0.25 - half)
    assert float(change["change_high"]) == pytest.approx(0.25 + half)
    assert "see the ratio" in rows(out)["L4-L5", LOG]["reason"]
    page = (out / "course.html").read_text()
    assert page.count('class="limit"') == 1
    assert page.count("<circle") == 1


def test_poor_levels_are_left_out(tmp_path, capsys):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3, verdict="poor")])
    last = write(tmp_path / "b", [level("L4-L5", -1.0, 0.3, verdict="poor")])
    assert run(["compare", first, last, "-o", str(tmp_path / "out")]) == 2
    assert "no level" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_may_feign_a_change_is_said(tmp_path, capsys):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3)], study="sub-01")
    last = write(
        tmp_path / "b", [level("L4-L5", -1.0, 0.3)], study="sub-02", digest="b" * 64, echo=0.035
    )
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    page, told = (out / "course.html").read_text(), capsys.readouterr().err
    for words in ("different names", "different recipes", "different echo times (0.03, 0.035 s)"):
        assert words in page
        assert words in told


def fitted(name, *amplitudes):
    made = level(name, -2.0, 0.3)
    names = ("PG", "LAC", "CHO")
    made["fit"]["metabolites"] = {
        n: METABOLITE | {"amplitude": a} for n, a in zip(names, amplitudes, strict=True)
    }
    return made


def test_one_measurement_under_two_names_is_no_change(tmp_path, capsys):
    first = write(tmp_path / "a", [fitted("L4-L5", 30.0, 9.0, 4.0), fitted("L5-S1", 20.0, 5.0, 3)])
    last = write(
        tmp_path / "b", [fitted("L4-L5", 30.00002, 9.0, 4.0), fitted("L5-S1", 20.0, 5.2, 3)]
    )
    assert run(["compare", first, last, "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "L4-L5: two examinations have the same measurement" in told
    assert "L5-S1" not in told


PLACES = {"upper": "L3-L4", "lower": "L4-L5", "upper_z_mm": 0.0, "lower_z_mm": 1.0}


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        ({"kind": "level_unconfirmed", "subject": "L4-L5"}, "not confirmed"),
        ({"kind": "level_unconfirmed", "subject": "L4-L5 run 2"}, "not confirmed"),
        (
            {
                "kind": "levels_at_one_place",
                "subject": "L4-L5",
                "values": {"levels": ["L3-L4", "L4-L5"], "apart_mm": 1.0, **PLACES},
            },
            "contradicted by the files",
        ),
        (
            {
                "kind": "same_file_twice",
                "subject": "L4-L5 run 2",
                "values": {"levels": ["L4-L5", "L4-L5"], "other": "L4-L5"},
            },
            "",
        ),
    ],
)
def test_a_level_whose_name_is_not_certain_is_marked(tmp_path, capsys, found, doubt):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3), level("L5-S1", -1.0, 0.4)])
    last = write(tmp_path / "b", [level("L4-L5", -1.4, 0.4), level("L5-S1", -0.9, 0.3)])
    record = json.loads(Path(first).read_text())
    record["findings"] = [{"values": {}, **found}]
    Path(first).write_text(json.dumps(record))
    out = tmp_path / "out"
    assert run(["compare", first, last, "-o", str(out)]) == 0
    found_rows = rows(out)
    assert found_rows["L4-L5", LOG]["level_doubt"] == doubt
    assert found_rows["L5-S1", LOG]["level_doubt"] == ""
    told = "L4-L5 may be another disc" in capsys.readouterr().err
    assert told == bool(doubt)
    assert (f"L4-L5 ({doubt})" in (out / "course.html").read_text()) == bool(doubt)


@pytest.mark.parametrize("arguments", [1, 2])
def test_one_examination_or_the_same_twice_is_no_course(tmp_path, capsys, arguments):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3)])
    assert run(["compare", *[first] * arguments, "-o", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_nothing_is_overwritten_unasked(tmp_path, capsys):
    first = write(tmp_path / "a", [level("L4-L5", -2.0, 0.3)])
    last = write(tmp_path / "b", [level("L4-L5", -1.0, 0.3)])
    out = str(tmp_path / "out")
    assert run(["compare", first, last, "-o", out]) == 0
    assert run(["compare", first, last, "-o", out]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(["compare", first, last, "-o", out, "--overwrite"]) == 0


def test_calibrate_writes_a_model_and_its_page(tmp_path, capsys):
    from random import Random

    random = Random(4)
    header = ["participant_id", "level", "provocation", "acidity/structure", "acidity/structure_sd"]
    lines = ["\t".join(header)]
    for n in range(60):
        sick = random.random() < 0.4
        value = random.gauss(0.4 if sick else 0.15, 0.1)
        result = "positive" if sick else "negative"
        lines.append(f"sub-{n // 4:02d}\tL{n % 4 + 1}-L{n % 4 + 2}\t{result}\t{value:.4f}\t0.05")
    table = tmp_path / "levels.tsv"
    table.write_text("\n".join(lines))
    target = tmp_path / "made" / "local.toml"
    pytest.importorskip("sklearn")
    words = ["model", "calibrate", str(table), "-o", str(target), "--kind", "logistic"]
    assert run(words) == 0
    captured = capsys.readouterr()
    assert captured.out.split() == [str(target), str(target.with_suffix(".html"))]
    assert "AUC 0.9" in captured.err
    assert run(["model", "check", str(target)]) == 0
    assert run(words) == 2
