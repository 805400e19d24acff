"""Which runs stand for a level, and what a poor or failed level gets."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.level import Level, Measured
from mrs_disc.record.parts import (
    Correlation,
    Fit,
    LevelFailure,
    Metabolite,
    Protocol,
    Quality,
    Quantities,
    Quantity,
    Sum,
    Sums,
)
from mrs_disc.scoring import score_study
from mrs_disc.scoring.comparison import LINEAR, QUANTITY, compare_discs, repeatability

NAMES = ("PG", "LAC", "ALA", "PA", "COL")
MODEL = load_score_model("acidity_structure")


def report(level, acidity, *, run=1, verdict="good", snr=10.0, error=3.0, structure=100.0):
    """Return a level with everything that a score and a comparison look at."""
    sd = float(np.hypot(error / acidity, error / structure))
    ratio, ratio_sd = acidity / structure, error / structure
    if acidity < 2 * error:
        log = Quantity(value=None, high=0.0, limit="upper", reason="no acid above zero")
        linear = Quantity(value=max(ratio, 0.0), sd=ratio_sd, low=0.0, high=0.2, limit="upper")
    else:
        value = float(np.log(ratio))
        log = Quantity(value=value, sd=sd, low=value - 1.96 * sd, high=value + 1.96 * sd)
        spread = 1.96 * ratio_sd
        linear = Quantity(value=ratio, sd=ratio_sd, low=ratio - spread, high=ratio + spread)
    values = {QUANTITY: log, LINEAR: linear, "structure": Quantity(value=structure, sd=error)}
    sums = {
        "acidity": Sum(value=acidity, sd=error),
        "structure": Sum(value=structure, sd=error),
    }
    quantities = Quantities(values=values, sums=Sums(of=sums, covariance_acidity_structure=0.0))
    quality = Quality(
        verdict=verdict,
        reasons=("SNR of PG is 2.0, below 5",) if verdict == "poor" else (),
        snr=snr,
        linewidth_hz=12.0,
        water_linewidth_hz=None,
        n_transients=64,
        n_rejected=0,
        rejected=(),
        drift_hz=None,
        residual_water=None,
    )
    nothing = Metabolite(
        amplitude=1.0, sd=1.0, low=None, high=None, limit=None,
        crlb_percent=None, ppm=None, linewidth_hz=None,
    )  # fmt: skip
    measured = Measured(
        quality=quality,
        quantities=quantities,
        fit=Fit(
            model="disc_1h@1",
            converged=True,
            metabolites=dict.fromkeys(NAMES, nothing),
            correlation=Correlation(names=NAMES, matrix=()),
            residual_ratio=1.0,
        ),
        protocol=Protocol(echo_time_s=0.03, spectrometer_mhz=127.7),
    )
    return Level(level=level, run=run, measured=measured)


def failed(level):
    return Level(level=level, error=LevelFailure(stage="read", message="no file"))


def score(*levels):
    return score_study(levels, MODEL, Recipe())


def test_scores_come_in_the_order_of_the_levels_and_a_failed_level_has_none():
    scores = score(report("L3-L4", 10), failed("L4-L5"), report("L5-S1", 40))
    assert scores[1] is None
    assert scores[2].value > scores[0].value


def test_a_poor_level_is_indeterminate_with_its_reason_and_does_not_enter_the_others():
    good = report("L3-L4", 30)
    poor = report("L4-L5", 90, verdict="poor")
    scores = score(good, poor)
    assert (scores[1].value, scores[1].label) == (None, "indeterminate")
    assert "SNR of PG is 2.0" in scores[1].reasons[0]
    assert scores[0].value == score(good)[0].value
    assert scores[0].inputs["with_levels"] == []


def test_of_repeated_levels_the_best_run_stands_beside_the_others():
    other = report("L5-S1", 30)
    first = report("L4-L5", 10, snr=8.0)
    second = report("L4-L5", 60, run=2, snr=15.0)
    scores = score(first, second, other)
    assert scores[2].value == score(second, other)[1].value
    # Each run is scored in the level's place, never beside its own repeat.
    assert scores[0].value == score(first, other)[0].value
    assert scores[1].value == score(second, other)[0].value


# ------------------------------------------------------------------ comparison


def test_two_discs_are_not_compared():
    comparison = compare_discs([report("L3-L4", 10), report("L4-L5", 20)])
    assert comparison.references == ()
    assert "2 usable discs" in comparison.reason


def test_poor_discs_do_not_count_towards_three():
    discs = [report("L3-L4", 10), report("L4-L5", 20), report("L5-S1", 30, verdict="poor")]
    assert compare_discs(discs).references == ()


def test_differences_to_the_median_and_to_the_best_structure():
    discs = [
        report("L2-L3", 5, structure=200.0, error=2.0),
        report("L3-L4", 10),
        report("L4-L5", 40),
        failed("L5-S1"),
    ]
    comparison = compare_discs(discs)
    assert [r.reference for r in comparison.references] == ["median", "L2-L3"]
    median, firmest = (r.levels for r in comparison.references)
    assert median["L3-L4"].difference == 0.0
    assert median["L4-L5"].difference == pytest.approx(np.log(0.4 / 0.1))
    assert firmest["L4-L5"].difference == pytest.approx(np.log(0.4 / 0.025))
    assert firmest["L2-L3"].low == firmest["L2-L3"].high == 0.0


def test_discs_with_hardly_any_acid_are_compared_by_the_ratio_itself():
    """Of the four, two have only an upper limit of the logarithm; the ratio is not cut at zero."""
    acid = {"L2-L3": -2.0, "L3-L4": 4.0, "L4-L5": 40.0, "L5-S1": 12.0}
    discs = [report(name, a) for name, a in acid.items()]
    comparison = compare_discs(discs)
    assert comparison.quantity == LINEAR
    median = comparison.references[0].levels
    assert median["L2-L3"].difference == pytest.approx(-0.02 - 0.08)
    assert median["L4-L5"].difference == pytest.approx(0.40 - 0.08)
    assert median["L4-L5"].low > 0
    # The disc itself and half of each of the two in the middle: 3 % sqrt(1 + 1/4 + 1/4).
    half = (median["L4-L5"].high - median["L4-L5"].low) / 2
    assert half == pytest.approx(1.96 * 0.03 * np.sqrt(1.5), rel=0.1)


def test_intervals_of_ratio_differences_hold_the_truth_near_zero():
    rng = np.random.default_rng(4)
    truth = {"L2-L3": 0.0, "L3-L4": 3.0, "L4-L5": 30.0, "L5-S1": 5.0}
    ratios = np.array([v / 100 for v in truth.values()])
    wanted = dict(zip(truth, ratios - np.median(ratios), strict=True))
    held = 0
    for _ in range(150):
        discs = [report(n, a + 3 * rng.standard_normal()) for n, a in truth.items()]
        comparison = compare_discs(discs)
        assert comparison.quantity == LINEAR
        for name, d in comparison.references[0].levels.items():
            held += d.low <= wanted[name] <= d.high
    # Near-ties for the median make the intervals a little too wide rather than too narrow.
    assert 0.93 <= held / 600 <= 0.99


def test_intervals_of_differences_hold_the_truth():
    """Discs of known truth measured again and again; nominal coverage is 95 %."""
    rng = np.random.default_rng(2)
    truth = {"L2-L3": 30.0, "L3-L4": 35.0, "L4-L5": 60.0, "L5-S1": 45.0}
    logs = np.log([v / 100 for v in truth.values()])
    wanted = dict(zip(truth, logs - np.median(logs), strict=True))
    held = 0
    for _ in range(150):
        discs = [report(n, a + 3 * rng.standard_normal(), error=3.0) for n, a in truth.items()]
        for name, d in compare_discs(discs).references[0].levels.items():
            held += d.low <= wanted[name] <= d.high
    # The error of structure is in the interval but not in these draws, so more than 95 % hold;
    # that of the median disc itself is smaller.
    assert 0.93 <= held / 600 <= 1.0


def test_repeatability_is_that_of_bland_and_altman():
    rng = np.random.default_rng(0)
    pairs = [tuple(m + 0.2 * rng.standard_normal(2)) for m in rng.normal(0, 1, 4000)]
    coefficient, freedom = repeatability(pairs)
    assert freedom == 4000
    assert coefficient == pytest.approx(1.96 * np.sqrt(2) * 0.2, rel=0.03)
    assert repeatability([[1.0], [2.0]]) is None
