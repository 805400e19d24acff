"""What the multiplets say of the echo time: states that span all others, and a test of the time."""

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.models import Resonance
from mrs_disc.signal.fit.basis import component_fid
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.posterior import Amplitudes
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.steps.echo_time import (
    TIMES_S,
    echo_time_told,
    evolving,
    mixtures,
    with_later_states,
)

STATED_S, DWELL_S = 0.030, 5e-4
GROUPS = {
    "doublet": (Resonance(ppm=1.31, weight=3, j_hz=6.93, neighbours=1),),
    "triplet": (Resonance(ppm=1.05, weight=3, j_hz=7.7, neighbours=2),),
    "quartet": (Resonance(ppm=2.17, weight=2, j_hz=7.7, neighbours=3),),
}


def at(echo_time_s):
    time_s = DWELL_S * np.arange(1024)
    return {
        name: component_fid(
            groups,
            time_s=time_s,
            spectrometer_mhz=127.7,
            reference_ppm=4.65,
            evolution=Evolution(echo_time_s=echo_time_s),
            extra_width_hz=10.0,
        )
        for name, groups in GROUPS.items()
    }


@pytest.fixture(scope="module")
def states():
    fids = at(STATED_S)
    basis = FitBasis(
        names=tuple(fids),
        fids=np.array(list(fids.values())),
        shift_sd_hz=np.zeros(3),
        extra_width_sd_hz=np.zeros(3),
        spread_odds=7.0,
    )
    return with_later_states(basis, evolving(GROUPS.items()), STATED_S, at)


@pytest.fixture(scope="module")
def shares(states):
    return mixtures(states, DWELL_S, at)


def test_as_many_states_as_lines_make_up_a_multiplet_of_any_echo_time(states, shares):
    assert [len(rows) for rows in states.rows] == [2, 3, 4]
    rows = [row for of_one in states.rows for row in of_one]
    for time_s, share in zip(TIMES_S, shares, strict=True):
        made = share.T @ states.basis.fids[rows]
        true = np.array(list(at(float(time_s)).values()))
        assert np.abs(made - true).max() < 1e-8 * np.abs(true).max()


def told(states, shares, of_states, sd):
    amplitudes = np.array(of_states, dtype=float)
    n = amplitudes.size
    return echo_time_told(
        Amplitudes(
            mean=amplitudes,
            covariance=sd**2 * np.eye(n),
            repetition=sd**2 * np.eye(n),
            crlb=np.full(n, sd),
            low=amplitudes,
            high=amplitudes,
        ),
        states,
        shares,
        STATED_S,
    )


def order(states, per_group):
    """Return amplitudes in the order of the basis from those in the order of the groups."""
    found = np.zeros(len(states.basis.names))
    found[[row for rows in states.rows for row in rows]] = per_group
    return found


@pytest.mark.parametrize("true_s", [0.012, 0.066, 0.144, 0.210])
def test_strong_multiplets_name_the_time_that_they_evolved_for(states, shares, true_s):
    which = int(np.argmin(np.abs(TIMES_S - true_s)))
    found = told(states, shares, order(states, shares[which] @ [40.0, 10.0, 10.0]), sd=1.0)
    assert found.fitting_s == pytest.approx(true_s)
    assert found.deviation_sd > 5


def test_the_stated_time_is_left_alone(states, shares):
    as_stated = order(states, [40.0, 0.0, 10.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0])
    assert told(states, shares, as_stated, sd=1.0).deviation_sd < 1e-6


def test_weak_multiplets_say_nothing(states, shares):
    which = int(np.argmin(np.abs(TIMES_S - 0.144)))
    found = told(states, shares, order(states, shares[which] @ [1.0, 0.2, 0.2]), sd=1.0)
    assert found.deviation_sd < 2


def test_one_number_of_units_changes_nothing(states, shares):
    amplitudes = order(states, shares[10] @ [40.0, 10.0, 10.0])
    one = told(states, shares, amplitudes, sd=2.0)
    for unit in (1e-12, 1e9):
        other = told(states, shares, unit * amplitudes, sd=2.0 * unit)
        assert replace(other, deviation_sd=0.0) == replace(one, deviation_sd=0.0)
        assert other.deviation_sd == pytest.approx(one.deviation_sd, rel=1e-5)


def test_what_is_known_of_the_common_width_holds_for_the_states(states):
    assert states.basis.spread_odds == 7.0
