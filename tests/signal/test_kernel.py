"""The compiled kernels against NumPy's path: model, solver, and the sweep from the same numbers."""

from pathlib import Path

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc.errors import InputError
from mrs_disc.report.results import results_from
from mrs_disc.signal import water_lines
from mrs_disc.signal.fit import expansion, kernel, kernel_solver, linear, optimum, priors, solver
from mrs_disc.signal.fit.chains import Chains, LinearProblem, Scales, _Sweeper
from mrs_disc.signal.fit.humps import hump_grid
from mrs_disc.signal.fit.model import MetaboliteModel, Scan
from mrs_disc.signal.fit.random_numbers import Noise
from mrs_disc.signal.fit.solver import Problem
from mrs_disc.signal.transients import registration
from mrs_disc.validate.regimes import REGIMES

N_CHAINS, N_HUMPS = 24, 60

needs_library = pytest.mark.skipif(
    kernel.library() is None, reason="installed without a C compiler: NumPy's is the only path"
)


def sweeper(seed: int, *, n_slots: int = priors.SLOTS, delay_sd_s: float = 1e-4) -> _Sweeper:
    """Chains in the middle of their way, over humps that overlap."""
    rng = np.random.default_rng(seed)
    centre, width = np.linspace(-1, 11, N_HUMPS), np.tile([0.4, 0.6, 0.9], N_HUMPS // 3)
    design = np.exp(-0.5 * ((centre[:, None] - np.linspace(0, 10, 80)) / width[:, None]) ** 2)
    lines = np.stack([rng.standard_normal(80) / 30, 1e4 * rng.standard_normal(80)])
    rows = np.concatenate([lines, design])
    areas = rng.choice([0, 20.0], N_HUMPS, p=[0.9, 0.1])
    data = areas @ design + [10.0, 1e-4] @ lines + rng.standard_normal(80)
    linear = LinearProblem(
        curvature=rows @ rows.T,
        force=rows @ data,
        centre=np.zeros(3),
        response=np.zeros((3, 2 + N_HUMPS)),
        covariance=np.eye(3),
    )
    scales = Scales(
        hump_odds=np.ones(N_HUMPS),
        reference_area=40.0,
        delay_sd_s=delay_sd_s,
        gauss2_mean=priors.GAUSS2_MEAN_HZ2,
        spread_odds=4.0,
    )
    occupied = rng.random((n_slots, N_CHAINS)) < 0.7
    chains = Chains(
        hump=rng.permuted(np.tile(np.arange(N_HUMPS), (N_CHAINS, 1)), axis=1).T[:n_slots].copy(),
        area=occupied * rng.gamma(2.0, 8.0, (n_slots, N_CHAINS)),
        strength=rng.integers(priors.STRENGTHS, size=N_CHAINS),
        gauss2=rng.exponential(50.0, N_CHAINS),
        delay=1e-4 * rng.standard_normal(N_CHAINS),
    )
    return _Sweeper(linear, chains, scales)


def of_sweep(seed: int, n_slots: int, delay_sd_s: float) -> Noise:
    rng = np.random.default_rng([seed, 1])
    return Noise.drawn(n_slots, N_CHAINS, N_HUMPS, has_delay=delay_sd_s > 0, rng=rng)


@needs_library
@pytest.mark.parametrize("n_slots", [0, priors.SLOTS])
@pytest.mark.parametrize("delay_sd_s", [0.0, 1e-4])
@pytest.mark.parametrize("seed", range(6))
def test_a_sweep_is_that_of_numpy(seed, delay_sd_s, n_slots):
    """Equal to 1e-9 of the largest value: the same algebra in another order.

    Odds are single, and logarithms differ in their last digit: a draw that is as close may fall
    otherwise. Of these 1,440 slots none is.
    """
    noise = of_sweep(seed, n_slots, delay_sd_s)
    plain = sweeper(seed, n_slots=n_slots, delay_sd_s=delay_sd_s)
    fast = sweeper(seed, n_slots=n_slots, delay_sd_s=delay_sd_s)
    expected, (drawn,) = plain.plainly(noise), fast._compiled([noise])
    assert np.array_equal(drawn.hump, expected.hump)
    assert np.array_equal(fast.strength, plain.strength)
    pairs = [
        (1e-9, drawn.mean[:, 2:], expected.mean[:, 2:]),
        (1e-9, drawn.covariance, expected.covariance),
        (1e-9, fast.gauss2, plain.gauss2),
        (1e-9, fast.delay, plain.delay),
        (1e-9, drawn.mean[:, :2], np.stack([plain.gauss2, plain.delay], axis=1)),
        (1e-9, fast.area, plain.area),
    ]
    for tolerance, own, other in pairs:
        assert own.shape == other.shape
        scale = np.abs(other).max(initial=1e-300)
        assert np.abs(own - other).max(initial=0.0) < tolerance * scale


def posed(monkeypatch, regime="in vivo", seed=77):
    """Every problem that the solver meets in the fit of a disc, with its start."""
    met = []

    def solve(problem, parameters):
        met.append((problem, parameters))
        return solver.solve(problem, parameters)

    monkeypatch.setattr(optimum, "solve", solve)
    md.fit(md.preprocess(REGIMES[regime].make(seed, 0).acquisition))
    return met


def apart(own, other):
    """By how much rows differ, each beside its largest element."""
    return (np.abs(own - other).max(axis=-1) / np.abs(other).max(axis=-1)).max()


@needs_library
@pytest.mark.parametrize("n_points", [64, 160, 384, 700, 847, 961])
@pytest.mark.parametrize("delay_s", [0.0, 1.7e-4])
def test_a_model_and_its_derivatives_are_those_of_numpy(n_points, delay_s, monkeypatch):
    """At lengths of factors 2, 4, 5, 7, 11 and 31; some components move and widen on their own."""
    rng = np.random.default_rng(n_points)
    time, hz = 4e-4 * np.arange(n_points), np.linspace(-200, 200, 9)
    fids = np.exp((2j * np.pi * hz[:, None] - np.pi * 3) * time)
    scan = Scan(dwell_time_s=4e-4, window_hz=(-300.0, 260.0), start_time_s=1e-3)
    model = MetaboliteModel(fids, scan, moves=np.array([1, 3, 8]), widens=np.array([0, 8]))
    humps = hump_grid((-200.0, 200.0), n_points=n_points, dwell_time_s=4e-4, start_time_s=1e-3,
                      half_width_hz=280.0)  # fmt: skip
    problem = Problem(
        model=model,
        data=np.zeros(2 * model.bins.size),
        precision=np.zeros(model.n_nonlinear),
        fixed=np.zeros(model.n_nonlinear, dtype=bool),
        ratios=(),
        humps=humps,
        hump_precision=1.0,
        tolerance=0.1,
    )
    parameters = np.concatenate([[3.0, 5.0, 80.0, 0.4, delay_s], rng.normal(size=5)])
    amounts = {
        "amplitude": rng.normal(size=9),
        "areas": rng.normal(size=humps.frequency_hz.size),
    }
    fast = solver.rows_at(problem, parameters, **amounts)
    monkeypatch.setenv(kernel.SWITCH, "numpy")
    for own, other in zip(fast, solver.rows_at(problem, parameters, **amounts), strict=True):
        assert apart(own, other) < 1e-11


@needs_library
@pytest.mark.parametrize("regime", ["ensemble", "in vivo"])
def test_the_solver_ends_where_that_of_numpy_does(regime, monkeypatch):
    """To 1e-9 of a standard deviation of each amplitude, and of the whole cost."""
    for problem, parameters in posed(monkeypatch, regime):
        limits = problem.bounds
        fast = kernel_solver.solve(problem, parameters, solver.STEPS)
        plain, converged = solver._descended(problem, limits, parameters)
        assert fast is not None
        assert fast.converged == converged
        assert apart(fast.design, plain.model.design) < 1e-9
        sd = np.sqrt(np.diag(solver.inverse_positive(plain.gram + plain.prior)))
        assert np.abs((fast.amplitude - plain.amplitude) / sd).max() < 1e-9
        assert fast.cost == pytest.approx(plain.cost, rel=1e-11)


@needs_library
@pytest.mark.parametrize("regime", ["ensemble", "in vivo"])
def test_the_linear_problem_is_that_of_numpy(regime, monkeypatch):
    """To 1e-9 of standard deviations, or of what a hump has before lines are integrated out."""
    met = []
    expand = expansion._expand

    def recorded(*arguments):
        met.append(arguments)
        return expand(*arguments)

    monkeypatch.setattr(expansion, "_expand", recorded)
    md.fit(md.preprocess(REGIMES[regime].make(78, 0).acquisition))
    assert any(point.sites and point.tails for _, point, *_ in met)
    for problem, point, *_ in met:
        rows, fast = linear.about_point(problem, point)
        X, Z = linear._rows(problem, point)
        plain = linear._linearized(problem, point, X, Z)
        with monkeypatch.context() as patched:  # as with a factor, which then sees the same
            patched.setattr(linear, "_SURE", 0.0)
            seen = linear._linearized(problem, point, X, Z)
        assert np.array_equal(plain.curvature, seen.curvature)
        assert apart(np.vstack(rows), np.vstack([X, Z])) < 1e-9
        sd, hump = np.sqrt(np.diag(plain.covariance)), np.sqrt((Z**2).sum(axis=1))
        pairs = [
            (fast.curvature - plain.curvature) / np.multiply.outer(hump, hump),
            (fast.force - plain.force) / hump / np.abs(plain.force / hump).max(),
            (fast.centre - plain.centre) / sd / np.abs(plain.centre / sd).max(),
            (fast.response - plain.response) / np.multiply.outer(sd, hump),
            (fast.covariance - plain.covariance) / np.multiply.outer(sd, sd),
        ]
        for off in pairs:
            assert np.abs(off).max() < 1e-9


@needs_library
@pytest.mark.parametrize("n_lines", [40, 97, 180])
def test_the_water_is_that_of_numpy(n_lines):
    """To 1e-9 of the largest amplitude, over sizes below and above the block of the inverse."""
    rng = np.random.default_rng(n_lines)
    rate = -3 + 2j * np.pi * 2.0 * np.arange(n_lines)
    shapes = np.exp(4e-4 * rate * np.arange(2048)[:, None])
    unit = shapes / np.linalg.norm(shapes, axis=0)
    told = unit.conj().T @ (unit[:, ::9] @ rng.normal(0, 300, len(unit[0, ::9])))
    told += rng.normal(size=n_lines) + 1j * rng.normal(size=n_lines)
    gram = np.asfortranarray(unit.conj().T @ unit)
    neighbours = water_lines._neighbours(rng.integers(-1, 2, n_lines))
    start = np.full(n_lines, 100.0)
    fast = water_lines._fixed_point(gram, told, neighbours, start)
    plain = water_lines._fixed_point_plainly(gram, told, neighbours, start)
    assert apart(fast, plain) < 1e-9


@needs_library
@pytest.mark.parametrize("keep", [slice(30), np.array([0, 1, 2, 5, 6, 11, 29])])
def test_the_tops_of_periodograms_are_those_of_numpy(keep):
    """Of signals of lines, of noise alone, and of none; 1e-9 Hz and of the largest height."""
    rng = np.random.default_rng(5)
    time = 2e-3 * np.arange(30)
    lines = 30 * np.exp(2j * np.pi * rng.uniform(-30, 30, (24, 1)) * time - 20 * time)
    lines[16:] = 0
    lines[:20] += rng.normal(size=(20, 30)) + 1j * rng.normal(size=(20, 30))
    product, grid_hz = lines[:, keep], np.linspace(-25, 25, 17)
    fast = registration._climbed(product, time, keep, grid_hz)
    plain = registration._climbed_plainly(product, time, keep, grid_hz)
    assert np.abs(fast[0] - plain[0]).max() < 1e-9
    assert np.abs(np.exp(1j * fast[1]) - np.exp(1j * plain[1])).max() < 1e-9
    assert np.abs(fast[2] - plain[2]).max() < 1e-9 * plain[2].max()


def test_a_length_of_a_large_prime_goes_to_numpy():
    n_points = 67
    scan = Scan(dwell_time_s=4e-4, window_hz=(-300.0, 260.0))
    none = np.zeros(0, dtype=int)
    model = MetaboliteModel(np.ones((2, n_points), complex), scan, moves=none, widens=none)
    assert kernel_solver._prepare(model) is None


@needs_library
@pytest.mark.parametrize("regime", ["ensemble", "weak", "in vivo"])
def test_whole_fits_agree_and_so_do_their_intervals(regime, monkeypatch):
    """Within 0.02 standard deviations, where a draw may fall otherwise by rounding."""
    recipe = md.load_recipe()
    for index in range(3):
        acquisition = REGIMES[regime].make(77, index).acquisition
        preprocessed = md.preprocess(acquisition, recipe)
        monkeypatch.setenv(kernel.SWITCH, "c")
        fast = md.fit(preprocessed, recipe)
        monkeypatch.setenv(kernel.SWITCH, "numpy")
        plain = md.fit(preprocessed, recipe)
        sd = np.sqrt(np.diag(plain.covariance))
        assert np.abs((fast.amplitude - plain.amplitude) / sd).max() < 0.02
        assert np.abs(np.sqrt(np.diag(fast.covariance)) / sd - 1).max() < 0.02


@needs_library
def test_labels_are_the_same_and_the_record_says_which_path_it_was(monkeypatch):
    study = md.read_study(Path(__file__).parents[2] / "sample_data" / "demo")
    labels = []
    for path in ("c", "numpy"):
        monkeypatch.setenv(kernel.SWITCH, path)
        report = md.analyze(study)
        labels.append([level.score.label for level in report.levels])
        assert results_from(report).software.kernel == path
    assert labels[0] == labels[1]


def test_a_matrix_that_is_not_positive_goes_to_numpy():
    chains = sweeper(0)
    chains.curvature = -chains.curvature
    if chains.library is not None:
        before = chains.chains()
        assert chains._compiled([of_sweep(0, priors.SLOTS, 1e-4)]) == []
        assert np.array_equal(chains.chains().area, before.area)


def test_the_switch_refuses_other_words(monkeypatch):
    monkeypatch.setenv(kernel.SWITCH, "fast")
    with pytest.raises(InputError, match="'c' or 'numpy' expected"):
        kernel.used()


def test_a_library_of_another_source_is_not_used(monkeypatch, tmp_path):
    (tmp_path / "_kernel.so").symlink_to(kernel._LIBRARY)
    (tmp_path / "kernel.c").write_text("changed")
    monkeypatch.setattr(kernel, "_LIBRARY", tmp_path / "_kernel.so")
    monkeypatch.setenv(kernel.SWITCH, "c")
    kernel._library.cache_clear()
    try:
        with pytest.raises(InputError, match="no compiled kernel of this version"):
            kernel.used()
    finally:
        kernel._library.cache_clear()
