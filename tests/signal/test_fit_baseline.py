"""The chains against exact sums over all fillings of the slots; humps against closed forms."""

from itertools import product
from math import comb, log

import numpy as np
import pytest

from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.chains import Chains, LinearProblem, Scales, draw_chains
from mrs_disc.signal.fit.humps import hump_grid
from mrs_disc.signal.fit.model import window_bins

GAUSS_MEAN = 300.0
ODDS = np.array([0.5, 0.2, 0.3])  # of a hump of the grid against the others


def linear_of(curvature, force):
    size = force.size
    return LinearProblem(
        curvature=curvature,
        force=force,
        centre=np.zeros(1),
        response=np.zeros((1, size)),
        covariance=np.eye(1),
    )


def exact_moments(curvature, force, reference):
    """Sum over strengths and over how many slots each hump fills; every term is a Gaussian."""
    n = force.size
    share = priors.EXPECTED_HUMPS / priors.SLOTS
    spread = np.exp(priors.AREA_LOG_SD**2)
    weights, means, seconds = [], [], []
    for strength in np.exp(np.linspace(*np.log(priors.STRENGTH_RANGE), priors.STRENGTHS)):
        mean = strength * reference * np.sqrt(spread)
        variance = mean**2 * (spread - 1)
        for counts in product(range(priors.SLOTS + 1), repeat=n):
            filled = sum(counts)
            if filled > priors.SLOTS:
                continue
            ways, left = 1, priors.SLOTS
            for count in counts:
                ways *= comb(left, count)
                left -= count
            counts = np.array(counts)
            prior = log(ways) + counts @ np.log(share * ODDS) + left * log(1 - share)
            # c ~ N(counts mean, diag(counts variance)); the likelihood is exp(f c - c Q c / 2).
            scale = np.sqrt(counts * variance)
            inner = np.eye(n) + scale[:, None] * curvature * scale
            pull = force - curvature @ (counts * mean)
            covariance = scale[:, None] * np.linalg.inv(inner) * scale
            centre = counts * mean + covariance @ pull
            start = counts * mean
            evidence = force @ start - 0.5 * start @ curvature @ start
            evidence += 0.5 * pull @ covariance @ pull - 0.5 * np.linalg.slogdet(inner)[1]
            weights.append(prior + evidence)
            means.append(centre)
            seconds.append(covariance + np.outer(centre, centre))
    weight = np.exp(np.array(weights) - max(weights))
    weight /= weight.sum()
    mean = weight @ np.array(means)
    return mean, np.tensordot(weight, np.array(seconds), 1) - np.outer(mean, mean)


@pytest.mark.parametrize("truth", [(0.0, 0.0, 0.0), (3.0, 0.0, 1.0), (0.0, 12.0, 9.0)])
def test_chains_draw_from_the_exact_posterior(truth):
    """10,000 draws of short memory: means to 0.1 of their deviation, deviations to 10 %."""
    rng = np.random.default_rng(3)
    design = np.exp(-0.5 * (np.arange(3)[:, None] - np.linspace(-1, 3, 25)) ** 2 / 0.8**2)
    data = np.array(truth) @ design + rng.standard_normal(25)
    curvature, force = design @ design.T, design @ data
    full = np.zeros((5, 5))
    full[2:, 2:] = curvature
    chains = Chains.empty(50, priors.SLOTS, 0.0, 0.0)
    scales = Scales(reference_area=10.0, delay_sd_s=0.0, gauss2_mean=GAUSS_MEAN, hump_odds=3 * ODDS)
    _, draws = draw_chains(
        linear_of(full, np.concatenate([np.zeros(2), force])),
        chains,
        scales,
        burn_in=20,
        keep=400,
        rng=np.random.default_rng(8),
    )
    mean, covariance = exact_moments(curvature, force, 10.0)
    sd = np.sqrt(np.diag(covariance))
    means, covariances = draws.of(np.eye(5)[2:])
    np.testing.assert_allclose(means.mean(axis=0), mean, atol=0.1 * sd.max())
    total = np.cov(means.T) + covariances.mean(axis=0)
    np.testing.assert_allclose(total, covariance, atol=0.2 * sd.max() ** 2)
    np.testing.assert_allclose(np.sqrt(np.diag(total)), sd, rtol=0.1)


@pytest.mark.parametrize("spread_odds", [1.0, 8.0])
def test_gauss_and_delay_are_drawn_from_their_exact_posteriors(spread_odds):
    """One-dimensional laws with a point of mass at zero, by quadrature."""
    stiffness, pull = np.array([1 / 40.0**2, 1 / 5e-5**2]), np.array([55.0, 6e-5])
    force = stiffness * pull
    scales = Scales(
        reference_area=1.0,
        delay_sd_s=1e-4,
        gauss2_mean=GAUSS_MEAN,
        spread_odds=spread_odds,
        hump_odds=np.zeros(0),
    )
    _, draws = draw_chains(
        linear_of(np.diag(stiffness), force),
        Chains.empty(400, 0, 0.0, 0.0),
        scales,
        burn_in=2,
        keep=50,
        rng=np.random.default_rng(1),
    )
    q = np.linspace(0, 600, 60_001)
    law = np.exp(force[0] * q - 0.5 * stiffness[0] * q**2 - q / GAUSS_MEAN) / GAUSS_MEAN * 0.01
    law *= spread_odds
    assert draws.mean[:, 0].mean() == pytest.approx((law @ q) / (law.sum() + 1), rel=0.03)
    assert (draws.mean[:, 0] == 0).mean() == pytest.approx(1 / (law.sum() + 1), abs=0.02)
    d = np.linspace(-6e-4, 6e-4, 20_001)
    law = np.exp(force[1] * d - 0.5 * stiffness[1] * d**2 - 0.5 * (d / 1e-4) ** 2)
    law *= (d[1] - d[0]) / (1e-4 * np.sqrt(2 * np.pi))
    assert draws.mean[:, 1].mean() == pytest.approx((law @ d) / (law.sum() + 1), rel=0.03)


def test_humps_are_gaussians_of_their_width_and_area():
    """Area is the first point; the real spectrum falls to half at half the width."""
    grid = hump_grid(
        (-200.0, 200.0), n_points=2048, dwell_time_s=4e-4, start_time_s=0.0, half_width_hz=1250.0
    )
    for width in priors.HUMP_WIDTHS_HZ:
        one = grid.of_width(width)
        area = np.zeros(one.frequency_hz.size)
        area[5] = 3.0
        fid = one.fid(area, 0.0, 4096)
        assert fid[0] == pytest.approx(3.0)
        spectrum = np.fft.fft(fid - 1.5 * (np.arange(4096) == 0)).real
        frequency = np.fft.fftfreq(4096, 1 / 2500)
        above = frequency[spectrum > 0.5 * spectrum.max()]
        assert np.ptp(above) == pytest.approx(width, abs=1.3)
        assert above.mean() == pytest.approx(one.frequency_hz[5], abs=0.7)


def test_a_hump_in_the_spectrum_is_its_fid_transformed():
    grid = hump_grid(
        (-150.0, 150.0), n_points=1024, dwell_time_s=4e-4, start_time_s=0.0, half_width_hz=70.0
    )
    bins = window_bins(1024, 4e-4, 70.0)
    area = np.linspace(0, 1, grid.frequency_hz.size)
    phase, delay = 0.4, 8e-5
    fid = grid.fid(area, delay, 1024) * np.exp(1j * phase)
    spectrum = np.fft.fft(fid, norm="ortho")[bins]
    expected = np.concatenate([spectrum.real, spectrum.imag])
    np.testing.assert_allclose(area @ grid.design(phase, delay), expected, atol=1e-9)
