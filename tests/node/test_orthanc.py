"""Scanner, node and archive as they stand in a hospital: DCMTK sends, Orthanc keeps, things die."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .conftest import associate, pydicom
from .others import (
    NodeProcess,
    Orthanc,
    free_port,
    load,
    needs_dcmtk,
    needs_orthanc,
    needs_web,
    resident_mb,
    storescu,
    wait_for,
    words_in,
)

pytest.importorskip("highdicom")
pytest.importorskip("dicomweb_client")
pytestmark = [
    pytest.mark.slow,
    needs_orthanc,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SAMPLES = Path(__file__).parents[2] / "sample_data"
SR, PDF = "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.104.1"
SECRETS = ("SECRET", "Secret", "1.2.826.0.1.3680043.8.77")


def scanned(folder, number, levels=("L4-L5",), names="*"):
    """A study of one patient as files, with identifiers of its own."""
    for level in levels:
        for path in sorted(SAMPLES.joinpath("lumbar_dicom").glob(f"{level}_{names}/*.dcm")):
            made = pydicom.dcmread(path)
            study = f"{SECRETS[2]}.{number}"
            made.PatientID, made.PatientName = f"SECRET-{number}", f"Secret^Person{number}"
            made.StudyInstanceUID = study
            made.SeriesInstanceUID += f".{number}"
            made.SOPInstanceUID += f".{number}"
            made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
            target = folder / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            made.save_as(target, enforce_file_format=True)
    return folder


@pytest.fixture
def orthanc(tmp_path):
    started = Orthanc(tmp_path / "orthanc")
    yield started
    started.stop(hard=True)


@pytest.fixture
def node(tmp_path, orthanc):
    started = []

    def start(*words, to=None):
        words = ("--to", to or orthanc.address, *words)
        started.append(NodeProcess(tmp_path / "node", *words))
        return started[-1]

    yield start
    for one in started:
        one.stop(hard=True)


def by_study(orthanc):
    found: dict[str, list[str]] = {}
    for patient, study, uid, _ in orthanc.reports():
        assert patient.rpartition("-")[2] == study.rpartition(".")[2], "under its own patient"
        found.setdefault(study, []).append(uid)
    return found


@needs_dcmtk
def test_one_storescu_ends_as_sr_and_pdf_in_the_archive(orthanc, node, tmp_path):
    """Within 10 s of the last object on a machine that does nothing else."""
    started = node("--quiet", "2")
    wait_for(lambda: started.process.poll() is None)
    time.sleep(5)  # its worker loads the libraries meanwhile
    levels = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")
    study = scanned(tmp_path / "study", 1, levels)
    assert storescu(started.port, study) == 0
    last = time.monotonic()
    wait_for(lambda: len(orthanc.ask("instances")) == 2, within_s=120)
    took = time.monotonic() - last
    assert {k: sorted(v) for k, v in by_study(orthanc).items()} == {
        f"{SECRETS[2]}.1": sorted((SR, PDF))
    }
    assert took < 10 * load()
    wait_for(lambda: started.state() == ["sent"])  # the node notes it a moment later
    (told,) = started.studies()
    assert (told["state"], told["n_objects"]) == ("sent", len(list(study.rglob("*.dcm"))))
    assert started.stop() == 0
    assert not words_in(started.folder, SECRETS, spare=("spool",))
    assert not [word for word in SECRETS if word in started.log.read_text()]


@needs_dcmtk
def test_storescu_is_told_that_it_called_another_title(orthanc, node, tmp_path):
    started = node("--quiet", "0.5")
    assert storescu(started.port, scanned(tmp_path / "a", 1), called="WRONG") != 0
    assert started.state() == []


def test_two_studies_interleaved_with_a_resend_and_a_cut_association(orthanc, node, tmp_path):
    started = node("--quiet", "3")
    studies = [scanned(tmp_path / str(n), n) for n in (1, 2)]
    objects = [pydicom.dcmread(path) for study in studies for path in study.rglob("*.dcm")]
    random.Random(7).shuffle(objects)
    address = ("127.0.0.1", started.port)
    cut = associate(address)
    for one in objects[: len(objects) // 2]:
        assert cut.send_c_store(one).Status == 0
    cut.abort()
    whole = associate(address)
    for one in objects[len(objects) // 4 :]:
        assert whole.send_c_store(one).Status == 0
    whole.release()
    wait_for(lambda: started.state() == ["sent", "sent"], within_s=180)
    found = by_study(orthanc)
    assert {study: sorted(set(classes)) for study, classes in found.items()} == {
        f"{SECRETS[2]}.{n}": sorted((SR, PDF)) for n in (1, 2)
    }
    assert sum(one["n_objects"] for one in started.studies()) == len(objects)


def test_nothing_acknowledged_is_lost_by_kills_of_the_node(orthanc, node, tmp_path):
    """Ten kills at random moments, while studies come; what was not acknowledged is sent again."""
    n_kills, rng = 10, random.Random(11)
    started = node("--quiet", "1")
    studies = [scanned(tmp_path / str(n), n) for n in range(1, 7)]
    waiting = [pydicom.dcmread(path) for study in studies for path in study.rglob("*.dcm")]
    n_objects = len(waiting)
    rng.shuffle(waiting)
    acknowledged, ended = [], threading.Event()

    def scanner():
        while waiting and not ended.is_set():
            link = associate(("127.0.0.1", started.port))
            while waiting and link.is_established:
                answer = link.send_c_store(waiting[-1])
                if "Status" not in answer or answer.Status != 0:
                    break
                acknowledged.append(str(waiting.pop().SOPInstanceUID))
                time.sleep(0.02)
            if link.is_established:
                link.release()
            time.sleep(0.1)

    thread = threading.Thread(target=scanner, daemon=True)
    thread.start()
    for _ in range(n_kills):
        time.sleep(rng.uniform(0.1, 2.5))
        started.stop(hard=True)
        kept = {
            str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
            for path in (started.folder / "spool").rglob("*.dcm")
            if not path.name.startswith(".")
        }
        assert set(acknowledged) - kept == set()
        started.start()
    thread.join(timeout=120)
    assert not waiting
    wait_for(lambda: started.state() == ["sent"] * 6, within_s=240)
    assert sum(one["n_objects"] for one in started.studies()) == n_objects
    found = by_study(orthanc)
    assert len(found) == 6
    assert all({SR, PDF} <= set(classes) for classes in found.values())


def test_an_archive_that_dies_gets_every_report_once(orthanc, node, tmp_path):
    config = tmp_path / "node.toml"
    config.write_text(
        f'folder = "node"\nquiet_s = 0.5\n[retry]\nfirst_s = 0.5\nmost_s = 2\nattempts = 1000\n'
        f'[[destination]]\nname = "pacs"\nae_title = "ORTHANC"\nhost = "127.0.0.1"\n'
        f"port = {orthanc.dicom}\n"
    )
    started = node("--config", str(config), to=orthanc.address)
    for number in range(1, 4):
        for path in scanned(tmp_path / str(number), number).rglob("*.dcm"):
            link = associate(("127.0.0.1", started.port))
            assert link.send_c_store(pydicom.dcmread(path)).Status == 0
            link.release()
        orthanc.stop(hard=True)
        time.sleep(1.5)
        orthanc.start()
    wait_for(lambda: started.state() == ["sent"] * 3, within_s=240)
    found = by_study(orthanc)
    assert len(found) == 3
    for classes in found.values():  # of each analysis one of both, however often it was sent
        assert classes.count(SR) == classes.count(PDF)
    identifiers = [one[3] for one in orthanc.reports()]
    assert len(identifiers) == len(set(identifiers))


@needs_web
@pytest.mark.parametrize("by", ["C-GET", "C-MOVE", "WADO-RS"])
def test_what_is_sent_is_fetched_and_analysed_as_before(orthanc, tmp_path, by):
    web = by == "WADO-RS"
    archive = orthanc.web if web else orthanc.address
    move = ("--move", orthanc.ours) if by == "C-MOVE" else ()
    study = scanned(tmp_path / "study", 5)
    paths = sorted(study.rglob("*.dcm"))
    for folder in sorted(study.iterdir()):
        assert mrs_disc("send", folder, "--to", archive) == 0
    words = ("--patient", "SECRET-5") if web else ("--study", f"{SECRETS[2]}.5")
    out = tmp_path / "fetched"
    assert mrs_disc("fetch", "--from", archive, *words, *move, "-o", out) == 0
    fetched = sorted(out.rglob("*.dcm"))
    assert len(fetched) == len(paths)
    samples = [
        sorted(bytes(pydicom.dcmread(p).SpectroscopyData) for p in x) for x in (paths, fetched)
    ]
    assert samples[0] == samples[1]
    assert mrs_disc("init", out) == 0
    report = tmp_path / "report"
    assert mrs_disc("analyze", out, "-o", report, "--format", "dicom") == 0
    assert mrs_disc("send", report, "--to", archive) == 0
    assert {SR, PDF} <= set(by_study(orthanc)[f"{SECRETS[2]}.5"])
    shutil.rmtree(out)
    assert mrs_disc("fetch", "--from", archive, *words, *move, "-o", out) == 0
    assert len(list(out.rglob("*.dcm"))) == len(paths), "reports are left where they are"
    assert mrs_disc("fetch", "--from", archive, "--study", "1.2.3", "-o", tmp_path / "none") == 2
    assert not (tmp_path / "none").exists()


def test_an_archive_that_does_not_know_us_says_so(orthanc, tmp_path, capfd):
    study = scanned(tmp_path / "study", 6)
    for folder in sorted(study.iterdir()):
        assert mrs_disc("send", folder, "--to", orthanc.address) == 0
    words = ("--study", f"{SECRETS[2]}.6", "-o", tmp_path / "fetched")
    asked = ("fetch", "--from", orthanc.address, *words)
    for wrong in (("--move", orthanc.ours, "--calling", "STRANGER"), ("--move", free_port())):
        assert mrs_disc(*asked, *wrong) == 2
        assert "as an application entity at port" in capfd.readouterr().err
    assert mrs_disc(*asked, "--move", orthanc.dicom) == 2
    assert "cannot be used (Address already in use)" in capfd.readouterr().err
    assert not (tmp_path / "fetched").exists()


def mrs_disc(*words):
    command = [sys.executable, "-m", "mrs_disc", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    sys.stderr.write(done.stderr.decode())
    return done.returncode


@needs_dcmtk
def test_many_studies_with_two_workers_lose_and_double_nothing(orthanc, node, tmp_path):
    """Sent in random order; 16 here, for the time that it takes. Memory stays where it was."""
    n_studies = 16
    config = tmp_path / "node.toml"
    config.write_text("workers = 2\nquiet_s = 1\n")
    started = node("--config", str(config))
    root = tmp_path / "studies"
    for n in range(n_studies):
        scanned(root / str(n), n)
    order = list(range(n_studies))
    random.Random(3).shuffle(order)
    for n in order:
        assert storescu(started.port, root / str(n)) == 0
    wait_for(lambda: started.state().count("sent") >= 4, within_s=400, every_s=0.5)
    warm_mb = resident_mb(started.process.pid)
    wait_for(lambda: started.state() == ["sent"] * n_studies, within_s=400, every_s=0.5)
    assert resident_mb(started.process.pid) < 1.15 * warm_mb + 40  # a worker may still have loaded
    found = by_study(orthanc)
    assert len(found) == n_studies
    assert all(sorted(classes) == sorted((SR, PDF)) for classes in found.values())
