"""What a reviewer writes and corrects is logged, and in every later format beside the automatic."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.file import read_results
from mrs_disc.record.overlay import read_review, renamed_signals
from mrs_disc.record.review import read_log
from mrs_disc.record.signals import read_signals
from mrs_disc.report import render_results
from mrs_disc.scoring import score_study
from mrs_disc.scoring.again import as_reviewed

MINE = "L5-S1 is the likely source.\nCorrelate clinically."


def shown(folder, out, *formats):
    """Return the texts of later renderings, in one line each."""
    made = render_results(folder, out, formats=formats)
    return {
        p.suffix: re.sub(r"\s+", " ", re.sub(r"</?span[^>]*>", "", p.read_text())) for p in made
    }


def test_a_written_impression_is_in_every_rendering_beside_the_automatic_one(
    app_of, folder, tmp_path
):
    opened = app_of(folder)
    assert opened.act(act="impression", text=MINE).status_code == 200
    automatic = read_log(folder).acts[-1].impression
    page = opened.get("/study/sub-01").text
    assert "Impression written by AB on 2025-03-01" in page
    for text in shown(folder, tmp_path / "out", "html", "text", "fhir").values():
        _, _, rest = text.partition("L5-S1 is the likely source.")
        assert "Impression written by AB on 2025-03-01" in rest
        assert automatic.partition(".")[0].replace('"', "") in re.sub(r"<[^>]+>|\\", "", rest)
    record = as_reviewed(read_results(folder / "results.json"), folder / "results.json")
    assert record.impression == MINE
    assert record.review.impression == read_log(folder).acts[-1].impression


def test_an_impression_that_decisions_overtook_says_so_and_can_be_taken_back(app_of, folder):
    opened = app_of(folder)
    opened.act(act="impression", text=MINE)
    opened.act(act="level", key="L5-S1", decision="reject", reason="artefact")
    assert "decisions were made since" in opened.get("/study/sub-01/summary").text
    opened.act(act="impression", text="")
    review = read_review(folder)
    assert (review.written, review.outdated) == (None, False)
    page = opened.get("/study/sub-01/summary").text
    assert "likely source" not in page[: page.index('id="history"')]
    assert [act.text for act in read_log(folder).acts if act.act == "impression"] == [MINE, ""]


def test_addenda_follow_each_other_and_end_a_signature(app_of, folder, tmp_path):
    opened = app_of(folder)
    opened.act(act="sign")
    assert read_review(folder).signed
    for text in ("Seen with the orthopaedist.", "No change."):
        assert opened.act(act="addendum", text=text).status_code == 200
    assert read_review(folder).status == "amended since signed"
    text = shown(folder, tmp_path / "out", "text")[".txt"]
    assert text.index("Seen with the orthopaedist.") < text.index("No change.")
    assert text.count("Addendum by AB on 2025-03-01") == 2


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"act": "addendum", "text": " \u202e "}, "needs words"),
        ({"act": "impression", "text": "x" * 4001}, "4000"),
        ({"act": "rename", "key": "L4-L5", "to": "L4-L5", "reason": "r"}, "this name already"),
        ({"act": "rename", "key": "L4-L5", "to": "L9", "reason": "r"}, "not a disc level"),
        ({"act": "rename", "key": "L1-L2", "to": "L4-L5", "reason": "r"}, "has no L1-L2"),
        ({"act": "rename", "key": "L4-L5", "to": "L5-S1", "reason": " "}, "reason"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(app_of, folder, fields, says):
    answer = app_of(folder).act(**fields)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert read_log(folder).acts == ()


def test_words_of_a_reviewer_are_no_markup(app_of, folder, tmp_path):
    opened = app_of(folder)
    opened.act(act="impression", text="<script>x</script> & <b>bold</b>")
    opened.act(act="addendum", text="<img src=x>")
    for text in (opened.get("/study/sub-01").text, *shown(folder, tmp_path / "o", "html").values()):
        assert "<script>x" not in text
        assert "<img src=x" not in text


# --------------------------------------------------------------------------- corrected levels


def test_a_corrected_level_exchanges_names_and_keeps_its_spectrum(app_of, folder, tmp_path):
    opened = app_of(folder)
    analysed = read_results(folder / "results.json")
    before = analysed.best
    sent = {"act": "rename", "key": "L4-L5", "to": "l5s1", "reason": "counted from T12"}
    assert opened.act(**sent).status_code == 200
    after = as_reviewed(read_results(folder / "results.json"), folder / "results.json")
    assert [one.level for one in after.levels] == ["L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    for now, then in (("L4-L5", "L5-S1"), ("L5-S1", "L4-L5")):
        assert after.best[now].measured.fit == before[then].measured.fit
        assert after.best[now].morphology == before[now].morphology  # read at the place
        share = analysed.comparison.most_acidic.get(then)
        assert after.comparison.most_acidic.get(now) == share
        assert (
            f"analysed as {then}, corrected by AB: counted from T12" in after.best[now].review.words
        )
    assert len(analysed.comparison.most_acidic) > 1
    arrays = read_signals(folder / "signals.npz", None)
    moved = renamed_signals(arrays, after.review)
    assert (moved.levels["L5-S1"].data == arrays.levels["L4-L5"].data).all()
    for text in shown(folder, tmp_path / "out", "html", "text").values():
        assert "Analysed as L4-L5, and L5-S1 since: corrected by AB: counted from T12" in text or (
            "analysed as L4-L5" in text
        )


def test_a_corrected_study_is_scored_anew(app_of, folder):
    """The same as scoring the record's levels under their new names."""
    opened = app_of(folder)
    opened.act(act="rename", key="L3-L4", to="L1-L2", reason="counted from T12")
    original = read_results(folder / "results.json")
    named = [replace(v, level="L1-L2") if v.level == "L3-L4" else v for v in original.levels]
    expected = score_study(named, load_score_model("acidity_structure"), Recipe())
    by_name = {v.level: score for v, score in zip(named, expected, strict=True)}
    after = as_reviewed(original, folder / "results.json")
    for name, level in after.best.items():
        if level.measured is not None and level.score.value is not None:
            assert level.score.value == pytest.approx(by_name[name].value, rel=1e-6)
            assert "L3-L4" not in level.score.with_levels


def test_decisions_and_a_second_correction_go_by_the_spectrum(app_of, folder):
    opened = app_of(folder)
    opened.act(act="level", key="L4-L5", decision="reject", reason="artefact")
    opened.act(act="morphology", key="L4-L5", pfirrmann=3)
    opened.act(act="rename", key="L4-L5", to="L5-S1", reason="swapped")
    after = as_reviewed(read_results(folder / "results.json"), folder / "results.json")
    assert after.best["L5-S1"].rejected
    assert not after.best["L4-L5"].rejected
    assert after.best["L4-L5"].morphology.pfirrmann == 3  # read at this place
    opened.act(act="rename", key="L4-L5", to="L4-L5", reason="it was right")
    back = as_reviewed(read_results(folder / "results.json"), folder / "results.json")
    assert back.review.names == {}
    assert back.best["L4-L5"].rejected
    assert back.best["L4-L5"].morphology.pfirrmann == 3
    page = opened.get("/study/sub-01").text
    assert page.count("name corrected") == 2


def test_a_corrected_level_needs_no_confirmation(app_of, folder):
    record = json.loads((folder / "results.json").read_bytes())
    record["findings"] = [{"kind": "level_unconfirmed", "subject": "L4-L5", "values": {}}]
    (folder / "results.json").write_text(json.dumps(record))
    opened = app_of(folder)
    opened.act(act="rename", key="L4-L5", to="L1-L2", reason="counted from T12")
    assert opened.act(act="sign", levels_confirmed=[]).status_code == 200


def test_the_page_goes_by_the_spectrum_and_shows_the_name(app_of, folder):
    opened = app_of(folder)
    opened.act(act="rename", key="L4-L5", to="L1-L2", reason="counted from T12")
    page = opened.get("/study/sub-01").text
    assert 'data-key="L4-L5" data-title="L1-L2"' in page
    curves = opened.get("/study/sub-01/spectrum/L4-L5").json()
    assert (curves["key"], curves["title"]) == ("L4-L5", "L1-L2")
    assert opened.get("/study/sub-01/concordance/L4-L5?pfirrmann=4").status_code == 200
