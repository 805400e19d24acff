"""Records: valid from birth, frozen, and spelled in one way."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.data import (
    LEVELS,
    DiscEntry,
    Fid,
    Protocol,
    RawSignal,
    Sampling,
    StepRecord,
    Study,
    Transients,
    parse_level,
)
from mrs_disc.errors import InputError

SAMPLING = Sampling(dwell_time_s=4e-4, spectrometer_mhz=127.7)


def entry(level: str, run: int = 1) -> DiscEntry:
    def load():
        raise InputError("not read")

    return DiscEntry(level=level, run=run, load=load, inputs=tuple)


@given(
    level=st.sampled_from(LEVELS),
    separator=st.sampled_from(["-", "_", "/", ""]),
    lower=st.booleans(),
)
def test_every_spelling_of_a_level_means_the_same(level, separator, lower):
    text = level.replace("-", separator)
    assert parse_level(text.lower() if lower else text) == level


@pytest.mark.parametrize(
    ("short", "level"), [("L4/5", "L4-L5"), ("L5/S1", "L5-S1"), ("C7/T1", "C7-T1")]
)
def test_short_spellings(short, level):
    assert parse_level(short) == level


@pytest.mark.parametrize(
    "text", ["", "L4", "L4-L6", "L5-L4", "Q1-Q2", "T12-T13", "C1-C2", "L44-L45"]
)
def test_what_is_no_level_is_refused_with_the_list(text):
    with pytest.raises(InputError, match="is not a disc level"):
        parse_level(text)


def test_a_level_twice_without_run_is_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match=r"L4-L5 is named twice as run 1; give .* run = 2"):
        Study(study_id="s", discs=(entry("L4-L5"), entry("L4-L5")))


def test_a_study_is_ordered_from_head_to_foot_and_finds_runs():
    study = Study(study_id="s", discs=(entry("L5-S1"), entry("L4-L5", 2), entry("L4-L5")))
    assert [(d.level, d.run) for d in study] == [("L4-L5", 1), ("L4-L5", 2), ("L5-S1", 1)]
    assert study.levels == ("L4-L5", "L5-S1")
    assert study.entry("l4/5", 2).run == 2
    with pytest.raises(InputError, match=r"has no L3-L4\. It has: L4-L5, L4-L5 run 2, L5-S1"):
        study.entry("L3-L4")


@pytest.mark.parametrize("echo_time_s", [30.0, 0.0, -0.03, 4.2])
def test_an_echo_time_that_is_none_is_refused(echo_time_s):
    with pytest.raises(InputError, match="seconds expected"):
        Protocol(echo_time_s=echo_time_s)


@pytest.mark.parametrize("kind", [RawSignal, Transients])
def test_a_state_refuses_the_wrong_axes(kind):
    with pytest.raises(InputError, match="has the axes"):
        kind(signal=np.ones(8, complex), sampling=SAMPLING)


def test_a_signal_without_imaginary_part_is_refused():
    with pytest.raises(InputError, match="imaginary part was lost"):
        Fid(signal=np.ones(8), sampling=SAMPLING)


def test_arrays_are_read_only_and_do_not_follow_their_source():
    source = np.ones(8, complex)
    fid = Fid(signal=source, sampling=SAMPLING)
    source[0] = 5
    assert fid.signal[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        fid.signal[0] = 2


def test_a_step_leaves_its_record_and_the_record_survives_pickling():
    fid = Transients(signal=np.ones((2, 8), complex), sampling=SAMPLING)
    mean = fid.become(Fid, fid.signal.mean(axis=0), "average", method="mean", measured={"n": 2})
    assert mean.history == (StepRecord(step="average", method="mean", measured={"n": 2}),)
    assert pickle.loads(pickle.dumps(mean.history)) == mean.history


def test_larger_ppm_is_larger_frequency():
    assert SAMPLING.hz(4.65) == 0
    assert SAMPLING.hz(2.04) == pytest.approx(-2.61 * 127.7)
