"""The log: what a chain proves, what an act changes, what stays as it was."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.analysis import scored
from mrs_disc.errors import InputError, OutputError
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.file import canonical_json, read_results
from mrs_disc.record.journal import StaleError, append_act
from mrs_disc.record.overlay import read_review, reviewed
from mrs_disc.record.review import HEAD_NAME, LOG_NAME, START, parse_log, read_log, review_of
from mrs_disc.record.table import review_columns
from mrs_disc.review.acts import fields_of, sent
from mrs_disc.scoring import again
from mrs_disc.scoring.comparison import compare_discs

TIME = "2025-03-01T09:30:00Z"


def sha256_of(folder):
    return hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()


def record_of(folder):
    return read_results(folder / "results.json")


def act(folder, **fields):
    """Append an act as the server does."""
    digest, record = sha256_of(folder), record_of(folder)
    head = read_log(folder).head
    body = {"reviewer": "AB", "head": head, "results_sha256": digest, **fields}
    checked = sent(json.dumps(body).encode())
    return append_act(
        folder, head, digest, TIME, lambda log: fields_of(checked, record, log, digest, TIME)
    )


def reject(folder, key="L4-L5", reason="low signal", **more):
    return act(folder, act="level", key=key, decision="reject", reason=reason, **more)


def test_without_a_log_nothing_is_reviewed_and_the_record_is_the_analysis(folder):
    review = read_review(folder)
    assert (review.status, review.signed, review.signed_by) == ("not reviewed", False, None)
    after = reviewed(record_of(folder), review)
    assert after.impression == record_of(folder).impression
    assert after.completeness == record_of(folder).completeness
    assert after.levels[1].score == record_of(folder).levels[1].score


def test_every_line_carries_the_hash_of_the_line_before(folder):
    reject(folder)
    act(folder, act="level", key="L3-L4", decision="accept")
    act(folder, act="sign")
    lines = (folder / LOG_NAME).read_bytes().splitlines()
    assert json.loads(lines[0])["previous"] == START
    for before, line in pairwise(lines):
        assert json.loads(line)["previous"] == hashlib.sha256(before).hexdigest()
    assert {json.loads(line)["results_sha256"] for line in lines} == {sha256_of(folder)}


def test_results_are_never_changed(folder):
    before = (folder / "results.json").read_bytes()
    reject(folder)
    act(folder, act="sign")
    assert (folder / "results.json").read_bytes() == before


@settings(max_examples=40)
@given(data=st.data())
def test_a_change_of_any_byte_of_a_confirmed_line_is_told(data):
    """The last byte of the last line apart: without its line feed the line was never confirmed."""
    content = _CHAIN
    place = data.draw(st.integers(0, len(content) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != content[place]))
    changed = content[:place] + bytes([value]) + content[place + 1 :]
    first, last = parse_log(content), parse_log(changed)
    assert last.problem or last.head != first.head


def _line(n, previous, act="sign"):
    fields = {"n": n, "previous": previous, "time": TIME, "results_sha256": "ab" * 32}
    return json.dumps(fields | {"reviewer": "AB", "act": act}).encode() + b"\n"


_FIRST = _line(1, START)
_CHAIN = _FIRST + _line(2, hashlib.sha256(_FIRST[:-1]).hexdigest())


@pytest.mark.parametrize("gone", [0, 1])
def test_a_line_taken_out_or_turned_round_breaks_the_chain(folder, gone):
    reject(folder)
    reject(folder, key="L5-S1")
    act(folder, act="sign")
    path = folder / LOG_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    review = read_review(folder)
    assert review.status == "log broken"
    assert not review.signed
    assert f"line {gone + 1}" in review.words
    with pytest.raises(InputError, match="broken at line"):
        reject(folder)


def test_a_line_beside_the_break_does_not_count_for_it_may_be_the_changed_one(folder):
    act(folder, act="level", key="L3-L4", decision="accept")
    act(folder, act="level", key="L4-L5", decision="accept")
    act(folder, act="sign")
    path = folder / LOG_NAME
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second.replace(b'"accept"', b'"reject"') + third)
    review = read_review(folder)
    assert "broken at line 3" in review.problem
    assert review.level("L3-L4", 1).decision == "accept"
    assert review.level("L4-L5", 1).decision is None


def test_a_torn_tail_was_never_confirmed_and_makes_room_for_the_next_act(folder):
    reject(folder)
    path = folder / LOG_NAME
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"schema_version": "1", "n": 2, "prev')
    assert read_review(folder).n_acts == 1
    act(folder, act="sign")
    assert path.read_bytes().startswith(whole)
    assert read_review(folder).signed


def test_the_later_of_two_windows_is_told_and_nothing_is_lost(folder):
    digest = sha256_of(folder)
    head = read_log(folder).head
    reject(folder)
    with pytest.raises(StaleError, match="another window"):
        append_act(folder, head, digest, TIME, lambda log: {"reviewer": "CD", "act": "sign"})
    assert read_review(folder).n_acts == 1


def test_of_many_writers_at_once_each_act_is_either_whole_or_refused(folder):
    digest = sha256_of(folder)
    saved, refused = [], []

    def write(name):
        for _ in range(10):
            head = read_log(folder).head
            try:
                append_act(
                    folder, head, digest, TIME, lambda log: {"reviewer": name, "act": "sign"}
                )
                saved.append(name)
            except StaleError:
                refused.append(name)

    threads = [threading.Thread(target=write, args=(f"R{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = read_log(folder)
    assert not log.problem
    assert sorted(a.reviewer for a in log.acts) == sorted(saved)
    assert len(saved) + len(refused) == 40


def test_a_full_disk_leaves_the_log_as_it_was(folder, monkeypatch):
    reject(folder)
    before = (folder / LOG_NAME).read_bytes()

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        act(folder, act="sign")
    assert (folder / LOG_NAME).read_bytes() == before


def test_an_act_is_flushed_before_it_is_confirmed(folder, monkeypatch):
    flushed = []

    def flush(file):
        flushed.append(Path(f"/proc/self/fd/{file}").readlink().name)

    monkeypatch.setattr("os.fsync", flush)
    reject(folder)
    head, log = f".{HEAD_NAME}.", LOG_NAME
    names = [head if name.startswith(head) else name for name in flushed]
    assert names == [folder.name, head, log, head]  # its name, what is coming, the line, the end
    act(folder, act="sign")
    assert len(flushed) == 7


def test_a_log_that_is_a_link_is_not_followed(folder, tmp_path):
    (folder / LOG_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError):
        reject(folder)
    assert not (tmp_path / "elsewhere").exists()


def test_a_rejected_level_is_indeterminate_in_record_impression_and_tables(folder):
    reject(folder, comment="lactate doublet not credible")
    review = read_review(folder)
    after = reviewed(record_of(folder), review)
    level = next(v for v in after.levels if v.level == "L4-L5")
    assert level.score.label == "indeterminate"
    assert level.score.value is None
    assert "L4-L5 indeterminate (rejected by the reviewer: low signal)" in after.impression
    assert "L4-L5" in after.completeness.missing
    assert after.completeness.n_levels == record_of(folder).completeness.n_levels - 1
    columns = review_columns(review, level)
    assert (columns["review"], columns["review_reason"]) == ("rejected", "low signal")


def resting(record):
    """Return a level whose score rests on another one, and that other."""
    measured = {v.level: v.score.inputs for v in record.levels if v.score}
    return next(
        (name, other)
        for name, inputs in measured.items()
        for other in inputs.get("with_levels", ())
        if other in measured
    )


def test_the_other_discs_are_scored_again_without_a_rejected_one(folder):
    """From the record alone, as if the level had never been measured."""
    record = record_of(folder)
    kept, taken = resting(record)
    reject(folder, key=taken)
    after = again.reviewed(record, read_review(folder))
    assert after.notices[-1].startswith(f"{taken}: rejected on review; ")
    assert after.notices[-1].endswith(" scored again without it.")
    assert kept in after.notices[-1]
    fewer = [level for level in record.levels if level.level != taken]
    model = load_score_model(record.models["score"].partition("@")[0])
    expected = {v.key: v for v in scored(fewer, model, Recipe.model_validate(record.recipe))}
    for level in after.levels:
        if level.level == taken:
            assert level.score.value is None
        elif level.score is not None:
            assert level.score == expected[level.key].score
            assert taken not in level.score.with_levels
    before = next(v for v in record.levels if v.level == kept).score
    assert next(v for v in after.levels if v.level == kept).score.evidence != before.evidence
    assert again.reviewed(record, read_review(folder)) == after


def test_discs_are_compared_again_without_a_rejected_one(folder):
    record = record_of(folder)
    compared = {name for one in record.comparison.references for name in one.levels}
    taken = sorted(compared)[0]
    reject(folder, key=taken)
    after = again.reviewed(record, read_review(folder))
    fewer = [level for level in record.levels if level.level != taken]
    assert after.comparison == compare_discs(fewer)
    assert taken not in after.comparison.most_acidic
    assert any(
        note.startswith(f"{taken}: rejected on review; the other discs") for note in after.notices
    )
    assert not any("yet part of" in note for note in after.notices)


def test_a_spectrum_that_the_reviewer_found_poor_counts_for_no_other_disc(folder):
    record = record_of(folder)
    kept, taken = resting(record)
    act(
        folder, act="level", key=taken, decision="accept", verdict="poor",
        reason="artefact (spurious echo)",
    )  # fmt: skip
    after = again.reviewed(record, read_review(folder))
    other = next(v for v in after.levels if v.level == kept)
    assert taken not in other.score.with_levels
    assert after.notices[-1].startswith(f"{taken}: found poor on review; ")


@pytest.mark.parametrize(
    ("models", "recipe", "why"),
    [
        ({"score": "our_own@3"}, {}, "no model is named 'our_own'"),
        ({"score": "acidity_structure@99"}, {}, "is not the one of this version"),
        ({}, {"score": {"likely": 0.8, "unlikely": 0.2}}, "likely should be greater than 1"),
    ],
)
def test_scores_that_cannot_be_made_again_stay_and_say_why(folder, models, recipe, why):
    """Of another model, or of the form before likelihood ratios."""
    record = record_of(folder)
    kept, taken = resting(record)
    record = replace(record, models={**record.models, **models}, recipe={**record.recipe, **recipe})
    reject(folder, key=taken)
    after = again.reviewed(record, read_review(folder))
    assert after.notices[-1].startswith(f"{taken}: rejected on review, yet part of the score of ")
    assert why in after.notices[-1]
    score = next(v for v in after.levels if v.level == kept).score
    assert score == next(v for v in record.levels if v.level == kept).score


def test_a_log_that_names_a_level_that_is_gone_loses_nothing(folder):
    record = record_of(folder)
    reject(folder, key=record.levels[-1].key)
    fewer = replace(record, levels=record.levels[:-1])
    after = again.reviewed(fewer, read_review(folder))
    assert [v.score for v in after.levels] == [v.score for v in fewer.levels]
    gone = record.levels[-1].level
    if gone not in {v.level for v in fewer.levels}:
        told = f"{gone}: decided on in the review log, not in this result; the log keeps it."
        assert after.notices == (*fewer.notices, told)
    assert after.review.levels[record.levels[-1].key].decision == "reject"


def test_an_amendment_is_a_new_line_and_takes_the_place_of_the_old(folder):
    reject(folder)
    act(folder, act="level", key="L4-L5", decision="accept", comment="seen again")
    review = read_review(folder)
    assert (review.n_acts, review.level("L4-L5", 1).decision) == (2, "accept")
    assert "rejected" not in reviewed(record_of(folder), review).impression


def test_morphology_changes_concordance_and_impression_at_once(folder):
    record = record_of(folder)
    level = next(v for v in record.levels if v.measured)
    act(folder, act="morphology", key=level.level, pfirrmann=5, modic=1, hiz=True)
    after = reviewed(record, read_review(folder))
    changed = next(v for v in after.levels if v.level == level.level)
    assert changed.morphology.pfirrmann == 5
    assert changed.concordance.startswith("Pfirrmann V, Modic 1, high-intensity zone: ")


def test_a_decision_stays_with_who_made_it(folder):
    act(folder, act="level", key="L4-L5", decision="accept")
    act(folder, act="morphology", key="L4-L5", pfirrmann=4, reviewer="CD")
    assert read_review(folder).level("L4-L5", 1).words == "accepted by AB"
    act(folder, act="level", key="L4-L5", decision="unsure", reason="baseline", reviewer="CD")
    assert read_review(folder).level("L4-L5", 1).words == "CD is unsure: baseline"


def test_morphology_belongs_to_the_disc_and_so_to_all_its_runs(folder):
    record = json.loads((folder / "results.json").read_bytes())
    again = next(v for v in record["levels"] if v["level"] == "L4-L5") | {"run": 2}
    record["levels"].append(again)
    (folder / "results.json").write_bytes(canonical_json(record))
    act(folder, act="level", key="L4-L5", decision="reject", reason="low signal")
    act(folder, act="morphology", key="L4-L5_run-2", pfirrmann=5, modic=1)
    after = reviewed(record_of(folder), read_review(folder))
    first, second = (v for v in after.levels if v.level == "L4-L5")
    assert first.morphology == second.morphology
    assert first.morphology.pfirrmann == 5
    assert first.concordance.startswith("Pfirrmann V, Modic 1")
    assert first.concordance.endswith("not assessable")  # rejected
    assert first.review.decision == "reject"
    assert second.review.decision is None


def test_a_verdict_may_be_overruled_with_a_reason(folder):
    act(folder, act="level", key="L5-S1", decision="accept", verdict="poor", comment="ghost")
    after = reviewed(record_of(folder), read_review(folder))
    level = after.levels[-1]
    assert level.quality.verdict == "poor"
    assert "by the reviewer (automatic:" in level.quality.reasons[0]
    assert level.score.label == "indeterminate"


def test_a_signature_covers_what_was_there_and_no_more(folder):
    act(folder, act="sign")
    review = read_review(folder)
    assert (review.signed, review.signed_by, review.signed_at) == (True, "AB", TIME)
    assert review.words == "reviewed by AB on 2025-03-01"
    after = reviewed(record_of(folder), review)
    assert "reviewed and signed on 2025-03-01" in after.impression
    assert "not reviewed" not in after.impression
    with pytest.raises(InputError, match="signed already"):
        act(folder, act="sign")
    reject(folder)
    assert read_review(folder).status == "amended since signed"
    act(folder, act="sign")
    assert read_review(folder).signed


def test_results_analysed_anew_show_signed_for_an_earlier_result(folder):
    reject(folder)
    act(folder, act="sign")
    log = read_log(folder)
    review = review_of(log, "0" * 63 + "1")
    assert review.status == "signed for an earlier result"
    assert "signed for an earlier result by AB on 2025-03-01" in review.words
    assert not review.levels
    assert review.impression is None
    assert len(review.history) == 2


def test_typed_text_keeps_its_letters_and_loses_its_tricks(folder):
    comment = "<script>alert(1)</script>\u202eevil\x00 ü \U0001f600\nעברית"
    reject(folder, comment=comment)
    saved = json.loads((folder / LOG_NAME).read_bytes())
    assert saved["comment"] == "<script>alert(1)</script>evil ü \U0001f600\nעברית"
    assert (folder / LOG_NAME).read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"act": "level", "key": "L4-L5", "decision": "reject"}, "reason is needed"),
        ({"act": "level", "key": "L4-L5", "decision": "maybe"}, "decision"),
        ({"act": "level", "key": "L4-L5", "decision": "accept", "verdict": "poor"}, "to change"),
        ({"act": "level", "key": "L1-L2", "decision": "accept"}, "has no L1-L2"),
        ({"act": "level", "key": "L2-L3", "decision": "accept"}, "not measured"),
        ({"act": "morphology", "key": "L4-L5", "pfirrmann": 6}, "pfirrmann"),
        ({"act": "sign", "reviewer": "  \u202e "}, "name or initials"),
        ({"act": "sign", "extra": 1}, "extra"),
        ({"act": "level", "key": "L4-L5", "decision": "accept", "comment": "x" * 2001}, "comment"),
    ],
)
def test_an_act_that_lacks_something_is_refused_in_words(folder, fields, words):
    with pytest.raises(InputError, match=words):
        act(folder, **fields)
    assert not read_log(folder).acts
