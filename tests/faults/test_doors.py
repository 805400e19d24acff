"""Pipes, devices and names that no file can have, in the place of every file that a command takes.

Each is answered at once, by one sentence and exit 2: a pipe would be waited for, and a device reads
without end. The alarm ends what waits, the limit of memory what does not end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mrs_disc.cli import run
from mrs_disc.io import read_study
from mrs_disc.record.findings import words

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev, /proc, mkfifo")
SAMPLES = Path(__file__).parents[2] / "sample_data"
STUDY, DATASET = SAMPLES / "lumbar_sdat", SAMPLES / "bids"
SECONDS = 20

KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "memory": lambda path: path.symlink_to("/proc/self/mem"),
    "loop": lambda path: path.symlink_to(path),
}

COMMANDS = {
    "info": "info HERE",
    "info of a study file": "info HERE.toml",
    "init": "init HERE",
    "convert": "convert HERE -o NEW.nii.gz",
    "analyze": "analyze HERE -o NEW",
    "analyze a study file": "analyze HERE.toml -o NEW",
    "analyze, recipe": "analyze STUDY -o NEW -r HERE.toml",
    "analyze, output": "analyze STUDY -o HERE",
    "analyze, reference": "analyze STUDY -o NEW --format dicom --dicom-reference HERE",
    "batch": "batch HERE -o NEW",
    "batch, recipe": "batch DATASET -o NEW -r HERE.toml",
    "batch, output": "batch DATASET -o HERE",
    "collect": "collect HERE",
    "bids-app": "bids-app HERE NEW participant",
    "bids-app, group": "bids-app DATASET HERE group",
    "cohort": "cohort HERE -o NEW",
    "compare": "compare HERE REPORT -o NEW",
    "report": "report HERE -o NEW",
    "report, output": "report REPORT -o HERE",
    "report, reference": "report REPORT -o NEW --format dicom --dicom-reference HERE",
    "review": "review HERE --no-browser",
    "node, configuration": "node --config HERE.toml",
    "node, folder": "node -o HERE --port 0",
    "node, watch": "node -o NEW --port 0 --watch HERE",
    "node status": "node status -o HERE",
    "send": "send HERE --to ORTHANC@127.0.0.1:1",
    "fetch": "fetch --from ORTHANC@127.0.0.1:1 --study 1.2.3 -o HERE",
    "recipe show": "recipe show HERE.toml",
    "recipe check": "recipe check HERE.toml",
    "model show": "model show HERE.toml",
    "model check": "model check HERE.toml",
    "model calibrate": "model calibrate HERE -o NEW.toml",
    "simulate": "simulate -o HERE",
    "validate": "validate --scope fit --challenge HERE",
}
"""What a person types: HERE is what is no file, NEW is free, REPORT a report's folder."""


@contextmanager
def at_once() -> Iterator[None]:
    """End what takes longer: a waiting `open` is interrupted by the signal."""

    def too_long(*_: object) -> None:
        raise SystemError(f"no answer within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report of one disc."""
    out = tmp_path_factory.mktemp("report") / "out"
    assert run(["analyze", str(STUDY), "-o", str(out), "--level", "L4-L5", "--format", "json"]) == 0
    return out


def answer(command: str, places: dict[str, Path], capsys) -> str:
    """Run a command; return the one line that it says on stderr."""
    words = []
    for word in command.split():
        name, dot, suffix = word.partition(".")
        words.append(f"{places[name]}{dot}{suffix}" if name in places else word)
    capsys.readouterr()
    with at_once():
        assert run(words) == 2, command
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("mrs-disc: ")
    assert "bug" not in line
    return line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_waits_for_what_is_no_file(command, kind, tmp_path, report, capsys):
    words = COMMANDS[command]
    here = tmp_path / "here"
    suffix = ".toml" if "HERE.toml" in words else ""
    KINDS[kind](tmp_path / f"here{suffix}")
    answer(words, places(here, tmp_path, report), capsys)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_symlink()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_no_file_can_have_is_told_in_short(command, tmp_path, report, capsys):
    long = places(tmp_path / ("n" * 300), tmp_path, report)
    assert len(answer(COMMANDS[command], long, capsys)) < 1_000


def places(here: Path, folder: Path, report: Path) -> dict[str, Path]:
    new = folder / "new"
    return {"HERE": here, "NEW": new, "REPORT": report, "STUDY": STUDY, "DATASET": DATASET}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["results.json", "signals.npz", "review.jsonl"])
def test_no_rendering_waits_for_what_lies_in_the_place_of_a_record(
    name, kind, tmp_path, report, capsys
):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(report, spoilt)
    (spoilt / name).unlink(missing_ok=True)
    KINDS[kind](spoilt / name)
    with at_once():
        status = run(["report", str(spoilt), "-o", str(tmp_path / "new"), "--format", "html"])
    said = capsys.readouterr().err
    assert status in (
        (0, 2) if name == "review.jsonl" else (2,)
    )  # a broken log is said on the page
    assert "bug" not in said
    assert said.count("\n") == 1


SIDECAR = "sub-01/mrs/sub-01_voi-L4L5_svs.json"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [SIDECAR, "svs.json", "morphology.tsv", "participants.tsv"])
def test_no_study_waits_for_what_lies_in_the_place_of_its_description(name, kind, tmp_path, capsys):
    dataset = tmp_path / "bids"
    shutil.copytree(DATASET / "sub-01", dataset / "sub-01")
    for table in ("dataset_description.json", "morphology.tsv", "participants.tsv"):
        shutil.copy(DATASET / table, dataset)
    (dataset / name).unlink(missing_ok=True)
    KINDS[kind](dataset / name)
    with at_once():
        status = run(["info", str(dataset / "sub-01")])
    said = capsys.readouterr()
    # of one disc: a problem among others, for which its level may be left out
    assert status in ((0, 3) if name.endswith(".json") else (2,))
    assert Path(name).name in said.out + said.err
    why = "is no regular file" if kind in ("pipe", "device") else "cannot be read"
    assert why in said.out + said.err or (name, kind) == (SIDECAR, "loop")  # as if there were none


@pytest.mark.parametrize("kind", KINDS)
def test_no_model_waits_for_what_lies_in_the_place_of_its_basis(kind, tmp_path, capsys):
    KINDS[kind](tmp_path / "PG.raw")
    model = tmp_path / "model.toml"
    model.write_text(
        'schema_version = 1\nname = "m"\n[[component]]\nname = "PG"\nsource = "s"\nstatus = "P"\n'
        'basis = "PG.raw"\n'
    )
    assert "PG.raw" in answer("model check MODEL", {"MODEL": model}, capsys)


@pytest.mark.parametrize("folder", ["/proc", "/dev"])
@pytest.mark.parametrize("command", ["info HERE", "analyze HERE -o NEW", "batch HERE -o NEW"])
def test_folders_of_the_system_are_told_apart_from_studies(folder, command, tmp_path, capsys):
    answer(command, {"HERE": Path(folder), "NEW": tmp_path / "new"}, capsys)


BIG = "9" * 5000
STUDY_FILE = (
    'schema_version = 1\nstudy_id = "x"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "{name}"\n'
)


@pytest.mark.parametrize(
    "text",
    [
        STUDY_FILE.format(name="/data/export/IM_*.dcm"),
        STUDY_FILE.format(name="**x["),
        STUDY_FILE.format(name="a" * 5000),
        STUDY_FILE.format(name="a.rda") + f"run = {BIG}\n",
    ],
    ids=["absolute pattern", "no pattern", "long name", "5,000 digits"],
)
def test_what_no_study_file_can_name_is_no_bug(text, tmp_path, capsys):
    (tmp_path / "study.toml").write_text(text)
    assert run(["analyze", str(tmp_path), "-o", str(tmp_path / "out"), "--format", "json"]) in (
        2,
        3,
    )
    said = capsys.readouterr().err
    assert "bug" not in said
    assert len(said) < 3_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (SIDECAR, f'{{"EchoTime": {BIG}}}'),
        (SIDECAR, '{"ReferenceSignal": "a\\u0000b"}'),
        (SIDECAR, '{"AnatomicalImage": "' + "a" * 5000 + '"}'),
        ("morphology.tsv", f"participant_id\tlevel\tpfirrmann\nsub-01\tL4-L5\t{'9' * 400}\n"),
        ("morphology.tsv", f"participant_id\tlevel\tnote\nsub-01\tL4-L5\t{'x' * 200_000}\n"),
        ("morphology.tsv", "participant_id\tlevel\nsub-01\n"),
    ],
    ids=["5,000 digits", "NUL", "long link", "grade of 400 digits", "cell of 200 kB", "short row"],
)
def test_what_no_dataset_can_say_is_no_bug(name, content, tmp_path, capsys):
    dataset = tmp_path / "bids"
    shutil.copytree(DATASET / "sub-01", dataset / "sub-01")
    shutil.copy(DATASET / "dataset_description.json", dataset)
    (dataset / name).write_text(content)
    assert run(["info", str(dataset / "sub-01")]) in (0, 2, 3)
    said = capsys.readouterr().err
    assert "bug" not in said
    assert len(said) < 1_000


@pytest.mark.parametrize("label", ["abc", "0", "12345678", "1e3"])
def test_a_run_that_is_no_number_costs_that_file_alone(label, tmp_path):
    shutil.copytree(DATASET / "sub-01", tmp_path / "sub-01")
    shutil.copy(DATASET / "dataset_description.json", tmp_path)
    for path in (tmp_path / "sub-01/mrs").glob("sub-01_voi-L4L5_svs.*"):
        path.rename(path.with_name(path.name.replace("_svs", f"_run-{label}_svs")))
    study = read_study(tmp_path / "sub-01")
    assert [disc.level for disc in study] == ["L3-L4", "L5-S1"]
    (said,) = [one for one in study.findings if one.kind == "run_no_number"]
    assert said.subject == "L4-L5"
    assert "is left out: run-" in words(said)
