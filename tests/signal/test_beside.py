"""Whether a residual holds what the fit has not: against a fit that has it, and under chance."""

import numpy as np
import pytest
from scipy.special import chdtrc
from scipy.stats import kstest

from mrs_disc.models import Resonance
from mrs_disc.signal.fit.basis import component_fid
from mrs_disc.signal.fit.beside import Beside
from mrs_disc.signal.fit.fit import fit_fid
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import MetaboliteModel, Scan
from mrs_disc.signal.fit.spins import Evolution

MHZ, REFERENCE, DWELL = 127.7, 4.65, 1 / 2500
TIME = np.arange(1024) * DWELL
PLACES = {"PG": 2.02, "LAC": 1.31, "CHO": 3.2}
MORE = {"beside PG": 2.15, "alone": 2.7}
AMPLITUDE = np.array([20.0, 8.0, 4.0])
LORENTZ = np.exp(-np.pi * 9.0 * TIME)
WINDOW = tuple((ppm - REFERENCE) * MHZ for ppm in (0.5, 4.2))


def fids_of(places):
    scan = {
        "spectrometer_mhz": MHZ,
        "reference_ppm": REFERENCE,
        "evolution": Evolution(echo_time_s=0.03),
    }
    lines = ([Resonance(ppm=ppm, weight=1)] for ppm in places.values())
    return np.array([component_fid(one, time_s=TIME, **scan) for one in lines])


def basis_of(places):
    none = np.zeros(len(places))
    fids = fids_of(places)
    return FitBasis(names=tuple(places), fids=fids, shift_sd_hz=none, extra_width_sd_hz=none)


FEW, ALL = basis_of(PLACES), basis_of(PLACES | MORE)
BESIDE = Beside(fids_of(MORE), ("PG", "PG"))


def disc(seed, more=(0.0, 0.0), sd=0.5):
    rng = np.random.default_rng(seed)
    noise = sd * (rng.standard_normal(TIME.size) + 1j * rng.standard_normal(TIME.size))
    return np.concatenate([AMPLITUDE, more]) @ ALL.fids * LORENTZ + noise


def fit(fid, basis=FEW, baseline=None, **options):
    scan = Scan(dwell_time_s=DWELL, window_hz=WINDOW)
    return fit_fid(fid, basis, scan, baseline_hz=baseline, **options)


@pytest.mark.parametrize("seed", range(8))
def test_chance_is_that_of_a_fit_that_has_the_signals(seed):
    """Wald's test of two amplitudes, in a fit of their own, asks the same."""
    fid = disc(seed, more=(0.1 * seed, -0.1 * seed))
    amplitudes = fit(fid, ALL).amplitudes
    covariance, mean = amplitudes.covariance[3:, 3:], amplitudes.mean[3:]
    expected = chdtrc(2, mean @ np.linalg.solve(covariance, mean))
    p = fit(fid, beside=BESIDE).beside_p
    assert abs(p - expected) < 0.03 + 0.25 * expected


@pytest.mark.parametrize("baseline", [None, WINDOW])
def test_chances_are_uniform_where_there_is_none(baseline):
    chances = [fit(disc(100 + k), FEW, baseline, beside=BESIDE).beside_p for k in range(60)]
    assert kstest(chances, "uniform").pvalue > 0.01


@pytest.mark.parametrize("baseline", [None, WINDOW])
def test_a_signal_of_five_errors_is_told(baseline):
    error = np.sqrt(fit(disc(0), ALL, baseline).amplitudes.covariance[4, 4])
    chances = [
        fit(disc(200 + k, (0.0, 5 * error)), FEW, baseline, beside=BESIDE).beside_p
        for k in range(20)
    ]
    assert np.median(chances) < 1e-3


def test_spline_and_no_signals_at_all():
    assert fit(disc(1)).beside_p == 1
    spline = {"baseline": WINDOW, "spline": True}
    assert fit(disc(1), beside=BESIDE, **spline).beside_p > 0.01
    assert fit(disc(1, (0.0, 4.0)), beside=BESIDE, **spline).beside_p < 1e-3


def test_a_signal_has_shift_and_width_of_what_it_is_like():
    own = {"shift_sd_hz": np.array([0.0, 0.0, 4.0]), "extra_width_sd_hz": np.array([0.0, 0.0, 5.0])}
    basis = FitBasis(names=tuple(PLACES), fids=FEW.fids, **own)
    scan = Scan(dwell_time_s=DWELL, window_hz=WINDOW)
    cho = np.array([2])
    model = MetaboliteModel(FEW.fids, scan, moves=cho, widens=cho)
    parameters = np.array([1.5, 6.0, 50.0, 0.3, 0.0, 2.5, 4.0])  # the last two are those of CHO
    rows = Beside(fids_of(MORE), ("PG", "CHO")).rows(basis, model, scan, parameters)

    gauss = np.exp(-((np.pi * TIME) ** 2) * 50.0 / (4 * np.log(2)))
    for row, fid, shift, width in zip(rows, fids_of(MORE), (1.5, 4.0), (6.0, 10.0), strict=True):
        turn = np.exp(0.3j + (2j * np.pi * shift - np.pi * width) * TIME) * gauss
        assert np.allclose(row, model.spectrum(fid * turn * model.carrier), atol=1e-9)
