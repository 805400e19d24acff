"""The spline baseline against closed forms, dense linear algebra and simulated discs."""

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.linalg import block_diag

from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.humps import no_humps
from mrs_disc.signal.fit.linear import Point, expanded_rows
from mrs_disc.signal.fit.model import MetaboliteModel
from mrs_disc.signal.fit.solver import Problem
from mrs_disc.signal.fit.spline import Evidence, spline_of

from .test_fit import (
    AMPLITUDE,
    DWELL,
    HUMPS,
    NAMES,
    SCAN,
    TIME,
    WINDOW,
    disc,
    fids_at,
    fit,
    hump,
    noise_of,
)

N = 512  # points of the small problems
MODEL = MetaboliteModel(fids_at(TIME[:N]), SCAN, moves=np.zeros(0, int), widens=np.zeros(0, int))
SPLINE = spline_of(WINDOW, MODEL)
COUNT = SPLINE.penalty.shape[0] // 2
SECOND = block_diag(*[np.diff(np.eye(COUNT), n=2, axis=0)] * 2)
DESIGN = SPLINE.grid.design(0.0, 0.0)


STIFFNESSES = (0.5, 5.0, 50.0)


def problem_of(data):
    n = MODEL.n_nonlinear
    return Problem(
        model=MODEL, data=data, precision=np.full(n, 1e-2), fixed=np.zeros(n, bool), ratios=(),
        humps=no_humps(MODEL.bins.size), hump_precision=1.0, tolerance=0.1,
    )  # fmt: skip


def dense_root(stiffness, wide):
    """Rows whose Gram matrix the areas add to the covariance, what is free of a wide variance."""
    value, vector = np.linalg.eigh(SECOND.T @ SECOND)
    variance = 1 / (stiffness * np.maximum(value, 0.0) + 1 / wide)
    return (vector * np.sqrt(variance)).T @ DESIGN


def log_density(residual, factor):
    """Of a normal law of covariance 1 + factor^T factor."""
    lower = np.linalg.cholesky(np.eye(residual.size) + factor.T @ factor)
    return -0.5 * np.sum(np.linalg.solve(lower, residual) ** 2) - np.log(np.diag(lower)).sum()


def test_a_spline_of_the_row_is_the_transform_of_the_b_spline_of_scipy():
    """Its FID, with its mirror before the echo, transforms to the B-spline on the axis."""
    k = COUNT // 2
    fid = SPLINE.grid.fids[k]
    both = np.concatenate([fid, np.conj(fid[1:][::-1])])
    spectrum = np.fft.fftshift(np.fft.fft(both)) * DWELL
    axis = np.fft.fftshift(np.fft.fftfreq(both.size, DWELL))
    step = priors.SPLINE_SPACING_HZ
    low, high = WINDOW
    spread = step * (COUNT - 1)
    centre = -0.5 * spread + step * k  # from the centre of the window
    element = BSpline.basis_element(centre + step * np.arange(-2, 3), extrapolate=False)
    expected = np.nan_to_num(element(axis)) / step  # of area one
    assert np.abs(spectrum - expected).max() < 1e-3 * expected.max()  # the FID ends at 0.2 s
    assert -0.5 * spread < low - 0.5 * (low + high) - 2 * step  # it lets go beyond the window


@pytest.mark.parametrize("stiffness", [1e-3, 1.0, 1e4])
def test_whitening_is_the_root_of_the_inverse_of_the_whole_covariance(stiffness):
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((3, DESIGN.shape[1]))
    _, size, direction = np.linalg.svd(dense_root(stiffness, 1e10), full_matrices=False)
    expected = rows - (rows @ direction.T) * (1 - (1 + size**2) ** -0.5) @ direction
    assert SPLINE.whitened(rows, stiffness) == pytest.approx(expected, abs=1e-5)


def test_areas_are_the_penalised_least_squares_of_a_stacked_system():
    residual = np.random.default_rng(6).standard_normal(DESIGN.shape[1])
    stacked = np.vstack([DESIGN.T, np.sqrt(3.0) * SECOND])
    right = np.concatenate([residual, np.zeros(SECOND.shape[0])])
    expected = np.linalg.lstsq(stacked, right, rcond=None)[0]
    areas, spectrum = SPLINE.areas(residual, 0.0, 3.0)
    assert areas == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert spectrum == pytest.approx(expected @ DESIGN)


def test_evidence_is_that_of_the_normal_law_of_the_data():
    """Differences between stiffnesses; what is free and the lines have wide priors there."""
    rng = np.random.default_rng(7)
    truth = 0.2 * rng.standard_normal(2 * COUNT).cumsum()
    data = AMPLITUDE @ MODEL.evaluate(np.zeros(5)).design + truth @ DESIGN
    problem = problem_of(data + rng.standard_normal(data.size))
    point = Point(np.zeros(5), AMPLITUDE, np.zeros(0))
    evidence = Evidence.about(SPLINE, problem, point)
    flat = Evidence(
        SPLINE, evidence.gram, evidence.along, evidence.precision + np.eye(8) / 1e7, evidence.force
    )
    rows, y, precision, force = expanded_rows(problem, point)
    prior = np.linalg.inv(precision + np.eye(8) / 1e7)
    lines = np.linalg.cholesky(prior).T @ rows
    dense = [
        log_density(y - prior @ force @ rows, np.vstack([dense_root(s, 1e7), lines]))
        for s in STIFFNESSES
    ]
    ours = [flat.value(np.log(s)) for s in STIFFNESSES]
    assert np.diff(ours) == pytest.approx(np.diff(dense), rel=1e-4)  # rounding of the latter
    step = 1e-4
    for s in np.log([0.05, 1.0, 20.0]):
        slope = (flat.value(s + step) - flat.value(s - step)) / (2 * step)
        assert flat.slope(s) == pytest.approx(slope, abs=1e-4)
    best = evidence.best((1e-4, 1e4))
    near = [evidence.value(np.log(best) + d) for d in (-0.3, 0.0, 0.3)]
    assert near[1] == max(near)


def test_a_baseline_that_other_programs_would_meet_is_taken_up():
    """Broad humps under noise-free lines: amounts to 3 %, and curves that add up to the data."""
    baseline = hump(1.3, 90, 12) + hump(2.8, 120, 15)
    data = disc() + baseline + noise_of(1, 0.01)
    found = fit(data, baseline=HUMPS, spline=True)
    assert found.amplitudes.mean == pytest.approx(AMPLITUDE, rel=0.03)
    assert found.residual.ratio < 1.5
    bins = np.abs(np.fft.fftfreq(TIME.size, DWELL) - np.mean(WINDOW)) < 0.4 * np.ptp(WINDOW)
    whole = np.fft.fft(found.components.sum(axis=0) + found.baseline)[bins]
    expected = np.fft.fft(disc() + baseline)[bins]
    assert np.abs(whole - expected).max() < 0.02 * np.abs(expected).max()


def test_a_rotated_spectrum_has_the_same_amounts():
    """The prior of the baseline knows no phase."""
    data = disc() + hump(1.3, 90, 12) + noise_of(3, 0.3)
    one, other = (
        fit(turn * data, baseline=HUMPS, spline=True).amplitudes for turn in (1.0, np.exp(0.7j))
    )
    assert other.mean == pytest.approx(one.mean, rel=1e-4)
    assert other.sd == pytest.approx(one.sd, rel=1e-3)


def test_a_quiet_baseline_costs_little_and_its_intervals_hold():
    """No baseline at all: stiff splines, and 95 % intervals that hold in 92 % or more of 120."""
    held, errors = [], []
    for seed in range(24):
        found = fit(disc() + noise_of(seed, 0.5), baseline=HUMPS, spline=True).amplitudes
        held += ((found.low < AMPLITUDE) & (found.high > AMPLITUDE)).tolist()
        errors.append((found.mean - AMPLITUDE) / found.crlb)
    assert len(held) == 24 * len(NAMES)
    assert np.mean(held) > 0.9  # two standard errors of 95 % at n = 120 are 4 %
    assert np.sqrt(np.mean(np.square(errors))) < 1.3


@pytest.mark.slow
def test_intervals_hold_over_smooth_random_baselines():
    """Baselines of the spline's own law, another one each time: 95 % within 4 standard errors."""
    rng = np.random.default_rng(11)
    grid = spline_of(WINDOW, MetaboliteModel(
        fids_at(TIME), SCAN, moves=np.zeros(0, int), widens=np.zeros(0, int)
    )).grid  # fmt: skip
    count = grid.fids.shape[0] // 2
    carrier = np.exp(2j * np.pi * np.mean(WINDOW) * TIME)
    held = []
    for seed in range(150):
        bends = 0.1 * (rng.standard_normal(count) + 1j * rng.standard_normal(count))
        areas = np.cumsum(np.cumsum(bends))
        areas -= np.polyval(np.polyfit(np.arange(count), areas, 1), np.arange(count))
        data = disc() + areas @ grid.fids[:count] * carrier + noise_of(seed, 0.5)
        found = fit(data, baseline=WINDOW, spline=True).amplitudes
        held.append((found.low < AMPLITUDE) & (found.high > AMPLITUDE))
    share = np.mean(held)
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 750) < share <= 1.0
