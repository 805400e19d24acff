"""Rejection against transients that were spoilt on purpose; transients of water among them."""

import tracemalloc

import numpy as np
import pytest

from mrs_disc.errors import InputError
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.reject import clipped_transients, find_outliers
from mrs_disc.signal.transients.series import Series
from mrs_disc.signal.water_scan import water_transients

MHZ, REFERENCE, DWELL_S, N_POINTS = 127.7, 4.65, 1 / 2500, 2048
TIME = np.arange(N_POINTS) * DWELL_S
WINDOW = ((0.2 - REFERENCE) * MHZ, (4.2 - REFERENCE) * MHZ)
WATER = ((4.4 - REFERENCE) * MHZ, (4.9 - REFERENCE) * MHZ)
KINDS = ("motion", "drop", "line", "spike", "echo", "jump", "lipid")


def line(ppm, width_hz, amplitude=1.0, gauss_hz=8.0):
    decay = np.pi * width_hz * TIME + (np.pi * gauss_hz * TIME) ** 2 / (4 * np.log(2))
    return amplitude * np.exp(2j * np.pi * (ppm - REFERENCE) * MHZ * TIME - decay)


def disc():
    lines = [(2.04, 0.8), (2.0, 0.2), (1.341, 0.15), (1.287, 0.15), (1.467, 0.1), (3.21, 0.1)]
    lines += [(ppm, 0.12) for ppm in np.linspace(3.5, 4.15, 8)]
    return sum(line(ppm, 9, a) for ppm, a in lines) + line(1.5, 10, 0.5, 90)


def turns(rng):
    return np.exp(2j * np.pi * rng.random())


def spoilt_series(rng, n, sd, share, kinds=KINDS):
    """A series with drift, jitter and unstable water; some transients spoilt."""
    frequency = np.linspace(-3, 3, n) + 1.5 * rng.standard_normal(n)
    phase = np.radians(10) * rng.standard_normal(n)
    water = 5 * turns(rng) * line(REFERENCE + rng.uniform(-10, 10) / MHZ, 6, 1, 6)
    bad = np.zeros(n, dtype=bool)
    bad[rng.choice(n, round(share * n), replace=False)] = True
    rows = []
    for k in range(n):
        own = np.exp(0.3 * (rng.standard_normal() + 1j * rng.standard_normal()))
        row, gain = disc() + own * water, 1.0
        kind = rng.choice(kinds) if bad[k] else "sound"
        if kind == "motion":
            gain = rng.uniform(0.3, 0.7)
            phase[k] += rng.choice([-1, 1]) * np.radians(rng.uniform(20, 90))
            row = row * np.exp(-np.pi * rng.uniform(5, 15) * TIME)
        elif kind == "drop":
            gain = rng.uniform(0, 0.3)
        elif kind == "line":
            row = row + line(rng.uniform(0.5, 4), 8, rng.uniform(1, 5)) * turns(rng)
        elif kind == "spike":
            row[rng.integers(0, 1500)] += rng.uniform(15, 60) * sd * turns(rng)
        elif kind == "echo":
            bell = np.exp(-(((TIME - rng.uniform(0.05, 0.2)) / 0.01) ** 2))
            wave = np.exp(2j * np.pi * rng.uniform(-500, 500) * TIME)
            row = row + rng.uniform(2, 6) * bell * wave * turns(rng)
        elif kind == "jump":
            frequency[k] += rng.choice([-1, 1]) * rng.uniform(10, 18)
        elif kind == "lipid":
            row = row + line(1.3, 15, rng.uniform(2, 10), 15) * turns(rng)
        rows.append(gain * np.exp(1j * phase[k] + 2j * np.pi * frequency[k] * TIME) * row)
    noise = sd * (rng.standard_normal((n, N_POINTS)) + 1j * rng.standard_normal((n, N_POINTS)))
    return np.array(rows) + noise, bad


def judge(data):
    aligned = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    return find_outliers(aligned, window_hz=WINDOW, water_hz=WATER)


@pytest.mark.parametrize(("n", "sd", "share"), [(48, 0.1, 0.06), (64, 0.4, 0.06), (32, 0.2, 0.25)])
def test_recall_and_precision(n, sd, share):
    hits = misses = alarms = 0
    for seed in range(5):
        data, bad = spoilt_series(np.random.default_rng(seed), n, sd, share)
        keep = judge(data).keep
        hits += np.sum(bad & ~keep)
        misses += np.sum(bad & keep)
        alarms += np.sum(~bad & ~keep)
    assert hits / (hits + misses) >= 0.95
    assert hits / (hits + alarms) >= 0.9


def test_small_departures_of_all_three_are_seen_together():
    """Each of the three alone is what one sound transient in two hundred has."""
    found, reasons = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        data, _ = spoilt_series(rng, 64, 0.2, 0.0)
        for k in (10, 30, 50):
            turn = np.radians(29) + 2 * np.pi * (4.3 - 3 + 6 * k / 63) * TIME
            noise = rng.standard_normal(N_POINTS) + 1j * rng.standard_normal(N_POINTS)
            data[k] = 0.85 * np.exp(1j * turn) * disc() + 0.2 * noise
        judged = judge(data)
        found += list(~judged.keep[[10, 30, 50]])
        reasons += [judged.reasons[k] or "" for k in (10, 30, 50)]
        assert judged.keep.sum() >= 60
    assert np.mean(found) >= 0.8
    assert any("together" in reason for reason in reasons)


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.05, 0.1, 0.3, 0.6])
@pytest.mark.parametrize(("n", "share"), [(24, 0.1), (64, 0.06), (128, 0.06)])
def test_recall_and_precision_at_length(n, sd, share):
    hits = misses = alarms = 0
    for seed in range(100, 140):
        data, bad = spoilt_series(np.random.default_rng(seed), n, sd, share)
        keep = judge(data).keep
        hits += np.sum(bad & ~keep)
        misses += np.sum(bad & keep)
        alarms += np.sum(~bad & ~keep)
    # the weakest ghosts of a short, noisy series are below its noise
    assert hits / (hits + misses) >= (0.95 if sd < 0.5 else 0.9)
    assert hits / (hits + alarms) >= 0.9


@pytest.mark.parametrize(("n", "sd"), [(6, 0.2), (16, 0.05), (32, 0.2), (32, 1.0)])
def test_a_sound_series_is_left_alone(n, sd):
    lost = []
    for seed in range(6):
        data, _ = spoilt_series(np.random.default_rng(seed), n, sd, 0.0)
        lost.append(int(np.sum(~judge(data).keep)))
    assert np.mean(lost) <= 0.5  # one series in twenty is expected to lose one


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("drop", "amplitude"),
        ("spike", "spike"),
        ("jump", "frequency jump"),
        ("lipid", "residual"),
    ],
)
def test_each_rejected_transient_has_its_reason(kind, word):
    data, bad = spoilt_series(np.random.default_rng(3), 32, 0.1, 0.1, (kind,))
    found = judge(data)
    assert not found.keep[bad].any()
    assert all(word in found.reasons[k] for k in np.flatnonzero(bad))
    assert all(
        (reason is None) == kept for reason, kept in zip(found.reasons, found.keep, strict=True)
    )
    assert (found.score[bad] > 1).all()


def test_never_more_than_half():
    rng = np.random.default_rng(4)
    data, _ = spoilt_series(rng, 20, 0.1, 0.0)
    data[::2] += 8 * line(1.3, 15) * np.exp(2j * np.pi * rng.random((10, 1)))
    data[1::4] *= 0.2
    assert judge(data).keep.sum() >= 10


def test_unusable_transients_are_rejected_and_do_not_count_for_the_half():
    data, _ = spoilt_series(np.random.default_rng(5), 16, 0.1, 0.0)
    data[2] = 0
    data[5, 7] = np.nan
    found = judge(data)
    assert found.reasons[2] == found.reasons[5] == "zero or not finite"
    assert np.isinf(found.score[[2, 5]]).all()
    assert found.keep.sum() >= 13


def test_among_three_nobody_is_wrong():
    data, _ = spoilt_series(np.random.default_rng(6), 3, 0.1, 0.0)
    data[1] *= 0.1
    assert judge(data).keep.all()


def test_the_order_of_transients_does_not_matter():
    data, _ = spoilt_series(np.random.default_rng(7), 32, 0.1, 0.1, ("drop", "lipid", "spike"))
    order = np.random.default_rng(8).permutation(32)
    assert (judge(data).keep[order] == judge(data[order]).keep).mean() > 0.96


def test_long_series_take_few_times_their_size():
    """In blocks: the series itself is in double precision, twice what it was read in."""
    rng = np.random.default_rng(1)
    rows = 10 * disc() + rng.normal(size=(512, N_POINTS)) + 1j * rng.normal(size=(512, N_POINTS))
    rows = rows.astype(np.complex64)
    aligned = align(Series.of(rows, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    tracemalloc.start()
    try:
        find_outliers(aligned, window_hz=WINDOW, water_hz=WATER)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * 2 * rows.nbytes


def test_clipping_is_seen_in_the_raw_signal():
    data, _ = spoilt_series(np.random.default_rng(9), 8, 0.1, 0.0)
    raw = np.stack([data, 0.5 * data])
    assert not clipped_transients(raw).any()
    top = 1.1 * np.abs(raw[0]).max()  # what is clipped is the loudest of its coil
    raw[0, 4].real = np.clip(4 * raw[0, 4].real, -top, top)
    raw[0, 2, 1500] = np.nan
    mask = clipped_transients(raw)
    assert np.flatnonzero(mask).tolist() == [4]
    aligned = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
    found = find_outliers(aligned, window_hz=WINDOW, clipped=mask)
    assert found.reasons[4] == "clipped"


def test_the_steps_of_a_digitiser_are_no_clipping():
    """In whole steps the largest of 64 values comes thrice by chance, in one row of a few."""
    noise = np.random.default_rng(10).normal(0, 3, (2, 8, 64, 256)).round()
    tied = np.sum(np.abs(noise[0]) == np.abs(noise[0]).max(axis=-1, keepdims=True), axis=-1) >= 3
    assert tied.any(axis=0).sum() > 10
    assert clipped_transients(noise[0] + 1j * noise[1]).sum() <= 1


@pytest.mark.parametrize("where", [[0], [0, 1, 2, 3], [7, 15, 23, 31], [31], list(range(16))])
@pytest.mark.parametrize("ratio", [12.0, 300.0])
def test_water_transients_are_recognised(where, ratio):
    rng = np.random.default_rng(10)
    data, _ = spoilt_series(rng, 32, 0.1, 0.0)
    for k in where:
        data[k] = ratio * 5 * line(REFERENCE, 12) * np.exp(1j * rng.normal(0, 0.2))
    expected = np.zeros(32, dtype=bool)
    expected[where] = True
    np.testing.assert_array_equal(water_transients(data), expected)
    raw = np.array([0.3j, 1.0, -0.5])[:, None, None] * data
    np.testing.assert_array_equal(water_transients(raw.astype(np.complex64)), expected)


@pytest.mark.parametrize("kinds", [KINDS, ("spike",), ("lipid",), ("drop",), ("line",)])
def test_spoilt_transients_are_not_taken_for_water(kinds):
    for seed in range(4):
        data, _ = spoilt_series(np.random.default_rng(seed), 24, 0.2, 0.1, kinds)
        assert not water_transients(data).any()


def test_noise_zeros_and_single_transients_are_not_water():
    rng = np.random.default_rng(11)
    noise = rng.standard_normal((8, 256)) + 1j * rng.standard_normal((8, 256))
    assert not water_transients(noise).any()
    noise[3] = 0
    noise[5, 3] = np.nan
    assert not water_transients(noise).any()
    assert not water_transients(noise[:1]).any()


def test_bad_input():
    data, _ = spoilt_series(np.random.default_rng(12), 8, 0.1, 0.0)
    aligned = align(Series.of(data, DWELL_S), window_hz=WINDOW)
    with pytest.raises(InputError, match="no point of the spectrum"):
        find_outliers(aligned, window_hz=(4000.0, 5000.0))
    with pytest.raises(InputError, match="1 axes"):
        water_transients(np.ones(8))
