"""A node in this process, whose workers are a function; senders and an archive of pynetdicom."""

from __future__ import annotations

import gc
import hashlib
import json
import time
import warnings
from collections import deque
from io import StringIO
from pathlib import Path

import pytest

pydicom = pytest.importorskip("pydicom")
pynetdicom = pytest.importorskip("pynetdicom")

from mrs_disc.batch.work import Outcome  # noqa: E402
from mrs_disc.node.config import Destination, Listen, NodeConfig, Retry  # noqa: E402
from mrs_disc.node.engine import Engine  # noqa: E402
from mrs_disc.node.log import json_log  # noqa: E402
from mrs_disc.node.work import PDF, SR, WARM  # noqa: E402

SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
SECRETS = ("SECRET-ID", "Secret", "1.2.826.777")


def instance(number=1, *, patient="SECRET-ID", study="1.2.826.777", series="1", **more):
    """A small object as a scanner sends it."""
    made = pydicom.Dataset()
    made.SOPClassUID = more.pop("SOPClassUID", SPECTROSCOPY)
    made.StudyInstanceUID, made.PatientID = study, patient
    made.PatientName = "Secret^Person"
    made.SeriesInstanceUID = f"{study}.{series}"
    made.SOPInstanceUID = f"{study}.{series}.{number}"
    made.InstanceNumber = number
    made.Modality = "MR"
    made.SpectroscopyData = bytes(800)
    for name, value in more.items():
        setattr(made, name, value)
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return made


def associate(address, *, calling="SCANNER", called="MRS_DISC", classes=(SPECTROSCOPY,)):
    """An open association, or one that was rejected."""
    entity = pynetdicom.AE(ae_title=calling)
    entity.add_requested_context("1.2.840.10008.1.1")
    for uid in classes:
        entity.add_requested_context(uid, ["1.2.840.10008.1.2.1"])
    return entity.associate(*address, ae_title=called)


def send(address, objects, **how):
    """Send objects over one association; return their statuses."""
    link = associate(address, **how)
    assert link.is_established
    statuses = [int(link.send_c_store(one).Status) for one in objects]
    link.release()
    return statuses


class InThisProcess:
    """Stands in for the pool: `work` is done at once, or held until told."""

    def __init__(self, work, settings):
        self.work, self.settings = work, settings
        self.held = deque()
        self.hold = False

    def turn(self, waiting, suspects, jobs=None, tick_s=0.0):
        while waiting:
            self.held.append(waiting.popleft())
        while self.held and not self.hold:
            task = self.held.popleft()
            yield task, Outcome(kind="kept") if task == WARM else self.work(task, self.settings)

    @property
    def busy(self):
        return bool(self.held)

    def close(self):
        self.held.clear()


def made_up(task, settings):
    """A worker that writes two objects named by what it was given, in the study's name."""
    files = sorted(p for p in Path(task.path).rglob("*.dcm"))
    folder = Path(settings.out) / task.key / "dicom"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()
    number = int(digest[:12], 16)
    first = pydicom.dcmread(files[0])
    for name, uid in ((SR, ENHANCED_SR), (PDF, PDF_CLASS)):
        made = instance(number, patient=first.PatientID, study=first.StudyInstanceUID)
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = uid
        made.SOPInstanceUID = f"{first.StudyInstanceUID}.9.{uid[-1]}.{number}"
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.save_as(folder.parent / name, enforce_file_format=True)
    return Outcome(kind="analysed", n_levels=len(files))


class Archive:
    """A storage service that keeps what it gets, and can be told to fail."""

    def __init__(self):
        self.objects, self.status = [], 0x0000
        entity = pynetdicom.AE(ae_title="ARCHIVE")
        for uid in (ENHANCED_SR, PDF_CLASS):
            entity.add_supported_context(uid)
        handlers = [(pynetdicom.evt.EVT_C_STORE, self._keep)]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    def _keep(self, event):
        if self.status == 0:
            self.objects.append(event.dataset)
        return self.status

    @property
    def destination(self):
        port = self.server.server_address[1]
        return Destination(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=port)

    @property
    def uids(self):
        return [str(one.SOPInstanceUID) for one in self.objects]


@pytest.fixture(autouse=True, scope="module")
def _collected():
    """Collect the sockets that pynetdicom leaves of refused and cut associations, unwarned."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _servers_end_at_once(monkeypatch):
    """A server looks every half second whether it has to end, which adds up."""
    from socketserver import BaseServer

    forever = BaseServer.serve_forever
    monkeypatch.setattr(BaseServer, "serve_forever", lambda self: forever(self, 0.01))


@pytest.fixture
def archive():
    made = Archive()
    yield made
    made.server.shutdown()


class Node:
    """An engine whose turns a test drives."""

    def __init__(self, folder, work=made_up, clock=None, **options):
        self.log = StringIO()
        self.clock = clock or [time.time()]
        options.setdefault("listen", Listen(port=0))
        options.setdefault("quiet_s", 0.0)
        options.setdefault("retry", Retry(first_s=10, attempts=3))
        config = NodeConfig(folder=folder, **options)
        self.engine = Engine(config, json_log(self.now, self.log), self.now)
        self.pool = self.engine.pool = InThisProcess(work, self.engine._settings)
        self.engine._renew_tables = lambda: None
        self.engine.deliverer.start = lambda: None  # the test sends, turn by turn
        self.engine.open()

    def now(self):
        return self.clock[0]

    @property
    def address(self):
        return self.engine.service.address

    def turn(self, until="", within_s=60.0):
        """Turn the loop, until the only study is in a state."""
        end = time.monotonic() + within_s
        while True:
            self.engine._due.clear()
            self.engine.turn()
            self.engine.deliverer.send_due()
            if not until or (self.studies and {s.state for s in self.studies} == {until}):
                return
            assert time.monotonic() < end, self.studies
            time.sleep(0.01)

    @property
    def studies(self):
        return self.engine.ledger.all()

    @property
    def study(self):
        (only,) = self.studies
        return only

    def lines(self, event=""):
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [one for one in found if not event or one["event"] == event]

    def kill(self):
        """Leave all as it lies: only sockets and lock go, as the system takes them."""
        self.engine.service.stop()
        self.engine._lock.close()


@pytest.fixture
def node(tmp_path):
    """Start nodes in one folder; they end with the test."""
    started = []

    def start(**options):
        clock = started[-1].clock if started else None
        started.append(Node(tmp_path / "node", clock=clock, **options))
        return started[-1]

    yield start
    for one in started:
        if not one.engine._lock.closed:
            one.engine.close()
