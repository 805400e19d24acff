"""What was signed stays, and what was changed behind a signature is told, whatever was changed."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.record.file import canonical_json, read_results
from mrs_disc.record.journal import append_act, keep_signed
from mrs_disc.record.overlay import as_reviewed, read_review
from mrs_disc.record.review import HEAD_NAME, LOG_NAME, line_digest, read_log
from mrs_disc.review.acts import visible_name

TIME = "2025-03-01T09:30:00Z"
ACCEPT = {"act": "level", "level": "L4-L5", "run": 1, "decision": "accept"}


def save(folder, **fields):
    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    fields = {"reviewer": "Dr Alice", "act": "sign", **fields}
    return append_act(folder, read_log(folder).seen, digest, TIME, lambda log: fields)


@pytest.fixture
def signed(folder):
    save(folder, **ACCEPT)
    save(folder)
    return folder


def lines(folder):
    return (folder / LOG_NAME).read_bytes().splitlines(keepends=True)


def rechained(folder):
    """Return the lines with another signer, chained anew as somebody who knows the rule would."""
    first, last = lines(folder)
    return [first, last.replace(b"Dr Alice", b"Dr Mallory")]


def one_more(folder):
    first, last = lines(folder)
    act = json.loads(last) | {"n": 3, "previous": line_digest(last[:-1]), "reviewer": "Dr Mallory"}
    return [first, last, json.dumps(act).encode() + b"\n"]


SPOILT = {
    "the signature has another name": rechained,
    "the signature is cut off": lambda folder: lines(folder)[:1],
    "all is cut off": lambda folder: [],
    "a line fits the chain and was never saved": one_more,
    "the last line is torn": lambda folder: [lines(folder)[0], lines(folder)[1][:-9]],
    "the day does not exist": lambda folder: [
        line.replace(b"2025-03-01", b"2025-02-30") for line in lines(folder)
    ],
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_changed_end_of_the_log_is_told_and_nothing_more_is_saved(signed, kind):
    (signed / LOG_NAME).write_bytes(b"".join(SPOILT[kind](signed)))
    review = read_review(signed)
    assert review.status == "log broken"
    assert not review.signed
    assert "Mallory" not in review.words
    after = as_reviewed(read_results(signed / "results.json"), signed / "results.json")
    assert after.review is not None
    assert after.review.problem
    with pytest.raises(InputError, match=r"review\.head"):
        save(signed, **ACCEPT)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_change_of_any_byte_of_log_or_head_leaves_no_signature(signed, data):
    name = data.draw(st.sampled_from([LOG_NAME, HEAD_NAME]))
    content = (signed / name).read_bytes()
    place = data.draw(st.integers(0, len(content) - 2))  # a line feed at the end means nothing
    value = data.draw(st.integers(0, 255).filter(lambda v: v != content[place]))
    changed = content[:place] + bytes([value]) + content[place + 1 :]
    try:
        (signed / name).write_bytes(changed)
        review = read_review(signed)
        spaces = b" \n\r\t"
        if name == HEAD_NAME and bytes([value]) in spaces and content[place : place + 1] in spaces:
            return  # a space for another between the words of JSON
        counts_less = name == HEAD_NAME and json.loads(changed).get("head") == read_log(signed).head
    except ValueError:
        counts_less = False
    finally:
        (signed / name).write_bytes(content)
    assert not review.signed or counts_less


def test_without_its_head_a_log_of_today_does_not_count(signed):
    (signed / HEAD_NAME).unlink()
    assert "review.head is missing" in read_review(signed).words


@pytest.mark.parametrize("cut", [b"\n", b""])
def test_a_signature_without_its_line_feed_counts_and_stays_on_disk(signed, cut):
    path = signed / LOG_NAME
    path.write_bytes(path.read_bytes().removesuffix(cut))
    before = path.read_bytes()
    assert read_review(signed).signed
    save(signed, **ACCEPT, reviewer="Dr Bob")
    assert path.read_bytes().startswith(before)
    review = read_review(signed)
    assert (review.status, review.n_acts) == ("amended since signed", 3)


def test_what_a_killed_server_left_of_a_line_is_put_aside_not_erased(signed):
    path = signed / LOG_NAME
    path.write_bytes(path.read_bytes() + b'{"n": 3, "revie')
    assert read_review(signed).signed
    save(signed, **ACCEPT)
    assert [p.read_bytes() for p in signed.glob("review.torn-*")] == [b'{"n": 3, "revie']
    assert not read_review(signed).problem


@pytest.mark.parametrize("point", ["before the line", "after the line"])
def test_a_server_killed_while_it_saves_leaves_a_log_that_fits_its_head(signed, monkeypatch, point):
    from mrs_disc.record import journal

    write = journal._write

    def killed(*words, **named):
        if point == "after the line":
            write(*words, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(journal, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        save(signed, **ACCEPT)
    monkeypatch.undo()
    review = read_review(signed)
    assert not review.problem
    assert review.n_acts == 2 + (point == "after the line")
    save(signed)
    assert read_review(signed).signed


@pytest.mark.parametrize("with_head", [True, False])
def test_a_log_of_another_study_says_nothing_of_this_one(signed, tmp_path, with_head):
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((signed / "results.json").read_bytes()) | {"study_id": "sub-77"}
    (other / "results.json").write_bytes(canonical_json(record))
    for name in (LOG_NAME, HEAD_NAME)[: 1 + with_head]:
        shutil.copy(signed / name, other)
    review = read_review(other)
    assert "log of another study" in review.words
    assert not review.levels
    with pytest.raises(InputError, match="another study"):
        save(other)


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", [
    "\u200b", "\u3164", "\uffa0\u115f", "\u2800", "\u00ad", "\u2060 \ufeff", "\u0301", "\u00a0",
    "\U000e0041", "...", "-", "\u180e", "\ufe0f",
])  # fmt: skip
def test_nobody_signs_without_a_letter_that_can_be_seen(name):
    with pytest.raises(ValueError, match="a letter that can be seen"):
        visible_name(name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Dr A.", "Dr A."), (" 李\u3000医生 ", "李 医生"), ("D\u200br\u00ad A", "Dr A"),
     ("می\u200cنا", "می\u200cنا"), ("É", "É")],
)  # fmt: skip
def test_a_name_keeps_its_letters(typed, name):
    assert visible_name(typed) == name


# --------------------------------------------------------------------------- final files


def test_a_final_file_that_was_changed_is_not_served_and_not_lost(app_of, folder):
    opened = app_of(folder)
    opened.act(act="sign")
    before = opened.state()
    opened.post("/study/sub-01/final", {"format": "pdf"})
    assert opened.state() | {"n_acts": 1} == before  # other windows stay as they are
    path = next(folder.glob("reviewed/*/report.pdf"))
    assert json.loads(lines(folder)[-1])["files"] == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
    }
    address = "/study/sub-01/final/report.pdf"
    assert opened.get(address).status_code == 200
    path.write_bytes(b"%PDF forged")
    refused = opened.get(address)
    assert refused.status_code == 422
    assert b"forged" not in refused.content
    assert opened.post("/study/sub-01/final", {"format": "pdf"}).status_code == 200
    assert opened.get(address).content.startswith(b"%PDF-")
    assert [p.read_bytes() for p in path.parent.glob("*.aside")] == [b"%PDF forged"]
    assert opened.act(act="level", key="L4-L5", decision="accept").status_code == 200


def test_a_final_file_that_the_log_does_not_know_is_not_served(app_of, folder):
    opened = app_of(folder)
    opened.act(act="sign")
    place = folder / "reviewed" / opened.state()["head"][:12]
    place.mkdir(parents=True)
    (place / "report.pdf").write_bytes(b"%PDF of somebody")
    assert opened.get("/study/sub-01/final/report.pdf").status_code == 422


# --------------------------------------------------------------------------- a result that goes


def test_a_signed_result_is_kept_whole_with_its_log(signed):
    names = ("results.json", "signals.npz", LOG_NAME, HEAD_NAME)
    before = {name: (signed / name).read_bytes() for name in names}
    kept = keep_signed(signed)
    assert kept is not None
    assert {name: (kept / name).read_bytes() for name in names} == before
    assert read_review(kept).signed
    (signed / "results.json").write_bytes(b"{}")
    assert {name: (kept / name).read_bytes() for name in names} == before


def test_a_result_that_nobody_signed_is_not_kept(folder):
    save(folder, **ACCEPT)
    assert keep_signed(folder) is None


# --------------------------------------------------------------------------- every rendering


def _compare(folder, out):
    from mrs_disc.cli import run

    shutil.copytree(folder, folder.parent / "again")
    for name in (LOG_NAME, HEAD_NAME):
        (folder.parent / "again" / name).unlink()
    assert run(["compare", str(folder.parent / "again"), str(folder), "-o", str(out)]) == 0
    rows = (out / "course.csv").read_text().splitlines()
    values = [row.split(",")[6] for row in rows if row.startswith("L4-L5,LAC/PG")]
    return (out / "course.html").read_text(), values == [""]


def _report(folder, out):
    from mrs_disc.cli import run

    assert run(["report", str(folder), "-o", str(out), "--format", "csv", "--format", "html"]) == 0
    table = csv.DictReader((out / "levels.csv").read_text("utf-8-sig").splitlines())
    labels = [row["label"] for row in table if row["level"] == "L4-L5"]
    return (out / "report.html").read_text(), labels == ["indeterminate"]


def _collect(folder, out):
    from mrs_disc.batch.collect import collect_results

    shutil.copytree(folder, out / "sub-01")
    notes = collect_results(out).notes
    rows = [r for r in (out / "levels.tsv").read_text().splitlines() if "\tL4-L5\t" in r]
    return " ".join((*rows, *notes)), all("\tindeterminate\t" in row for row in rows)


@pytest.mark.parametrize("rendering", [_compare, _report, _collect])
def test_every_rendering_honours_the_log_or_says_why_not(folder, tmp_path, rendering):
    save(folder, **ACCEPT | {"decision": "reject", "reason": "voxel misplaced"})
    words, taken_out = rendering(folder, tmp_path / "out")
    assert taken_out
    assert "rejected" in words
    assert "voxel misplaced" in words


@pytest.mark.parametrize("rendering", [_compare, _report, _collect])
def test_every_rendering_says_that_a_log_is_broken(signed, tmp_path, rendering):
    (signed / LOG_NAME).write_bytes(lines(signed)[0])
    words, _ = rendering(signed, tmp_path / "out")
    assert "broken" in words
