"""Alignment against the frequencies and phases that were put in, and against the bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.registration import Band, register
from mrs_disc.signal.transients.reject import find_outliers
from mrs_disc.signal.transients.robust import smooth_course
from mrs_disc.signal.transients.series import Series

MHZ, REFERENCE, DWELL_S, N_POINTS = 127.7, 4.65, 1 / 2500, 2048
TIME = np.arange(N_POINTS) * DWELL_S
WINDOW = ((0.2 - REFERENCE) * MHZ, (4.2 - REFERENCE) * MHZ)
WATER = ((4.4 - REFERENCE) * MHZ, (4.9 - REFERENCE) * MHZ)


def line(ppm, width_hz, amplitude=1.0, gauss_hz=8.0):
    decay = np.pi * width_hz * TIME + (np.pi * gauss_hz * TIME) ** 2 / (4 * np.log(2))
    return amplitude * np.exp(2j * np.pi * (ppm - REFERENCE) * MHZ * TIME - decay)


def disc():
    lines = [(2.04, 0.8), (2.0, 0.2), (1.341, 0.15), (1.287, 0.15), (1.467, 0.1), (3.21, 0.1)]
    lines += [(ppm, 0.12) for ppm in np.linspace(3.5, 4.15, 8)]
    return sum(line(ppm, 9, a) for ppm, a in lines) + line(1.5, 10, 0.5, 90)


def series(
    rng, sd, n=64, water=0.0, instability=0.3, drift=6.0, jitter=1.5, motion=0.05, phase_sd=10.0
):
    """Transients with drift, jitter, moving patients and a water that does as it likes."""
    frequency = np.linspace(-drift / 2, drift / 2, n) + jitter * rng.standard_normal(n)
    phase = np.radians(phase_sd) * rng.standard_normal(n)
    moved = rng.random(n) < motion
    phase[moved] += rng.choice([-1, 1], n)[moved] * np.radians(rng.uniform(20, 90, n))[moved]
    turn = np.exp(1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * TIME))
    own = np.exp(instability * (rng.standard_normal(n) + 1j * rng.standard_normal(n)))
    left = water * line(REFERENCE + rng.uniform(-10, 10) / MHZ, 6, 1.0, 6.0)
    noise = sd * (rng.standard_normal((n, N_POINTS)) + 1j * rng.standard_normal((n, N_POINTS)))
    return turn * (disc() + own[:, None] * left) + noise, frequency, phase


def bound(sd):
    """Cramer-Rao bound of frequency and phase of one transient whose shape is known."""
    slope = np.stack([1j * disc(), 2j * np.pi * TIME * disc()]) / sd
    covariance = np.linalg.inv(np.real(slope @ slope.conj().T))
    return np.sqrt(covariance[1, 1]), np.sqrt(covariance[0, 0])


def errors(found, frequency, phase):
    """RMSE of frequency and phase; what all transients have in common does not count."""
    hz = found.frequency_hz - frequency
    rad = np.angle(np.exp(1j * (found.phase_rad - phase)))
    rad = np.angle(np.exp(1j * (rad - np.angle(np.exp(1j * rad).mean()))))
    return np.std(hz), np.sqrt(np.mean(rad**2))


@pytest.mark.parametrize("sd", [0.05, 0.2, 0.6])
@pytest.mark.parametrize(
    ("water", "instability"), [(0.0, 0.0), (5.0, 0.3), (5.0, 0.0), (30.0, 0.5)]
)
def test_errors_are_within_1_3_of_the_bound(sd, water, instability):
    squares = []
    for seed in range(4):
        data, frequency, phase = series(
            np.random.default_rng(seed), sd, water=water, instability=instability
        )
        found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
        assert found.method == "transient"
        squares.append(np.square(errors(found, frequency, phase)))
        assert found.drift_hz == pytest.approx(6, abs=2.5)
    hz, rad = np.sqrt(np.mean(squares, axis=0)) / bound(sd)
    assert hz < 1.3
    assert rad < 1.3


def test_a_signal_that_pauses_is_registered_by_what_is_heard():
    """A beat is silent for a while; the bound is that of the samples before and after."""
    rng = np.random.default_rng(5)
    time = 2e-3 * np.arange(100)
    shape = 3 * np.where((time > 0.05) & (time < 0.11), 0.0, 1.0)
    hz, rad = rng.uniform(-3, 3, 16), rng.uniform(-0.3, 0.3, 16)
    signal = shape * np.exp(1j * (rad[:, None] + 2 * np.pi * hz[:, None] * time))
    signal += (rng.standard_normal((2, 16, 100)).T @ [1, 1j]).T / np.sqrt(2)
    found = register(Band(signal, time), 20.0)
    lever = np.stack([np.ones(100), 2 * np.pi * time])
    sd_hz = np.sqrt(np.linalg.inv(2 * (lever * shape**2) @ lever.T)[1, 1])
    off = found.hz - hz
    assert np.std(off - off.mean()) < 1.4 * sd_hz
    np.testing.assert_allclose(np.median(found.course.sd_hz), sd_hz, rtol=0.15)


def test_stated_deviations_are_true():
    ratio = []
    for seed in range(6):
        data, frequency, _ = series(np.random.default_rng(seed), 0.2)
        found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
        ratio.append(np.std(found.measured.hz - frequency) / np.median(found.measured.sd_hz))
    assert np.mean(ratio) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("sd", [1.5, 2.5, 10.0])
def test_what_is_too_weak_to_align_is_not_made_worse(sd):
    """Frequencies left alone have this error; a correction must stay below it, and say why."""
    left, corrected = [], []
    for seed in range(4):
        data, frequency, phase = series(np.random.default_rng(seed), sd, motion=0.0)
        found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
        left.append(np.var(frequency))
        corrected.append(errors(found, frequency, phase)[0] ** 2)
        if sd > 2:
            assert found.method != "transient"
            assert "too weak" in found.reason
            assert np.isinf(found.measured.sd_hz).all()
    assert np.sqrt(np.mean(corrected)) < 1.02 * np.sqrt(np.mean(left))


def stepping(rng, sd, period, step=1, n=64, **disturbed):
    """Transients beside an echo as high as the acetyl peak, its phase stepped with a cycle."""
    data, frequency, phase = series(rng, sd, n=n, **disturbed)
    echo = np.exp(-np.pi * 25 * np.abs(TIME - 0.01))
    echo = echo * np.exp(2j * np.pi * ((rng.uniform(1, 4) - REFERENCE) * MHZ * TIME + rng.random()))
    echo *= np.abs(np.fft.fft(line(2.04, 9))).max() / np.abs(np.fft.fft(echo)).max()
    turn = np.exp(1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * TIME))
    cycle = np.exp(2j * np.pi * step * np.arange(n) / period)
    return data + turn * cycle[:, None] * echo, frequency, phase


@pytest.mark.parametrize(("period", "step"), [(2, 1), (4, 1), (4, 3), (8, 1), (16, 1), (16, 5)])
def test_what_steps_with_the_phase_cycle_is_not_followed(period, step):
    """A steady scanner needs no correction; one that drifts is corrected all the same."""
    for seed in range(3):
        still = {"drift": 0.0, "jitter": 0.0, "motion": 0.0, "phase_sd": 0.0}
        data, _, _ = stepping(np.random.default_rng(seed), 0.3, period, step, **still)
        found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
        assert found.period == period
        assert np.std(found.phase_rad) < 0.1
        assert np.std(found.frequency_hz) < 0.5
    drifting = {"drift": 8.0, "jitter": 0.0, "motion": 0.0}
    data, frequency, _ = stepping(np.random.default_rng(5), 0.3, period, step, **drifting)
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert found.period == period
    assert np.std(found.frequency_hz - frequency) < 0.4 * np.std(frequency)


@pytest.mark.parametrize("n", [8, 16, 32, 64])
@pytest.mark.parametrize(("drift", "jitter", "motion"), [(0, 0, 0), (8, 1.5, 0.05), (30, 0.5, 0)])
def test_no_period_is_found_where_nothing_steps(n, drift, jitter, motion):
    """Breathing moves the phases with a period too, and is no signal of its own."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        options = {"drift": drift, "jitter": jitter, "motion": motion, "water": 5.0}
        data, _, _ = series(rng, 0.3, n=n, **options)
        breath = 0.3 * np.sin(2 * np.pi * np.arange(n) / rng.uniform(2.2, 6.5))
        for moved in (data, data * np.exp(1j * breath)[:, None]):
            found = align(Series.of(moved, DWELL_S), window_hz=WINDOW, water_hz=WATER)
            assert found.period is None


def test_a_steady_series_is_not_given_noise():
    """Without drift or jitter the true correction is none, and little may be found."""
    data, _, _ = series(np.random.default_rng(1), 0.6, drift=0, jitter=0, motion=0)
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert np.std(found.frequency_hz) < 0.5 * bound(0.6)[0]


def test_aligned_is_the_input_turned_back():
    data, _, _ = series(np.random.default_rng(2), 0.1, n=12)
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW)
    turn = found.phase_rad[:, None] + 2 * np.pi * found.frequency_hz[:, None] * TIME
    np.testing.assert_allclose(found.series.signal, data * np.exp(-1j * turn), atol=1e-9)
    assert np.median(found.measured.hz) == pytest.approx(0)


@settings(max_examples=6)
@given(
    seed=st.integers(0, 2**32 - 1),
    turn=st.floats(0, 6.28),
    scale=st.floats(1e-3, 1e3),
)
def test_phase_scale_and_order_do_not_matter(seed, turn, scale):
    rng = np.random.default_rng(seed)
    data, _, _ = series(rng, 0.1, n=12, drift=0.0, water=3.0)
    plain = align(Series.of(data, DWELL_S, noise_sd=0.1), window_hz=WINDOW, water_hz=WATER)
    turned = align(
        Series.of(scale * np.exp(1j * turn) * data, DWELL_S, noise_sd=0.1 * scale),
        window_hz=WINDOW,
        water_hz=WATER,
    )
    np.testing.assert_allclose(turned.frequency_hz, plain.frequency_hz, atol=1e-6)
    order = rng.permutation(12)
    mixed = align(Series.of(data[order], DWELL_S, noise_sd=0.1), window_hz=WINDOW, water_hz=WATER)
    # only the course of the series, to which weak estimates are drawn, knows the order
    np.testing.assert_allclose(mixed.measured.hz, plain.measured.hz[order], atol=1e-6)


def test_single_precision_is_enough():
    data, _, _ = series(np.random.default_rng(3), 0.1, n=16, water=5.0)
    double = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    single = align(Series.of(data.astype(np.complex64), DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert single.series.signal.dtype == np.complex128
    np.testing.assert_allclose(single.frequency_hz, double.frequency_hz, atol=1e-3)


def test_transients_without_signal_are_set_aside():
    data, frequency, _ = series(np.random.default_rng(4), 0.1, n=20, motion=0)
    data[3, 100] = np.nan
    data[7] = 0
    data[9, 5] = np.inf
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert np.flatnonzero(~found.series.usable).tolist() == [3, 7, 9]
    assert not found.series.signal[[3, 7, 9]].any()
    assert np.isfinite(found.series.signal).all()
    away = (found.frequency_hz - frequency)[found.series.usable]
    assert np.std(away) < 2 * bound(0.1)[0]


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_transients_stay_as_they_are(n):
    data, _, _ = series(np.random.default_rng(5), 0.1, n=n)
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert found.method == "none"
    assert "fewer than 3" in found.reason
    np.testing.assert_array_equal(found.series.signal, data)


def test_data_without_noise_align_exactly():
    data, frequency, phase = series(np.random.default_rng(6), 0.0, n=16, motion=0)
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW)
    hz, rad = errors(found, frequency, phase)
    assert hz < 0.05
    assert rad < 0.01


@pytest.mark.parametrize("n_points", [64, 300, 1000, 4096])
def test_any_length(n_points):
    rng = np.random.default_rng(7)
    time = np.arange(n_points) * DWELL_S
    data = np.exp((-2j * np.pi * 333 - 50) * time) + 0.05 * rng.standard_normal(
        (8, n_points, 2)
    ) @ [
        1,
        1j,
    ]
    found = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert np.isfinite(found.series.signal).all()


def test_course_is_exact_for_a_line_and_blind_to_outliers():
    place = np.arange(40.0)
    values = 2 + 0.3 * place
    np.testing.assert_allclose(smooth_course(values, np.ones(40)), values, atol=1e-6)
    values[11] += 50
    clean = 2 + 0.3 * place
    np.testing.assert_allclose(smooth_course(values, np.ones(40)), clean, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transients": np.zeros((4, 100))}, "no transient is usable"),
        ({"transients": np.full((4, 100), np.nan)}, "no transient is usable"),
        ({"transients": np.ones(100)}, "1 axes"),
        ({"dwell_s": -1.0}, "dwell time"),
        ({"window_hz": (5000.0, 6000.0)}, "no point of the spectrum"),
        ({"noise_sd": 0.0}, "noise_sd"),
    ],
)
def test_bad_input(change, message):
    data, _, _ = series(np.random.default_rng(8), 0.1, n=4)
    call = {"transients": data, "dwell_s": DWELL_S, "noise_sd": None, "window_hz": WINDOW} | change
    window_hz = call.pop("window_hz")
    with pytest.raises(InputError, match=message):
        align(Series.of(**call), window_hz=window_hz)


def strange_arrays():
    rng = np.random.default_rng(13)
    noise = rng.standard_normal((6, 300)) + 1j * rng.standard_normal((6, 300))
    one_alone = np.zeros((6, 300), dtype=complex)
    one_alone[2] = noise[2]
    mostly_flat = np.ones((6, 300), dtype=complex)
    mostly_flat[1] = noise[1]
    filled = noise.copy()
    filled[:, 100:] = 0
    return {
        "noise": noise,
        "one transient among zeros": one_alone,
        "constant": np.ones((6, 300), dtype=complex),
        "constant but one": mostly_flat,
        "zero-filled": filled,
        "near the top of single precision": (1e30 * noise).astype(np.complex64),
        "very small": 1e-30 * noise,
    }


@pytest.mark.parametrize("name", strange_arrays())
def test_strange_arrays_give_finite_results_without_a_warning(name):
    found = align(Series.of(strange_arrays()[name], DWELL_S), window_hz=WINDOW, water_hz=WATER)
    assert np.isfinite(found.series.signal).all()
    assert np.isfinite(found.frequency_hz).all()
    assert np.isfinite(found.phase_rad).all()
    rejection = find_outliers(found, window_hz=WINDOW, water_hz=WATER)
    assert 2 * rejection.keep.sum() >= found.series.usable.sum()
    assert not np.isnan(rejection.score).any()
