"""The fit against simulated truth, an independent implementation and its own symmetries."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.models import RatioPrior, Resonance
from mrs_disc.signal.fit.basis import GAUSS_RATE, component_fid
from mrs_disc.signal.fit.fit import Doubt, fit_fid
from mrs_disc.signal.fit.humps import no_humps
from mrs_disc.signal.fit.inputs import FitBasis, Presence
from mrs_disc.signal.fit.model import MetaboliteModel, Scan
from mrs_disc.signal.fit.solver import Problem, solve
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.signal.fit.start import Start, points_with_signal
from mrs_disc.signal.noise import tail_noise_sd

_PATH = Path(__file__).with_name("fit_oracle.py")
_spec = importlib.util.spec_from_file_location("fit_oracle", _PATH)
_oracle = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_oracle)

MHZ, REFERENCE, DWELL, ECHO = 127.7, 4.65, 1 / 2500, 0.028
TIME = np.arange(2048) * DWELL


def hz(ppm):
    return (ppm - REFERENCE) * MHZ


WINDOW = (hz(0.5), hz(4.2))
SCAN = Scan(dwell_time_s=DWELL, window_hz=WINDOW)
HUMPS = (hz(0.5), hz(4.1))
NAMES = ("PG", "LAC", "ALA", "PA", "CHO")
MODEL = {
    "PG": [Resonance(ppm=2.04, weight=4), Resonance(ppm=2.00, weight=1)],
    "LAC": [
        Resonance(ppm=1.314, weight=3, j_hz=6.93, neighbours=1),
        Resonance(ppm=4.097, weight=1, j_hz=6.93, neighbours=3, in_amplitude=False),
    ],
    "ALA": [
        Resonance(ppm=1.467, weight=3, j_hz=7.23, neighbours=1),
        Resonance(ppm=3.775, weight=1, j_hz=7.23, neighbours=3, in_amplitude=False),
    ],
    "PA": [
        Resonance(ppm=1.05, weight=3, j_hz=7.7, neighbours=2),
        Resonance(ppm=2.17, weight=2, j_hz=7.7, neighbours=3),
    ],
    "CHO": [Resonance(ppm=3.21, weight=9)],
}
AMPLITUDE = np.array([20.0, 8.0, 3.0, 2.0, 4.0])


def fid_of(resonances, time=TIME):
    scan = {
        "spectrometer_mhz": MHZ,
        "reference_ppm": REFERENCE,
        "evolution": Evolution(echo_time_s=ECHO),
    }
    return component_fid(resonances, time_s=time, **scan)


def fids_at(time, names=NAMES):
    return np.array([fid_of(MODEL[name], time) for name in names])


def basis_of(names=NAMES, shift_sd=0.0, **options):
    count = len(names)
    options.setdefault("shift_sd_hz", np.full(count, shift_sd))
    fids = fids_at(TIME, names)
    return FitBasis(names=names, fids=fids, extra_width_sd_hz=np.zeros(count), **options)


BASIS = basis_of()


def disc(amplitude=AMPLITUDE, *, shift=0.0, lorentz=9.0, gauss=0.0, phase=0.0, delay=0.0):
    """A noise-free disc of known truth."""
    time = TIME + delay
    decay = np.exp(-np.pi * lorentz * time - GAUSS_RATE * (gauss * time) ** 2)
    return amplitude @ fids_at(time) * decay * np.exp(2j * np.pi * shift * time + 1j * phase)


def hump(ppm, width, area):
    return area * np.exp(2j * np.pi * hz(ppm) * TIME - GAUSS_RATE * (width * TIME) ** 2)


def noise_of(seed, sd=1.0):
    rng = np.random.default_rng(seed)
    return sd * (rng.standard_normal(TIME.size) + 1j * rng.standard_normal(TIME.size))


def fit(fid, basis=BASIS, baseline=None, **options):
    return fit_fid(fid, basis, SCAN, baseline_hz=baseline, **options)


def bound(amplitude=AMPLITUDE, lorentz=9.0):
    """The Cramer-Rao bound by central differences of the closed form, at noise sd 1."""
    truth = np.concatenate([amplitude, [0.0, lorentz, 0.0]])
    step = np.concatenate([np.full(amplitude.size, 1e-3), [1e-4, 1e-4, 1e-5]])

    def spectrum(x):
        fid = disc(x[:-3], shift=x[-3], lorentz=x[-2], phase=x[-1])
        frequency = np.fft.fftfreq(TIME.size, DWELL)
        inside = (frequency >= WINDOW[0]) & (frequency <= WINDOW[1])
        bins = np.fft.fft(fid, norm="ortho")[inside]
        return np.concatenate([bins.real, bins.imag])

    slopes = np.array(
        [
            (spectrum(truth + unit) - spectrum(truth - unit)) / (2 * unit.max())
            for unit in np.diag(step)
        ]
    )
    return np.sqrt(np.diag(np.linalg.inv(slopes @ slopes.T)))[: amplitude.size]


@pytest.mark.parametrize("baseline", [None, HUMPS])
@pytest.mark.parametrize(
    "truth",
    [
        {"lorentz": 9.0},
        {"lorentz": 4.0, "shift": 25.0, "phase": 2.5, "delay": 2e-4},
        {"lorentz": 5.0, "gauss": 12.0, "shift": -25.0, "phase": -1.5, "delay": -2e-4},
        {"lorentz": 35.0, "shift": 10.0, "phase": 3.1, "delay": 1e-4},
    ],
)
def test_noise_free_truth_is_found(truth, baseline):
    result = fit(disc(**truth), baseline=baseline)
    assert result.doubt is None
    np.testing.assert_allclose(result.amplitudes.mean, AMPLITUDE, rtol=5e-3)
    assert result.lines.shift_hz == pytest.approx(np.full(5, truth.get("shift", 0.0)), abs=0.05)
    assert result.phase.delay_s == pytest.approx(truth.get("delay", 0.0), abs=2e-6)
    wrapped = np.angle(np.exp(1j * (result.phase.zero_order_rad - truth.get("phase", 0.0))))
    assert wrapped == pytest.approx(0.0, abs=0.01)


def test_components_and_baseline_add_up_to_the_data():
    fid = disc(gauss=6.0, shift=4.0, phase=1.0, delay=1e-4)
    result = fit(fid, baseline=HUMPS)
    rest = fid - result.components.sum(axis=0) - result.baseline
    assert np.abs(rest).max() < 2e-3 * np.abs(fid).max()


@pytest.mark.slow
def test_noise_spreads_the_amplitudes_as_the_bound_says():
    """300 discs: the spread of a standard deviation is 4 %, so 15 % is four sigma."""
    runs = [fit(disc() + noise_of(seed), delay_sd_s=1e-5) for seed in range(300)]
    error = np.array([run.amplitudes.mean for run in runs]) - AMPLITUDE
    expected = bound()
    np.testing.assert_allclose(np.sqrt(np.mean(error**2, axis=0)), expected, rtol=0.15)
    np.testing.assert_allclose(
        np.mean([run.amplitudes.sd for run in runs], axis=0), expected, rtol=0.15
    )
    inside = [
        (run.amplitudes.low <= AMPLITUDE) & (run.amplitudes.high >= AMPLITUDE) for run in runs
    ]
    assert np.all(np.mean(inside, axis=0) > 0.90)  # 4 sigma below 95 %
    assert np.mean([run.residual.ratio for run in runs]) == pytest.approx(1.0, abs=0.02)
    assert 0.005 < np.mean([run.residual.whiteness_p < 0.05 for run in runs]) < 0.15


@pytest.mark.slow
def test_intervals_cover_over_humps_drawn_anew():
    """120 discs, 5 amplitudes: coverage of 600 intervals is known to 1 %, correlated to 2 %."""
    rng = np.random.default_rng(11)
    inside, ratio = [], []
    for seed in range(120):
        fid = disc() + noise_of(1000 + seed)
        if seed % 5:
            strength = np.exp(rng.uniform(np.log(0.03), 0.0))
            for _ in range(1 + rng.poisson(4)):
                area = 10 * strength * np.exp(0.5 * rng.standard_normal())
                fid += hump(rng.uniform(0.5, 4.1), rng.uniform(45, 90), area)
        result = fit(fid, baseline=HUMPS)
        inside.append((result.amplitudes.low <= AMPLITUDE) & (result.amplitudes.high >= AMPLITUDE))
        ratio.append((result.amplitudes.mean - AMPLITUDE) / bound())
    assert np.mean(inside) > 0.89
    assert np.all(np.sqrt(np.mean(np.square(ratio), axis=0)) < 4.0)


def test_the_solver_agrees_with_an_independent_implementation():
    """Same posterior mode from closed forms, an explicit Fourier sum and a numeric Jacobian."""
    singlets = [[(-333.3, 0.8), (-338.0, 0.2)], [(-426.0, 1.0), (-420.0, 0.5j)], [(-184.0, 1.0)]]
    n_points = 400
    time = TIME[:n_points]
    fids = np.array(
        [sum(w * np.exp(2j * np.pi * f * time) for f, w in lines) for lines in singlets]
    )
    late = time + 3e-5
    truth = np.array([20.0, 6.0, 4.0])
    turned = [sum(w * np.exp(2j * np.pi * f * late) for f, w in lines) for lines in singlets]
    decay = np.exp(-np.pi * 8 * late - GAUSS_RATE * (7 * late) ** 2 + 2j * np.pi * 3 * late)
    fid = truth @ np.array(turned) * decay * np.exp(0.7j) + noise_of(5)[:n_points]
    model = MetaboliteModel(
        fids,
        SCAN,
        moves=np.array([1, 2]),
        widens=np.array([], dtype=int),
    )
    problem = Problem(
        model=model,
        data=model.spectrum(fid * model.carrier),
        precision=np.array([0, 0, 0, 0, 1e-4**-2, 0.6**-2, 0.9**-2]),
        fixed=np.zeros(7, dtype=bool),
        ratios=(),
        humps=no_humps(model.bins.size),
        hump_precision=1.0,
        tolerance=1e-18,
    )
    found = solve(problem, np.array([2.0, 9.0, 40.0, 0.5, 0.0, 0.0, 0.0]))
    amplitude, parameters = _oracle.oracle_fit(
        fid,
        lines=singlets,
        time=time,
        window=WINDOW,
        delay_sd=1e-4,
        shift_sd=[0.0, 0.6, 0.9],
        guess=np.array([2.0, 9.0, 6.0, 0.5, 0.0, 0.0, 0.0]),
    )
    np.testing.assert_allclose(found.amplitude, amplitude, rtol=1e-6)
    parameters[2] **= 2
    # The numeric derivative leaves 1e-6 Hz in what the data hardly hold.
    np.testing.assert_allclose(found.parameters, parameters, rtol=1e-6, atol=5e-6)


@settings(max_examples=12)
@given(scale=st.floats(1e-6, 1e9), phase=st.floats(-3, 3), shift=st.floats(-15, 15))
def test_scale_phase_and_shift_of_the_data_do_not_change_what_is_found(scale, phase, shift):
    """One noise realisation, scaled, turned and moved; a shifted window sees other noise bins."""
    clean = disc(gauss=5.0)
    noise = noise_of(3, 0.02)
    reference = fit(clean + noise)
    moved = scale * (clean + noise) * np.exp(1j * phase + 2j * np.pi * shift * TIME)
    result = fit(moved)
    np.testing.assert_allclose(
        result.amplitudes.mean / scale, reference.amplitudes.mean, rtol=0.02, atol=0.02
    )
    assert result.lines.shift_hz[0] - reference.lines.shift_hz[0] == pytest.approx(shift, abs=0.05)
    assert result.residual.noise_sd / scale == pytest.approx(reference.residual.noise_sd, rel=0.1)


@settings(max_examples=8)
@given(scale=st.floats(1e-6, 1e9), phase=st.floats(-3, 3))
def test_scale_and_phase_change_only_scale_and_phase(scale, phase):
    fid = disc() + hump(1.5, 70.0, 5.0) + noise_of(7)
    reference = fit(fid, baseline=HUMPS)
    result = fit(scale * fid * np.exp(1j * phase), baseline=HUMPS)
    np.testing.assert_allclose(
        result.amplitudes.mean / scale, reference.amplitudes.mean, rtol=1e-3, atol=0.02
    )
    turned = np.angle(
        np.exp(1j * (result.phase.zero_order_rad - reference.phase.zero_order_rad - phase))
    )
    assert turned == pytest.approx(0.0, abs=0.01)


def test_a_conjugated_model_on_conjugated_data_gives_the_same():
    """Mirroring the frequency axis of data and model together changes nothing."""
    fid = disc(shift=3.0) + noise_of(9, 0.2)
    mirrored = replace(BASIS, fids=BASIS.fids.conj())
    scan = replace(SCAN, window_hz=(-WINDOW[1], -WINDOW[0]))
    result = fit_fid(fid.conj(), mirrored, scan)
    reference = fit(fid)
    np.testing.assert_allclose(
        result.amplitudes.mean, reference.amplitudes.mean, rtol=2e-3, atol=5e-3
    )
    assert result.lines.shift_hz[0] == pytest.approx(-reference.lines.shift_hz[0], abs=0.01)


def test_same_input_gives_the_same_bits():
    fid = disc() + hump(1.5, 60.0, 8.0) + noise_of(21)
    first, second = fit(fid, baseline=HUMPS), fit(fid, baseline=HUMPS)
    assert first.amplitudes.mean.tobytes() == second.amplitudes.mean.tobytes()
    assert first.amplitudes.covariance.tobytes() == second.amplitudes.covariance.tobytes()


def test_a_component_moves_on_its_own_within_its_prior():
    rng = np.random.default_rng(4)
    own = np.array([0.0, 1.5, 0.0, 0.0, -1.0])
    time = TIME
    turned = fids_at(time) * np.exp(2j * np.pi * own[:, None] * time - np.pi * 9 * time)
    fid = AMPLITUDE @ turned + 0.05 * rng.standard_normal(time.size)
    basis = basis_of(shift_sd_hz=np.array([0.0, 1.0, 1.0, 1.0, 1.0]))
    result = fit(fid, basis)
    assert result.lines.shift_hz[[1, 4]] == pytest.approx([1.5, -1.0], abs=0.1)
    np.testing.assert_allclose(result.amplitudes.mean, AMPLITUDE, rtol=0.03)


def test_a_ratio_prior_counts_only_where_the_data_do_not():
    prior = RatioPrior(numerator="ALA", denominator="LAC", median=1.0, log_sd=0.2)
    strong = fit(disc() + noise_of(1, 0.05), basis_of(ratio_priors=[prior]))
    np.testing.assert_allclose(strong.amplitudes.mean[2], 3.0, rtol=0.1)
    weak_data = disc() + noise_of(1, 8.0)
    held = fit(weak_data, basis_of(ratio_priors=[prior]))
    free = fit(weak_data)
    assert held.amplitudes.sd[2] < 0.7 * free.amplitudes.sd[2]


def test_noise_is_that_of_one_channel_whatever_the_signal():
    for seed in range(5):
        estimate = tail_noise_sd(50 * disc() + noise_of(seed, 2.0))
        assert estimate == pytest.approx(2.0, rel=0.1)  # 1024 points: 2.5 %
    padded = disc() + noise_of(3)
    padded[1500:] = 0
    assert tail_noise_sd(padded) == pytest.approx(1.0, rel=0.12)


def spoiled(change):
    fid = disc() + noise_of(0)
    change(fid)
    return fid


@pytest.mark.parametrize(
    ("fid", "words"),
    [
        (spoiled(lambda fid: fid.__setitem__(17, np.nan)), "point 17 is not a finite number"),
        (np.zeros(2048, dtype=complex), "every point is zero"),
        (np.ones(2048, dtype=complex), "same value"),
        (1e200 * disc(), "rescale"),
        (np.array([], dtype=complex), "one dimension"),
        (np.ones((4, 512), dtype=complex), "one dimension"),
        (disc()[:20], "64 points"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(fid, words):
    with pytest.raises(InputError, match=words):
        fit(fid)


def test_a_window_without_data_is_refused():
    fid = disc() + noise_of(0)
    for window, words in (((0.0, 3.0), "too few"), ((5.0, 1.0), "lower end"), ((0, 9e9), "leaves")):
        with pytest.raises(InputError, match=words):
            fit_fid(fid, BASIS, replace(SCAN, window_hz=window))


def test_components_that_are_the_same_are_named():
    basis = replace(basis_of(("PG", "LAC", "CHO", "PG")), names=("PG", "LAC", "CHO", "NAA"))
    with pytest.raises(InputError, match="components PG and NAA cannot be told apart"):
        fit(disc() + noise_of(0), basis)
    # Of what may not be there, there is none where another is the same.
    perhaps = replace(basis, presence=(Presence(3, 0.2, 0.5),))
    found = fit(disc() + noise_of(0), perhaps).amplitudes
    together = found.mean[0] + found.mean[3]
    alone = fit(disc() + noise_of(0), basis_of(("PG", "LAC", "CHO"))).amplitudes
    assert abs(together - alone.mean[0]) < 0.5 * alone.sd[0]


def test_a_component_outside_the_window_is_named():
    fids = BASIS.fids.copy()
    fids[4] = fid_of([Resonance(ppm=8.0, weight=1, gauss_width_ppm=0.1)])
    with pytest.raises(InputError, match="component CHO has no signal inside the window"):
        fit(disc() + noise_of(0), replace(BASIS, fids=fids))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_gives_finite_numbers(seed):
    result = fit(noise_of(seed), baseline=HUMPS)
    for name in ("mean", "covariance", "crlb", "low", "high"):
        assert np.all(np.isfinite(getattr(result.amplitudes, name))), name
    assert np.all(np.isfinite(result.lines.linewidth_hz))
    assert np.all(np.abs(result.amplitudes.mean) < 6 * result.amplitudes.sd + 3)


ABSURD = {
    "conjugated": disc().conj() + noise_of(0),
    "a step": np.r_[np.ones(1024), np.zeros(1024)].astype(complex),
    "a ramp": np.linspace(0, 1, 2048).astype(complex),
    "an undamped line": np.exp(2j * np.pi * hz(2.04) * TIME),
    "a growing line": np.exp(2j * np.pi * hz(2.04) * TIME + 3 * TIME),
    "a line elsewhere": np.exp(2j * np.pi * 900 * TIME - 20 * TIME),
    "water unsuppressed": 1e5 * np.exp(-40 * TIME) + disc() + noise_of(0),
    "lines of 150 Hz": disc(lorentz=150.0) + noise_of(0),
    "a constant and a whisper": np.ones(2048) + 1e-12 * noise_of(0),
    "zeros after 300 points": np.r_[(disc() + noise_of(0))[:300], np.zeros(1748)],
    "a late echo": np.roll(disc() + noise_of(0), 300),
}


@pytest.mark.parametrize("baseline", [None, HUMPS])
def test_gaussian_lines_leave_noise_alone(baseline):
    """Half of the data would have the Lorentzian width negative; the curve must fit with none."""
    lines = disc(lorentz=0.0, gauss=20.0)
    results = [fit(lines + noise_of(seed), baseline=baseline) for seed in range(12)]
    assert max(result.residual.ratio for result in results) < 1.25
    errors = [(result.amplitudes.mean - AMPLITUDE) / result.amplitudes.sd for result in results]
    assert np.sqrt(np.mean(np.square(errors))) < 1.3


def test_strong_lines_that_the_model_lacks_cost_certainty_and_not_sense():
    """Two lines of four to seven times PG's height: their misfit is noise to all that follows."""
    fid = disc(10 * AMPLITUDE) + noise_of(1)
    for ppm, height in ((2.7, 150.0), (1.7, 80.0)):
        fid += height * np.exp(2j * np.pi * hz(ppm) * TIME - 6 * np.pi * TIME)
    result = fit(fid, baseline=HUMPS)
    assert result.residual.ratio > 10
    assert result.amplitudes.mean[0] == pytest.approx(200, abs=2 * result.amplitudes.sd[0])
    assert result.amplitudes.sd[0] < 100


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("baseline", [None, HUMPS])
@pytest.mark.parametrize("name", ABSURD)
def test_absurd_data_give_finite_numbers_and_no_warning(name, baseline):
    basis = replace(
        basis_of(
            shift_sd=0.5,
            ratio_priors=[RatioPrior(numerator="ALA", denominator="LAC", median=0.3, log_sd=0.7)],
        ),
        extra_width_sd_hz=np.array([1.0, 0, 0, 0, 1.0]),
    )
    result = fit(ABSURD[name], basis, baseline)
    for field in ("mean", "covariance", "crlb", "low", "high"):
        assert np.all(np.isfinite(getattr(result.amplitudes, field))), field
    for field in ("components", "baseline"):
        assert np.all(np.isfinite(getattr(result, field))), field
    assert np.all(result.amplitudes.sd > 0)
    assert np.all(result.amplitudes.low <= result.amplitudes.high)


def test_lines_broader_than_allowed_are_not_converged():
    result = fit(ABSURD["lines of 150 Hz"])
    assert result.doubt == Doubt("too broad", 80.0)


def test_a_component_has_a_width_of_its_own_within_its_prior():
    extra = np.array([0.0, 0.0, 0.0, 0.0, 5.0])
    turned = fids_at(TIME) * np.exp(-np.pi * (9 + extra[:, None]) * TIME)
    fid = AMPLITUDE @ turned + noise_of(6, 0.02)
    basis = replace(BASIS, extra_width_sd_hz=np.array([0.0, 0.0, 0.0, 0.0, 3.0]))
    result = fit(fid, basis)
    assert result.lines.linewidth_hz == pytest.approx(9 + extra, abs=0.3)
    np.testing.assert_allclose(result.amplitudes.mean, AMPLITUDE, rtol=0.03)


def test_a_baseline_range_upside_down_is_refused():
    with pytest.raises(InputError, match="baseline_hz"):
        fit(disc() + noise_of(0), baseline=(HUMPS[1], HUMPS[0]))


def test_a_model_that_misses_something_is_less_sure():
    """A line that no component explains raises the residual, and the uncertainty with it."""
    fid = disc() + noise_of(2)
    stranger = 12 * np.exp(2j * np.pi * hz(2.6) * TIME - np.pi * 5 * TIME)
    plain, spoilt = fit(fid), fit(fid + stranger)
    assert spoilt.residual.ratio > 1.5
    assert spoilt.residual.whiteness_p < 1e-3
    assert np.all(spoilt.amplitudes.sd > 1.3 * plain.amplitudes.sd)


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [None, HUMPS])
def test_any_offset_phase_delay_and_width_ends_near_the_truth(baseline):
    """400 discs from the whole range a scanner may deliver: no local minimum holds any back."""
    rng = np.random.default_rng(17)
    lost = 0
    for seed in range(400):
        truth = {
            "lorentz": np.exp(rng.uniform(np.log(4), np.log(35))),
            "shift": rng.uniform(-25, 25),
            "phase": rng.uniform(-np.pi, np.pi),
            "delay": rng.uniform(-2e-4, 2e-4),
        }
        result = fit(disc(**truth) + noise_of(seed), baseline=baseline)
        near = abs(result.lines.shift_hz[0] - truth["shift"]) < 4.0
        right = np.all(np.abs(result.amplitudes.mean - AMPLITUDE) < 5 * result.amplitudes.sd + 0.5)
        lost += not (result.doubt is None and near and right)
    assert lost <= 2


def test_a_fit_does_not_depend_on_the_fits_before_it():
    """What is kept between fits belongs to the basis, and the basis to no caller."""
    fids = fids_at(TIME)
    zeros = np.zeros(len(NAMES))
    own = FitBasis(names=NAMES, fids=fids, shift_sd_hz=zeros, extra_width_sd_hz=zeros)
    fids[:] = 0
    fid = disc() + noise_of(5)
    first = fit(fid, basis=own, baseline=HUMPS)
    fit(fid, basis=basis_of(NAMES[::-1]), baseline=HUMPS)
    fit(fid, basis=own, baseline=(HUMPS[0], 0.5 * HUMPS[1]))
    fit(fid[: TIME.size // 2], basis=own, baseline=HUMPS)
    again = fit(fid, basis=own, baseline=HUMPS)
    np.testing.assert_array_equal(again.amplitudes.mean, first.amplitudes.mean)
    np.testing.assert_array_equal(again.components, first.components)
    np.testing.assert_array_equal(again.amplitudes.mean, fit(fid, baseline=HUMPS).amplitudes.mean)


@pytest.mark.slow
def test_accuracy_over_humps_with_lipid_under_lactate():
    """300 discs of the stated ensemble: RMSE / bound and coverage with room for chance."""
    lipid = [
        Resonance(ppm=ppm, weight=weight, gauss_width_ppm=0.11)
        for ppm, weight in ((0.90, 8.7), (1.30, 69.3), (2.10, 12.8), (2.76, 0.4), (5.30, 4.8))
    ]
    basis = FitBasis(
        names=(*NAMES, "LIP"),
        fids=np.vstack([BASIS.fids, fid_of(lipid)]),
        shift_sd_hz=np.zeros(6),
        extra_width_sd_hz=np.zeros(6),
    )
    amplitude = np.append(AMPLITUDE, 6.0)
    decay = np.exp(-np.pi * 9 * TIME)
    frequency = np.fft.fftfreq(TIME.size, DWELL)
    inside = (frequency >= WINDOW[0]) & (frequency <= WINDOW[1])
    total = amplitude @ (basis.fids * decay)
    columns = [*(basis.fids * decay), 2j * np.pi * TIME * total, -np.pi * TIME * total, 1j * total]
    bins = np.fft.fft(columns, norm="ortho")[:, inside]
    known = np.sqrt(np.diag(np.linalg.inv((bins @ bins.conj().T).real)))[:5]
    rng = np.random.default_rng(23)
    error, covered = [], []
    for seed in range(300):
        fid = total + noise_of(50_000 + seed)
        if seed % 5:
            strength = np.exp(rng.uniform(np.log(0.03), 0.0))
            for _ in range(1 + rng.poisson(4)):
                area = 10 * strength * np.exp(0.5 * rng.standard_normal())
                fid += hump(rng.uniform(0.5, 4.1), rng.uniform(45, 90), area)
        result = fit(fid, basis, HUMPS)
        error.append((result.amplitudes.mean - amplitude)[:5] / known)
        covered.append(
            ((result.amplitudes.low <= amplitude) & (result.amplitudes.high >= amplitude))[:5]
        )
    rmse = np.sqrt(np.mean(np.square(error), axis=0))
    assert np.all(rmse < 1.15 * np.array([1.9, 1.2, 1.8, 1.7, 1.6])), rmse
    assert np.all(np.mean(covered, axis=0) > 0.90)
    assert np.mean(covered) > 0.92


@pytest.mark.parametrize("mhz", [42.6, 63.87, 127.7, 297.2])
@pytest.mark.parametrize("width_hz", [4.0, 26.0, 38.0])
def test_the_window_holds_more_points_than_there_is_to_fit(mhz, width_hz):
    window_hz = 3.7 * mhz
    start = Start(1.0, 0.0, width_hz, 0.0, 0.0, np.ones(1), 1.0)
    n_points = points_with_signal(30 * np.ones(2048), [start], DWELL, window_hz)
    assert n_points * DWELL * window_hz >= 28
    # Lines that have not fallen 300-fold are not cut: the floor only adds.
    assert np.exp(-np.pi * 0.75 * width_hz * n_points * DWELL) <= 1 / 290 or n_points == 2048
