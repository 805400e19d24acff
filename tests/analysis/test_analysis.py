"""A study end to end: each level on its own, the study as a whole, the same bytes each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc.data import LevelFailure, Morphology, Provocation, RawSignal
from mrs_disc.errors import InputError
from mrs_disc.record.file import canonical_json
from mrs_disc.report.results import results_from

LEVELS = ("L3-L4", "L4-L5", "L5-S1")


@pytest.fixture(scope="module")
def study():
    simulated, _ = md.simulate_study(seed=5, levels=LEVELS)
    return simulated


@pytest.fixture(scope="module")
def report(study):
    return md.analyze(study)


def with_level(study, level, load):
    """Return the study with another way to load one level."""
    discs = tuple(replace(d, load=load) if d.level == level else d for d in study.discs)
    return replace(study, discs=discs)


def test_every_level_is_measured_and_scored(report):
    assert [r.level for r in report] == list(LEVELS)
    for level in report:
        assert level.measurement is not None
        assert level.score.label in ("likely painful", "indeterminate", "unlikely painful")
        assert level.measurement.fit.converged or level.score.label == "indeterminate"


def test_a_level_that_cannot_be_read_fails_alone(study, report):
    def broken():
        raise InputError("L4-L5.dat: cut short\nafter 3 transients")

    partly = md.analyze(with_level(study, "L4-L5", broken))
    failed = partly["L4-L5"]
    assert failed.failure == LevelFailure(
        stage="read", message="L4-L5.dat: cut short after 3 transients"
    )
    assert failed.measurement is None
    for level in ("L3-L4", "L5-S1"):
        mine, whole = partly[level].measurement.fit, report[level].measurement.fit
        assert np.array_equal(mine.amplitude, whole.amplitude)
    assert "L4-L5" in partly.completeness.missing


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_level_of_zeros_or_no_numbers_fails_with_the_reason(study, value):
    acquisition = study["L4-L5"]
    samples = np.full(acquisition.metabolite.signal.shape, value, complex)
    broken = replace(
        acquisition,
        metabolite=RawSignal(signal=samples, sampling=acquisition.metabolite.sampling),
    )
    failed = md.analyze(with_level(study, "L4-L5", lambda: broken))["L4-L5"]
    assert failed.failure.stage == "measure"
    assert "zero" in failed.failure.message or "finite" in failed.failure.message


def test_the_same_study_gives_the_same_bytes(study, report):
    again = md.analyze(study)
    assert canonical_json(results_from(report)) == canonical_json(results_from(again))


def test_only_the_asked_levels_are_measured(study):
    assert [r.level for r in md.analyze(study, levels=["l5/s1"])] == ["L5-S1"]
    with pytest.raises(InputError, match=r"has no L1-L2\. It has: L3-L4, L4-L5, L5-S1"):
        md.analyze(study, levels=["L1-L2"])


def told(study, morphology, provocation):
    """Return the study with the same findings on every disc."""
    found = {"morphology": morphology, "provocation": provocation}

    def seen(entry):
        return replace(entry, **found, load=lambda: replace(entry.load(), **found))

    return replace(study, discs=tuple(seen(entry) for entry in study.discs))


def test_morphology_and_provocation_never_enter_the_score(study):
    """The worst findings on every disc against none: only the amounts per water follow."""
    worst = Morphology(
        pfirrmann=5, modic=2, hiz=True, herniation="extrusion", disc_height_loss="severe"
    )
    ill = md.analyze(told(study, worst, Provocation(result="positive")))
    silent = md.analyze(told(study, None, None))
    assert [level.score for level in ill] == [level.score for level in silent]
    assert len(ill.comparison.references) == 2  # the median and the disc of best structure
    assert ill.comparison == silent.comparison
    amounts = [
        [level.measurement.quantities["PG/water"].value for level in report]
        for report in (ill, silent)
    ]
    assert amounts[0] != amounts[1]


def test_completeness_counts_usable_levels(report):
    usable = [r.level for r in report if r.usable]
    assert report.completeness.n_levels == len(usable)
    assert report.completeness.met == (len(usable) >= 3)


def test_the_recipe_decides(study):
    strict = md.load_recipe().model_copy(
        update={"quality": md.load_recipe().quality.model_copy(update={"min_snr": 1000.0})}
    )
    report = md.analyze(study, strict)
    assert all(r.measurement.quality.verdict == "poor" for r in report)
    assert all(r.score.label == "indeterminate" for r in report)
    assert report.recipe_sha256 != md.analyze(study).recipe_sha256


def test_the_steps_of_the_api_are_those_of_the_analysis(study, report):
    preprocessed = md.preprocess(study["L4-L5"], report.recipe)
    fitted = md.fit(preprocessed, report.recipe)
    assert np.array_equal(fitted.amplitude, report["L4-L5"].measurement.fit.amplitude)
    assert fitted.names[0] == "PG"


def test_levels_of_different_fields_are_noticed(study, report):
    assert not any(one.kind == "other_scanner" for one in report.findings)
    acquisition = study["L4-L5"]
    weaker = replace(acquisition.metabolite.sampling, spectrometer_mhz=63.9)
    signal = RawSignal(signal=acquisition.metabolite.signal, sampling=weaker)
    odd = replace(acquisition, metabolite=signal, water=None)
    mixed = md.analyze(with_level(study, "L4-L5", lambda: odd))
    (found,) = (one for one in mixed.findings if one.kind == "other_scanner")
    assert (found.subject, found.values["mhz"]) == ("L4-L5", 63.9)
    assert any("amounts are compared as if alike" in notice for notice in mixed.notices)


def test_a_run_that_is_not_there_is_named(report):
    with pytest.raises(InputError, match=r"no L4-L5 run 2\. It has: L3-L4, L4-L5, L5-S1\."):
        report["L4-L5", 2]
