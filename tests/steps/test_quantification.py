"""Quantities against closed forms, other routes, and a sum redone by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.data import (
    Curves,
    Fid,
    FitResult,
    Morphology,
    Noise,
    Phase,
    Preprocessed,
    Protocol,
    QualityPeak,
    Sampling,
)
from mrs_disc.errors import InputError
from mrs_disc.models import model_path
from mrs_disc.models.relaxation import load_relaxation_model
from mrs_disc.recipe import QuantifyOptions, Recipe
from mrs_disc.steps.quantification import normal_draws, quantify
from mrs_disc.steps.water_reference import water_amplitude

SAMPLING = Sampling(dwell_time_s=5e-4, spectrometer_mhz=127.7)
TIME = SAMPLING.time_s(1024)
NAMES = ("PG", "LAC", "ALA", "PA", "CHO", "CARB", "COL", "LIP")
AMPLITUDE = np.array([60.0, 12.0, 3.0, 2.0, 5.0, 70.0, 9.0, 4.0])
SD = np.array([4.0, 2.0, 1.0, 1.5, 1.0, 8.0, 2.5, 3.0])
RELAXATION = load_relaxation_model("relaxation")
RECIPE = Recipe()


def fit_result(amplitude=AMPLITUDE, sd=SD, correlation=None, names=NAMES, **changes) -> FitResult:
    n = len(names)
    correlation = np.eye(n) if correlation is None else correlation
    amplitude, sd = np.asarray(amplitude, float), np.asarray(sd, float)
    empty = np.zeros(1024, dtype=complex)
    fields = {
        "model": "disc_1h@1",
        "names": names,
        "amplitude": amplitude,
        "covariance": correlation * sd * sd[:, None],
        "crlb": sd,
        "low": amplitude - 1.959964 * sd,
        "high": amplitude + 1.959964 * sd,
        "ppm": np.full(n, 2.0),
        "linewidth_hz": np.full(n, 12.0),
        "sampling": SAMPLING,
        "data": empty,
        "baseline": empty,
        "components": np.zeros((n, 1024), dtype=complex),
        "noise_sd": 1.0,
        "spectrum_noise_sd": 32.0,
        "window_ppm": (0.5, 4.2),
        "phase_rad": 0.0,
        "delay_s": 0.0,
        "residual_ratio": 1.0,
        "residual_whiteness_p": 0.5,
        "converged": True,
        "quality_peak": "PG",
        "quality_peak_height": 400.0,
    }
    flat = {**fields, **changes}

    def part(kind, **names):
        return kind(**{name: flat.pop(old) for name, old in names.items()})

    return FitResult(
        curves=part(
            Curves, sampling="sampling", data="data", baseline="baseline",
            components="components", window_ppm="window_ppm",
        ),
        noise=part(
            Noise, sd="noise_sd", spectrum_sd="spectrum_noise_sd",
            residual_ratio="residual_ratio", residual_whiteness_p="residual_whiteness_p",
        ),
        phase=part(Phase, zero_order_rad="phase_rad", delay_s="delay_s"),
        peak=part(QualityPeak, name="quality_peak", height="quality_peak_height"),
        **flat,
    )  # fmt: skip


def water_fid(amplitude: float, lorentz_hz: float, gauss_hz: float, start_s: float = 0.0) -> Fid:
    t = start_s + TIME
    decay = np.exp(-np.pi * lorentz_hz * t - np.pi**2 / (4 * np.log(2)) * (gauss_hz * t) ** 2)
    signal = amplitude * decay * np.exp(2j * np.pi * 3.0 * t + 0.7j)
    sampling = replace(SAMPLING, start_time_s=start_s)
    return Fid(signal=signal, sampling=sampling)


def preprocessed(water: Fid | None = None, **protocol) -> Preprocessed:
    silent = Fid(signal=np.zeros(1024, dtype=complex), sampling=SAMPLING)
    values = {"echo_time_s": 0.030, "repetition_time_s": 1.5, "field_strength_t": 3.0}
    return Preprocessed(
        fid=silent,
        unsuppressed_residue=silent,
        protocol=Protocol(**{**values, **protocol}),
        water=water,
        water_protocol=None
        if water is None
        else Protocol(echo_time_s=0.030, repetition_time_s=2.0, field_strength_t=3.0),
    )


def run(fit, pre=None, recipe=RECIPE, grade=4):
    morphology = Morphology(pfirrmann=grade) if grade else None
    return quantify(
        fit, pre or preprocessed(), recipe, relaxation=RELAXATION, morphology=morphology
    )


# ------------------------------------------------------------------ ratios and sums


def test_values_are_those_of_the_amplitudes():
    q = run(fit_result())
    assert q["LAC/PG"].value == pytest.approx(12 / 60)
    assert q["LAAL/PG"].value == pytest.approx(15 / 60)
    assert q["acidity"].value == pytest.approx(12 + 3 + 0.6 * 2)
    assert q["structure"].value == pytest.approx(69)
    assert q["log(acidity/structure)"].value == pytest.approx(math.log(16.2 / 69))
    for name in ("LAC/PG", "LAAL/PG", "PA/PG", "CHO/PG", "CARB/PG", "COL/PG"):
        assert q[name].value is not None


def random_correlation(rng, n):
    root = rng.standard_normal((n, 2 * n))
    covariance = root @ root.T
    sd = np.sqrt(np.diag(covariance))
    return covariance / sd / sd[:, None]


def test_sums_have_exactly_the_sd_of_the_covariance():
    correlation = random_correlation(np.random.default_rng(3), 8)
    fit = fit_result(correlation=correlation)
    q = run(fit)
    weights = np.array([0, 1, 1, 0.6, 0, 0, 0, 0])
    assert q["acidity"].sd == pytest.approx(math.sqrt(weights @ fit.covariance @ weights))
    a, s = q.names.index("acidity"), q.names.index("structure")
    other = np.array([1, 0, 0, 0, 0, 0, 1, 0])
    # Two thousand antithetic pairs, matched to their moments: exact but for the cut at 5 sd.
    assert q.covariance[a][s] == pytest.approx(weights @ fit.covariance @ other, rel=2e-3, abs=0.02)


def test_small_errors_agree_with_the_delta_method():
    correlation = random_correlation(np.random.default_rng(5), 8)
    fit = fit_result(sd=SD / 10, correlation=correlation)
    q = run(fit)
    gradient = np.zeros(8)
    gradient[1], gradient[0] = 1 / 60, -12 / 60**2
    assert q["LAC/PG"].sd == pytest.approx(
        math.sqrt(gradient @ fit.covariance @ gradient), rel=0.04
    )
    acid = np.array([0, 1, 1, 0.6, 0, 0, 0, 0]) / 16.2
    firm = np.array([1, 0, 0, 0, 0, 0, 1, 0]) / 69
    exact = math.sqrt((acid - firm) @ fit.covariance @ (acid - firm))
    assert q["log(acidity/structure)"].sd == pytest.approx(exact, rel=0.04)


def test_intervals_hold_the_truth_in_95_of_100_cases():
    """Frequentist: amplitudes drawn about a truth, ratios with their intervals."""
    rng = np.random.default_rng(11)
    truth = AMPLITUDE.copy()
    names = ("LAC/PG", "LAAL/PG", "COL/PG", "acidity/structure")
    wanted = {
        "LAC/PG": 12 / 60,
        "LAAL/PG": 15 / 60,
        "COL/PG": 9 / 60,
        "acidity/structure": 16.2 / 69,
    }
    held = dict.fromkeys(names, 0)
    n = 400
    recipe = Recipe(quantify=QuantifyOptions(samples=2000))
    for _ in range(n):
        q = run(fit_result(truth + SD * rng.standard_normal(8)), recipe=recipe)
        for name in names:
            held[name] += q[name].low <= wanted[name] <= q[name].high
    for name in names:
        assert held[name] / n == pytest.approx(0.95, abs=0.035)  # three standard errors


def test_a_sum_is_cut_at_zero_but_not_its_parts():
    amplitude = AMPLITUDE.copy()
    amplitude[1:4] = -9.0, 2.0, 0.0
    q = run(fit_result(amplitude))
    assert q["acidity"].value == 0.0
    assert q["LAAL/PG"].value == 0.0
    assert q["LAC/PG"].value == pytest.approx(-9 / 60)
    assert q.sums.of["acidity"].value == pytest.approx(-7.0)
    positive = AMPLITUDE.copy()
    positive[1:4] = 20.0, -4.0, 0.0
    assert run(fit_result(positive))["acidity"].value == pytest.approx(16.0)


def test_below_two_sd_a_value_is_an_upper_limit():
    amplitude = AMPLITUDE.copy()
    amplitude[1] = 1.9 * SD[1]
    limited = run(fit_result(amplitude))["LAC/PG"]
    assert (limited.limit, limited.low) == ("upper", 0.0)
    # One-sided 95 % of a ratio whose denominator is known to 7 %.
    assert limited.high == pytest.approx((1.9 + 1.645) * SD[1] / 60, rel=0.05)
    amplitude[1] = 2.4 * SD[1]
    assert run(fit_result(amplitude))["LAC/PG"].limit is None


def test_logarithm_without_acid_has_an_upper_end_only():
    amplitude = AMPLITUDE.copy()
    amplitude[1:4] = 0.0, -1.0, 0.0
    log = run(fit_result(amplitude))["log(acidity/structure)"]
    assert log.value is None
    assert "below" in log.reason
    amplitude[1:4] = 2.0, 0.5, 0.0
    log = run(fit_result(amplitude))["log(acidity/structure)"]
    assert (log.limit, log.low, log.sd) == ("upper", None, None)
    assert log.value == pytest.approx(math.log(2.5 / 69))
    assert log.high > log.value


def test_without_measurable_pg_ratios_have_a_reason():
    amplitude = AMPLITUDE.copy()
    amplitude[0] = 2.5 * SD[0]
    q = run(fit_result(amplitude))
    assert q["LAC/PG"].value is None
    assert "PG is not measurable" in q["LAC/PG"].reason


def test_a_model_without_pg_has_ratios_to_its_quality_peak():
    names = ("NAA", "Cr", "Cho")
    q = run(fit_result([50, 30, 8], [2, 2, 1], names=names, model="brain@1", quality_peak="NAA"))
    assert q["Cr/NAA"].value == pytest.approx(0.6)
    assert q["LAC/PG"].value is None
    assert q["LAC/PG"].reason == "model brain@1 has no LAC and no PG"
    assert q["log(acidity/structure)"].value is None


@settings(max_examples=30)
@given(unit=st.floats(1e-8, 1e8))
def test_ratios_do_not_depend_on_the_unit(unit):
    one, other = run(fit_result()), run(fit_result(AMPLITUDE * unit, SD * unit))
    for name in ("LAC/PG", "log(acidity/structure)", "COL/PG"):
        for part in ("value", "sd", "low", "high"):
            assert getattr(other[name], part) == pytest.approx(getattr(one[name], part), rel=1e-7)


def test_lopsided_intervals_of_the_fit_are_taken_over():
    fit = fit_result()
    high = fit.high.copy()
    low = fit.low.copy()
    high[1] = 12 + 1.5 * (high[1] - 12)
    low[1] = 12 - 0.5 * (12 - low[1])
    q = run(fit_result(low=low, high=high))["LAC/PG"]
    assert q.high - q.value > 1.5 * (q.value - q.low)


@pytest.mark.parametrize(
    ("width_hz", "correlation", "merged"),
    [(12.0, 0.5, False), (12.0, -0.85, True), (21.0, 0.0, True)],
)
def test_lactate_and_alanine_merge_by_width_or_correlation(width_hz, correlation, merged):
    matrix = np.eye(8)
    matrix[1, 2] = matrix[2, 1] = correlation
    q = run(fit_result(correlation=matrix, linewidth_hz=np.full(8, width_hz)))
    assert q.merged_laal is merged
    assert ("LAAL/PG counts" in q["LAC/PG"].how) is merged
    assert q["LAC/PG"].value == pytest.approx(0.2)


def test_draws_are_matched_to_mean_and_covariance():
    draws = normal_draws(4000, 11)
    assert np.abs(draws.mean(axis=1)).max() < 1e-12
    assert np.abs(draws @ draws.T / draws.shape[1] - np.eye(11)).max() < 1e-10


# ------------------------------------------------------------------ water


@pytest.mark.parametrize(
    ("lorentz", "gauss", "start"), [(6, 0, 0.0), (2, 12, 0.0), (5, 25, 1e-3), (20, 10, 0.0)]
)
def test_water_amplitude_is_read_at_the_echo(lorentz, gauss, start):
    amplitude, error = water_amplitude(water_fid(5000.0, lorentz, gauss, start))
    assert amplitude == pytest.approx(5000.0, rel=1e-3)
    assert error == pytest.approx(0.01, rel=0.2)


def test_lipid_and_noise_under_the_water_average_out():
    rng = np.random.default_rng(0)
    water = water_fid(5000.0, 4, 15)
    lipid = 150 * np.exp(-2j * np.pi * 428 * TIME - np.pi * 15 * TIME)
    noise = 5 * (rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
    amplitude, _ = water_amplitude(Fid(signal=water.signal + lipid + noise, sampling=SAMPLING))
    assert amplitude == pytest.approx(5000.0, rel=0.01)


def test_amount_per_tissue_water_redone_by_hand():
    """Near 2021, equation 6, with the shipped times of grade IV at 3 T."""
    q = run(fit_result(), preprocessed(water_fid(20_000.0, 5, 20)))
    water = (1 - math.exp(-2.0 / 1.1)) * math.exp(-0.030 / 0.051)
    pg = (1 - math.exp(-1.5 / 0.78)) * math.exp(-0.030 / 0.052)
    by_hand = 1000 * 55.51 * 2 / 3 * (60 / 20_000) * water / pg
    assert q["PG/water"].value == pytest.approx(by_hand, rel=1e-3)
    assert q["PG/water"].unit == "mmol per kg tissue water"


def test_the_printed_sum_gives_the_printed_value():
    q = run(fit_result(), preprocessed(water_fid(20_000.0, 5, 20)))
    for name in ("PG/water", "LAC/water", "PA/water", "COL/water"):
        printed = eval(q[name].how, {"exp": math.exp, "__builtins__": {}})
        assert printed == pytest.approx(q[name].value, rel=1e-8)
    factors = q.factors
    for key in ("amplitude", "t1_s", "t2_s", "t2_source", "echo_time_s", "repetition_time_s"):
        assert factors["water"][key] is not None
    assert factors["PG"]["t2_source"].endswith("[P]")


def test_error_of_the_relaxation_times_is_in_the_interval():
    certain = run(fit_result(sd=SD * 1e-3), preprocessed(water_fid(20_000.0, 5, 20)))
    relative = certain["PG/water"].sd / certain["PG/water"].value
    # d ln C: T2w .18 x 30/51, T2m .34 x 30/52, T1w and T1m through their saturation, water 1 %.
    saturation = [
        0.15 * (2.0 / 1.1) * math.exp(-2.0 / 1.1) / (1 - math.exp(-2.0 / 1.1)),
        0.20 * (1.5 / 0.78) * math.exp(-1.5 / 0.78) / (1 - math.exp(-1.5 / 0.78)),
    ]
    expected = math.sqrt(
        (0.18 * 30 / 51) ** 2 + (0.34 * 30 / 52) ** 2 + 0.01**2 + sum(x**2 for x in saturation)
    )
    assert relative == pytest.approx(expected, rel=0.1)


def test_a_file_of_ones_own_gives_its_own_times(tmp_path):
    """Water at TE 30 ms of 102 ms instead of 51 ms: exp(-30/102) / exp(-30/51) times as much."""
    text = model_path("relaxation").read_text()
    assert text.count("seconds = 0.051") == 1
    own = tmp_path / "own.toml"
    own.write_text(text.replace("seconds = 0.051", "seconds = 0.102"))
    pre = preprocessed(water_fid(20_000.0, 5, 20))
    shipped, mine = (
        quantify(fit_result(), pre, RECIPE, relaxation=model, morphology=Morphology(pfirrmann=4))[
            "PG/water"
        ].value
        for model in (RELAXATION, load_relaxation_model(str(own)))
    )
    assert mine / shipped == pytest.approx(math.exp(30 / 51 - 30 / 102), rel=1e-9)


def test_grade_changes_the_amount_and_an_unknown_grade_widens_it():
    pre = preprocessed(water_fid(20_000.0, 5, 20))
    known, other, unknown = (run(fit_result(), pre, grade=g)["PG/water"] for g in (4, 2, None))
    assert other.value > 1.2 * known.value
    assert unknown.sd / unknown.value > known.sd / known.value


@pytest.mark.parametrize(
    ("pre", "reason"),
    [
        (preprocessed(), "no water reference"),
        (
            preprocessed(water_fid(1e4, 5, 10), repetition_time_s=None),
            "the repetition time is not known",
        ),
        (preprocessed(water_fid(1e4, 5, 10), echo_time_s=None), "the echo time is not known"),
        (preprocessed(water_fid(1e4, 5, 10), field_strength_t=7.0), "no relaxation time of water"),
    ],
)
def test_without_what_it_needs_an_amount_is_null_with_the_reason(pre, reason):
    q = run(fit_result(), pre)
    for name in ("PG/water", "LAC/water", "structure/water", "log(structure/water)"):
        assert q[name].value is None
        assert reason in q[name].reason


def test_required_water_that_is_not_there_is_an_error_that_says_what_to_do():
    recipe = Recipe(quantify=QuantifyOptions(reference="water"))
    with pytest.raises(InputError, match='set reference = "none"'):
        run(fit_result(), recipe=recipe)


def test_reference_none_says_so():
    recipe = Recipe(quantify=QuantifyOptions(reference="none"))
    q = run(fit_result(), preprocessed(water_fid(1e4, 5, 10)), recipe)
    assert 'reference = "none"' in q["PG/water"].reason


def test_the_same_input_gives_the_same_numbers():
    pre = preprocessed(water_fid(20_000.0, 5, 20))
    one, other = run(fit_result(), pre), run(fit_result(), pre)
    assert one.values == other.values
