"""The verdict: each gate at its boundary, and simulated cases that have to end as poor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.data import (
    Curves,
    EchoTime,
    Fid,
    FitResult,
    Noise,
    Phase,
    Preprocessed,
    Protocol,
    QualityPeak,
    Sampling,
)
from mrs_disc.recipe import Recipe
from mrs_disc.steps.grading import grade

SAMPLING = Sampling(dwell_time_s=5e-4, spectrometer_mhz=127.7)
POINTS = 1024
TIME = SAMPLING.time_s(POINTS)
NAMES = ("PG", "LAC", "ALA", "LIP")
RECIPE = Recipe()


def line(ppm: float, amplitude: float, width_hz: float) -> np.ndarray:
    hz = SAMPLING.hz(ppm)
    return amplitude * np.exp(2j * np.pi * hz * TIME - np.pi * width_hz * TIME)


def fid(*lines: np.ndarray) -> Fid:
    return Fid(signal=np.sum(lines, axis=0) + 0j, sampling=SAMPLING)


PG = line(2.04, 20.0, 14.0)
REFERENCE = fid(line(4.65, 8000.0, 14.0))
HEIGHT = 20.0 / (np.pi * 14.0 * 5e-4)  # of a Lorentzian line in a plain FFT


def fit_result(**changes: object) -> FitResult:
    amplitude = np.array([20.0, 5.0, 2.0, 0.0])
    noise = HEIGHT / 12 / np.sqrt(POINTS)
    empty = np.zeros(POINTS, dtype=complex)
    fields: dict[str, object] = {
        "model": "disc_1h@1",
        "names": NAMES,
        "amplitude": amplitude,
        "covariance": np.eye(4),
        "crlb": np.ones(4),
        "low": amplitude - 1.96,
        "high": amplitude + 1.96,
        "ppm": np.array([2.04, 1.31, 1.47, 1.3]),
        "linewidth_hz": np.full(4, 14.0),
        "sampling": SAMPLING,
        "data": empty,
        "baseline": empty,
        "components": np.zeros((4, POINTS), dtype=complex),
        "noise_sd": noise,
        "spectrum_noise_sd": noise * np.sqrt(POINTS),
        "window_ppm": (0.5, 4.2),
        "phase_rad": 0.0,
        "delay_s": 0.0,
        "residual_ratio": 1.0,
        "residual_whiteness_p": 0.4,
        "converged": True,
        "quality_peak": "PG",
        "quality_peak_height": HEIGHT,
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


def preprocessed(**changes: object) -> Preprocessed:
    fields: dict[str, object] = {
        "fid": fid(PG),
        "unsuppressed_residue": fid(PG, line(4.65, 60.0, 14.0)),
        "protocol": Protocol(echo_time_s=0.03, voxel_size_mm=(20.0, 18.0, 5.0)),
        "water": REFERENCE,
        "n_transients": 64,
        "drift_hz": 2.0,
    }
    return Preprocessed(**{**fields, **changes})  # type: ignore[arg-type]


def verdict(fit: FitResult | None = None, pre: Preprocessed | None = None):
    return grade(fit or fit_result(), pre or preprocessed(), RECIPE)


def test_a_sound_spectrum_is_good_and_says_what_it_passed():
    quality = verdict()
    assert quality.verdict == "good"
    assert quality.reasons[0].startswith("within all limits of quality: SNR 12.0")
    assert quality.snr == pytest.approx(12.0)
    assert quality.linewidth_hz == 14.0


def test_a_residual_far_below_the_noise_has_no_structure_that_matters():
    assert verdict(fit_result(residual_whiteness_p=1e-9, residual_ratio=0.05)).verdict == "good"


NOISE = fit_result().noise.spectrum_sd
MHZ = SAMPLING.spectrometer_mhz


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"quality_peak_height": 7.9 * NOISE}, "acceptable", "SNR of PG is 7.9; good from 8 on"),
        ({"quality_peak_height": 4.9 * NOISE}, "poor", "SNR of PG is 4.9, below 5"),
        ({"quality_peak_height": 0.0}, "poor", "SNR of PG is 0.0"),
        ({"linewidth_hz": np.full(4, 0.21 * MHZ)}, "acceptable", "0.21 ppm"),
        ({"linewidth_hz": np.full(4, 0.31 * MHZ)}, "poor", "above 0.3 ppm"),
        ({"linewidth_hz": np.full(4, 0.3007 * MHZ)}, "poor", "(0.301 ppm), above 0.3 ppm"),
        ({"quality_peak_height": 4.99 * NOISE}, "poor", "SNR of PG is 4.99, below 5"),
        ({"residual_ratio": 1.5004}, "poor", "1.5004 times the noise, above 1.5"),
        ({"residual_ratio": 1.6}, "poor", "1.60 times the noise"),
        ({"residual_ratio": float("nan")}, "poor", "the residual"),
        ({"residual_whiteness_p": 1e-6}, "acceptable", "has structure"),
        ({"converged": False, "reason": "no end in sight"}, "poor", "no end in sight"),
        ({"spectrum_noise_sd": 0.0}, "poor", "noise"),
        ({"covariance": 64 * np.eye(4)}, "poor", "PG is 2.5 times its error"),
    ],
)
def test_gates_of_the_fit(changes, expected, words):
    quality = verdict(fit_result(**changes))
    assert quality.verdict == expected
    assert words in " | ".join(quality.reasons)


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"drift_hz": 10.1}, "acceptable", "drift of 10.1 Hz"),
        ({"rejected": dict.fromkeys(range(33), "moved")}, "poor", "33 of 64 transients rejected"),
        ({"rejected": dict.fromkeys(range(32), "moved")}, "good", "32 of 64"),
        ({"fid": fid(PG, line(4.7, 230.0, 14.0))}, "poor", "residual water is"),
        ({"unsuppressed_residue": fid(PG, REFERENCE.signal)}, "poor", "not suppressed"),
        ({"water": fid(PG)}, "poor", "swapped"),
    ],
)
def test_gates_of_the_measurement(changes, expected, words):
    quality = verdict(pre=preprocessed(**changes))
    assert quality.verdict == expected
    assert words in " | ".join(quality.reasons)


def test_the_gravest_reason_comes_first():
    quality = verdict(fit_result(residual_whiteness_p=1e-9, residual_ratio=2.0))
    assert "times the noise" in quality.reasons[0]


def test_residual_water_is_the_highest_point_over_the_height_of_pg():
    pre = preprocessed(fid=fid(PG, line(4.65, 60.0, 14.0)))
    # Both lines have the same width; the first point counts whole in an FFT, and PG's tail adds.
    assert verdict(pre=pre).residual_water == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("times", "expected", "kind"),
    [
        (5.0, "good", "all_passed"),
        (48.0, "good", "all_passed"),
        (60.0, "acceptable", "water_left_high"),
        (200.0, "acceptable", "water_left_high"),
        (400.0, "poor", "unsuppressed_peak"),
    ],
)
def test_water_before_its_removal_is_given_and_has_a_gate(times, expected, kind):
    pre = preprocessed(
        unsuppressed_residue=fid(PG, line(4.65, 20.0 * times, 14.0)),
        water=None,
        fid=fid(PG, line(4.65, 2.0, 14.0)),
    )
    quality = verdict(pre=pre)
    assert quality.water_before_removal == pytest.approx(times, rel=0.05)
    assert quality.residual_water < 0.2
    assert (quality.verdict, quality.findings[0].kind) == (expected, kind)


def test_water_beside_a_strong_spectrum_that_the_model_does_not_describe_is_not_all_of_it():
    pre = preprocessed(unsuppressed_residue=fid(PG, line(4.65, 20.0 * 48.0, 14.0)), water=None)
    quality = verdict(fit_result(residual_ratio=3.0), pre)
    assert "one_line" not in {one.kind for one in quality.findings}
    weak = fit_result(residual_ratio=3.0, quality_peak_height=4.0 * NOISE)
    assert "one_line" in {one.kind for one in verdict(weak, pre).findings}


@pytest.mark.parametrize(
    ("left", "times", "expected"), [(0.2, 200.0, "acceptable"), (0.5, 400.0, "poor")]
)
def test_the_reference_says_how_much_water_is_left(left, times, expected):
    pre = preprocessed(
        unsuppressed_residue=fid(PG, line(4.65, 20.0 * times, 14.0)),
        water=fid(line(4.65, 20.0 * times / left, 14.0)),
        fid=fid(PG, line(4.65, 2.0, 14.0)),
    )
    assert verdict(pre=pre).verdict == expected


def test_relative_crlb_alone_lowers_nothing():
    amplitude = np.array([20.0, 0.1, 0.05, 0.0])
    assert verdict(fit_result(amplitude=amplitude)).verdict == "good"


def test_lipid_over_lactate_is_said_and_flagged():
    amplitude = np.array([20.0, 5.0, 2.0, 40.0])
    quality = verdict(fit_result(amplitude=amplitude))
    assert quality.lipid_contaminated
    assert quality.verdict == "acceptable"
    assert "its CH2 is 4.0 times LAC + ALA" in quality.reasons[0]


@pytest.mark.parametrize(("lipid", "poor"), [(-1.4, False), (-1.6, True), (-2.9, True)])
def test_lipid_below_zero_says_that_it_lies_elsewhere(lipid, poor):
    sd = float(fit_result().sd[3])
    quality = verdict(fit_result(amplitude=np.array([20.0, 5.0, 2.0, lipid * sd])))
    assert (quality.verdict == "poor") == poor
    assert quality.lipid_contaminated == poor
    assert any("taken for lactate" in reason for reason in quality.reasons) == poor


def test_unsuppressed_water_that_was_meant_is_acceptable():
    protocol = Protocol(echo_time_s=0.03, water_suppressed=False)
    pre = preprocessed(unsuppressed_residue=fid(PG, REFERENCE.signal), protocol=protocol)
    assert verdict(pre=pre).verdict == "acceptable"


def test_displacement_of_lipid_and_pg_against_water_is_told_in_millimetres():
    protocol = Protocol(
        echo_time_s=0.03, voxel_size_mm=(20.0, 18.0, 5.0), refocusing_bandwidth_hz=1200.0
    )
    quality = verdict(pre=preprocessed(protocol=protocol))
    assert quality.verdict == "good"
    lipid, pg = quality.reasons[-2:]
    assert "lipid and water lie 36%" in lipid  # 3.35 ppm x 127.7 MHz / 1200 Hz
    assert "1.8 mm" in lipid
    assert "PG and water lie 28%" in pg  # 2.61 ppm x 127.7 MHz / 1200 Hz
    assert "1.4 mm" in pg
    alone = verdict(pre=preprocessed(protocol=protocol, water=None))
    assert "lipid" in alone.reasons[-1]


# ------------------------------------------------------------------ the whole path


@pytest.fixture(scope="module")
def judge():
    from mrs_disc.analysis import load_models, measure_level
    from mrs_disc.errors import InputError

    models = load_models(RECIPE)

    def run(acquisition):
        try:
            return measure_level(acquisition, RECIPE, models).quality
        except (InputError, np.linalg.LinAlgError) as error:
            return str(error)

    return run


def simulated(seed: int, **options):
    from mrs_disc.simulate import simulate_study

    study, _ = simulate_study(
        seed, levels=["L4-L5"], kinds={"L4-L5": "D"}, anatomy=False, **options
    )
    return study["L4-L5"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("gas", ("SNR", "linewidth")),
        ("marrow", ("voxel lies in marrow",)),
        ("water only", ("nothing else",)),
        ("water only, no reference", ("water or fat alone", "not suppressed")),
        ("swapped", ("swapped",)),
    ],
)
def test_what_is_no_disc_spectrum_ends_as_poor_with_its_reason(judge, seed, case, words):
    if case == "gas":
        acquisition = simulated(seed, spoilt={"L4-L5": "gas"})
    elif case == "marrow":
        acquisition = simulated(seed, lipid=300.0)
    else:
        disc = simulated(seed)
        acquisition = {
            "water only": replace(disc, metabolite=disc.water),
            "water only, no reference": replace(
                disc, metabolite=disc.water, water=None, water_protocol=None
            ),
            "swapped": replace(disc, metabolite=disc.water, water=disc.metabolite),
        }[case]
    quality = judge(acquisition)
    if not isinstance(quality, str):
        assert quality.verdict == "poor"
        assert any(word in reason for reason in quality.reasons for word in words), quality.reasons


def test_another_nucleus_fails_with_that_reason(judge):
    disc = simulated(1)
    sampling = replace(disc.metabolite.sampling, nucleus="31P")
    phosphorus = replace(disc.metabolite, sampling=sampling)
    message = judge(replace(disc, metabolite=phosphorus, water=None))
    assert isinstance(message, str)
    assert "31P" in message


@pytest.mark.parametrize("seed", [3, 4])
def test_a_sound_disc_is_not_poor(judge, seed):
    quality = judge(simulated(seed, snr=15.0, lipid=False))
    assert quality.verdict in ("good", "acceptable"), quality.reasons


@pytest.mark.parametrize(
    ("mhz", "passes_hz", "fails_hz"),
    # A Lorentzian of 10 Hz folded with a Gaussian of the shim: 32.6 Hz at 3 T, in ppm the same.
    [(127.73, 38.2, 38.5), (63.87, 22.2, 22.5), (297.2, 81.3, 81.9)],
)
def test_the_width_that_a_line_has_of_its_own_does_not_grow_with_the_field(
    mhz, passes_hz, fails_hz
):
    from scipy.special import voigt_profile

    def width_hz(shim_hz):
        fine = np.linspace(0, 200, 400_001)
        height = voigt_profile(fine, shim_hz / 2.3548, 5.0)
        return 2 * float(fine[np.argmax(height < height[0] / 2)])

    assert passes_hz < width_hz(32.6 * mhz / 127.73) < fails_hz
    sampling = replace(fit_result().curves.sampling, spectrometer_mhz=mhz)
    curves = replace(fit_result().curves, sampling=sampling)
    for hz, wide in ((passes_hz, False), (fails_hz, True)):
        fitted = replace(fit_result(linewidth_hz=np.full(4, hz)), curves=curves)
        found = [one.kind for one in verdict(fitted).findings]
        assert ("linewidth_wide" in found) == wide


@pytest.mark.parametrize(("below_sd", "poor"), [(2.9, False), (3.1, True), (8.0, True)])
def test_a_component_far_below_zero_is_named(below_sd, poor):
    amplitude = np.array([20.0, -below_sd, 2.0, 0.0])
    quality = verdict(fit_result(amplitude=amplitude))
    assert (quality.verdict == "poor") == poor
    named = [one for one in quality.findings if one.kind == "below_zero"]
    assert [one.subject for one in named] == ["LAC"] * poor
    assert ("echo time" in quality.reasons[0]) == poor


@pytest.mark.parametrize(
    ("shift_ppm", "water", "expected"),
    [
        (0.049, REFERENCE, "good"),
        (-0.051, REFERENCE, "acceptable"),
        (0.099, REFERENCE, "acceptable"),
        (-0.101, REFERENCE, "poor"),
        (0.29, None, "good"),
        (-0.31, None, "poor"),
    ],
)
def test_lines_far_from_their_places_are_said(shift_ppm, water, expected):
    fitted = fit_result()
    curves = replace(fitted.curves, reference_shift_ppm=shift_ppm)
    quality = verdict(replace(fitted, curves=curves), preprocessed(water=water))
    assert quality.verdict == expected
    assert quality.shift_ppm == shift_ppm
    assert any("from their places" in reason for reason in quality.reasons) == (expected != "good")


@pytest.mark.parametrize(("deviation_sd", "poor"), [(2.9, False), (3.1, True), (12.0, True)])
def test_multiplets_that_evolved_for_another_time_are_said(deviation_sd, poor):
    echo = EchoTime(
        multiplets=("LAC", "ALA"), stated_s=0.03, fitting_s=0.07, deviation_sd=deviation_sd
    )
    quality = verdict(replace(fit_result(), echo=echo))
    assert (quality.verdict == "poor") == poor
    assert ("LAC and ALA did not evolve for" in quality.reasons[0]) == poor
    assert ("some 70 ms fit better" in quality.reasons[0]) == poor


@pytest.mark.parametrize(("deviation_sd", "said"), [(2.4, False), (2.9, True), (3.1, False)])
def test_multiplets_too_weak_to_tell_the_echo_time_are_a_remark(deviation_sd, said):
    echo = EchoTime(multiplets=("LAC",), stated_s=0.03, fitting_s=0.07, deviation_sd=deviation_sd)
    quality = verdict(replace(fit_result(), echo=echo))
    remarks = [one.kind for one in quality.findings if one.about.role == "remark"]
    assert ("echo_time_doubtful" in remarks) == said


@pytest.mark.parametrize(("stated_s", "fits_ms"), [(0.030, None), (0.080, 30)])
def test_the_lactate_of_a_painful_disc_tells_its_echo_time(stated_s, fits_ms):
    from mrs_disc.analysis import load_models
    from mrs_disc.simulate import Scan, simulate_study
    from mrs_disc.steps import fit, preprocess

    study, _ = simulate_study(
        5,
        levels=["L4-L5"],
        kinds={"L4-L5": "P"},
        snr=60.0,
        lipid=False,
        baseline=0.0,
        anatomy=False,
        scan=Scan(echo_time_s=0.030),
    )
    disc = study["L4-L5"]
    disc = replace(disc, protocol=replace(disc.protocol, echo_time_s=stated_s))
    before = preprocess(disc, RECIPE)
    quality = grade(fit(before, RECIPE, load_models(RECIPE).fit), before, RECIPE)
    found = [one for one in quality.findings if one.kind == "echo_time_contradicted"]
    assert len(found) == (fits_ms is not None)
    if found:
        assert quality.verdict == "poor"
        assert found[0].values["fitting_ms"] == pytest.approx(fits_ms, abs=15)
