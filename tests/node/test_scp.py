"""The storage service: what it keeps, what it refuses, and with which answer."""

from __future__ import annotations

import errno

import pytest

from mrs_disc.node import spool as spool_module
from mrs_disc.node.config import Listen, Peer

from .conftest import SECRETS, SPECTROSCOPY, associate, instance, pydicom, send

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
evt = pytest.importorskip("pynetdicom").evt
CT = "1.2.840.10008.5.1.4.1.1.2"
SIEMENS = "1.3.12.2.1107.5.9.1"


def objects(node):
    return sorted(node.engine.spool.folder.rglob("*.dcm"))


def test_what_was_acknowledged_lies_in_the_spool_as_it_was_sent(node):
    started = node()
    sent = [instance(n) for n in (3, 1, 2)]
    assert send(started.address, sent) == [0, 0, 0]
    kept = [pydicom.dcmread(path) for path in objects(started)]
    assert [one.InstanceNumber for one in kept] == [1, 2, 3]
    assert {one.SOPInstanceUID: one for one in kept} == {one.SOPInstanceUID: one for one in sent}


def test_no_name_of_a_file_and_no_line_of_the_log_tells_who(node):
    started = node()
    send(started.address, [instance()])
    started.turn()
    home = started.engine.places.home
    names = " ".join(str(path.relative_to(home)) for path in home.rglob("*"))
    others = b"".join(
        path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix != ".dcm"
    )
    for secret in SECRETS:
        assert secret not in names + started.log.getvalue()
        assert secret.encode() not in others


def test_the_same_object_again_is_one_object(node):
    started = node()
    assert send(started.address, [instance(), instance()]) == [0, 0]
    assert send(started.address, [instance()], calling="OTHER") == [0]
    assert len(objects(started)) == 1


def test_a_corrected_object_takes_the_place_of_the_earlier(node):
    started = node()
    send(started.address, [instance(), instance(ProtocolName="corrected")])
    (path,) = objects(started)
    assert pydicom.dcmread(path).ProtocolName == "corrected"


def test_studies_and_patients_are_kept_apart_whatever_their_order(node):
    started = node()
    mixed = [
        instance(1, study="1.2.3"),
        instance(1, study="1.2.4"),
        instance(2, study="1.2.3"),
        instance(3, study="1.2.3", patient="ANOTHER"),
    ]
    assert send(started.address, mixed) == [0] * 4
    kept = [[pydicom.dcmread(p) for p in s.rglob("*.dcm")] for s in started.engine.spool.studies()]
    assert sorted(len(one) for one in kept) == [1, 1, 2]
    for one in kept:
        assert len({(o.PatientID, o.StudyInstanceUID) for o in one}) == 1


def test_echo_is_answered(node):
    link = associate(node().address)
    assert link.send_c_echo().Status == 0
    link.release()


def test_a_class_that_is_not_taken_is_refused_beside_one_that_is(node):
    started = node()
    link = associate(started.address, classes=(SPECTROSCOPY, CT))
    assert link.send_c_store(instance()).Status == 0
    assert [str(one.abstract_syntax) for one in link.rejected_contexts] == [CT]
    with pytest.raises(ValueError, match="has been accepted"):
        link.send_c_store(instance(2, SOPClassUID=CT))
    link.release()
    assert started.lines("classes refused")[0]["sop_classes"] == [CT]


@pytest.mark.parametrize("uid", [SIEMENS, "1.2.3.4.99.7"])
def test_private_classes_of_spectroscopy_are_taken(node, uid):
    started = node(listen=Listen(port=0, also_accept=("1.2.3.4.99.7",)))
    assert send(started.address, [instance(SOPClassUID=uid)], classes=(uid,)) == [0]


@pytest.mark.parametrize(
    ("titles", "why"),
    [({"calling": "STRANGER"}, 3), ({"called": "WRONG"}, 7), ({"calling": "AWAY"}, 3)],
)
def test_strangers_are_rejected_with_the_reason(node, titles, why):
    """AWAY is on the list, at another address."""
    peers = (
        Peer(ae_title="SCANNER", addresses=("127.0.0.1",)),
        Peer(ae_title="AWAY", addresses=("10.1.2.3",)),
    )
    started = node(peer=peers)
    link = associate(started.address, **titles)
    assert link.is_rejected
    assert link.acceptor.primitive.result == 1
    assert link.acceptor.primitive.diagnostic == why
    assert send(started.address, [instance()]) == [0]
    assert started.lines("refused")


def test_an_object_that_is_not_the_announced_one_is_refused(node):
    """The request names one object, the data set is another, or belongs to no study."""
    started = node()
    link = associate(started.address)
    stray = instance()
    del stray.StudyInstanceUID
    assert link.send_c_store(stray).Status == 0xA900
    assert link.send_c_store(instance(2)).Status == 0
    link.release()
    assert [one["status"] for one in started.lines("object refused")] == ["A900"]
    assert len(objects(started)) == 1


@pytest.mark.parametrize("garbage", [b"\x08\x00\x05", b"\xff" * 64, bytes(200)])
def test_what_cannot_be_read_is_refused(node, monkeypatch, garbage):
    started = node()
    monkeypatch.setattr(evt.Event, "encoded_dataset", lambda self, include_meta=True: garbage)
    assert send(started.address, [instance()]) == [0xC000]
    monkeypatch.undo()
    assert objects(started) == []


def test_a_full_disk_is_said_and_leaves_nothing_half_written(node, monkeypatch):
    started = node()
    keep = spool_module.os.write

    def full(file, content):
        keep(file, bytes(content)[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module.os, "write", full)
    assert send(started.address, [instance()]) == [0xA700]
    monkeypatch.undo()
    files = [path for path in started.engine.spool.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files] == [".salt"]
    assert "No space left" in started.lines("object refused")[0]["why"]
    assert send(started.address, [instance()]) == [0]
