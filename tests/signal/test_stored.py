"""Zeros and filters of stored FIDs, found and undone: the test multiplied them on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mrs_disc.signal.stored import examine_storage, length_in_a_row, n_filled, spectrum_top

DWELL_S = 4e-4
N = 2048
TIME_S = DWELL_S * np.arange(N)
SHARE = np.arange(N) / N
FILTERS = {
    "exponential": lambda hz: np.exp(-np.pi * hz * TIME_S),
    "gaussian": lambda hz: np.exp(-((np.pi * hz * TIME_S) ** 2) / (4 * np.log(2))),
    "hann": lambda _: 0.5 + 0.5 * np.cos(np.pi * SHARE),
    "hamming": lambda _: 0.54 + 0.46 * np.cos(np.pi * SHARE),
}


def lines(rng: np.random.Generator, noise: float = 1.0, width_hz: float = 20.0) -> np.ndarray:
    """Return a FID of eight lines at random places below water, with white noise."""
    hz = rng.uniform(-500, 0, 8)
    amplitude = rng.uniform(2, 20, 8)
    fid = np.sum(
        amplitude[:, None] * np.exp((2j * np.pi * hz[:, None] - np.pi * width_hz) * TIME_S), axis=0
    )
    return fid + noise * (rng.standard_normal(N) + 1j * rng.standard_normal(N))


def is_white(noise: np.ndarray) -> bool:
    """Say whether the variance is the same in all eight parts of a FID (Bartlett's test)."""
    parts = np.array_split(np.concatenate([noise.real, noise.imag]), 16)
    halves = [np.concatenate([parts[k], parts[k + 8]]) for k in range(8)]
    return bool(stats.bartlett(*halves).pvalue > 1e-3)


@pytest.mark.parametrize(
    ("kind", "hz"),
    [
        ("exponential", 0.5),
        ("exponential", 1.0),
        ("exponential", 3.0),
        ("exponential", 10.0),
        ("gaussian", 1.3),
        ("gaussian", 4.0),
        ("hann", 1.22),
        ("hamming", 1.105),
    ],
)
def test_filters_are_undone_until_the_noise_is_white(kind, hz):
    """Named rightly where the length tells shapes apart; whatever the name, white afterwards."""
    named, white = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clean = lines(rng, noise=0.0)
        fid = lines(np.random.default_rng(seed))
        filtered = (fid * FILTERS[kind](hz)).astype(np.complex64)
        stored = examine_storage(filtered, DWELL_S)
        assert stored.filter is not None
        named += stored.filter.kind == kind and abs(stored.filter.width_hz - hz) < 0.25 * hz
        undone = filtered[: stored.n_points] * stored.weight
        white += is_white(undone - clean[: stored.n_points])
        assert undone[0] == pytest.approx(filtered[0])
    assert white >= 36, white
    assert named >= 24, named


def test_sound_fids_are_left_as_they_are():
    """One in a million by the likelihood; here none of 300, single FIDs, series and coils."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        width_hz = rng.uniform(3, 40)
        one = lines(rng, width_hz=width_hz, noise=rng.uniform(0.05, 3))
        series = np.stack(
            [one + np.array([1, 1j]) @ rng.normal(0, 1, (2, N)) for _ in range(seed % 5 + 1)]
        )
        stored = examine_storage(series.astype(np.complex64), DWELL_S)
        assert (stored.filter, stored.n_zeros, stored.n_points) == (None, 0, N)


@pytest.mark.parametrize("width_hz", [1.0, 5.0, 20.0])
def test_data_without_noise_say_nothing_of_a_filter(width_hz):
    fid = lines(np.random.default_rng(4), noise=0.0, width_hz=width_hz).astype(np.complex64)
    assert examine_storage(fid, DWELL_S).filter is None


def test_unrest_of_unsuppressed_water_is_no_filter():
    """Its fading sidebands are part of the line."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        unrest = 1 + 1e-4 * np.cumsum(rng.standard_normal(N))
        water = 1e5 * unrest * np.exp((2j * np.pi * 3 - np.pi * 12) * TIME_S)
        noise = np.array([1, 1j]) @ rng.normal(0, 1, (2, N))
        fid = (water + noise).astype(np.complex64)
        assert examine_storage(fid, DWELL_S).filter is None


@pytest.mark.parametrize("n_zeros", [1, 8, 700, 1024, 1600])
@pytest.mark.parametrize("filtered", [False, True])
def test_zeros_are_counted_and_a_filter_before_them_is_still_found(n_zeros, filtered):
    fid = lines(np.random.default_rng(n_zeros))
    fid = fid * FILTERS["exponential"](5.0) if filtered else fid
    fid[N - n_zeros :] = 0
    stored = examine_storage(np.stack([fid, fid]).astype(np.complex64), DWELL_S)
    assert stored.n_zeros == n_zeros
    assert (stored.filter is not None) == filtered
    assert stored.n_points <= N - n_zeros


def test_fids_of_zeros_or_a_few_points_are_nobodys_fault_here():
    assert examine_storage(np.zeros((2, 512), np.complex64), DWELL_S).n_points == 0
    assert examine_storage(np.ones((1, 100), np.complex64), DWELL_S).filter is None


def test_spoilt_transients_say_nothing_and_hide_nothing():
    """A filter is seen in those that are whole; of none that is, nothing is said."""
    sound = lines(np.random.default_rng(8)) * FILTERS["exponential"](3.0)
    spoilt = np.stack([sound, np.full(N, np.nan + 0j), np.zeros(N), sound])
    stored = examine_storage(spoilt.astype(np.complex64), DWELL_S)
    assert stored.filter is not None
    assert stored.filter.width_hz == pytest.approx(3.0, rel=0.2)
    assert examine_storage(spoilt[1:3].astype(np.complex64), DWELL_S).filter is None


@pytest.mark.parametrize("value", ["zero", "the last point", "a mean", "an offset"])
def test_what_is_appended_many_times_over_is_cut(value):
    rng = np.random.default_rng(1)
    fids = rng.normal(size=(3, 512)) + 1j * rng.normal(size=(3, 512))
    appended = {
        "zero": np.zeros((3, 1)),
        "the last point": fids[:, -1:],
        "a mean": fids.mean(axis=1, keepdims=True),
        "an offset": np.full((3, 1), 1e-3),
    }[value]
    longer = np.concatenate([fids, np.repeat(appended, 100, axis=1)], axis=1)
    assert n_filled(longer) == (511 if value == "the last point" else 512)
    assert n_filled(fids) == 512
    few = np.concatenate([fids, np.repeat(fids[:, -1:], 4, axis=1)], axis=1)
    assert n_filled(few) == 516  # so much repeats where noise is clipped


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("water", [0.3, 30.0, 1000.0])
def test_a_spectrum_is_no_fid(water, reverse):
    """As a scanner's processed data are: low to high frequency, or high to low."""
    for seed in range(10):
        fid = _fid(seed, water=water)
        spectrum = np.fft.fftshift(np.fft.fft(fid, axis=-1), axes=-1)
        stored = (spectrum[:, ::-1] if reverse else spectrum).astype(np.complex64)
        assert spectrum_top(stored) == np.argmax(np.mean(np.abs(stored) ** 2, axis=0))
        assert spectrum_top(fid.astype(np.complex64)) is None


@pytest.mark.parametrize("water", [0.0, 0.3, 30.0, 1000.0])
def test_echoes_delays_and_noise_are_no_spectrum(water):
    for seed in range(20):
        for before in (4, 75, 190, N // 4, N // 2):
            for cut in (False, True):  # delayed, or an echo that rises
                found = spectrum_top(_fid(seed, water, before, cut=cut).astype(np.complex64))
                assert found is None, (seed, before, cut)
        assert spectrum_top(_fid(seed, 0.0, cut=True, area=0.0).astype(np.complex64)) is None


@pytest.mark.parametrize("count", [2, 3, 8])
def test_fids_end_to_end_are_counted(count):
    for seed in range(10):
        one = _fid(seed)
        assert length_in_a_row(one) is None
        assert length_in_a_row(np.roll(one, 300, axis=-1)) is None  # delayed
        row = np.concatenate([_fid(seed), *[_fid(seed) for _ in range(count - 1)]], axis=-1)
        assert length_in_a_row(row) == N


def _fid(seed, water=0.3, before=0, *, cut=False, area=1.0):
    """Lines of a disc with a residual of water, from so many points before their top."""
    rng = np.random.default_rng(seed)
    time = DWELL_S * (np.arange(N) - before)
    areas = zip(
        (1.3, 2.01, 3.02, 3.21, 4.65), (*(area * rng.exponential(1, 4)), water), strict=True
    )
    off = rng.normal(0, 10)
    one = sum(a * np.exp(2j * np.pi * ((p - 4.65) * 127.7 + off) * time) for p, a in areas)
    one = one * np.exp(-np.pi * rng.uniform(3, 25) * np.abs(time))
    one = np.where(time < 0, 0, one) if cut else one
    noise = rng.normal(0, rng.uniform(0.001, 0.05), (2, 4, N))
    return one + noise[0] + 1j * noise[1]
