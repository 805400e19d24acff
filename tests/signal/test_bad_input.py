"""No array, however odd, gives a NaN, an infinity, a warning or another error than `InputError`.

Warnings are errors in these tests. What a kernel returns is looked through to the last array.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.eddy import correct_eddy_currents
from mrs_disc.signal.noise import noise_covariance, noise_sd
from mrs_disc.signal.phase import dominant_frequency_hz, find_phase, linewidth_hz
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.reject import clipped_transients, find_outliers
from mrs_disc.signal.transients.robust import smooth_course
from mrs_disc.signal.transients.series import Series
from mrs_disc.signal.water import remove_water
from mrs_disc.signal.water_scan import water_transients

DWELL_S = 1 / 2500
WINDOW, WATER = (-560.0, -60.0), (-32.0, 32.0)
N_POINTS = 256
UNKNOWN = {"sd_hz", "sd_rad", "score"}  # infinite where nothing is known


def finite(value, name=""):
    """Say whether everything inside is finite; what is unknown may be infinite, never NaN."""
    if is_dataclass(value):
        return all(finite(getattr(value, f.name), f.name) for f in fields(value))
    if isinstance(value, (tuple, list)):
        return all(finite(item) for item in value)
    if isinstance(value, (str, type(None))):
        return True
    array = np.asarray(value)
    return bool(np.all(~np.isnan(array) if name in UNKNOWN else np.isfinite(array)))


def coils(raw):
    found = coil_weights(raw, noise_covariance(raw))
    used = raw[:, np.isfinite(raw).all(axis=(0, 2))]
    return found, combine(used, found.weights)


def alignment(raw):
    found = align(Series.of(raw[0], DWELL_S), window_hz=WINDOW, water_hz=WATER)
    rejected = find_outliers(found, window_hz=WINDOW, water_hz=WATER)
    return found, rejected, smooth_course(found.measured.hz, found.measured.sd_hz)


KERNELS = {
    "noise": lambda raw: noise_sd(raw[0]),
    "noise of one": lambda raw: noise_sd(raw[0, 0]),
    "coils": coils,
    "one coil": lambda raw: coils(raw[:1]),
    "one transient": lambda raw: coils(raw[:, :1]),
    "alignment": alignment,
    "clipping": lambda raw: (clipped_transients(raw), clipped_transients(raw[0])),
    "water transients": lambda raw: (water_transients(raw), water_transients(raw[0])),
    "eddy currents": lambda raw: correct_eddy_currents(raw[0, 0], raw[-1, -1], DWELL_S),
    "eddy currents of itself": lambda raw: correct_eddy_currents(raw[0], raw[0, 0], DWELL_S),
    "residual water": lambda raw: remove_water(raw[0, 0], DWELL_S, limits_hz=WATER),
    "phase": lambda raw: find_phase(raw[0, 0], DWELL_S, window_hz=WINDOW),
    "place": lambda raw: dominant_frequency_hz(raw[0, 0], DWELL_S),
    "width": lambda raw: linewidth_hz(raw[0, 0], DWELL_S),
}


def noise(seed=0, shape=(3, 6, N_POINTS)):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def one_line(sd=0.1):
    time = np.arange(N_POINTS) * DWELL_S
    lines = 5 * np.exp((-2j * np.pi * 330 - 40) * time) + 50 * np.exp((12j - 30) * time)
    return lines * np.array([1.0, 0.5j, -2.0])[:, None, None] + sd * noise()


def with_value(value, place=(0, 0, 5)):
    raw = one_line()
    raw[place] = value
    return raw


def odd_arrays():
    zeros, ones = np.zeros((3, 6, N_POINTS), complex), np.ones((3, 6, N_POINTS), complex)
    doubled, silent, filled, alone = one_line(), one_line(), one_line(), zeros.copy()
    doubled[1], silent[1], filled[..., 64:], alone[0, 0] = doubled[0], 0, 0, one_line()[0, 0]
    start_gone, real, wave = one_line(), one_line().real + 0j, ones * (-1.0) ** np.arange(N_POINTS)
    start_gone[..., :40] = 0
    return {
        "noise": noise(),
        "lines": one_line(),
        "lines without noise": one_line(0.0),
        "zero": zeros,
        "constant": ones,
        "fastest wave": wave,
        "one NaN": with_value(np.nan),
        "one infinity": with_value(np.inf),
        "one spike": with_value(1e8),
        "one huge point": with_value(1e300),
        "NaN throughout": ones * np.nan,
        "a transient of NaN": with_value(np.nan, (slice(None), 2)),
        "two identical coils": doubled,
        "a silent coil": silent,
        "zero-filled": filled,
        "zeros at the start": start_gone,
        "one transient among zeros": alone,
        "no imaginary part": real,
        "huge": 1e150 * one_line(),
        "tiny": 1e-150 * one_line(),
        "one point": one_line()[..., :1],
        "few points": one_line()[..., :40],
        "integers": np.rint(10 * one_line()),
    }


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", odd_arrays())
@pytest.mark.parametrize("precision", [np.complex64, np.complex128])
def test_a_result_is_finite_or_an_error_for_people(kernel, name, precision):
    with np.errstate(over="ignore", under="ignore"):
        raw = odd_arrays()[name].astype(precision)
    try:
        found = KERNELS[kernel](raw)
    except InputError:
        return
    assert finite(found)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel=st.sampled_from(sorted(KERNELS)),
    exponent=st.floats(-30, 30),
    values=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 5),
            st.integers(0, N_POINTS - 1),
            st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e-30, 1e30, 1e4j]),
        ),
        max_size=6,
    ),
)
def test_points_of_any_value_in_any_place(seed, kernel, exponent, values):
    raw = 10.0**exponent * (one_line() + noise(seed))
    for coil, transient, point, value in values:
        raw[coil, transient, point] = value
    try:
        found = KERNELS[kernel](raw)
    except InputError:
        return
    assert finite(found)
