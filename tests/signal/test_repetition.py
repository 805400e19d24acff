"""The error of repetition: closed forms, and the scatter of fits to one disc with new noise."""

import numpy as np
import pytest

from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.signal.fit.chains import Draws, LinearProblem
from mrs_disc.signal.fit.fit import fit_fid
from mrs_disc.signal.fit.model import Scan
from mrs_disc.signal.fit.repetition import repetition_covariance, with_priors_that_follow
from mrs_disc.signal.fit.solver import NormalRatio
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.steps import preprocess
from mrs_disc.steps.basis import basis_of

N_X, N_Z, N_DATA, N_AMPLITUDES = 4, 3, 40, 2


def linear_problem(x, z, prior_x, data):
    """Return the problem with x integrated out, by the formulas of `linear._linearized`."""
    covariance = np.linalg.inv(x @ x.T + prior_x)
    response = covariance @ x @ z.T
    return LinearProblem(
        curvature=z @ z.T - z @ x.T @ response,
        force=z @ data - response.T @ x @ data,
        centre=covariance @ x @ data,
        response=response,
        covariance=covariance,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_with_nothing_drawn_it_is_the_sandwich(rng):
    x, z = rng.standard_normal((N_X, N_DATA)), np.zeros((2, N_DATA))
    prior = np.diag([0.0, 50.0, 5.0, 0.5])
    linear = linear_problem(x, z, prior, rng.standard_normal(N_DATA))
    still = Draws(np.zeros((24, 2)), np.zeros((24, 0), dtype=int), np.zeros((24, 0, 0)))
    found = repetition_covariance(x, z, linear, still, N_X)
    s = linear.covariance
    assert np.allclose(found, s - s @ prior @ s, rtol=1e-9)
    no_prior = linear_problem(x, z, 0 * prior, rng.standard_normal(N_DATA))
    assert np.allclose(
        repetition_covariance(x, z, no_prior, still, N_X), np.linalg.inv(x @ x.T), rtol=1e-9
    )


def test_drawn_coordinates_count_as_if_they_had_been_integrated_out(rng):
    x = rng.standard_normal((N_X, N_DATA))
    z = 0.7 * rng.standard_normal((2 + N_Z, N_DATA)) + 0.5 * x[:1]
    prior_x, prior_z = np.diag([0.0, 3.0, 20.0, 0.5]), np.diag([4.0, 30.0, 60.0, 10.0, 25.0])
    data = rng.standard_normal(N_DATA)
    linear = linear_problem(x, z, prior_x, data)
    # Of a normal law the first two coordinates are drawn; the areas given them are normal.
    precision = linear.curvature + prior_z
    of_z = np.linalg.inv(precision)
    mean = of_z @ linear.force
    n_draws = 40_000
    drawn = rng.multivariate_normal(mean[:2], of_z[:2, :2], n_draws)
    given = np.linalg.inv(precision[2:, 2:])
    areas = mean[2:] - (drawn - mean[:2]) @ (given @ precision[2:, :2]).T
    slots = np.tile(np.arange(N_Z), (n_draws, 1))
    draws = Draws(np.hstack([drawn, areas]), slots, np.tile(given, (n_draws, 1, 1)))
    found = repetition_covariance(x, z, linear, draws, N_AMPLITUDES)
    both, prior = np.vstack([x, z]), np.zeros((9, 9))
    prior[:4, :4], prior[4:, 4:] = prior_x, prior_z
    s = np.linalg.inv(both @ both.T + prior)
    expected = (s - s @ prior @ s)[:N_AMPLITUDES, :N_AMPLITUDES]
    assert np.allclose(found, expected, atol=0.03 * expected.diagonal().max())


def test_few_draws_do_not_enlarge_it(rng):
    """The scatter of draws, squared, would add to it: halves of independent chains do not."""
    x = rng.standard_normal((1, N_DATA))
    z = np.vstack([rng.standard_normal((2, N_DATA)), 2 * rng.standard_normal((N_Z, N_DATA))])
    linear = linear_problem(x, z, np.zeros((1, 1)), np.zeros(N_DATA))
    no_slots, no_area = np.zeros((24, 0), dtype=int), np.zeros((24, 0, 0))
    found = []
    for _ in range(400):
        noise = 0.1 * rng.standard_normal((24, 2 + N_Z))
        draws = Draws(noise, no_slots, no_area)
        found.append(repetition_covariance(x, z, linear, draws, 1)[0, 0])
    exact = (linear.covariance @ x) - 0.01 * linear.response @ (z - linear.response.T @ x)
    assert np.mean(found) == pytest.approx(float((exact @ exact.T)[0, 0]), rel=0.05)


def test_priors_of_ratios_follow_the_amplitudes():
    """The mean of two amplitudes whose prior is made at the mean itself: differences of it."""
    law = NormalRatio.of(1, 0, median=0.18, log_sd=0.7)
    noise = np.diag([0.5, 1.0]) ** 2

    def posterior(precision_at, data):
        row = np.array([-law.mean, 1.0]) / (law.sd * abs(precision_at[0]))
        covariance = np.linalg.inv(np.linalg.inv(noise) + np.outer(row, row))
        return covariance @ np.linalg.solve(noise, data), covariance

    def settled(data):
        mean = data
        for _ in range(200):
            mean, covariance = posterior(mean, data)
        return mean, covariance

    data = np.array([12.0, 5.0])
    mean, covariance = settled(data)
    step = 1e-5
    slopes = np.stack(
        [(settled(data + step * unit)[0] - mean) / step for unit in np.eye(2)], axis=1
    )
    fixed = covariance @ np.linalg.inv(noise) @ covariance
    found = with_priors_that_follow(fixed, mean, covariance, [law], {})
    # A denominator of 24 sd is hardly smeared by its error.
    assert np.allclose(found, slopes @ noise @ slopes.T, rtol=0.01)
    assert not np.allclose(found, fixed, rtol=0.05)


def scatter_and_told(seed, kind, baseline, n):
    """Fit one disc n times with new noise; return the scatter and what the fits say of it."""
    from mrs_disc.simulate import simulate_study

    study, _ = simulate_study(
        seed,
        levels=["L4-L5"],
        kinds={"L4-L5": kind},
        snr=1e4,
        lipid=False,
        baseline=baseline,
        anatomy=False,
    )
    recipe = Recipe()
    before = preprocess(study["L4-L5"], recipe)
    clean, sampling = before.fid.signal, before.fid.sampling
    evolution = Evolution(echo_time_s=before.protocol.echo_time_s)
    basis = basis_of(load_metabolite_model("disc_1h"), evolution, sampling, clean.size)
    mhz = sampling.spectrometer_mhz
    low, high = ((ppm - sampling.reference_ppm) * mhz for ppm in recipe.fit.window_ppm)
    scan = Scan(dwell_time_s=sampling.dwell_time_s, window_hz=(low, high))
    # PG is 26 Hz wide: its height is its amplitude over pi times the width over two.
    pg = fit_fid(clean, basis, scan, baseline_hz=(low, high)).amplitudes.mean[0]
    height = pg / (np.pi * 13.0 * sampling.dwell_time_s)
    sd = height / (20.0 * np.sqrt(clean.size))
    rng = np.random.default_rng(seed)
    means, told, quoted = [], [], []
    for _ in range(n):
        noise = sd * (rng.standard_normal(clean.size) + 1j * rng.standard_normal(clean.size))
        found = fit_fid(clean + noise, basis, scan, baseline_hz=(low, high)).amplitudes
        means.append(found.mean)
        told.append(np.diag(found.repetition))
        quoted.append(found.sd**2)
    scatter = np.std(means, axis=0, ddof=1)
    return scatter, np.sqrt(np.mean(told, axis=0)), np.sqrt(np.mean(quoted, axis=0))


def test_it_is_the_scatter_of_a_disc_measured_again():
    scatter, told, quoted = scatter_and_told(52, "D", 0.5, n=24)
    # Of 24 repeats a standard deviation is known to 15 %; four of the main components together.
    ratio = np.sqrt(np.mean((told[:4] / scatter[:4]) ** 2))
    assert 0.75 < ratio < 1.35
    assert np.all(told < quoted)


@pytest.mark.slow
def test_it_is_the_scatter_in_discs_of_all_kinds():
    cases = [(61, "P", 1.0), (62, "D", 1.0), (63, "H", 0.5), (64, "D", 0.5), (65, "P", 0.0)]
    ratios = []
    for seed, kind, baseline in cases:
        scatter, told, _ = scatter_and_told(seed, kind, baseline, n=120)
        ratios.append((told / scatter)[:4])
    pooled = np.sqrt(np.mean(np.square(ratios), axis=0))  # PG, LAC, ALA, PA
    # .8 to 1.2 is the range that real series are held to. Of 600 repeats a pooled ratio is known to
    # 3 %, and two of these are allowed. LAC is the lowest (.80 to .89 at four sets of seeds): a fit
    # in a hundred lands elsewhere, which is in the scatter and no derivative foretells it.
    assert np.all((pooled > 0.74) & (pooled < 1.26)), pooled
