"""Other people's programs: Orthanc as archive, DCMTK as scanner; and a node as its own process."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

_SYSTEM = os.pathsep.join(["/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/homebrew/bin"])
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def program(name):
    """A program of the system: pynetdicom brings tools of the same names into environments."""
    return shutil.which(name, path=_SYSTEM)


needs_orthanc = pytest.mark.skipif(program("Orthanc") is None, reason="orthanc is absent")
needs_dcmtk = pytest.mark.skipif(program("storescu") is None, reason="dcmtk is absent")
needs_web = pytest.mark.skipif(not _PLUGIN.exists(), reason="orthanc-dicomweb is absent")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def wait_for(what, within_s=60.0, every_s=0.1):
    """Return the first true answer."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(every_s)
    raise AssertionError(f"not within {within_s:g} s: {what}")


class Orthanc:
    """An archive of its own in a temporary folder."""

    def __init__(self, folder):
        self.folder, self.dicom, self.http = folder, free_port(), free_port()
        self.ours = free_port()  # where it sends what it is asked to move to us
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "Name": "test",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            **{f"DicomAlwaysAllow{what}": True for what in ("Get", "Find", "Echo", "Store")},
            "DicomModalities": {"ours": ["MRS_DISC", "127.0.0.1", self.ours]},
            "Plugins": [str(_PLUGIN)] if _PLUGIN.exists() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(options))
        self.start()

    def start(self):
        command = [program("Orthanc"), str(self.folder / "orthanc.json")]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.is_up)

    def is_up(self):
        try:
            return self.ask("system")
        except OSError:
            return None

    def stop(self, hard=False):
        self.process.kill() if hard else self.process.terminate()
        self.process.wait(timeout=120)

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/{path}", timeout=120) as answer:
            return json.load(answer)

    @property
    def address(self):
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    @property
    def web(self):
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def reports(self):
        """Objects as (PatientID, StudyInstanceUID, class, SOPInstanceUID)."""
        found = []
        for one in self.ask("instances?expand"):
            tags = self.ask(f"instances/{one['ID']}/simplified-tags")
            names = ("PatientID", "StudyInstanceUID", "SOPClassUID", "SOPInstanceUID")
            found.append(tuple(tags[name] for name in names))
        return found


class NodeProcess:
    """`mrs-disc node` as a person starts it."""

    def __init__(self, folder, *words):
        self.folder, self.words, self.port = folder, words, free_port()
        self.log = folder.with_name(f"{folder.name}.log")
        self.start()

    def start(self):
        command = [sys.executable, "-m", "mrs_disc", "node", "-o", str(self.folder)]
        command += ["--port", str(self.port), *self.words]
        before = self.log.read_text().count('"started"') if self.log.exists() else 0
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)
        wait_for(lambda: self.log.read_text().count('"started"') > before or self._died())

    def _died(self):
        assert self.process.poll() is None, self.log.read_text()[-500:]

    def stop(self, hard=False):
        if self.process.poll() is None:
            self.process.kill() if hard else self.process.terminate()
        return self.process.wait(timeout=120)

    def studies(self):
        """What `mrs-disc node status` says."""
        command = [sys.executable, "-m", "mrs_disc", "node", "status", "-o", str(self.folder)]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["studies"]

    def state(self):
        """The states as the node last wrote them, without a process for each look."""
        path = self.folder / "results" / ".node" / "status.json"
        return (
            [s["state"] for s in json.loads(path.read_text())["studies"]] if path.exists() else []
        )


def storescu(port, *paths, called="MRS_DISC"):
    """Send files and folders with DCMTK's storescu; return its exit status."""
    command = [program("storescu"), "-aec", called, "+sd", "+r", "+sp", "*.dcm"]
    done = subprocess.run(
        [*command, "127.0.0.1", str(port), *map(str, paths)],
        capture_output=True,
        check=False,
        env=os.environ | {"TCP_NODELAY": "1"},  # else 40 ms of waiting an object
        timeout=120,
    )
    return done.returncode


def resident_mb(pid):
    """Memory of a process and its children, MB; none where the system does not say it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
    return (int(own[1]) / 1024 if own else 0.0) + sum(resident_mb(int(c)) for c in children)


def load():
    """How many times slower than alone this machine may be now."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def words_in(folder, secrets, spare=()):
    """Which secrets stand in names or files of a folder, but in DICOM objects and `spare`."""
    found = set()
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if inside.parts[0] in spare:
            continue
        content = path.read_bytes() if path.is_file() and path.suffix != ".dcm" else b""
        for secret in secrets:
            if secret in str(inside) or re.search(re.escape(secret.encode()), content):
                found.add((secret, str(inside)))
    return found
