"""A level that a draft guessed is confirmed by who signs, or nobody signs."""

from __future__ import annotations

import json

import pytest

from mrs_disc.record.file import canonical_json
from mrs_disc.record.overlay import read_review
from mrs_disc.record.review import read_log


@pytest.fixture
def guessed(folder):
    """Return an analysed study of which two levels are guesses."""
    record = json.loads((folder / "results.json").read_bytes())
    record["findings"] = [
        {"kind": "level_unconfirmed", "subject": level, "values": {}}
        for level in ("L3-L4", "L4-L5")
    ]
    text = "Levels by position, not confirmed: L3-L4 and L4-L5. "
    record["impression"] = text + record["impression"]
    (folder / "results.json").write_bytes(canonical_json(record))
    return folder


@pytest.mark.parametrize("confirmed", [[], ["L3-L4"]])
def test_signing_is_refused_while_a_level_is_unconfirmed(app_of, guessed, confirmed):
    opened = app_of(guessed)
    answer = opened.act(act="sign", levels_confirmed=confirmed)
    assert answer.status_code == 422
    assert "L4-L5: a guess from the voxel's place" in answer.json()["error"]
    assert not read_review(guessed).signed


def test_who_signs_confirms_and_the_log_keeps_it(app_of, guessed):
    opened = app_of(guessed)
    page = opened.get("/study/sub-01").text
    assert "I have held each against the image" in page
    assert 'value="[&#34;L3-L4&#34;, &#34;L4-L5&#34;]"' in page
    opened.act(act="level", key="L4-L5", decision="accept")
    assert read_log(guessed).acts[-1].impression.startswith("Levels by position, not confirmed")
    answer = opened.act(act="sign", levels_confirmed=["L3-L4", "L4-L5", "<b>"])
    assert answer.status_code == 200
    last = read_log(guessed).acts[-1]
    assert last.levels_confirmed == ("L3-L4", "L4-L5")
    assert "not confirmed" not in last.impression
    assert read_review(guessed).signed
    assert "signature, levels confirmed: L3-L4, L4-L5" in opened.get("/study/sub-01").text
