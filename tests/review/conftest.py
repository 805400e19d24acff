"""Analysed studies to review, a client behind the guard, and a real server."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mrs_disc import analyze, simulate_study, write_report
from mrs_disc.record.file import canonical_json


@pytest.fixture(scope="session")
def analysed(tmp_path_factory) -> Path:
    """Return the output of one study: four levels, the first failed, the last likely painful."""
    study, _ = simulate_study(seed=5, levels=("L2-L3", "L3-L4", "L4-L5", "L5-S1"))
    out = tmp_path_factory.mktemp("analysed") / "sub-01"
    write_report(analyze(study), out, formats=("json",))
    record = json.loads((out / "results.json").read_bytes())
    failed = record["levels"][0]
    record["levels"][0] = dict.fromkeys(failed) | {
        "level": failed["level"],
        "run": 1,
        "status": "failed",
        "error": {"stage": "read", "message": "neither file nor study says the echo time"},
    }
    painful = record["levels"][-1]  # whatever the models say of it today
    painful["score"] |= {"value": 0.9, "low": 0.8, "high": 0.95, "label": "likely painful"}
    painful["quality"] |= {"verdict": "good", "reasons": []}
    for level in record["levels"][1:-1]:
        if level["quality"]["verdict"] == "poor":
            level["quality"] |= {"verdict": "acceptable", "reasons": []}
    record["study_id"] = "sub-01"
    record["completeness"] |= {"n_levels": 3, "missing": ["L2-L3"]}
    (out / "results.json").write_bytes(canonical_json(record))
    return out


@pytest.fixture
def folder(analysed, tmp_path) -> Path:
    """Return a copy of the analysed study that a test may review."""
    return copy_study(analysed, tmp_path / "sub-01")


def copy_study(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for name in ("results.json", "signals.npz"):
        (target / name).write_bytes((source / name).read_bytes())
    return target


@pytest.fixture
def dataset(analysed, tmp_path) -> Path:
    """Return a dataset that a test may change."""
    return make_dataset(analysed, tmp_path / "derivatives")


@pytest.fixture(scope="session")
def read_only(analysed, tmp_path_factory) -> Path:
    """Return a dataset that no test changes."""
    return make_dataset(analysed, tmp_path_factory.mktemp("dataset") / "derivatives")


def make_dataset(analysed: Path, out: Path) -> Path:
    """Write three studies and one that failed, with the tables of a batch."""
    for name in ("sub-01", "sub-02", "sub-03"):
        copy_study(analysed, out / name)
    head = "participant_id\tsession_id\tlevel\trun\tstatus\tverdict\tlabel\tscore\tLAC/PG"
    rows = [
        "sub-01\tn/a\tL3-L4\t1\tok\tgood\tunlikely painful\t0.11\t0.1",
        "sub-01\tn/a\tL4-L5\t1\tok\tpoor\tindeterminate\t0.5\t0.2",
        "sub-02\tn/a\tL4-L5\t1\tok\tgood\tlikely painful\t0.91\t0.3",
        "sub-03\tn/a\tL4-L5\t1\tfailed\tn/a\tn/a\tn/a\tn/a",
    ]
    (out / "levels.tsv").write_text("\n".join([head, *rows, ""]))
    failures = ["study\tlevel\trun\tstage\tmessage", "sub-04\tn/a\tn/a\tread\tno <b>files</b>"]
    (out / "failures.tsv").write_text("\n".join([*failures, ""]))
    return out


# --------------------------------------------------------------------------- a client


@pytest.fixture(scope="session")
def app_of():
    """Return a function that opens the page's application over a folder."""
    pytest.importorskip("starlette", reason="the extra 'review' is not installed")
    pytest.importorskip("httpx2", reason="Starlette's test client needs httpx2")
    from starlette.testclient import TestClient

    from mrs_disc.review.app import create_app
    from mrs_disc.review.catalogue import Catalogue
    from mrs_disc.review.security import Door

    @dataclass
    class Opened:
        """An application, its door, and a browser that has come in."""

        door: Door
        client: TestClient
        stranger: TestClient
        stopped: list

        def get(self, address, **kwargs):
            return self.client.get(address, **kwargs)

        def post(self, address, body, **headers):
            headers = {"origin": "http://127.0.0.1:8642"} | headers
            return self.client.post(address, json=body, headers=headers)

        def state(self, study="sub-01"):
            return self.get(f"/study/{study}/state").json()

        def act(self, study="sub-01", **fields):
            state = self.state(study)
            fixed = {
                "reviewer": "AB",
                "head": state["head"],
                "results_sha256": state["results_sha256"],
            }
            return self.post(f"/study/{study}/acts", fixed | fields)

    def open_app(path: Path, enter: bool = True, **options) -> Opened:
        door, stopped = Door(8642), []
        app = create_app(
            Catalogue(path),
            door,
            lambda: stopped.append(True),
            now=lambda: "2025-03-01T09:30:00Z",
            **options,
        )
        base = "http://127.0.0.1:8642"
        client, stranger = TestClient(app, base_url=base), TestClient(app, base_url=base)
        if enter:
            assert client.get(f"/?token={door.token}").status_code == 200
        return Opened(door, client, stranger, stopped)

    return open_app


# --------------------------------------------------------------------------- a real server


@dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen
    address: str

    @property
    def port(self) -> int:
        return int(re.search(r":(\d+)/", self.address).group(1))

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def request(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {k.replace("_", "-"): v for k, v in headers.items()}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def enter(self) -> str:
        """Use the token and return the cookie."""
        status, headers, _ = self.request("GET", f"/?token={self.token}")
        assert status == 200
        return headers["set-cookie"].partition(";")[0]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=120)


@pytest.fixture
def serve():
    """Return a function that starts ``mrs-disc review`` over a folder."""
    pytest.importorskip("uvicorn", reason="the extra 'review' is not installed")
    started: list[Running] = []

    def start(folder: Path, *options: str, browser: str | None = None) -> Running:
        code = "from mrs_disc.cli import main; main()"
        words = [sys.executable, "-c", code, "review", str(folder), *options]
        words += ["--no-browser"] if browser is None else []
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "BROWSER": browser or ""}
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        address = process.stdout.readline().strip()
        if not address.startswith("http://127.0.0.1:"):
            raise AssertionError(f"no address: {address!r} {process.communicate(timeout=120)[1]}")
        started.append(Running(process, address))
        return started[-1]

    yield start
    for running in started:
        running.stop()
