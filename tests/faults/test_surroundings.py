"""Damage around a study: output, memory, other processes, results, datasets."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import mrs_disc
from mrs_disc.cli import run

from . import spoil as s

ROOT = Path(mrs_disc.__file__).parents[1]
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from mrs_disc.cli import main; main()"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


def command(*words: object, limit: tuple[int, int] | None = None) -> subprocess.Popen:
    """Start the program, with a limit of the kernel on it."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: resource.setrlimit(limit[0], (limit[1],) * 2)) if limit else None,
    )


def finish(process: subprocess.Popen) -> tuple[int, str]:
    _, said = process.communicate(timeout=120)
    assert "Traceback" not in said
    return process.returncode, said


# --------------------------------------------------------------------------- memory


@pytest.mark.slow
@linux
@pytest.mark.parametrize("fault", [s.gzip_bomb, s.gzip_bomb_declared], ids=["hidden", "declared"])
def test_four_gigabytes_of_zeros_in_four_megabytes_need_little_memory(fault, make_study, tmp_path):
    study = make_study()
    fault(study)
    words = ("analyze", study, "-o", tmp_path / "out", "--format", "json")
    status, said = finish(command(*words, limit=(resource.RLIMIT_DATA, 2**30)))
    assert status in (0, 3), said
    assert status == 0 or "declares" in said


# --------------------------------------------------------------------------- output


@pytest.mark.parametrize("where", ["a file", "below a file", "no folder of ours"])
def test_an_output_that_cannot_be_is_refused_before_the_work(where, make_study, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("mine")
    out = {"a file": file, "below a file": file / "out", "no folder of ours": "/proc/mrs_disc"}
    status = run(["analyze", str(make_study()), "-o", str(out[where])])
    said = capsys.readouterr().err
    assert status == 2, said
    assert said.count("\n") == 1
    assert file.read_text() == "mine"


def test_a_report_that_is_there_is_not_overwritten(make_study, tmp_path, capsys):
    words = ["analyze", str(make_study()), "-o", str(tmp_path / "out"), "--format", "json"]
    assert run(words) == 0
    (tmp_path / "out" / "results.json").write_text("mine")
    assert run(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "out" / "results.json").read_text() == "mine"
    assert run([*words, "--overwrite"]) == 0


@linux
@pytest.mark.parametrize("bytes_left", [1000, 30_000])
def test_a_full_disk_leaves_nothing_half_written(bytes_left, make_study, tmp_path):
    words = ("analyze", make_study(), "-o", tmp_path / "out", "--format", "json")
    status, said = finish(command(*words, limit=(resource.RLIMIT_FSIZE, bytes_left)))
    assert status == 2, said
    assert "cannot be written" in said
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


@pytest.mark.slow
@linux
def test_a_batch_on_a_full_disk_stops_and_goes_on_when_there_is_room(make_study, tmp_path):
    """The limit lets a study's record through, but not its signals."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    for name in ("a", "b"):
        shutil.copytree(make_study(), dataset / name)
        shutil.rmtree(tmp_path / "study")
    words = ("batch", dataset, "-o", tmp_path / "out", "--jobs", 1, "--format", "json", "--resume")
    status, said = finish(command(*words, limit=(resource.RLIMIT_FSIZE, 60_000)))
    assert status == 2, said
    assert "cannot be written" in said
    assert not list((tmp_path / "out").glob("*/results.json"))
    assert finish(command(*words))[0] == 0
    assert len(list((tmp_path / "out").glob("*/results.json"))) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 KiB; it can be made read-only."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, stderr=-3, check=False).returncode:
        pytest.skip("a file system of one's own is mounted by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
@linux
def test_a_batch_on_a_file_system_that_fills_up_and_is_made_larger(
    small_disk, make_study, tmp_path
):
    dataset, out = tmp_path / "dataset", small_disk / "out"
    study = make_study()
    for name in "abc":
        shutil.copytree(study, dataset / name)
    words = ("batch", dataset, "-o", out, "--jobs", 2, "--format", "json", "--resume")
    status, said = finish(command(*words))
    assert status == 2, said
    assert "cannot be written" in said
    assert "No space left on device" in said
    assert all((p / "signals.npz").exists() for p in out.glob("[abc]"))
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    assert finish(command(*words))[0] == 0
    assert len(list(out.glob("[abc]/results.json"))) == 3
    assert [
        p.name for p in (out / ".batch").iterdir() if p.name not in ("guard", "source.json")
    ] == []


@linux
def test_a_read_only_output_is_refused_before_the_work(small_disk, make_study, tmp_path):
    dataset = tmp_path / "dataset"
    shutil.copytree(make_study(), dataset / "one")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for out in (small_disk, small_disk / "out"):
        for words in (("batch", dataset, "--jobs", 1), ("analyze", dataset / "one")):
            status, said = finish(command(*words, "-o", out))
            assert status == 2, said
            assert said.count("\n") == 1, said
            assert "cannot be written to" in said


@linux
def test_an_output_that_vanishes_ends_a_batch_with_one_line(make_study, tmp_path):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    dataset.mkdir()
    study = make_study()
    for n in range(6):
        shutil.copytree(study, dataset / f"study-{n}")
    process = command("batch", dataset, "-o", out, "--jobs", 1)
    deadline = time.monotonic() + 120
    while not list(out.glob("study-*/results.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    out.rename(tmp_path / "gone")
    out.write_text("something else")
    status, said = finish(process)
    assert status == 2, said
    assert "cannot be written" in said
    assert out.read_text() == "something else"


def test_two_writers_of_one_report_leave_one_of_them_whole(make_study, tmp_path):
    study, out = make_study(), tmp_path / "out"
    words = ("analyze", study, "-o", out, "--format", "json", "--overwrite")
    both = [command(*words), command(*words, "--level", "L5-S1")]
    ends = [finish(process) for process in both]
    assert {status for status, _ in ends} <= {0, 2}
    record = json.loads((out / "results.json").read_text())
    signals = (out / "signals.npz").read_bytes()
    assert record["signals"]["sha256"] == hashlib.sha256(signals).hexdigest()
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_paths_may_hold_blanks_quotes_and_any_script(make_study, tmp_path):
    folder = tmp_path / "Ärzte & Söhne 'a' \"b\" 椎間板 $HOME ;ls"
    folder.mkdir()
    study = shutil.copytree(make_study(), folder / "study")
    assert run(["analyze", str(study), "-o", str(folder / "out"), "--format", "csv"]) == 0
    assert (folder / "out" / "levels.csv").exists()


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes exist on POSIX alone")
def test_paths_may_be_no_unicode_at_all(make_study, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    folder.mkdir()
    study = shutil.copytree(make_study(), folder / "study")
    assert run(["analyze", str(study), "-o", str(folder / "out")]) == 0
    assert (folder / "out" / "report.html").exists()


# --------------------------------------------------------------------------- results that lie


@pytest.fixture
def analysed(make_study, tmp_path) -> Path:
    out = tmp_path / "out"
    assert run(["analyze", str(make_study()), "-o", str(out), "--format", "json"]) == 0
    return out


def pickled_array(out: Path) -> None:
    """Signals that run code when they are unpickled."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("L4-L5/data.npy", array + pickle.dumps(s.Attack(out / "executed")))
    claim(out, packed.getvalue())


def npz_bomb(out: Path) -> None:
    """Signals that hold 1 GB of zeros."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("L4-L5/data.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(64):
            member.write(bytes(2**24))
    claim(out, packed.getvalue())


def claim(out: Path, signals: bytes) -> None:
    """Put signals in place and let the record vouch for them."""
    (out / "signals.npz").write_bytes(signals)
    path = out / "results.json"
    record = json.loads(path.read_text())
    record["signals"]["sha256"] = hashlib.sha256(signals).hexdigest()
    path.write_text(json.dumps(record))


def record_with(**values):
    def spoil(out: Path) -> None:
        path = out / "results.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return spoil


RECORDS = {
    "a pickle among the signals": pickled_array,
    "a bomb among the signals": npz_bomb,
    "signals of another record": lambda out: (out / "signals.npz").write_bytes(b"PK"),
    "no signals": lambda out: (out / "signals.npz").unlink(),
    "half a record": lambda out: os.truncate(out / "results.json", 500),
    "an empty record": lambda out: os.truncate(out / "results.json", 0),
    "deep JSON": lambda out: (out / "results.json").write_text("[" * 200_000),
    "a record that is a list": lambda out: (out / "results.json").write_text("[1]"),
    "a record of nothing": lambda out: (out / "results.json").write_text("{}"),
    "a record with NaN": lambda out: (out / "results.json").write_text('{"levels": NaN}'),
    "a record that leads elsewhere": record_with(signals={"file": "../../x", "sha256": None}),
    "levels of another kind": record_with(levels={"L4-L5": 1}),
}


@linux
@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_is_refused_in_one_line(name, analysed, tmp_path, capsys):
    RECORDS[name](analysed)
    capsys.readouterr()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = run(["report", str(analysed / "results.json"), "-o", str(tmp_path / "again")])
    said = capsys.readouterr().err
    assert status == 2, said
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert not (analysed / "executed").exists()
    assert not (tmp_path / "again").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


# --------------------------------------------------------------------------- datasets


def test_one_study_of_each_kind_of_damage_costs_itself_alone(make_study, tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    dataset.mkdir()
    whole = make_study()
    damage = {
        "whole": lambda _: None,
        "=formula": lambda _: None,  # no code, so that its study.toml names it
        "no spectra": s.both(s.instead(lambda _: None), s.text("L5-S1", "L5-S1")),
        "bad toml": s.replaced(b"[[", "study.toml"),
        "empty toml": s.replaced(b"", "study.toml"),
    }
    for name, spoil in damage.items():
        spoil(Path(shutil.copytree(whole, dataset / name)))
    (dataset / "link").symlink_to(dataset)
    (dataset / "nothing").mkdir()
    (dataset / "letter.pdf").write_bytes(s.ENCRYPTED_PDF)
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--format", "json"]
    assert run(words) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    rows = [line.split("\t") for line in (out / "failures.tsv").read_text().splitlines()[1:]]
    pairs = dict(line.partition(" is ")[::2] for line in said.split("mrs-disc: "))
    folder = {name: folder.strip() for name, folder in pairs.items() if name.startswith("study-")}
    assert {folder[row[0]]: row[1] for row in rows} == {
        "bad toml": "n/a",
        "empty toml": "n/a",
        "no spectra": "L4-L5",
    }
    levels = (out / "levels.tsv").read_text()
    assert "formula" not in levels
    assert levels.count("\tok\t") == 5


def test_a_link_in_a_circle_is_not_followed(make_study, tmp_path):
    dataset = tmp_path / "dataset"
    study = Path(shutil.copytree(make_study(), dataset / "one"))
    (study / "again").symlink_to(dataset)
    (dataset / "two").symlink_to(dataset / "two")
    words = ["batch", str(dataset), "-o", str(tmp_path / "out"), "--jobs", "1", "--dry-run"]
    assert run(words) == 0


def test_the_clock_does_not_decide_what_is_redone(make_study, tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    study = Path(shutil.copytree(make_study(), dataset / "one"))
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "1", "--format", "json", "--resume"]
    assert run(words) == 0
    for moment in (0, 4_000_000_000):
        for path in (*study.rglob("*"), *out.rglob("*")):
            os.utime(path, (moment, moment))
        capsys.readouterr()
        assert run([*words, "--dry-run"]) == 0
        assert capsys.readouterr().out == "one\tkeep\tsame recipe, inputs and version\n"


def test_levels_of_two_field_strengths_are_each_judged_by_their_own(make_study, tmp_path):
    from mrs_disc.simulate import simulate_study
    from mrs_disc.simulate.dataset import write_study
    from mrs_disc.simulate.scanner import Scan

    study = make_study()
    scan = Scan(spectrometer_mhz=63.87)
    other, _ = simulate_study(12, levels=["L4-L5"], scan=scan, anatomy=False)
    folder = write_study(tmp_path / "other", other, None, form="nifti")
    for name in ("press", "water"):
        shutil.copy(folder / f"L4-L5_{name}.nii.gz", study)
    s.text("L4-L5_press.nii", "L4-L5_press.nii.gz")(study)
    s.text("L4-L5_water.nii", "L4-L5_water.nii.gz")(study)
    assert run(["analyze", str(study), "-o", str(tmp_path / "out"), "--format", "json"]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    fields = [level["protocol"]["spectrometer_mhz"] for level in record["levels"]]
    assert fields[0] < 70 < 120 < fields[1]
