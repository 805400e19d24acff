"""From received to sent: every study on its way, whatever comes in between."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from mrs_disc.batch.work import Outcome
from mrs_disc.errors import InputError, OutputError
from mrs_disc.node.config import Keep
from mrs_disc.record.node import ALLOWED, STATES, read_status

from .conftest import SECRETS, Node, instance, made_up, send

# pynetdicom leaves sockets of refused connections to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DAY_S = 86_400.0


def path_of(node, key):
    return [one["event"] for one in node.lines() if one.get("study") == key]


def test_a_study_comes_back_as_sr_and_pdf_under_its_own_patient(node, archive):
    started = node(destination=(archive.destination,))
    send(started.address, [instance(n) for n in (2, 1)])
    started.turn(until="sent")
    assert len(archive.objects) == 2
    for made in archive.objects:
        assert (made.PatientID, made.StudyInstanceUID) == ("SECRET-ID", "1.2.826.777")
    assert path_of(started, started.study.key) == ["received", "analysed", "sent"]
    started.turn()
    status = read_status(started.engine.places.results)
    assert status.counts["sent"] == 1
    assert not [word for word in SECRETS if word in started.log.getvalue()]


def test_a_study_waits_until_it_is_quiet(node):
    started = node(quiet_s=60.0)
    send(started.address, [instance(1)])
    started.turn()
    started.clock[0] += 59
    send(started.address, [instance(2)])
    started.turn()
    started.clock[0] += 59
    started.turn()
    assert started.study.state == "received"
    started.clock[0] += 2
    started.turn(until="analysed")
    assert started.study.n_objects == 2


def test_two_studies_sent_interleaved_are_two_reports(node, archive):
    started = node(destination=(archive.destination,))
    mixed = [instance(n, study=s, patient=s) for n in (1, 2, 3) for s in ("1.2.3", "1.2.4")]
    send(started.address, mixed)
    started.turn(until="sent")
    found = sorted((str(o.PatientID), str(o.StudyInstanceUID)) for o in archive.objects)
    assert found == [("1.2.3", "1.2.3")] * 2 + [("1.2.4", "1.2.4")] * 2


def test_a_resend_changes_nothing_and_a_later_series_starts_again(node, archive):
    started = node(destination=(archive.destination,))
    send(started.address, [instance()])
    started.turn(until="sent")
    send(started.address, [instance()])
    started.turn()
    assert (started.study.state, started.study.n_analyses) == ("sent", 1)
    send(started.address, [instance(series="2")])
    started.turn()
    started.turn(until="sent")
    assert started.study.n_analyses == 2
    assert len(archive.objects) == 4
    assert {str(one.PatientID) for one in archive.objects} == {"SECRET-ID"}


def test_what_comes_during_the_analysis_is_analysed_after_it(node, archive):
    started = node(destination=(archive.destination,))
    started.pool.hold = True
    send(started.address, [instance()])
    started.turn()
    assert started.study.state == "analysing"
    send(started.address, [instance(2)])
    started.turn()
    started.pool.hold = False
    started.turn()
    started.turn(until="sent")
    assert started.study.n_analyses == 2
    assert started.study.n_objects == 2


def test_a_destination_that_fails_is_tried_again_and_given_up_with_the_reason(node, archive):
    archive.status = 0xA700
    started = node(destination=(archive.destination,))
    send(started.address, [instance()])
    for wait in (0, 5, 6, 21):  # tried at 0, 10 and 30 s
        started.clock[0] += wait
        started.turn()
    assert started.study.state == "failed"
    assert (
        started.study.reason
        == "not delivered to archive: archive refused the object with status A700"
    )
    assert [one["attempt"] for one in started.lines("not sent")] == [1, 2, 3]
    (letters,) = started.engine.places.dead.iterdir()
    assert sorted(p.name for p in letters.iterdir()) == [
        "reason.json", "report_pdf.dcm", "report_sr.dcm",
    ]  # fmt: skip
    archive.status = 0
    started.engine.places.requests.mkdir()
    (started.engine.places.requests / started.study.key).touch()
    started.turn()
    started.turn(until="sent")
    assert len(archive.objects) == 2


def test_an_archive_that_is_away_gets_all_when_it_is_back(node, archive):
    started = node(destination=(archive.destination.model_copy(update={"port": 1}),))
    send(started.address, [instance()])
    started.turn()
    assert "cannot be reached" in started.study.deliveries[0].reason
    started.engine.deliverer._by_name["archive"] = archive.destination
    started.clock[0] += 11
    started.turn(until="sent")


def test_a_report_that_was_changed_on_disk_is_not_sent(node, archive):
    archive.status = 0xA700
    started = node(destination=(archive.destination,))
    send(started.address, [instance()])
    started.turn()
    archive.status = 0
    (sr,) = started.engine.places.results.rglob("report_sr.dcm")
    sr.write_bytes(sr.read_bytes()[:-2] + b"\1\1")
    started.clock[0] += 11
    started.turn()
    assert archive.objects == []
    assert "is not the file that was made" in started.study.deliveries[0].reason


def test_a_failure_keeps_its_reason_and_ends_with_new_files(node):
    def fails(task, settings):
        return Outcome(kind="failed", stage="read", message="holds no spectrum")

    started = node(work=fails)
    send(started.address, [instance()])
    started.turn(until="failed")
    assert started.study.reason == "read: holds no spectrum"
    started.pool.work = made_up
    send(started.address, [instance(2)])
    started.turn()
    started.turn(until="analysed")
    assert started.study.reason == ""


@pytest.mark.parametrize("moment", ["received", "analysing", "analysed", "sent"])
def test_a_node_that_is_killed_goes_on_where_it_was(node, archive, moment):
    archive.status = 0xA700 if moment == "analysed" else 0
    started = node(destination=(archive.destination,), quiet_s=60.0)
    started.pool.hold = moment == "analysing"
    send(started.address, [instance(n) for n in (1, 2)])
    started.turn()
    if moment != "received":
        started.clock[0] += 61
        started.turn()
    assert started.study.state == moment
    before = archive.uids
    started.kill()
    archive.status = 0

    again = node(destination=(archive.destination,))
    again.turn(until="received" if moment == "received" and not again.studies else "")
    again.clock[0] += 61
    again.turn(until="sent")
    assert again.study.n_objects == 2
    assert len(archive.objects) == 2, "nothing lost, nothing twice"
    assert set(before) <= set(archive.uids)


def test_objects_that_no_state_knows_are_found_at_the_start(node, archive):
    """Killed between the acknowledgement and the first state."""
    started = node(destination=(archive.destination,))
    send(started.address, [instance()])
    started.kill()
    again = node(destination=(archive.destination,))
    again.turn(until="sent")
    assert len(archive.objects) == 2


def test_a_damaged_state_costs_nothing(node, archive):
    started = node(destination=(archive.destination,))
    send(started.address, [instance()])
    started.turn(until="sent")
    started.kill()
    (state,) = started.engine.places.states.glob("*.json")
    state.write_text("{")
    again = node(destination=(archive.destination,))
    again.turn(until="sent")
    assert len(set(archive.uids)) == 2


def test_one_folder_has_one_node(node, tmp_path):
    node()
    with pytest.raises(InputError, match="another node is at work"):
        Node(tmp_path / "node")


def test_files_leave_the_spool_some_days_after_they_were_sent(node, archive):
    """One stays for the final report, until nobody has signed for long enough."""
    started = node(destination=(archive.destination,), keep=Keep(days=7, unsigned_days=90))
    send(started.address, [instance(1), instance(2)])
    started.turn(until="sent")
    folder = started.engine.spool.folder / started.study.key
    for days, left in ((6, 2), (2, 0), (80, 0)):
        started.clock[0] += days * DAY_S
        started.turn()
        assert len(started.engine.spool.files(started.study.key)) == left
        assert folder.exists()
    assert (folder / "reference.dcm").exists()
    started.clock[0] += 10 * DAY_S
    started.turn()
    assert not folder.exists()
    assert started.study.state == "sent"
    send(started.address, [instance(3)])
    started.turn()
    started.turn(until="sent")
    assert started.lines("earlier files are gone")


def test_provenance_tells_what_was_sent_and_when(node, archive):
    started = node(destination=(archive.destination,))

    def with_provenance(task, settings):
        outcome = made_up(task, settings)
        received = json.loads(
            (started.engine.places.work / task.key / ".transmission.json").read_text()
        )
        path = started.engine.places.results / task.key / "provenance.json"
        path.write_text(json.dumps({"transmission": received}))
        return outcome

    started.pool.work = with_provenance
    send(started.address, [instance(n) for n in (1, 2)])
    started.turn(until="sent")
    path = started.engine.places.results / started.study.key / "provenance.json"
    record = json.loads(path.read_text())["transmission"]
    assert [(r["calling"], r["called"]) for r in record["received"]] == [
        ("SCANNER", "MRS_DISC")
    ] * 2
    assert len({r["association"] for r in record["received"]}) == 1
    assert [(s["to"], s["kind"], len(s["objects"])) for s in record["sent"]] == [
        ("archive", "preliminary", 2)
    ]
    assert not [word for word in SECRETS if word in path.read_text()]


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_disk_that_is_full_for_a_moment_loses_nothing(node, archive, monkeypatch, nth):
    """Whichever of the writes of states and work fails, the next turn does it again."""
    from mrs_disc.node import engine, ledger

    monkeypatch.setattr(engine, "FULL_S", 0.0)
    count = [0]
    write = ledger.write_whole

    def full_once(*words, **named):
        count[0] += 1
        if count[0] == nth:
            raise OutputError("no room")
        return write(*words, **named)

    for module in (ledger, engine):
        monkeypatch.setattr(module, "write_whole", full_once)
    started = node(destination=(archive.destination,))
    send(started.address, [instance(1), instance(2)])
    for _ in range(3):
        with suppress(OutputError):  # of the sender, whose thread logs it
            started.turn()
        started.clock[0] += 40
    started.turn(until="sent")
    assert count[0] >= nth
    assert len(set(archive.uids)) == 2


def test_a_study_whose_results_find_no_room_is_analysed_again_later(node, archive):
    def full(task, settings):
        return Outcome(kind="failed", stage="output", message="results cannot be written to")

    started = node(work=full, destination=(archive.destination,))
    send(started.address, [instance()])
    started.turn()
    assert (started.study.state, started.study.reason) == (
        "received",
        "results cannot be written to",
    )
    started.pool.work = made_up
    started.turn()
    assert started.study.state == "received"
    started.clock[0] += 31
    started.turn()
    started.turn(until="sent")


def test_every_state_has_a_way_out_and_words():
    assert set(ALLOWED) == set(STATES)
    assert all("received" in after for after in ALLOWED.values())
    assert all(STATES.values())
