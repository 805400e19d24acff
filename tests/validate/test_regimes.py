"""The regimes are what their words say."""

import numpy as np
import pytest

from mrs_disc.data import Fid, RawSignal
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.simulate.lines import unit_fids
from mrs_disc.validate import regimes
from mrs_disc.validate.regimes import LOG, REGIMES, TIME


@pytest.mark.parametrize("name", list(REGIMES))
def test_discs_come_from_their_own_stream(name):
    make = REGIMES[name].make
    a, b, c = make(1, 4), make(1, 4), make(1, 5)
    assert a.truth == b.truth
    assert np.array_equal(a.acquisition.metabolite.signal, b.acquisition.metabolite.signal)
    assert not np.array_equal(a.acquisition.metabolite.signal, c.acquisition.metabolite.signal)
    assert set(a.truth) == set(a.bound)
    assert set(REGIMES[name].rmse) <= set(a.truth)
    assert all(bound > 0 for bound in a.bound.values())


@pytest.mark.parametrize(("name", "low", "high"), [("matched", 14, 25), ("weak", 5, 8)])
def test_snr_is_amplitude_over_the_noise_of_a_real_channel(name, low, high):
    """The tail of the FID holds only noise: 4 % standard error over 600 values, four of them."""
    for index in range(12):
        case = REGIMES[name].make(2, index)
        tail = case.acquisition.metabolite.signal[-600:]
        snr = case.truth["PG"] / np.sqrt(np.mean(np.abs(tail) ** 2) / 2)
        assert 0.88 * low < snr < 1.12 * high


def test_matched_disc_is_its_model():
    """Independent sum of the components at the truth, phase and shift left to a free fit."""
    case = REGIMES["matched"].make(3, 0)
    assert isinstance(case.acquisition.metabolite, Fid)
    model = regimes.regime_model()
    units = unit_fids(
        model,
        TIME,
        spectrometer_mhz=127.7,
        evolution=Evolution(echo_time_s=0.028),
        lorentz_hz={c.name: 9.0 + c.extra_width_hz for c in model.component},
    )
    data = case.acquisition.metabolite.signal
    solution, *_ = np.linalg.lstsq(units.T, data, rcond=None)
    pg = abs(solution[0])
    assert pg == pytest.approx(case.truth["PG"], rel=0.25)


def test_a_fifth_of_the_ensemble_has_no_hump():
    rng = np.random.default_rng(5)
    humps = REGIMES["ensemble"].disc.humps
    without = [not humps.fid(rng, TIME[:8], 127.7).any() for _ in range(1500)]
    assert np.mean(without) == pytest.approx(0.2, abs=0.035)  # three standard errors


def test_dirty_disc_has_water_and_its_residue():
    case = REGIMES["dirty"].make(1, 0)
    ratio = abs(case.acquisition.water.signal[0]) / case.truth["PG"]
    assert ratio > 100
    assert abs(case.acquisition.metabolite.signal[0]) > 0.01 * abs(case.acquisition.water.signal[0])


def test_coils_are_raw_and_judged_by_ratios():
    case = REGIMES["coils"].make(1, 0)
    assert isinstance(case.acquisition.metabolite, RawSignal)
    assert case.acquisition.metabolite.signal.shape == (16, 48, 2048)
    assert list(case.truth) == ["LAC/PG", "ALA/PG", "PA/PG", "CHO/PG"]


def test_in_vivo_bound_grows_with_noise_and_is_of_the_logarithm():
    cases = [REGIMES["in vivo"].make(1, i) for i in range(6)]
    assert all(-6 < case.truth[LOG] < 1.5 for case in cases)
    assert all(0.02 < case.bound[LOG] < 60 for case in cases)
