"""T2 from runs at several echo times, against closed forms and discs of known T2."""

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscEntry, Study
from mrs_disc.models.relaxation import load_relaxation_model
from mrs_disc.record.file import as_json
from mrs_disc.report.methods import methods_table, paragraph
from mrs_disc.report.results import results_from
from mrs_disc.simulate import Scan
from mrs_disc.simulate.study import plan_study, simulate_study
from mrs_disc.steps.echo_times import decay_of

LEVEL, ECHO_S = "L4-L5", (0.030, 0.060, 0.090)
SEED = 41


def scan(echo_s, **changes):
    return Scan(
        echo_time_s=echo_s,
        n_points=1024,
        spectral_width_hz=2000.0,
        n_transients=8,
        n_water=2,
        **changes,
    )


def disc_at(echo_s, run, snr=80.0, kind=None, baseline=1.0, **changes):
    """Return the same disc at an echo time, of an SNR that falls with its T2 of PG."""
    with_scan = {
        "levels": (LEVEL,),
        "scan": scan(echo_s, **changes),
        "lipid": False,
        "kinds": {LEVEL: kind} if kind else None,
        "baseline": baseline,
    }
    m = plan_study(SEED, **with_scan)[0]
    snr = snr * np.exp(-(echo_s - ECHO_S[0]) / m.disc.t2_s["PG"])
    made, truth = simulate_study(SEED, anatomy=False, snr=snr, **with_scan)
    return replace(made[LEVEL], run=run), truth[LEVEL], m.disc.t2_s


def study_of(discs):
    entries = [
        DiscEntry(level=LEVEL, run=d.run, load=lambda d=d: d, inputs=tuple, morphology=d.morphology)
        for d in discs
    ]
    return Study(study_id="s", discs=tuple(entries))


@pytest.fixture(scope="module")
def three():
    """Return a disc at three echo times, its truth, and T2 by component, s."""
    made = [disc_at(te, run, refocusing_bandwidth_hz=2000.0) for run, te in enumerate(ECHO_S, 1)]
    return [disc for disc, _, _ in made], made[0][1], made[0][2]


def told(report, component="PG"):
    (found,) = [
        one
        for one in report[LEVEL, 1].record.findings
        if one.kind in ("t2_measured", "t2_not_measured") and one.subject == component
    ]
    return found


def test_two_echo_times_give_the_closed_form():
    found = decay_of(np.array([0.03, 0.09]), np.log([50.0, 20.0]), np.array([0.02, 0.05]))
    assert found.seconds == pytest.approx(0.06 / np.log(2.5))
    assert found.rate_sd_hz == pytest.approx(np.hypot(0.02, 0.05) / 0.06)
    assert found.slopes == pytest.approx((1 / 0.06, -1 / 0.06))
    assert found.p == 1.0


def test_the_interval_holds_for_drawn_amplitudes():
    """Three runs with 4, 6 and 9 % of noise: of 4000 draws 95 % hold, and p is uniform."""
    echo, sd = np.array(ECHO_S), np.array([0.04, 0.06, 0.09])
    rng = np.random.default_rng(3)
    draws = np.log(100 * np.exp(-echo / 0.045)) + sd * rng.standard_normal((4000, 3))
    found = [decay_of(echo, one, sd) for one in draws]
    held = np.mean([one.interval_s[0] <= 0.045 <= one.interval_s[1] for one in found])
    assert held == pytest.approx(0.95, abs=0.011)  # three standard errors of the share
    assert np.mean([one.p < 0.2 for one in found]) == pytest.approx(0.2, abs=0.02)


def test_a_disc_at_three_echo_times_tells_its_t2(three):
    discs, truth, t2_s = three
    report = analyze(study_of(discs))
    found = told(report)
    assert found.kind == "t2_measured"
    assert found.values["low_ms"] <= 1e3 * t2_s["PG"] <= found.values["high_ms"]
    assert found.values["gain"].kind == "t2_gain_held"
    prior = load_relaxation_model("relaxation").of("PG").t2[0]
    alone = analyze(study_of(discs[:1]))[LEVEL].quantities["PG/water"]
    for run in (1, 2, 3):
        level = report[LEVEL, run].record
        amount = level.quantities["PG/water"]
        assert amount.low <= truth["concentration"]["PG"] <= amount.high
        factors = level.measured.quantities.factors["PG"]
        assert factors["t2_s"] == pytest.approx(found.values["t2_ms"] / 1e3)
        assert factors["t2_s"] != prior.seconds
        assert "measured in this disc: run 1, run 2, run 3" in factors["t2_source"]
        assert factors["t2_low_s"] < factors["t2_s"] < factors["t2_high_s"]
    assert report[LEVEL, 1].quantities["PG/water"].sd / amount.value < alone.sd / alone.value
    results = results_from(report)
    said = "T2 of PG was measured in this disc, from run 1, run 2 and run 3"
    assert said in paragraph(results)
    rows = dict(row for section in methods_table(results) for row in section[1])
    assert "PG" in rows["Relaxation times"]
    assert any(said in note for note in as_json(results)["levels"][0]["notes"])


def test_the_error_is_that_of_the_amplitude_at_time_zero():
    """Of two runs ln A0 = (TE2 ln A1 - TE1 ln A2) / (TE2 - TE1), whichever run it is told for.

    So both runs have one amount with one error, though T2 was made from the amplitudes themselves.
    """
    discs = [disc_at(te, run)[0] for run, te in ((1, 0.030), (2, 0.090))]
    report = analyze(study_of(discs))
    assert told(report).kind == "t2_measured"
    relative, factors = [], []
    for run in (1, 2):
        fit = report[LEVEL, run].measurement.fit
        at = fit.index("PG")
        relative.append(fit.sd[at] / fit.amplitude[at])
        factors.append(report[LEVEL, run].record.measured.quantities.factors)
    at_zero = np.hypot(0.090 * relative[0], 0.030 * relative[1]) / 0.060
    for run in (1, 2):
        water, pg = factors[run - 1]["water"], report[LEVEL, run].quantities["PG/water"]
        quoted = np.log(pg.high / pg.low) / (2 * 1.959964)
        grade = {0.051: 0.18, 0.084: 0.12, 0.129: 0.15, 0.21: 0.15}[water["t2_s"]]

        def saturation(t1_s):
            x = 1.5 / t1_s
            return x * np.exp(-x) / -np.expm1(-x)

        others = (
            grade * water["echo_time_s"] / water["t2_s"],
            0.15 * saturation(water["t1_s"]),
            0.2 * saturation(0.78),
            water["amplitude_relative_sd"],
        )
        assert quoted == pytest.approx(np.hypot(at_zero, np.linalg.norm(others)), rel=0.12)


def gained(disc, gain, echo_s):
    """Return a disc received with another gain, its water said to have been at an echo time."""
    return replace(
        disc,
        metabolite=replace(disc.metabolite, signal=gain * disc.metabolite.signal),
        water=replace(disc.water, signal=gain * disc.water.signal),
        water_protocol=replace(disc.water_protocol, echo_time_s=echo_s),
    )


def test_another_gain_cancels_or_is_found(three):
    discs, _, t2_s = three
    found = told(analyze(study_of([discs[0], gained(discs[2], 3.0, 0.090)])))
    assert (found.kind, found.values["why"].kind) == ("t2_not_measured", "t2_gain_differs")
    # one water at TE 30 for both: received with the gain of each
    late = gained(replace(discs[2], water=discs[0].water), 3.0, 0.030)
    found = told(analyze(study_of([discs[0], late])))
    assert found.values["gain"].kind == "t2_gain_cancels"
    assert found.values["low_ms"] <= 1e3 * t2_s["PG"] <= found.values["high_ms"]


def test_one_echo_time_tells_nothing(three):
    discs, _, _ = three
    report = analyze(study_of([discs[0], replace(discs[0], run=2)]))
    kinds = [one.kind for one in report[LEVEL, 1].record.findings]
    assert not [kind for kind in kinds if kind.startswith("t2_")]


@pytest.mark.parametrize("pulses", ["ideal", None])
def test_lactate_counts_where_its_evolution_is_known(pulses):
    """Its doublet turns with the echo time, so pulses that nobody knows make a T2 of nothing."""
    made = [
        disc_at(te, run, snr=250.0, kind="P", baseline=0.0) for run, te in ((1, 0.030), (2, 0.144))
    ]
    discs = [
        replace(disc, protocol=replace(disc.protocol, refocusing_pulse=pulses))
        for disc, _, _ in made
    ]
    found = told(analyze(study_of(discs)), "LAC")
    if pulses is None:
        assert found.values["why"].kind == "t2_evolution_uncertain"
    else:
        assert found.values["low_ms"] <= 1e3 * made[0][2]["LAC"] <= found.values["high_ms"]
