"""Coupled spins against an independent density matrix, published values, closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.models import load_metabolite_model
from mrs_disc.signal.fit import spins
from mrs_disc.signal.fit.basis import component_fid, group_lines
from mrs_disc.signal.fit.spins import Evolution, Pair, RefocusingPulse, pair_lines
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

MHZ = 127.74
MODEL = {c.name: c for c in load_metabolite_model("disc_1h").component}
PROTONS = {"LAC": (3, 1), "ALA": (3, 1), "PA": (3, 2)}
SINC = RefocusingPulse(
    shape="hamming_sinc", bandwidth_hz=1200.0, duration_s=0.0033, carrier_ppm=2.7
)
GOIA = RefocusingPulse(shape="goia_wurst", bandwidth_hz=20000.0, duration_s=0.0045, carrier_ppm=2.7)
PLAYED = {
    "spin echo": ((1,), None, 0.0),
    "PRESS": ((1, 1), None, 0.0),
    "PRESS, 1200 Hz": ((1, 1), SINC, 1200.0),
    "SPECIAL, 1200 Hz": ((1,), SINC, 1200.0),
    "sLASER": ((2, 2), GOIA, 20000.0),
    "STEAM": ((), None, 0.0),
}


def evolution(name, te_s, tm_s=0.010):
    pulses, pulse, _ = PLAYED[name]
    return Evolution(
        echo_time_s=te_s, pulses=pulses, refocusing=pulse, mixing_time_s=None if pulses else tm_s
    )


def second(component, name, te_s, tm_s=0.010, mhz=MHZ):
    """Return the FID of the other simulator in units of the component, carrier on water."""
    groups = MODEL[component].resonance
    system = SpinSystem(
        protons=PROTONS[component],
        ppm=tuple(r.ppm for r in groups),
        j_hz=((0, 1, groups[0].j_hz),),
    )
    sequence = Localisation(
        name=name.partition(",")[0],
        echo_time_s=te_s,
        mixing_time_s=tm_s,
        bandwidth_hz=PLAYED[name][2],
    )
    return sequence_lines(system, sequence, mhz=mhz)


@pytest.mark.parametrize("component", PROTONS)
@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize(("te_s", "mhz"), [(0.021, 123.2), (0.144, 123.2)])
def test_fids_are_those_of_the_independent_simulator(component, name, te_s, mhz):
    """Both groups with all lines, over 0.2 s; pulses are cut into other steps and places there."""
    time_s = np.linspace(0.0, 0.2, 160)
    groups = MODEL[component].resonance
    fid = component_fid(
        groups,
        time_s=time_s,
        spectrometer_mhz=mhz,
        reference_ppm=4.65,
        evolution=evolution(name, te_s),
    )
    other = second(component, name, te_s, mhz=mhz)
    unit = sum(r.weight for r in groups if r.in_amplitude)
    expected = other.weight @ np.exp(2j * np.pi * other.hz[:, None] * time_s) / unit
    assert np.abs(fid - expected).max() < 4e-3


@settings(max_examples=25)
@given(te_s=st.floats(0.008, 0.3), tm_s=st.floats(0.004, 0.05), mhz=st.floats(40, 300))
def test_stimulated_echoes_agree_at_any_mixing_time_and_field(te_s, tm_s, mhz):
    lines = group_lines(
        MODEL["LAC"].resonance[0], MODEL["LAC"].resonance, mhz, evolution("STEAM", te_s, tm_s)
    )
    other = second("LAC", "STEAM", te_s, tm_s, mhz=mhz)
    methyl = other.weight[other.group == 0].sum() / 3
    assert lines.weight.sum() == pytest.approx(methyl, abs=1e-6)


# In-phase part of lactate's CH3 [D], a third density matrix. The pulses'
# shapes are not given to the last digit, nor the shifts: 0.012.
TABLE = {
    28: (0.819, 0.881, 0.855, 0.913),
    30: (0.803, 0.855, 0.836, 0.971),
    35: (0.735, 0.872, 0.749, 0.922),
    72: (-0.006, 0.392, 0.084, 0.687),
    144: (-0.998, -0.352, -0.905, 0.446),
    288: (0.999, 0.143, 0.875, 0.997),
}


def in_phase(component, evolved, mhz=MHZ):
    groups = MODEL[component].resonance
    return float(group_lines(groups[0], groups, mhz, evolved).weight.sum().real)


@pytest.mark.parametrize("te_ms", TABLE)
def test_lactate_evolves_as_published(te_ms):
    columns = ("spin echo", "PRESS, 1200 Hz", "sLASER", "STEAM")
    found = [in_phase("LAC", evolution(name, 1e-3 * te_ms)) for name in columns]
    assert found == pytest.approx(TABLE[te_ms], abs=0.012)


def test_propionate_is_strongly_coupled():
    """.609 at TE 30 by the science page; the weak formula gives .560."""
    assert in_phase("PA", evolution("spin echo", 0.030)) == pytest.approx(0.609, abs=1e-3)


@pytest.mark.parametrize("pulses", [(1,), (1, 1), (2, 2)])
@pytest.mark.parametrize("te_s", [0.03, 0.144])
def test_far_apart_a_pair_turns_with_j_alone(pulses, te_s):
    """cos(pi J (t + TE)) to the power of the neighbours, at a hundred times the field."""
    far = Pair(protons=(3, 2), hz=(-7000.0, 7000.0), j_hz=7.7)
    time_s = np.linspace(0, 0.1, 20)
    for lines, n in zip(
        pair_lines(far, Evolution(echo_time_s=te_s, pulses=pulses)), (2, 3), strict=True
    ):
        fid = lines.weight @ np.exp(2j * np.pi * lines.hz[:, None] * time_s)
        assert fid == pytest.approx(np.cos(np.pi * 7.7 * (time_s + te_s)) ** n, abs=0.01)


def test_without_echo_every_line_is_upright():
    for lines in pair_lines(
        Pair(protons=(3, 2), hz=(-71.0, 72.0), j_hz=7.7), Evolution(echo_time_s=0)
    ):
        assert lines.weight.sum() == pytest.approx(1.0)


def test_without_mixing_time_it_is_the_mean_over_all():
    pair = Pair(protons=(3, 1), hz=(-178.0, 178.0), j_hz=6.933)
    mean = pair_lines(pair, Evolution(echo_time_s=0.02, pulses=()))[0].weight.sum()
    times_s = np.linspace(0.005, 0.505, 1000, endpoint=False)
    each = [
        pair_lines.__wrapped__(pair, Evolution(echo_time_s=0.02, pulses=(), mixing_time_s=t))[0]
        for t in times_s
    ]
    assert mean == pytest.approx(np.mean([e.weight.sum() for e in each]), abs=2e-3)


def test_pulses_keep_states_whole_and_are_as_wide_as_they_say():
    pair = Pair(protons=(3, 1), hz=(-178.0, 178.0), j_hz=6.933)
    for pulse in (SINC, GOIA):
        for u in spins._propagators(pair, pulse):
            assert np.allclose(u @ u.conj().transpose(0, 2, 1), np.eye(u.shape[-1]), atol=1e-9)
    (one,) = (u for u in spins._propagators(Pair(protons=(1, 0), hz=(0, 0), j_hz=0), SINC))
    refocused = np.abs(one[:, 1, 0]) ** 2
    edge = np.interp([0, 600, 1500], spins._places_hz(SINC), refocused)
    assert edge == pytest.approx([1.0, 0.5, 0.0], abs=0.03)


def test_more_places_and_parts_change_little(monkeypatch):
    pair = Pair(protons=(3, 1), hz=(-178.0, 178.0), j_hz=6.933)
    for pulse, pulses in ((SINC, (1, 1)), (GOIA, (2, 2))):
        played = Evolution(echo_time_s=0.03, pulses=pulses, refocusing=pulse)
        coarse = pair_lines.__wrapped__(pair, played)[0].weight.sum()
        monkeypatch.setattr(spins, "_PLACES", 193)
        monkeypatch.setattr(spins, "_SEGMENTS", 48)
        spins._propagators.cache_clear()
        fine = pair_lines.__wrapped__(pair, played)[0].weight.sum()
        monkeypatch.undo()
        spins._propagators.cache_clear()
        assert coarse == pytest.approx(fine, abs=2e-3)
