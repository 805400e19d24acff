"""C-MOVE against a small archive of pynetdicom: what comes back, and what is said without."""

import pytest

from .conftest import SPECTROSCOPY, instance, pydicom, pynetdicom, send
from .others import free_port

from mrs_disc.node.config import Destination  # isort: skip
from mrs_disc.node.move import STUDY_MOVE, c_move  # isort: skip
from mrs_disc.node.remote import STUDY_FIND, RemoteError  # isort: skip

STUDY = "1.2.826.777"
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class MovingArchive:
    """Answers C-FIND with one series, and moves what it holds to whom it knows."""

    def __init__(self, objects):
        self.objects, self.known, self.strays, self.told = objects, {}, [], []
        entity = pynetdicom.AE(ae_title="ARCHIVE")
        entity.add_supported_context(STUDY_FIND)
        entity.add_supported_context(STUDY_MOVE)
        handlers = [
            (pynetdicom.evt.EVT_C_FIND, self._find),
            (pynetdicom.evt.EVT_C_MOVE, self._move),
        ]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.at = Destination(
            name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=self.server.server_address[1]
        )

    def _find(self, event):
        answer = pydicom.Dataset()
        answer.SeriesInstanceUID, answer.Modality = f"{STUDY}.1", "MR"
        yield 0xFF00, answer

    def _move(self, event):
        address = self.known.get(event.move_destination.strip())
        contexts = [pynetdicom.build_context(SPECTROSCOPY)]
        yield (*address, {"contexts": contexts}) if address else (None, None)
        if address is None:
            return
        if self.strays:  # somebody else finds the open port
            self.told = send(address, self.strays)
        yield len(self.objects)
        for one in self.objects:
            yield 0xFF00, one


@pytest.fixture
def archive():
    made = MovingArchive([instance(n) for n in (1, 2, 3)])
    yield made
    made.server.shutdown()


def test_a_study_comes_by_c_move_and_nothing_of_another(archive):
    port = free_port()
    archive.known["MRS_DISC"] = ("127.0.0.1", port)
    archive.strays = [instance(9, study="1.2.3")]
    found = list(c_move(archive.at, STUDY, "MRS_DISC", ("127.0.0.1", port)))
    assert archive.told == [0xA900], "of a study that nobody asked for"
    uids = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(one)).SOPInstanceUID for one in found]
    assert sorted(uids) == [f"{STUDY}.1.{n}" for n in (1, 2, 3)]


def test_a_destination_that_the_archive_does_not_know_is_said(archive):
    with pytest.raises(RemoteError, match="does not know where to send: does it know MRS_DISC"):
        list(c_move(archive.at, STUDY, "MRS_DISC", ("127.0.0.1", free_port())))


def test_an_archive_that_reaches_nobody_is_said(archive):
    archive.known["MRS_DISC"] = ("127.0.0.1", free_port())
    with pytest.raises(RemoteError, match=r"as an application entity at port \d+"):
        list(c_move(archive.at, STUDY, "MRS_DISC", ("127.0.0.1", free_port())))
