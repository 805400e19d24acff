"""Output that nobody can take, and memory that is not there: exit status and one sentence."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import mrs_disc.cli as frame
from mrs_disc.cli import Listener, run

PROGRAM = [sys.executable, "-m", "mrs_disc"]


def shell(line: str) -> subprocess.CompletedProcess:
    line = line.replace("mrs-disc", " ".join(PROGRAM))
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("mrs-disc recipe show >&-", 0, ""),
        ("mrs-disc recipe show | head -c 0; exit ${PIPESTATUS[0]}", 0, ""),
        ("mrs-disc recipe show | head -c 10; exit ${PIPESTATUS[0]}", 0, ""),
        ("mrs-disc info nowhere 2>&-", 2, ""),
        ("mrs-disc recipe check nowhere | head -c 0; exit ${PIPESTATUS[0]}", 2, "no recipe"),
        pytest.param(
            "mrs-disc recipe show > /dev/full",
            2,
            "standard output cannot be written to (No space left",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device"),
        ),
        pytest.param(
            "mrs-disc info nowhere 2> /dev/full",
            2,
            "",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device"),
        ),
    ],
)
def test_a_stream_that_nobody_takes_costs_nothing_but_itself(line, status, said):
    done = shell(line)
    assert done.returncode == status
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


def test_the_streams_are_given_back(capsys):
    before = sys.stdout, sys.stderr
    assert run(["recipe", "list-of-nothing"]) == 2
    assert (sys.stdout, sys.stderr) == before
    assert "list-of-nothing" in capsys.readouterr().err


def test_what_cannot_be_written_is_told_once_and_not_tried_again():
    class Full:
        n = 0

        def write(self, text):
            self.n += 1
            raise OSError(28, "No space left on device")

        def flush(self):
            raise AssertionError

        def fileno(self):
            raise OSError

    stream = Full()
    listener = Listener(stream)
    assert listener.write("abc") == 3
    assert listener.write("abc") == 3
    listener.flush()
    assert stream.n == 1
    assert listener.problem.errno == 28


@pytest.mark.parametrize("mb", [150, 300, 600])
@pytest.mark.parametrize("command", ["analyze", "batch"])
def test_too_little_memory_is_said_before_a_library_aborts(command, mb, monkeypatch, capsys):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (mb * 10**6, mb * 10**6))
    assert run([command, "nowhere", "-o", "out"]) == 2
    said = capsys.readouterr().err
    assert f"is {mb} MB" in said
    assert "ulimit" in said


def test_what_needs_little_memory_gets_by_with_little(capsys):
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))}
    done = subprocess.run(
        [*PROGRAM, "recipe", "show"], capture_output=True, text=True, timeout=120, **limit
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libscipy_openblas.so: failed to map segment from shared object"),
        ImportError("x.so: cannot allocate memory in static TLS block"),
    ],
)
def test_no_memory_is_no_bug(monkeypatch, capsys, error):
    def fail(*_, **__):
        raise RuntimeError("a library calls it otherwise") from error

    monkeypatch.setattr(frame.cli, "main", fail)
    assert run(["recipe", "show"]) == 2
    assert "not enough memory" in capsys.readouterr().err


def test_another_failure_of_an_import_is_one(monkeypatch, capsys):
    def fail(*_, **__):
        raise ImportError("no module of this name")

    monkeypatch.setattr(frame.cli, "main", fail)
    assert run(["recipe", "show"]) == 1
    assert "this is a bug" in capsys.readouterr().err


def test_a_full_folder_for_temporary_files_costs_no_report(tmp_path, monkeypatch):
    """Nothing of a report passes through it: typst's files exist in memory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    from mrs_disc.report import pdf

    assert "tempfile" not in vars(pdf)
    assert os.environ["TMPDIR"].endswith("none")


def test_a_home_that_cannot_be_written_to_is_nobodys_concern(tmp_path):
    """Matplotlib looks for its cache there, and said so in two lines."""
    home = tmp_path / "home"
    home.write_text("a file")
    done = subprocess.run(
        [sys.executable, "-c", "import mrs_disc.report.figures"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"HOME": str(home), "MPLCONFIGDIR": "", "XDG_CONFIG_HOME": ""},
    )
    assert (done.returncode, done.stderr) == (0, "")
