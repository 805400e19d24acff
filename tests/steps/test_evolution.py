"""What is taken for the evolution of coupled spins, and what is said of it."""

import pytest

from mrs_disc.data import Protocol
from mrs_disc.errors import ModelError
from mrs_disc.models import load_metabolite_model
from mrs_disc.models.sequences import load_sequences
from mrs_disc.record.findings import of_role
from mrs_disc.steps.evolution import played

MODEL = load_metabolite_model("disc_1h")
TABLE = load_sequences("sequences")
GIVEN = {"refocusing_pulse": "hamming_sinc", "refocusing_bandwidth_hz": 2000.0}

# Protocol, kinds found, pulses, shape of the refocusing pulse, its bandwidth
CASES = {
    "PRESS": ({"sequence": "PRESS"}, ["pulses_not_told", "evolved_ideal"], (1, 1), None),
    "no sequence": ({}, ["sequence_assumed", "pulses_not_told", "evolved_ideal"], (1, 1), None),
    "PRESS of a bandwidth": (
        {"sequence": "PRESS", "refocusing_bandwidth_hz": 1200.0},
        ["pulse_assumed", "evolved_real"],
        (1, 1),
        ("hamming_sinc", 1200.0),
    ),
    "PRESS of known pulses": (
        {"sequence": "PRESS", **GIVEN},
        ["evolved_real"],
        (1, 1),
        ("hamming_sinc", 2000.0),
    ),
    "PRESS of ideal pulses": (
        {"sequence": "PRESS", "refocusing_pulse": "ideal", "refocusing_bandwidth_hz": 1200.0},
        ["evolved_ideal"],
        (1, 1),
        None,
    ),
    "too narrow a bandwidth": (
        {"sequence": "PRESS", "refocusing_bandwidth_hz": 250.0},
        ["pulses_too_long", "evolved_ideal"],
        (1, 1),
        None,
    ),
    "semi-LASER": (
        {"sequence": "sLASER"},
        ["pulse_assumed", "evolved_real"],
        (2, 2),
        ("goia_wurst", 20000.0),
    ),
    "STEAM": ({"sequence": "STEAM", "mixing_time_s": 0.01}, ["evolved_stimulated"], (), None),
    "STEAM without TM": (
        {"sequence": "STEAM"},
        ["no_mixing_time", "evolved_stimulated"],
        (),
        None,
    ),
    "SPECIAL": ({"sequence": "SPECIAL"}, ["pulses_not_told", "evolved_ideal"], (1,), None),
    "spin echo": ({"sequence": "spin echo"}, ["evolved_ideal"], (1,), None),
    **{
        name: ({"sequence": name}, ["evolution_unknown"], (1, 1), None)
        for name in ("LASER", "ISIS", "FID", "other")
    },
}
POOR = ("pulses_too_long", "no_mixing_time", "evolution_unknown", "partner_unknown")


@pytest.mark.parametrize("case", CASES)
def test_a_protocol_says_what_was_played(case):
    given, kinds, pulses, shape = CASES[case]
    found = played(MODEL, Protocol(echo_time_s=0.03, **given), TABLE)
    assert [f.kind for f in found.findings] == kinds
    assert found.evolution.pulses == pulses
    pulse = found.evolution.refocusing
    assert (pulse and (pulse.shape, pulse.bandwidth_hz)) == shape
    poor = [f.kind for f in of_role(found.findings, "reason") if f.about.verdict == "poor"]
    assert poor == [kind for kind in kinds if kind in POOR]


def test_nothing_is_asked_where_no_line_depends_on_it():
    model = MODEL.model_copy(update={"component": MODEL.component[:1]})
    assert played(model, Protocol(sequence="other"), TABLE).findings == ()


def test_a_component_whose_neighbours_lie_nobody_knows_where_is_named():
    groups = tuple(r.model_copy(update={"partner_ppm": None}) for r in MODEL.component[1].resonance)
    lost = MODEL.component[1].model_copy(update={"resonance": groups})
    model = MODEL.model_copy(update={"component": (MODEL.component[0], lost)})
    stimulated = Protocol(sequence="STEAM", mixing_time_s=0.01, echo_time_s=0.03)
    found = played(model, stimulated, TABLE).findings
    assert [f.values["names"] for f in found if f.kind == "partner_unknown"] == [["LAC"]]
    echo = Protocol(sequence="spin echo", echo_time_s=0.03)
    assert [f.kind for f in played(model, echo, TABLE).findings] == ["evolved_ideal"]


OWN = """
name = "own"
[[pulse]]
shape = "hamming_sinc"
bandwidth_hz = 3000
duration_s = 0.002
carrier_ppm = 2.0
source = "our scanner"
status = "V"
[[sequence]]
name = "other"
pulses = [1, 2]
refocusing = "hamming_sinc"
real = "always"
source = "our sequence"
status = "V"
"""


def test_a_user_adds_a_sequence(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    found = played(MODEL, Protocol(echo_time_s=0.03, sequence="other"), load_sequences(str(path)))
    assert found.evolution.pulses == (1, 2)
    assert found.evolution.refocusing.bandwidth_hz == 3000
    assert [f.kind for f in found.findings] == ["pulse_assumed", "evolved_real"]


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('name = "other"', 'name = "mine"', "should be one of PRESS"),
        ("pulses = [1, 2]", "", "either pulses or stimulated"),
        ("pulses = [1, 2]", "pulses = [9]", "less than or equal to 4"),
        ('refocusing = "hamming_sinc"', 'refocusing = "goia_wurst"', "no \\[\\[pulse\\]\\]"),
        ("duration_s = 0.002", "duration_s = 2", "written in ms"),
        ("[[sequence]]", "[[order]]", "lacks \\[\\[sequence\\]\\]"),
    ],
)
def test_a_wrong_table_is_told(tmp_path, was, becomes, told):
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace(was, becomes, 1))
    with pytest.raises(ModelError, match=told):
        load_sequences(str(path))
