"""Methods and citations: what was done is cited, what was not done is not claimed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mrs_disc.record.file import as_json, results_of
from mrs_disc.report.citations import bibtex, references
from mrs_disc.report.methods import methods_table, paragraph
from mrs_disc.report.results import results_from


@pytest.fixture(scope="module")
def results(report):
    return results_of(as_json(results_from(report)), Path("results.json"))


def changed(results, **changes):
    """Return the results with other fields in the protocol or history of all measured levels."""
    levels = [
        replace(
            level,
            measured=replace(level.measured, **{k: v(level) for k, v in changes.items()}),
        )
        if level.measured
        else level
        for level in results.levels
    ]
    return replace(results, levels=tuple(levels))


def with_bandwidth(value):
    return lambda v: replace(v.protocol, refocusing_bandwidth_hz=value)


@pytest.mark.parametrize("bandwidth", [None, 1200.0])
def test_every_reference_is_cited_and_every_citation_has_a_reference(results, bandwidth):
    results = changed(results, protocol=with_bandwidth(bandwidth))
    cited = {int(n) for n in re.findall(r"\[(\d+)\]", paragraph(results))}
    assert cited == set(range(1, len(references(results)) + 1))


def test_displaced_refocusing_is_claimed_only_where_the_bandwidth_is_known(results):
    known = changed(results, protocol=with_bandwidth(1200.0))
    unknown = changed(results, protocol=with_bandwidth(None))
    assert "Slotboom1994" in [p.key for p in references(known)]
    assert "displacement included" in paragraph(known)
    assert "Slotboom1994" not in [p.key for p in references(unknown)]
    assert "displacement" not in paragraph(unknown)


@pytest.mark.parametrize("method", ["none", "skipped", "spectral registration by none"])
def test_a_step_that_did_nothing_is_not_claimed(results, method):
    def idle(level):
        step = level.history[0]
        return (replace(step, step="align", method=method),)

    results = changed(results, history=idle)
    assert "aligned" not in paragraph(results)
    assert "Near2015" not in [p.key for p in references(results)]


def test_the_reporting_table_is_complete_and_says_what_is_not_known(results):
    table = dict(methods_table(results))
    assert [title[:1] for title in table] == ["1", "2", "3", "4"]
    rows = {name: value for items in table.values() for name, value in items}
    for name in (
        "Field strength", "Manufacturer", "Pulse sequence", "Volume of interest", "Echo time",
        "Repetition time", "Nominal voxel size", "Spectral width", "Water suppression", "Shimming",
        "Processing", "SNR", "Linewidth", "Sample spectra",
    ):  # fmt: skip
        assert rows[name], name
    assert "not reported" in rows.values()


@pytest.mark.parametrize("baseline", ["humps", "spline", "none"])
def test_the_fit_is_described_as_it_was_made(results, baseline):
    """Posterior means and quantiles, not a best fit and its covariance; humps where there are."""
    fit = {**results.options("fit"), "baseline": baseline}
    results = replace(results, recipe={**results.recipe, "fit": fit})
    rows = {name: value for _, items in methods_table(results) for name, value in items}
    assert "posterior mean" in rows["Fit"]
    assert "posterior" in rows["Uncertainty"]
    assert "posterior means" in paragraph(results)
    humps = baseline == "humps"
    for text in (rows["Fit"], rows["Baseline"], paragraph(results)):
        assert ("humps" in text) == humps
    for text in (rows["Baseline"], rows["Uncertainty"], paragraph(results)):
        assert ("spline" in text) == (baseline == "spline")
    assert ("Eilers1996" in bibtex(references(results))) == (baseline == "spline")


def test_bibtex_is_ascii_with_one_entry_a_paper(results):
    papers = references(results)
    text = bibtex(papers)
    assert text.isascii()
    assert len(re.findall(r"^@article\{", text, re.M)) == len(papers)
    assert text.count("{") == text.count("}")
    for paper in papers:
        assert f"doi = {{{paper.doi}}}" in text


def test_a_study_without_a_measured_disc_claims_no_method(build):
    results = results_of(
        as_json(results_from(build.report([build.failed("L4-L5")]))), Path("results.json")
    )
    assert paragraph(results).startswith("No disc could be analysed")
