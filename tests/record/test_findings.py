"""Findings: made once, passed on as data, worded last by one table."""

import json
import math
import pickle
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.errors import InputError, ReadError
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import (
    RATIOS_BEGIN,
    finding,
    finding_of,
    likelihood_ratio,
    of_role,
    once,
    plain,
    probability,
    sentences,
    stop,
    unread,
    with_labels,
    words,
)
from mrs_disc.record.wording import KINDS, Role


def test_a_kind_is_of_the_vocabulary_and_brings_what_its_sentence_names():
    with pytest.raises(ValueError, match="no finding of the kind 'blue'"):
        finding("blue")
    with pytest.raises(ValueError, match="'snr_low' lacks least, snr"):
        finding("snr_low", "PG")


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_has_a_role_and_only_a_reason_leaves_a_verdict(kind):
    row = KINDS[kind]
    assert row.role in get_args(Role)
    assert row.verdict in (None, "acceptable", "poor")
    assert row.verdict is None or row.role == "reason"
    assert not row.words.endswith(" ")
    list(Formatter().parse(row.words))  # braces that do not close raise


@pytest.mark.parametrize(
    ("noticed", "sentence"),
    [
        (finding("not_stated", "echo_time_s"), "no echo time in the file: give echo_time_s under "
         "[disc.acquisition] in study.toml"),
        (finding("no_time", key="EchoTime", value=30.0, below=1.0),
         "its EchoTime is 30: seconds expected, above 0 and below 1"),
        (finding("no_time", key="EchoTime", value=None, below=1.0),
         "its EchoTime is no number: seconds expected, above 0 and below 1"),
        (finding("more_dimensions", sizes={"DIM_A": 2, "DIM_B": 3}), "dimension DIM_A of 2, DIM_B "
         "of 3: only coils and transients are analysed; reduce the file to these first"),
        (finding("field_outside", model="m", fields=[3.0, 1.5], came=None),
         "model m was made for 3 T and 1.5 T, not an unknown field"),
        (finding("field_outside", model="m", fields=[3.0], came=7.0),
         "model m was made for 3 T, not 7.00 T"),
        (finding("other_voxel_size", came_mm=[20, 20, 15.04], wanted_mm=[20, 20, 30]),
         "its voxel has 20 x 20 x 15 mm, not 20 x 20 x 30 mm"),
        (finding("outside_region", region="lumbar", levels=["C5-C6", "C6-C7"], where="the neck"),
         'region = "lumbar", where the neck do not lie'),
        (finding("all_passed", gates=[finding("snr_good", snr=9), finding("drift_good", hz=1)]),
         "within all limits of quality: SNR 9.0, drift 1.0 Hz"),
        (finding("water_not_used", file="b.rda", why=finding("other_day")),
         "water reference b.rda is not used: it was measured on another day"),
    ],
)  # fmt: skip
def test_words_of_a_finding(noticed, sentence):
    assert words(noticed) == sentence


@given(limit=st.floats(0.01, 100), share=st.floats(0.5, 2))
def test_a_value_shows_on_which_side_of_its_limit_it_lies(limit, share):
    """Up to the sixth decimal place: a value nearer to its limit than that has none to show."""
    value = limit * share
    text = words(finding("snr_low", "PG", snr=value, least=limit)).split()[4].rstrip(",")
    if abs(value - limit) > 1e-5:
        assert (float(text) > limit) == (value > limit)


def test_the_labels_begin_where_the_recipe_begins_them():
    options = ScoreOptions()
    assert [float(text) for text in RATIOS_BEGIN] == [options.unlikely, options.likely]
    assert likelihood_ratio(options.likely - 0.001) == "3.999"  # not yet "likely painful"
    assert likelihood_ratio(options.unlikely + 0.0001) == "0.2501"
    assert probability(0.499) == "0.499"


def test_findings_are_plain_json():
    inner = finding("no_partner", what="data file", file=Path("a.SDAT"))
    noticed = finding("of_the_water", "water", note=inner)
    assert json.loads(json.dumps(plain(noticed), allow_nan=False)) == {
        "kind": "of_the_water",
        "subject": "water",
        "values": {
            "note": {
                "kind": "no_partner",
                "subject": "",
                "values": {"what": "data file", "file": "a.SDAT"},
            }
        },
    }
    assert plain(finding("residual_good", ratio=math.inf))["values"] == {"ratio": None}


def test_a_label_stands_for_every_file():
    inner = finding("no_partner", what="data file", file=Path("MEYER.SDAT"))
    noticed = with_labels(finding("of_the_water", note=inner), lambda path: f"L4-L5{path.suffix}")
    assert words(noticed) == "water reference: its data file L4-L5.SDAT is not beside it"
    assert "MEYER" not in json.dumps(plain(noticed))


def test_each_finding_is_told_once():
    a, b = finding("snr_good", snr=9.0), finding("drift_good", hz=1.0)
    assert once([a, b, finding("snr_good", snr=9.0)]) == (a, b)
    assert sentences([a, finding("snr_good", snr=9.01)]) == ("SNR 9.0",)  # alike in words
    assert of_role([a, finding("clipped")], "problem") == (finding("clipped"),)


@pytest.mark.parametrize(
    "error",
    [
        stop(finding("other_nucleus", nucleus="31P"), "a.dat"),
        unread(Path("a.dat"), finding("image")),
    ],
)
def test_an_error_keeps_its_finding_across_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert finding_of(again) == finding_of(error) == error.finding


def test_an_error_without_a_finding_has_its_words_for_one():
    error = ReadError(Path("MEYER.dat"), "is empty")
    assert finding_of(error) == finding("unreadable", problem="is empty")
    assert finding_of(InputError("two\nlines")).values == {"problem": "two lines"}
