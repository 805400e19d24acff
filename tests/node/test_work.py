"""The real worker and the real final report, on a study of one disc."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mrs_disc.node.work import NO_PATIENT, analyze_study
from mrs_disc.record.file import read_results
from mrs_disc.record.journal import append_act
from mrs_disc.record.review import read_log

from .conftest import instance, pydicom, send

pytest.importorskip("highdicom")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SAMPLES = Path(__file__).parents[2] / "sample_data"
OURS = {"PatientID": "SECRET-ID", "PatientName": "Secret^Person", "StudyInstanceUID": "1.2.826.777"}


def scanned():
    """The objects of one disc and its water, of our patient."""
    found = []
    for path in sorted(SAMPLES.joinpath("lumbar_dicom").glob("L4-L5_*/*.dcm")):
        made = pydicom.dcmread(path)
        for name, value in OURS.items():
            setattr(made, name, value)
        found.append(made)
    return found


def sign(folder):
    """Sign a result as the review page does."""
    from mrs_disc.files import sha256_of
    from mrs_disc.review.acts import SignSent, fields_of

    results, digest = read_results(folder / "results.json"), sha256_of(folder / "results.json")
    head = read_log(folder, results.study_id).seen
    act = SignSent(act="sign", reviewer="A. Reader", head=head, results_sha256=digest)
    time = "2026-01-31T09:30:00Z"
    append_act(folder, head, digest, time, lambda log: fields_of(act, results, log, digest, time))


@pytest.mark.slow
def test_from_the_scanner_to_the_signed_report(node, archive, tmp_path):
    """The preliminary SR and the final one are of one study, and the one names the other."""
    started = node(work=analyze_study, destination=(archive.destination,))
    objects = scanned()
    assert set(send(started.address, objects[::-1])) == {0}
    started.turn(until="sent", within_s=60.0)
    folder = started.engine.places.results / started.study.key
    results = read_results(folder / "results.json")
    assert [level.level for level in results.levels] == ["L4-L5"]
    assert results.study_id == started.study.key
    provenance = json.loads((folder / "provenance.json").read_text())["transmission"]
    assert len(provenance["received"]) == len(objects)
    assert [one["kind"] for one in provenance["sent"]] == ["preliminary"]

    sign(folder)
    started.turn()
    started.turn(until="sent", within_s=60.0)
    by_class = {}
    for made in archive.objects:
        assert {name: str(made[name].value) for name in OURS} == OURS
        by_class.setdefault(str(made.SOPClassUID), []).append(made)
    preliminary, final = by_class["1.2.840.10008.5.1.4.1.1.88.22"]
    assert (preliminary.VerificationFlag, final.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert final.SOPInstanceUID != preliminary.SOPInstanceUID
    named = final.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == preliminary.SOPInstanceUID
    assert tracking(preliminary) == tracking(final) != []
    assert [len(one) for one in by_class.values()] == [2, 2]
    assert started.study.signed


def tracking(report):
    """The tracking identifiers of the levels."""
    found = []

    def look(items):
        for item in items:
            if item.get("ConceptNameCodeSequence", [{}])[0].get("CodeValue") == "112040":
                found.append(str(item.UID))
            look(item.get("ContentSequence", []))

    look(report.ContentSequence)
    return found


def test_a_study_without_spectra_fails_with_the_reason(node):
    started = node(work=analyze_study)
    image = instance(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    send(started.address, [image], classes=(image.SOPClassUID,))
    started.turn(until="failed", within_s=60.0)
    assert started.study.reason.startswith("read: holds no spectrum that can be analysed")
    failure = started.engine.places.results / started.study.key / "failure.json"
    assert "Secret" not in failure.read_text()


def test_a_watched_folder_without_dicom_is_analysed_and_says_why_it_is_not_sent(
    node, archive, tmp_path
):
    incoming = tmp_path / "incoming"
    (incoming / "Secret_Person").mkdir(parents=True)
    started = node(
        work=analyze_study, destination=(archive.destination,), listen=None, watch=incoming
    )
    for path in sorted(SAMPLES.joinpath("lumbar_rda").glob("L4-L5*")):
        (incoming / "Secret_Person" / path.name).write_bytes(path.read_bytes())
    started.turn()
    assert started.studies == (), "it may still be copied"
    started.turn()
    started.turn(until="analysed", within_s=60.0)
    assert started.study.source == "watch"
    assert started.study.reason == NO_PATIENT
    assert archive.objects == []
    told = started.log.getvalue() + "".join(
        path.read_text("latin-1")
        for path in started.engine.places.results.rglob("*")
        if path.is_file()
    )
    assert "Secret" not in told


def test_dicom_in_a_watched_folder_is_filed_as_if_it_were_sent(node, tmp_path):
    incoming = tmp_path / "incoming"
    (incoming / "export").mkdir(parents=True)
    started = node(watch=incoming)
    for one in (instance(1), instance(1, patient="ANOTHER", study="1.2.3")):
        one.save_as(incoming / "export" / f"{one.PatientID}.dcm", enforce_file_format=True)
    started.turn()
    started.turn()
    send(started.address, [instance(1), instance(2)])
    started.turn(until="analysed")
    assert sorted(one.n_objects for one in started.studies) == [1, 2]
