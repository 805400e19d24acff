"""Rows outside the fitted model: drawn as stated, counted by the rule, wrong names named."""

from dataclasses import replace
from math import pi

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from mrs_disc.cli.validate import command
from mrs_disc.errors import InputError
from mrs_disc.validate import stress
from mrs_disc.validate.second import signals
from mrs_disc.validate.second.spins import Localisation
from mrs_disc.validate.stress import (
    Outcome,
    StressRow,
    load_rows,
    row_names,
    stress_line,
    stress_row,
    validate_stress,
)
from mrs_disc.validate.stress_rows import LOG, MHZ, RATIO, TIME

FINE = Outcome(
    poor=False,
    painful=True,
    borne=True,
    label="indeterminate",
    reasons=("all_passed",),
    held={"PG": True, "LAC": True, "ALA": True, "PA": True, "CHO": True, RATIO: True, LOG: True},
    quoted={RATIO: True},
    error={"PG": 0.0},
)


LASER = [pytest.param(name, marks=pytest.mark.slow) for name in row_names() if "LASER" in name]
"""Their pulses take seconds."""


@pytest.mark.parametrize("name", [*(name for name in row_names() if "LASER" not in name), *LASER])
def test_a_disc_comes_from_its_own_stream(name):
    make = stress_row(name).make
    a, b, c = make(1, 4), make(1, 4), make(1, 5)
    assert a.truth == b.truth
    signal = a.acquisition.metabolite.signal
    assert np.array_equal(signal, b.acquisition.metabolite.signal)
    assert not np.array_equal(signal, c.acquisition.metabolite.signal)
    assert a.truth["PG"] == pytest.approx(100.0)
    assert a.truth[RATIO] == pytest.approx(a.truth["LAC"] / 100.0)


def test_area_is_the_signal_at_time_zero():
    """Without evolution all protons of a compound are seen at time zero."""
    tables = signals.load_tables()
    at_once = Localisation(name="spin echo", echo_time_s=1e-6)
    for name in tables.spins:
        start = signals.coupled(TIME[:1], name, at_once, mhz=MHZ)[0]
        assert start == pytest.approx(1.0, abs=2e-3), name


def test_widths_are_full_widths_at_half_maximum():
    spectrum = np.fft.fft(np.pad(signals.decay(TIME, [8.0, 0.0], [0.0, 8.0]), ((0, 0), (0, 60000))))
    hz = np.fft.fftfreq(spectrum.shape[1], TIME[1])
    height = spectrum.real - spectrum.real[:, spectrum.shape[1] // 2, None]
    for row in height:
        width = np.ptp(hz[row > row.max() / 2])
        assert width == pytest.approx(8.0, abs=0.1)


def test_phase_cycled_signal_cancels_over_whole_cycles_and_sidebands_are_antisymmetric():
    wanted, unwanted = np.exp(-TIME), 2j * np.exp(2j * pi * 30 * TIME)
    mean = signals.cycled(wanted, unwanted, 32, 8).mean(axis=0)
    assert mean == pytest.approx(wanted, abs=1e-9)
    carrier = np.ones(TIME.size)
    bands = signals.sidebands(TIME, carrier, hz=WHOLE, share=0.01, phase_rad=0.4)
    spectrum = np.fft.fft(bands) / TIME.size
    up, down = spectrum[40], spectrum[-40]
    assert abs(up) == pytest.approx(0.01, rel=1e-6)
    assert abs(down) == pytest.approx(0.01, rel=1e-6)
    # share (e^{i(wt + p)} - e^{-i(wt + p)}): equal sizes, opposite signs
    assert up == pytest.approx(-np.conj(down), abs=1e-6)


WHOLE = 40 / (TIME.size * TIME[1])
"""A frequency of whole turns over the record, so that its line has no feet."""


def test_discs_of_a_set_have_the_same_humps_and_other_sets_others():
    row = stress_row("same humps")
    quiet = row.model_copy(update={"disc": row.disc.model_copy(update={"humps": None})})

    def humps(index):
        # The same disc with and without: what is left are the humps, turned by phase and shift.
        with_, without = (one.make(3, index).acquisition.metabolite.signal for one in (row, quiet))
        return np.abs(with_ - without)

    first, same, other = humps(1), humps(21), humps(2)
    assert first == pytest.approx(same, abs=1e-3 * float(first.max()))
    assert np.abs(first - other).max() > 0.05 * first.max()


def test_rule_counts_what_is_not_poor():
    row = stress_row("water 6").model_copy(update={"causes": ("water_left_high",)})
    misses = replace(FINE, held={**FINE.held, "CHO": False})
    poor = replace(misses, poor=True, reasons=("water_left_high",))
    assert stress_line(row, [FINE] * 9 + [misses]).misses == ()
    line = stress_line(row, [FINE] * 8 + [misses, poor])
    assert line.held["CHO"] == pytest.approx(8 / 9)
    assert line.poor == pytest.approx(0.1)
    assert line.misses == ("CHO",)
    named = stress_line(row, [misses] * 2 + [poor] * 8)
    assert named.named == pytest.approx(0.8)
    assert named.misses == ()
    assert stress_line(row, [poor]).held["PG"] is None


def test_rule_counts_false_labels():
    row = stress_row("plain")
    right = replace(FINE, label="likely painful")
    wrong = replace(right, borne=False)
    assert stress_line(row, [right] * 4 + [wrong]).misses == ()
    line = stress_line(row, [right] * 3 + [wrong])
    assert (line.likely, line.false) == (4, 1)
    assert line.misses == ("likely painful",)


def test_painful_side_begins_between_the_classes():
    """The score's classes have means of -1.85 (painless, degenerated) and -.92 (painful)."""
    sides = [stress.on_painful_side(r) for r in (-3.0, -1.85, -0.92, 0.0)]
    assert sides == [False, False, True, True]


def test_ratio_is_judged_in_the_form_of_fieller():
    """A weak denominator has a ratio of any size within its error; a strong one has not."""

    class Fit:
        names = ("PG", "LAC")
        amplitude = np.array([1.0, 10.0])
        covariance = np.diag([1.0, 1.0])

        def index(self, name):
            return self.names.index(name)

    assert stress._fieller(Fit(), {"LAC": 1.0}, {"PG": 1.0}, 1e6)
    Fit.amplitude = np.array([10.0, 10.0])
    assert stress._fieller(Fit(), {"LAC": 1.0}, {"PG": 1.0}, 1.3)
    assert not stress._fieller(Fit(), {"LAC": 1.0}, {"PG": 1.0}, 1.5)


def test_two_rows_go_together_unless_they_contradict():
    row = stress_row("creatine + stiff PG")
    alone, other = stress_row("creatine").disc, stress_row("stiff PG").disc
    assert row.disc.nuisance_mm == alone.nuisance_mm
    assert row.disc.acetyl == other.acetyl
    assert row.disc.lipid == stress_row("plain").disc.lipid
    with pytest.raises(InputError, match=r"both rows set water\.amount"):
        stress_row("water 6+water 20")
    with pytest.raises(InputError, match="two different rows"):
        stress_row("plain+plain")


def test_causes_are_kinds_of_findings():
    content = {"name": "a", "text": "b", "stream": 0, "disc": load_rows().head}
    assert StressRow.model_validate(content | {"causes": ["water_left_high"]})
    with pytest.raises(ValidationError, match="Did you mean 'water_left_high'"):
        StressRow.model_validate(content | {"causes": ["water_left_hihg"]})


def test_table_is_the_same_for_the_same_seed():
    a, b = (validate_stress(4, 2, rows=["glycine"]).as_json() for _ in range(2))
    assert a == b
    assert a["lines"][0]["n"] == 2


@pytest.mark.slow
def test_jobs_change_no_number():
    a, b = (validate_stress(4, 3, rows=["glycine"], jobs=n).as_json() for n in (1, 2))
    assert a == b


def test_plain_discs_are_what_the_fit_expects():
    """The control: another simulator, nothing wrong. 10 discs leave 7 % of noise in a share."""
    (line,) = validate_stress(11, 10, rows=["plain"]).lines
    assert line.poor < 0.1
    assert line.lowest >= 0.8
    assert abs(line.error["PG"]) < 0.05


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scope", "stress", "--rows", "glycin"], "Did you mean 'glycine'"),
        (["--scope", "fit", "--rows", "glycine"], "add --scope stress"),
    ],
)
def test_wrong_rows_are_named(arguments, said):
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)


def test_rows_can_be_listed_and_come_as_json():
    result = CliRunner().invoke(
        command, ["--scope", "stress", "--rows", "glycine,acetate", "--discs", "1", "--json"]
    )
    assert result.exit_code == 0
    assert '"row": "acetate"' in result.output
