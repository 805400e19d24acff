"""The pages over HTTP: list, study, spectra, acts, final report."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner

from mrs_disc.errors import InputError
from mrs_disc.record.file import canonical_json, read_results
from mrs_disc.record.overlay import read_review
from mrs_disc.record.review import read_log
from mrs_disc.record.signals import read_signals
from mrs_disc.report.curves import GRID_PPM, common_height, noise_sd
from mrs_disc.report.curves import on_grid as curves
from mrs_disc.review import catalogue
from mrs_disc.review.catalogue import PAGE_SIZE, Catalogue, Query
from mrs_disc.review.studies import Library


def order(text: str) -> list[str]:
    names = [f"sub-0{n}" for n in range(1, 5) if f">sub-0{n}<" in text]
    return sorted(names, key=lambda name: text.index(f">{name}<"))


@pytest.fixture(scope="module")
def opened(app_of, read_only):
    return app_of(read_only)


# --------------------------------------------------------------------------- list


def test_the_list_begins_with_the_most_painful_study(opened):
    assert order(opened.get("/").text)[:2] == ["sub-02", "sub-01"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=sub-02", ["sub-02"]),
        ("q=SUB-03", ["sub-03"]),
        ("label=likely+painful", ["sub-02"]),
        ("quality=poor", ["sub-01"]),
        ("quality=usable", ["sub-02"]),
        ("sort=name&quality=failed", ["sub-03"]),
        ("q=nobody", []),
        ("label=%3Cscript%3E&page=999999&sort=up", ["sub-02", "sub-01", "sub-03"]),
    ],
)
def test_search_and_filters(opened, query, found):
    shown = order(opened.get(f"/?{query}").text)
    assert [name for name in shown if name != "sub-04"] == found


def test_a_study_that_failed_as_a_whole_says_why(opened):
    text = opened.get("/?quality=failed").text
    assert "not analysed: read: no" in text
    assert 'href="/study/sub-04' not in text


def test_the_page_itself_gets_the_rows_alone(opened):
    part = opened.get("/?q=sub-02", headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert "sub-02" in part
    whole = {"hx-request": "true", "hx-history-restore-request": "true"}
    assert "<html" in opened.get("/?q=sub-02", headers=whole).text


def test_the_list_shows_and_filters_by_the_state_of_the_review(app_of, dataset):
    opened = app_of(dataset)
    assert opened.act("sub-02", act="sign").status_code == 200
    assert order(opened.get("/?review=signed").text) == ["sub-02"]
    assert "sub-02" not in order(opened.get("/?review=not+reviewed").text)
    log = dataset / "sub-02" / "review.jsonl"
    log.write_bytes(log.read_bytes().replace(b"AB", b"CD") + b"{}\n")
    assert order(opened.get("/?review=log+broken").text) == ["sub-02"]


def test_the_list_follows_a_rejection_before_the_tables_are_collected_anew(app_of, dataset):
    opened = app_of(dataset)
    assert order(opened.get("/").text)[0] == "sub-02"
    opened.act("sub-02", act="level", key="L4-L5", decision="reject", reason="low signal")
    text = opened.get("/").text
    assert order(text) == ["sub-01", "sub-03", "sub-04", "sub-02"]  # no score is left of it
    assert "✕ rejected" in text
    assert "1 rejected" in text
    assert "0.91" not in text
    assert order(opened.get("/?label=likely+painful").text) == []

    rows = tuple(Catalogue(dataset).studies.values())
    library = Library()  # a server that starts later
    assert order_of(dataset, library)[0] == "sub-02"
    library.look_at_all(rows)
    assert order_of(dataset, library)[0] == "sub-01"


def order_of(folder, library):
    return [row.study for row in Catalogue(folder).found(Query(), library)]


def test_a_table_that_grows_is_read_again(app_of, dataset):
    opened = app_of(dataset)
    with (dataset / "levels.tsv").open("a") as file:
        file.write("sub-09\tn/a\tL4-L5\t1\tok\tgood\tindeterminate\t0.5\t0.1\n")
    assert ">sub-09<" in opened.get("/").text


def test_a_long_list_comes_in_pages_that_look_at_no_other_study(tmp_path, app_of, monkeypatch):
    """Only what grows with a page may be done for each page: 10,000 studies are one table."""
    rows = [
        f"sub-{n:03d}\tn/a\t{level}\t1\tok\tgood\tindeterminate\t0.{n:03d}"
        for n in range(5 * PAGE_SIZE - 1)
        for level in ("L4-L5", "L5-S1")
    ]
    head = "participant_id\tsession_id\tlevel\trun\tstatus\tverdict\tlabel\tscore"
    (tmp_path / "levels.tsv").write_text("\n".join([head, *rows, ""]))
    read, looked_at = [], []
    rows_of_table, reviewed = catalogue._rows_of_table, Library.reviewed
    monkeypatch.setattr(
        catalogue, "_rows_of_table", lambda path: read.append(path) or rows_of_table(path)
    )
    monkeypatch.setattr(
        Library, "reviewed", lambda self, row: looked_at.append(row.study) or reviewed(self, row)
    )
    opened = app_of(tmp_path)
    for address, shown in (("/?page=1", 50), ("/?page=5", 49), ("/?q=sub-11", 10)):
        looked_at.clear()
        text = opened.get(address).text
        assert text.count('class="open"') == len(looked_at) == shown
    assert len(read) == 1


def test_a_folder_without_a_table_is_read_from_its_results(dataset):
    (dataset / "levels.tsv").unlink()
    (dataset / "sub-03" / "results.json").write_text("{")
    catalogue = Catalogue(dataset)
    assert sorted(catalogue.studies) == ["sub-01", "sub-02", "sub-03"]
    assert catalogue.page(Query(), Library()).n_found == 3
    assert "not a valid results.json" in catalogue.studies["sub-03"].failure


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_nothing_to_review_is_said_in_words(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="output folder of mrs-disc analyze or batch"):
        Catalogue(tmp_path / name)


def test_a_single_study_opens_at_once(app_of, folder):
    answer = app_of(folder).get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/study/sub-01")


# --------------------------------------------------------------------------- study


def test_the_study_page_tells_what_the_record_tells(opened, read_only):
    results = read_results(read_only / "sub-01" / "results.json")
    text = opened.get("/study/sub-01").text
    for level in results.levels:
        assert f'data-key="{level.key}"' in text
        if level.score:
            assert level.score.label in text
    assert "neither file nor study says the echo time" in text
    assert "research use only" in text
    assert "not reviewed" in text


def test_a_level_without_a_score_says_why_and_one_without_a_spectrum_claims_nothing(app_of, folder):
    path = folder / "results.json"
    record = json.loads(path.read_bytes())
    score = record["levels"][-1]["score"]
    reason = "structure not measurable: 2.9 sd, 3 are needed"
    score |= {"value": None, "low": None, "high": None, "label": "indeterminate"}
    score["reasons"] = [reason]
    path.write_bytes(canonical_json(record))
    text = app_of(folder).get("/study/sub-01/summary").text
    assert reason in text.partition("<tbody>")[2]
    assert (
        "no morphology given" not in text.partition('data-level="L2-L3"')[2].partition("</tr>")[0]
    )


def test_neighbours_follow_the_list_that_was_open(opened):
    text = opened.get("/study/sub-01?sort=name").text
    assert 'id="after" href="/study/sub-02?sort=name"' in text
    assert 'id="before"' not in text


def test_a_line_lies_where_its_frequency_is_and_broadening_keeps_its_area(read_only):
    """A closed form: the area under a spectrum is the FID's first point, however broad the line."""
    from dataclasses import replace

    folder = read_only / "sub-01"
    level = read_results(folder / "results.json").levels[2]
    fit = replace(level.fit, delay_s=0.0)
    level = replace(level, measured=replace(level.measured, fit=fit))
    arrays = read_signals(folder / "signals.npz", None).levels[level.key]
    sampling = arrays.sampling
    t = np.arange(arrays.data.size) * sampling.dwell_time_s
    fid = 7.0 * np.exp(2j * np.pi * sampling.hz(2.5) * t - np.pi * 6 * t)
    arrays = replace(arrays, data=fid)
    for broadening in (0.0, 4.0):
        found = curves(level, arrays, broadening)["data"].real
        assert GRID_PPM[np.argmax(found)] == pytest.approx(2.5, abs=0.004)
        # Peak of a Lorentzian of unit amplitude: 1 / (pi * full width); half of it, one-sided FFT.
        assert found.max() == pytest.approx(7.0 / (np.pi * (6 + broadening)), rel=0.02)


def test_the_noise_of_the_page_is_that_of_the_shown_spectrum(read_only):
    """Another route: the scatter of the spectrum of white noise itself."""
    from dataclasses import replace

    folder = read_only / "sub-01"
    level = read_results(folder / "results.json").levels[2]
    arrays = read_signals(folder / "signals.npz", None).levels[level.key]
    rng, n, sd = np.random.default_rng(1), arrays.data.size, level.fit.noise_sd
    for broadening in (0.0, 3.0):
        scatter = [
            curves(
                level,
                replace(arrays, data=sd * (rng.standard_normal(n) + 1j * rng.standard_normal(n))),
                broadening,
            )["data"].real[::40]
            for _ in range(20)
        ]
        # 32 points of 20 spectra: the scatter itself is known to 3 %, straight lines take off 2 %
        assert np.std(scatter) == pytest.approx(noise_sd(level, arrays, broadening), rel=0.1)


def test_the_spectrum_has_one_scale_for_all_levels(opened, read_only):
    results = read_results(read_only / "sub-01" / "results.json")
    signals = read_signals(read_only / "sub-01" / "signals.npz", None)
    height = common_height(results, signals)
    tops = []
    for level in results.levels[1:]:
        answer = opened.get(f"/study/sub-01/spectrum/{level.key}").json()
        assert answer["ppm"] == GRID_PPM.tolist()
        low, high = np.searchsorted(GRID_PPM, answer["window_ppm"])
        fit = np.array(answer["curves"]["fit"]["real"])
        parts = sum(np.array(answer["curves"][n]["real"]) for n in answer["components"])
        base = np.array(answer["curves"]["baseline"]["real"])
        assert np.allclose(fit, parts + base, atol=0.01)  # rounding of ten arrays
        tops.append(fit[low:high].max())
    assert height > 0
    assert max(tops) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("value", ["-1", "21", "x", "nan", "inf", ""])
def test_broadening_out_of_range_is_refused(opened, value):
    assert opened.get(f"/study/sub-01/spectrum/L4-L5?broadening={value}").status_code == 400


def test_the_spectrum_is_told_in_words(opened):
    text = opened.get("/study/sub-01").text
    assert "Spectrum of L4-L5 in words" in text
    assert "Residual / noise" in text


# --------------------------------------------------------------------------- acts


def test_concordance_follows_the_morphology_before_it_is_saved(app_of, folder):
    opened = app_of(folder)
    address = "/study/sub-01/concordance/L5-S1"
    for query, words in (
        ("modic=1&pfirrmann=4", "Pfirrmann IV, Modic 1: concordant"),
        ("modic=0&pfirrmann=1", "Pfirrmann I; no Modic change: discordant"),
        ("", "no morphology given"),
    ):
        assert opened.get(f"{address}?{query}").json()["concordance"].startswith(words)
    assert not (folder / "review.jsonl").exists()
    for wrong in ("modic=9", "modic=x", "act=sign", "reviewer=1", "nothing=1"):
        assert opened.get(f"{address}?{wrong}").status_code == 422


def test_a_saved_act_is_on_the_page_in_the_summary_and_in_the_log(app_of, folder):
    opened = app_of(folder)
    answer = opened.act(
        act="level", key="L4-L5", decision="reject", reason="motion or drift", comment="ünï 😀"
    )
    assert answer.json()["saved"]
    assert read_review(folder).level("L4-L5", 1).comment == "ünï 😀"
    for address in ("/study/sub-01", "/study/sub-01/summary"):
        text = opened.get(address).text
        assert "rejected by AB: motion or drift" in text
        assert "ünï 😀" in text
        assert "L4-L5</span> indeterminate (rejected by the reviewer: motion or drift)" in text
        assert "Score of L4-L5: indeterminate</h2>" in text
        assert "<li>rejected by the reviewer: motion or drift</li>" in text


def test_the_later_window_is_told_and_can_save_after_it_has_looked(app_of, folder):
    opened = app_of(folder)
    before = opened.state()
    assert opened.act(act="level", key="L4-L5", decision="accept").status_code == 200
    late = {"reviewer": "CD", "head": before["head"], "results_sha256": before["results_sha256"]}
    sign = late | {"act": "sign"}
    answer = opened.post("/study/sub-01/acts", sign)
    assert answer.status_code == 409
    assert "another window" in answer.json()["error"]
    assert read_review(folder).n_acts == 1
    again = sign | {"head": answer.json()["head"]}
    assert opened.post("/study/sub-01/acts", again).status_code == 200


def test_results_analysed_anew_are_told_before_anything_is_saved(app_of, folder):
    opened = app_of(folder)
    old = opened.state()
    assert opened.act(act="sign").status_code == 200
    record = json.loads((folder / "results.json").read_bytes())
    record["notices"].append("analysed anew")
    (folder / "results.json").write_text(json.dumps(record))
    body = {"act": "sign", "reviewer": "AB", "head": opened.state()["head"]}
    answer = opened.post("/study/sub-01/acts", body | {"results_sha256": old["results_sha256"]})
    assert answer.status_code == 409
    assert "analysed anew" in answer.json()["error"]
    assert "signed for an earlier result" in opened.get("/study/sub-01").text


def test_a_broken_log_is_told_and_not_continued(app_of, folder):
    opened = app_of(folder)
    opened.act(act="level", key="L4-L5", decision="accept")
    opened.act(act="sign")
    log = folder / "review.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"accept"', b'"reject"'))
    assert "review log broken at line 2" in opened.get("/study/sub-01").text
    answer = opened.act(act="sign")
    assert answer.status_code == 422
    assert "Nothing was saved" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"act": "erase"}', b"\xff", b'"act"'])
def test_what_is_no_act_is_refused_in_words(opened, body):
    headers = {"origin": "http://127.0.0.1:8642", "content-type": "application/json"}
    answer = opened.client.post("/study/sub-01/acts", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_the_final_report_needs_a_signature_and_stays_as_it_was(app_of, folder):
    opened = app_of(folder)
    address = "/study/sub-01/final"
    refused = opened.post(address, {"format": "pdf"})
    assert refused.status_code == 422
    assert "sign the study first" in refused.json()["error"]
    opened.act(act="sign")
    assert opened.post(address, {"format": "../pdf"}).status_code == 422
    assert "--dicom-reference" in opened.post(address, {"format": "dicom"}).json()["error"]
    made = opened.post(address, {"format": "pdf"}).json()["files"]
    answer = opened.get(made["report.pdf"])
    assert answer.content.startswith(b"%PDF")
    path = next(folder.glob("reviewed/*/report.pdf"))
    before = path.stat().st_mtime_ns
    opened.post(address, {"format": "pdf"})
    assert path.stat().st_mtime_ns == before
    opened.act(act="level", key="L4-L5", decision="reject", reason="low signal")
    assert opened.get(made["report.pdf"]).status_code == 404  # not what is signed now


# --------------------------------------------------------------------------- a killed server


def test_every_confirmed_act_survives_kill_9_in_the_middle_of_saves(serve, folder):
    """Acts are posted as fast as they are confirmed, until the server is killed at any moment."""
    running = serve(folder)
    cookie, origin = running.enter(), f"http://127.0.0.1:{running.port}"
    post = {"cookie": cookie, "origin": origin, "content_type": "application/json"}
    state = json.loads(running.request("GET", "/study/sub-01/state", cookie=cookie)[2])
    confirmed: list[str] = []

    def save_until_killed():
        head = state["head"]
        for n in range(10_000):
            act = {"act": "level", "key": "L4-L5", "decision": "accept", "comment": f"number {n}"}
            act |= {"reviewer": "AB", "head": head, "results_sha256": state["results_sha256"]}
            body = json.dumps(act)
            try:
                status, _, answer = running.request("POST", "/study/sub-01/acts", body, **post)
            except OSError:
                return
            if status != 200:
                return
            confirmed.append(f"number {n}")
            head = json.loads(answer)["head"]

    writer = threading.Thread(target=save_until_killed)
    writer.start()
    while len(confirmed) < 20 and writer.is_alive():
        time.sleep(0.005)
    os.kill(running.process.pid, signal.SIGKILL)
    writer.join(timeout=120)
    log = read_log(folder)
    assert len(confirmed) >= 20
    assert not log.problem
    assert [act.comment for act in log.acts][: len(confirmed)] == confirmed
    assert len(log.acts) <= len(confirmed) + 1  # one may have been written and not yet confirmed


# --------------------------------------------------------------------------- the command


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, folder):
    from mrs_disc.cli import review

    monkeypatch.setattr(review, "find_spec", lambda name: None)
    result = CliRunner().invoke(review.command, [str(folder)])
    assert isinstance(result.exception, InputError)
    assert "pip install 'mrs-disc[review]'" in str(result.exception)


def test_a_port_that_is_taken_is_said_in_words(folder):
    import socket

    from mrs_disc.cli.review import command

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, [str(folder), "--port", str(port), "--no-browser"])
    assert isinstance(result.exception, InputError)
    assert f"--port {port}" in str(result.exception)


def test_a_dicom_reference_is_for_one_patient_alone(dataset, tmp_path):
    from mrs_disc.cli.review import command

    reference = tmp_path / "a.dcm"
    reference.write_bytes(b"")
    words = [str(dataset), "--no-browser", "--dicom-reference", str(reference)]
    result = CliRunner().invoke(command, words)
    assert isinstance(result.exception, InputError)
    assert "one patient" in str(result.exception)
    assert "folder" in str(result.exception)


def test_over_a_batch_each_study_finds_the_dicom_file_of_its_own_patient(tmp_path):
    from mrs_disc.review.final import reference_for

    for name in ("sub-01.dcm", "sub-02/b.dcm", "sub-02/a.dcm", "sub-03/series/a.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert reference_for("sub-01", tmp_path) == tmp_path / "sub-01.dcm"
    assert reference_for("sub-02", tmp_path) == tmp_path / "sub-02" / "a.dcm"
    assert reference_for("sub-03", tmp_path) == tmp_path / "sub-03" / "series" / "a.dcm"
    assert reference_for("sub-04", tmp_path) is None  # and never that of somebody else
    assert reference_for("sub-04", tmp_path / "sub-01.dcm") == tmp_path / "sub-01.dcm"
    assert reference_for("sub-04", None) is None


@pytest.mark.slow
def test_the_final_dicom_is_verified_by_the_reviewer(app_of, folder, tmp_path):
    pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")
    from mrs_disc.review.catalogue import Catalogue
    from mrs_disc.review.final import make_final
    from mrs_disc.review.studies import Library

    opened = app_of(folder)
    opened.act(act="sign", reviewer="AB")
    study = Library().open(Catalogue(folder).studies["sub-01"])
    reference_file(tmp_path / "sub-01.dcm", pydicom)
    made = make_final(study, "dicom", tmp_path)
    reports = [d for d in map(pydicom.dcmread, made) if "VerifyingObserverSequence" in d]
    assert [d.VerificationFlag for d in reports] == ["VERIFIED"]
    observer = reports[0].VerifyingObserverSequence[0].VerifyingObserverName
    assert str(observer).rstrip("^") == "AB"
    assert opened.post("/study/sub-01/final", {"format": "dicom"}).status_code == 422


def reference_file(path, pydicom):
    """Write the smallest image of a patient that DICOM allows."""
    data = pydicom.Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.1", "1.2.2", "1.2.3"
    data.PatientName, data.PatientID, data.PatientSex = "Doe^Jane", "P1", "O"
    data.PatientBirthDate = data.StudyDate = "20250101"
    data.StudyTime, data.Modality, data.StudyID = "101010", "MR", "1"
    data.AccessionNumber = data.ReferringPhysicianName = ""
    data.Rows = data.Columns = 1
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def test_files_of_others_are_unchanged_and_come_with_their_licences():
    from mrs_disc.review.app import HERE

    static = HERE / "static"
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split("|")]
        for line in (static / "THIRD_PARTY.md").read_text().splitlines()
        if line.startswith("| ") and "SHA-256" not in line
    ]
    assert {row[0] for row in rows} == {p.name for p in static.glob("*.min.*")}
    for name, _, licence, digest in rows:
        assert hashlib.sha256((static / name).read_bytes()).hexdigest() == digest
        assert (static / licence.rpartition(" ")[2]).is_file()
