"""The second simulator against closed forms and published evolution."""

import ast
from math import cos, pi
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.errors import InputError
from mrs_disc.validate import second
from mrs_disc.validate.second import spins
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

MHZ = 127.74
LACTATE = SpinSystem(protons=(3, 1), ppm=(1.3142, 4.0974), j_hz=((0, 1, 6.933),))
PROPIONATE = SpinSystem(protons=(3, 2), ppm=(1.05, 2.17), j_hz=((0, 1, 7.7),))


def in_phase(name, te_ms, bandwidth_hz=0.0, system=LACTATE, mhz=MHZ):
    sequence = Localisation(name=name, echo_time_s=1e-3 * te_ms, bandwidth_hz=bandwidth_hz)
    return sequence_lines(system, sequence, mhz=mhz).in_phase(0) / 3


@pytest.mark.parametrize("name", ["PRESS", "spin echo", "SPECIAL", "sLASER"])
@pytest.mark.parametrize("te_ms", [28, 72, 144, 288])
def test_weakly_coupled_methyl_turns_with_j_alone(name, te_ms):
    """At a hundred times the field the coupling is weak: cos(pi J TE)."""
    expected = cos(pi * 6.933e-3 * te_ms)
    assert in_phase(name, te_ms, mhz=100 * MHZ) == pytest.approx(expected, abs=2e-3)


# Section 14 of the project's science page: in-phase part of the CH3 of lactate [D], by another
# density matrix. The shapes of the pulses are not given to the last digit: 0.012.
TABLE = {
    28: (0.819, 0.881, 0.855, 0.913),
    30: (0.803, 0.855, 0.836, 0.971),
    35: (0.735, 0.872, 0.749, 0.922),
    72: (-0.006, 0.392, 0.084, 0.687),
    144: (-0.998, -0.352, -0.905, 0.446),
    288: (0.999, 0.143, 0.875, 0.997),
}
COLUMNS = [("spin echo", 0.0), ("PRESS", 1200.0), ("sLASER", 20000.0), ("STEAM", 0.0)]


@pytest.mark.parametrize("te_ms", list(TABLE))
def test_lactate_evolves_as_published(te_ms):
    found = [in_phase(name, te_ms, bandwidth) for name, bandwidth in COLUMNS]
    assert found == pytest.approx(TABLE[te_ms], abs=0.012)


def test_propionate_is_strongly_coupled():
    """.609 at TE 30; the weak formula gives .560."""
    assert in_phase("spin echo", 30, system=PROPIONATE) == pytest.approx(0.609, abs=0.001)


def test_lines_of_a_weak_doublet_are_those_of_the_closed_form():
    """3 cos(pi J (t + TE)) at the shift of the methyl: frequencies, phases, their signs."""
    mhz, te_s = 100 * MHZ, 0.035
    lines = sequence_lines(LACTATE, Localisation(name="PRESS", echo_time_s=te_s), mhz=mhz)
    methyl = lines.group == 0
    time_s = np.linspace(0, 0.3, 40)
    fid = lines.weight[methyl] @ np.exp(2j * pi * lines.hz[methyl, None] * time_s)
    turn = np.exp(2j * pi * (1.3142 - 4.65) * mhz * time_s)
    assert fid / turn == pytest.approx(3 * np.cos(pi * 6.933 * (time_s + te_s)), abs=0.02)


def test_pulses_are_unitary_and_as_wide_as_they_say():
    for kind in ("sinc", "goia"):
        for u in spins._propagators(LACTATE, MHZ, 2.7, kind, 1200.0):
            product = u @ u.conj().transpose(0, 2, 1)
            assert np.allclose(product, np.eye(u.shape[-1]), atol=1e-9)
    pulse = spins.sinc_pulse(1200.0)
    edge = [spins._refocused(pulse.b1_hz, pulse.step_s, f) for f in (0.0, 600.0, 1500.0)]
    assert edge == pytest.approx([1.0, 0.5, 0.0], abs=0.02)


def test_unknown_or_too_short_sequences_are_named():
    with pytest.raises(InputError, match="PRESS, sLASER"):
        in_phase("FID", 30)
    with pytest.raises(InputError, match="shorter than its pulses"):
        in_phase("sLASER", 15, 20000.0)


def test_it_shares_no_code_with_fit_or_simulator():
    """Nothing but arrays, tables, messages."""
    allowed = ("mrs_disc.typing", "mrs_disc.errors", "mrs_disc.schema", "mrs_disc.validate.second")
    for path in Path(second.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("mrs_disc"):
                assert node.module.startswith(allowed), f"{path.name}: {node.module}"
