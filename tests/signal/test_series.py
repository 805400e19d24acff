"""A series of transients, its spectra, and the robust statistics of what is measured in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.transients import priors as transient_priors
from mrs_disc.signal.transients import robust
from mrs_disc.signal.transients.series import Series, projected_out

DWELL_S, N_POINTS = 1 / 2500, 1024
TIME = np.arange(N_POINTS) * DWELL_S


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def test_usable_are_those_that_are_finite_and_not_zero():
    signal = complex_normal(np.random.default_rng(0), 6, 128)
    signal[1], signal[3, 7], signal[4, 100] = 0, np.nan, np.inf
    series = Series.of(signal, DWELL_S)
    assert series.usable.tolist() == [True, False, True, False, False, True]
    np.testing.assert_array_equal(series.chosen, signal[[0, 2, 5]])
    assert series.spectra.bins.shape == (3, 128)


@pytest.mark.parametrize("precision", [np.complex64, np.complex128])
@pytest.mark.parametrize("sd", [1e-12, 0.3, 1e12])
def test_noise_is_one_in_units_of_the_noise(precision, sd):
    """Of the unitary spectrum too: a transform of unit matrix changes no variance."""
    signal = (sd * complex_normal(np.random.default_rng(1), 16, N_POINTS)).astype(precision)
    series = Series.of(signal, DWELL_S)
    assert series.noise_sd == pytest.approx(sd, rel=0.05)
    bins = series.spectra_in_noise().bins
    assert bins.dtype == np.complex128
    assert np.std(bins.real) == pytest.approx(0.5**0.5, rel=0.05)
    np.testing.assert_allclose(series.spectra.bins, bins * (2**0.5 * series.noise_sd), rtol=1e-12)


@pytest.mark.parametrize("hz", [-500.0, 0.0, 1234.0])
def test_a_wave_lies_in_its_window(hz):
    series = Series.of(np.exp(2j * np.pi * hz * TIME)[None], DWELL_S, noise_sd=1.0)
    inside = series.window((hz - 5, hz + 5))
    energy = np.abs(series.spectra.bins[0]) ** 2
    assert energy[inside].sum() > 0.9 * energy.sum()
    assert energy.sum() == pytest.approx(N_POINTS)  # Parseval


@settings(max_examples=20)
@given(width=st.floats(2, 12), off=st.floats(-8, 8), gauss=st.floats(0, 10))
def test_water_of_any_shape_is_projected_out_of_another_window(width, off, gauss):
    """The tails are powers of the tail of one line; what is left of them is a thousandth."""
    decay = np.pi * width * TIME + (np.pi * gauss * TIME) ** 2 / (4 * np.log(2))
    series = Series.of(np.exp(2j * np.pi * off * TIME - decay)[None], DWELL_S, noise_sd=1.0)
    inside, water = series.window((-568.0, -57.0)), series.window((-32.0, 32.0))
    tails = series.spectra.water_tails(inside, water)
    np.testing.assert_allclose(tails.conj().T @ tails, np.eye(3), atol=1e-10)
    lines = series.spectra.bins[:, inside]
    left = series.spectra.without_tails(inside, water)
    assert np.linalg.norm(left) < 2e-3 * np.linalg.norm(lines)
    np.testing.assert_allclose(projected_out(left, tails), left, atol=1e-10)


def test_water_that_overlaps_the_window_is_not_parted_from_it():
    series = Series.of(complex_normal(np.random.default_rng(2), 4, 256), DWELL_S)
    assert series.water_band((-500, -50), (-30, 30)) == series.window((-30, 30))
    assert series.water_band((-500, -20), (-30, 30)) is None
    assert series.water_band((-500, -50), None) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transients": np.zeros((3, 64))}, "no transient is usable"),
        ({"transients": np.ones(64)}, "1 axes"),
        ({"dwell_s": 0.0}, "dwell time"),
        ({"noise_sd": np.nan}, "noise_sd"),
    ],
)
def test_bad_input(change, message):
    call = {"transients": np.ones((3, 64)), "dwell_s": DWELL_S, "noise_sd": 1.0} | change
    with pytest.raises(InputError, match=message):
        Series.of(**call)


def test_power_that_decays_is_told_from_its_noise():
    rng = np.random.default_rng(3)
    time = np.arange(2000) / 2000
    truth = 50 * np.exp(-time / 0.05)
    power = np.abs(np.sqrt(truth) + complex_normal(rng, 2000) / np.sqrt(2)) ** 2
    found = robust.power_above_noise(power, 1.0, n_blocks=32, deviations=4)
    strong = truth > 5
    assert np.median(np.abs(found - truth)[strong] / truth[strong]) < 0.15
    assert not found[time > 0.5].any()


def test_a_gap_is_signal_only_where_it_is_asked_to_be_none():
    power = np.ones(1000)
    power[:10] = power[500:700] = 100.0
    through = robust.power_above_noise(power + 0.01, 1.0, n_blocks=24, deviations=3)
    with_gap = robust.power_above_noise(power + 0.01, 1.0, n_blocks=24, deviations=3, gaps=True)
    assert through[100] > 0
    assert with_gap[100] == 0
    assert with_gap[600] == through[600] > 1


def test_the_robust_mean_follows_the_phase_of_the_rows_and_not_a_distant_one():
    rng = np.random.default_rng(4)
    rows = 3 + 0.1 * complex_normal(rng, 20, 5)
    rows[7] = 1e4
    mean = robust.robust_mean(rows)
    np.testing.assert_allclose(mean, 3, atol=0.2)
    np.testing.assert_allclose(robust.robust_mean(1j * rows), 1j * mean, atol=1e-9)


@pytest.mark.parametrize("n", [12, 200])
def test_the_robust_variance_is_that_of_normal_values(n):
    """Over many series; a single value far off moves it by a few percent."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((400, n))
    plain = np.mean([robust.robust_variance(row) for row in values])
    values[:, 0] = 1e6
    spoilt = np.mean([robust.robust_variance(row) for row in values])
    assert plain == pytest.approx((n - 1) / n, abs=0.05)
    assert spoilt == pytest.approx(1, abs=0.1 + 9 / n)


def test_every_prior_stands_in_the_table_with_its_value():
    in_table = {}
    for row in transient_priors.__doc__.splitlines():
        if row.startswith("| `"):
            name, value, unit, half, double = (cell.strip(" `") for cell in row.split("|")[1:-1])
            in_table[name] = np.radians(float(value)) if unit == "degrees" else float(value)
            assert half
            assert double
    values = {}
    for name, value in vars(transient_priors).items():
        if name.isupper():
            several = np.ndim(value) > 0
            values |= {
                f"{name}[{k}]" if several else name: v for k, v in enumerate(np.ravel(value))
            }
    assert in_table == pytest.approx(values)
