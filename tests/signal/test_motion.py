"""Odds that motion spoilt a transient, against integrals done by brute force."""

import numpy as np
import pytest
from scipy.stats import norm

from mrs_disc.signal.axes import frequency_axis, window
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.motion import judge_motion
from mrs_disc.signal.transients.priors import SPOILT_CHANCE
from mrs_disc.signal.transients.registration import decimated
from mrs_disc.signal.transients.reject import find_outliers
from mrs_disc.signal.transients.series import Series

DWELL_S, N_POINTS, N = 1 / 2500, 1024, 96
TIME = np.arange(N_POINTS) * DWELL_S
DURATION_S = N_POINTS * DWELL_S
DOUBTFUL = np.log(SPOILT_CHANCE / (1 - SPOILT_CHANCE))
WINDOW = (-568.0, -57.0)
INSIDE = window(frequency_axis(N_POINTS, DWELL_S), *WINDOW)
LINES = sum(
    area * np.exp((2j * np.pi * hz - np.pi * width) * TIME)
    for hz, area, width in ((-333, 1.0, 18), (-420, 0.3, 20), (-185, 0.4, 15), (-120, 0.5, 25))
)


def departures(rng, n, share):
    """Draw amplitude, phase and frequency; the first `share` of the transients are spoilt."""
    spoilt = np.arange(n) < round(share * n)
    rng.shuffle(spoilt)
    amplitude = np.where(spoilt, rng.uniform(0.3, 0.8, n), 1.0)
    away = rng.uniform(np.radians(20), np.radians(90), n) * rng.choice([-1, 1], n)
    phase = rng.normal(0, np.radians(10), n) + spoilt * away
    frequency = rng.normal(0, 1.5, n) + spoilt * rng.normal(0, 5, n)
    return spoilt, amplitude, phase, frequency


def series(seed, *, n=N, sd=0.15, share=0.06):
    rng = np.random.default_rng(seed)
    spoilt, amplitude, phase, frequency = departures(rng, n, share)
    turn = np.exp(1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * TIME))
    noise = rng.standard_normal((n, N_POINTS)) + 1j * rng.standard_normal((n, N_POINTS))
    return amplitude[:, None] * turn * LINES + sd * noise, spoilt


def judged(data, sd=None):
    aligned = align(Series.of(data, DWELL_S, noise_sd=sd), window_hz=WINDOW)
    spectra = np.fft.fftshift(np.fft.fft(aligned.series.signal, norm="ortho", axis=1), axes=1)
    lines = spectra[:, INSIDE] / (aligned.series.noise_sd * np.sqrt(2))
    return judge_motion(decimated(lines, DURATION_S), None, aligned)


def brute_force(data, sd):
    """Log ratio of the two probabilities from draws of the laws that made the series, summed.

    The lines are known, every draw's misfit to all points is computed: no matched filter, no
    alignment, no spreads to learn.
    """
    rng = np.random.default_rng(0)
    log_mean = []
    for share in (0.0, 1.0):
        _, amplitude, phase, frequency = departures(rng, 40_000, share)
        early = TIME < 0.1
        at_sound = amplitude * np.exp(1j * phase)
        power = amplitude**2 * np.sum(np.abs(LINES[early]) ** 2)
        total = []
        for row in data:
            product = (row * LINES.conj())[early]
            # the filter on a fine grid, read at the nearest frequency
            grid = np.arange(-30, 30, 0.05)
            filtered = np.exp(-2j * np.pi * np.outer(grid, TIME[early])) @ product
            nearest = np.clip(np.round((frequency + 30) / 0.05).astype(int), 0, len(grid) - 1)
            fit = np.real(at_sound.conj() * filtered[nearest]) - power / 2
            total.append(np.logaddexp.reduce(fit / sd**2) - np.log(len(fit)))
        log_mean.append(np.array(total))
    return log_mean[1] - log_mean[0]


@pytest.mark.slow
def test_the_ratio_is_near_that_of_the_laws_that_made_the_series():
    """The laws are other ones than those assumed, and the code does not know the lines.

    Its long tails bend large ratios; where a decision is made they have to agree.
    """
    sd = 0.8
    both = []
    for seed in range(3):
        data, spoilt = series(seed, sd=sd)
        both.append([judged(data, sd).log_ratio, brute_force(data, sd), spoilt])
    ours, ideal, spoilt = np.concatenate(both, axis=1)
    spoilt = spoilt.astype(bool)
    near = np.corrcoef(np.clip(ours, -3, 6), np.clip(ideal, -3, 6))[0, 1]
    assert near > 0.85
    doubt = np.abs(ideal) < 4
    assert doubt.sum() > 20
    assert np.median(np.abs(ours - ideal)[doubt]) < 2
    assert ((ours > 1.6) == (ideal > 1.6)).mean() > 0.97
    assert (ours > 1.6)[spoilt].mean() >= (ideal > 1.6)[spoilt].mean() - 0.06


@pytest.mark.parametrize("seed", range(3))
def test_phase_and_scale_change_nothing(seed):
    data, _ = series(seed)
    first = judged(data, 0.15)
    other = judged(1e-7 * np.exp(2.5j) * data, 1e-7 * 0.15)
    np.testing.assert_allclose(other.log_odds, first.log_odds, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(other.amplitude, first.amplitude, rtol=1e-4)


def test_the_order_of_transients_hardly_matters():
    """Only the smooth courses of frequency and phase know the order."""
    data, spoilt = series(4)
    order = np.random.default_rng(5).permutation(N)
    first, other = judged(data).log_odds[order], judged(data[order]).log_odds
    assert ((first > DOUBTFUL) == (other > DOUBTFUL)).all()
    assert np.corrcoef(first, other)[0, 1] > 0.99
    assert ((first > DOUBTFUL) == spoilt[order]).mean() > 0.98


def test_departures_are_reported_as_they_are():
    data, _ = series(6, sd=0.05, share=0.0)
    data[7] *= 0.5 * np.exp(1j * (np.radians(60) + 2 * np.pi * 8 * TIME))
    first = judged(series(6, sd=0.05, share=0.0)[0])
    found = judged(data)
    assert found.log_odds[7] > 20
    assert found.amplitude[7] == pytest.approx(0.5 * first.amplitude[7], rel=0.05)
    assert found.phase_rad[7] - first.phase_rad[7] == pytest.approx(np.radians(60), abs=0.1)
    assert found.frequency_hz[7] - first.frequency_hz[7] == pytest.approx(8, abs=0.5)


@pytest.mark.parametrize("n", [4, 8, 16, 64])
@pytest.mark.parametrize("sd", [0.05, 0.3, 1.0])
def test_a_sound_series_of_any_length_is_left_alone(n, sd):
    suspect = [np.sum(judged(series(seed, n=n, sd=sd, share=0.0)[0]).log_odds > DOUBTFUL)
               for seed in range(20)]  # fmt: skip
    # the odds are those of a series of which one in twenty is spoilt: the weakest lose some
    assert np.mean(suspect) <= max(0.15, 0.01 * n)


def test_odds_are_true_where_they_are_in_doubt():
    """Of the transients with odds about even, about half are spoilt."""
    odds, spoilt = [], []
    for seed in range(40):
        data, bad = series(seed, sd=0.5)
        odds.append(judged(data, 0.5).log_odds)
        spoilt.append(bad)
    chance = 1 / (1 + np.exp(-np.clip(np.concatenate(odds), -30, 30)))
    spoilt = np.concatenate(spoilt)
    doubt = (chance > 0.1) & (chance < 0.9)
    assert doubt.sum() > 30
    expected = chance[doubt].sum()
    spread = np.sqrt((chance * (1 - chance))[doubt].sum())
    # tails longer than those of the simulation keep the odds low: never the other way round
    assert spoilt[doubt].sum() > expected - norm.isf(0.005) * spread
    assert spoilt[doubt].sum() < 2.5 * expected


def test_noise_alone_spoils_nobody():
    rng = np.random.default_rng(8)
    noise = rng.standard_normal((32, N_POINTS)) + 1j * rng.standard_normal((32, N_POINTS))
    aligned = align(Series.of(noise, DWELL_S), window_hz=WINDOW)
    found = find_outliers(aligned, window_hz=WINDOW)
    assert found.keep.sum() >= 31


def test_jitter_of_the_water_alone_is_no_reason():
    """A water of any size in one transient, with the lines of the others as they are."""
    water_hz = (-32.0, 32.0)
    lost = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        data, _ = series(seed, n=32, share=0.0)
        size = 5 * (1 + 0.3 * rng.standard_normal(32))
        size[9] = 5 * rng.choice([0.0, 2.0, 3.0])
        data += size[:, None] * np.exp(1j * rng.uniform(0, 6) - np.pi * 8 * TIME)
        aligned = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=water_hz)
        found = find_outliers(aligned, window_hz=WINDOW, water_hz=water_hz)
        lost += not found.keep[9]
    assert lost <= 2
