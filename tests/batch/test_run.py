"""A batch loses nothing, redoes nothing needlessly and says exactly what failed and why."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

import mrs_disc
from mrs_disc.batch.progress import Progress
from mrs_disc.batch.run import BatchOptions, run_batch
from mrs_disc.batch.work import publish, restore
from mrs_disc.cli import run
from mrs_disc.errors import OutputError
from mrs_disc.recipe import load_recipe, recipe_toml
from mrs_disc.record.journal import append_act
from mrs_disc.record.overlay import read_review
from mrs_disc.record.review import START

from .kills import content, kill_and_compare

ROOT = Path(mrs_disc.__file__).parents[1]
RECORD = ("--format", "json")
"""Most of these tests are about the record alone; drawing it takes longer than the analysis."""


def failures(out: Path) -> dict[str, list[str]]:
    rows = [line.split("\t") for line in (out / "failures.tsv").read_text().splitlines()]
    assert rows[0] == ["study", "level", "run", "stage", "message"]
    return {row[0]: row[1:] for row in rows[1:]}


def command(
    *words: object, start_new_session: bool = False, **environment: str
) -> subprocess.Popen:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from mrs_disc.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        start_new_session=start_new_session,
        preexec_fn=_heeding_ctrl_c,
    )


def _heeding_ctrl_c() -> None:
    """Heed SIGINT, which a shell has what it starts in the background ignore: this suite, say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# --------------------------------------------------------------------------- the real analysis


@pytest.fixture(scope="module")
def once(simulated, tmp_path_factory) -> Path:
    """The output of an undisturbed run of one process."""
    out = tmp_path_factory.mktemp("once") / "out"
    assert run(["batch", str(simulated), "-o", str(out), "--jobs", "1", *RECORD]) == 0
    return out


@pytest.fixture
def copy(once, tmp_path) -> Path:
    """A copy of that output beside a copy of nothing: to be spoilt."""
    return Path(shutil.copytree(once, tmp_path / "out"))


def test_each_study_has_its_folder_and_the_dataset_its_tables(once):
    names = {p.name for p in once.iterdir()}
    assert {"sub-01", "sub-02", "sub-03"} <= names
    assert {"levels.tsv", "levels.json", "failures.tsv", "index.html"} <= names
    assert "dataset_description.json" in names
    inside = {p.name for p in (once / "sub-01").iterdir()}
    assert inside == {"results.json", "signals.npz", "provenance.json"}
    assert not list((once / ".batch").glob("*.lock"))
    assert not list((once / ".batch").glob("*.work"))


def test_by_default_there_is_a_page_for_each_study(simulated, tmp_path):
    out = tmp_path / "out"
    words = ["batch", str(simulated), "-o", str(out), "--participant-label", "02"]
    assert run(words) == 0
    assert (out / "sub-02" / "report.html").stat().st_size > 10_000
    assert not (out / "sub-01").exists()


@pytest.mark.slow
def test_bytes_depend_neither_on_jobs_nor_on_hash_seed_locale_or_time_zone(
    simulated, once, tmp_path
):
    out = tmp_path / "other"
    done = command(
        "batch", simulated, "-o", out, "--jobs", 4, *RECORD,
        PYTHONHASHSEED="7", LC_ALL="tr_TR.UTF-8", TZ="Asia/Kathmandu",
    )  # fmt: skip
    done.communicate()
    assert done.returncode == 0
    records = ("results.json", "signals.npz", ".tsv", ".json")
    ours, theirs = content(once), content(out)
    for name in ours:
        if name.endswith(records) and "description" not in name:
            assert ours[name] == theirs[name], name


def test_bytes_do_not_depend_on_the_order_in_which_a_folder_is_listed(simulated, tmp_path):
    """`os.listdir` and `os.scandir` turned round, as another file system would list."""
    words = ["simulate", "-o", str(tmp_path / "sdat"), "--as", "dicom", "--levels", "L4-L5"]
    assert run(words) == 0
    program = (
        "import contextlib, os, sys\n"
        "sys.path.insert(0, sys.argv.pop(1))\n"
        "listdir, scandir = os.listdir, os.scandir\n"
        "os.listdir = lambda *a: listdir(*a)[::-1]\n"
        "@contextlib.contextmanager\n"
        "def turned(*a):\n"
        "    with scandir(*a) as entries: yield iter(list(entries)[::-1])\n"
        "os.scandir = turned\n"
        "from mrs_disc.cli import main\n"
        "main()\n"
    )
    for study in (simulated / "sub-01", tmp_path / "sdat" / "sub-01"):
        out = {word: tmp_path / f"{study.parent.name} {word}" for word in ("usual", "turned")}
        assert run(["analyze", str(study), "-o", str(out["usual"]), "--format", "json"]) == 0
        words = ("analyze", study, "-o", out["turned"], "--format", "json")
        python = [sys.executable, "-c", program, ROOT, *words]
        subprocess.run(python, check=True, capture_output=True)
        assert content(out["usual"]) == content(out["turned"])


def test_shards_of_one_dataset_join_to_the_whole(simulated, once, tmp_path, capsys):
    out = tmp_path / "shards"
    for n in (3, 1, 2):
        assert run(["batch", str(simulated), "-o", str(out), "--shard", f"{n}/3", *RECORD]) == 0
        assert not (out / "levels.tsv").exists(), "tables are made by collect alone"
    assert run(["collect", str(out)]) == 0
    assert (out / "levels.tsv").read_bytes() == (once / "levels.tsv").read_bytes()


def test_nothing_is_overwritten_unasked(simulated, copy, capsys):
    before = content(copy)
    assert run(["batch", str(simulated), "-o", str(copy)]) == 2
    assert "3 of 3 studies have results already" in capsys.readouterr().err
    (copy.parent / "other").mkdir()
    (copy.parent / "other" / "letter.txt").write_text("mine")
    assert run(["batch", str(simulated), "-o", str(copy.parent / "other")]) == 2
    assert run(["batch", str(simulated), "-o", str(simulated)]) == 2
    assert run(["batch", str(simulated), "-o", str(simulated / "sub-01" / "out")]) == 2
    assert content(copy) == before


def test_resume_keeps_what_holds(simulated, copy, capsys):
    before = content(copy)
    assert run(["batch", str(simulated), "-o", str(copy), "--jobs", "1", "--resume", *RECORD]) == 0
    said = capsys.readouterr().err
    assert "3 of 3 studies: 0 new, 0 redone, 3 kept; 0 failed; 4 levels" in said
    assert content(copy) == before


def test_resume_says_how_many_were_redone_and_why(simulated, copy, tmp_path, capsys):
    dataset = Path(shutil.copytree(simulated, tmp_path / "data set"))
    spectrum = next((dataset / "sub-02" / "mrs").glob("*_svs.nii.gz"))
    spectrum.write_bytes(spectrum.read_bytes() + b"\0")
    shutil.rmtree(copy / "sub-03")
    assert run(["batch", str(dataset), "-o", str(copy), "--jobs", "1", "--resume", *RECORD]) == 0
    said = capsys.readouterr().err
    assert "1 new, 1 redone (1 the spectra changed), 1 kept; 0 failed; 4 levels" in said


def plan(dataset: Path, out: Path, capsys, *more: str) -> dict[str, str]:
    assert (
        run(["batch", str(dataset), "-o", str(out), "--resume", "--dry-run", *RECORD, *more]) == 0
    )
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    return {study: f"{action}: {why}" for study, action, why in lines}


def test_dry_run_says_what_would_be_done_and_why(simulated, copy, tmp_path, capsys):
    dataset = Path(shutil.copytree(simulated, tmp_path / "data set"))
    kept = "keep: same recipe, inputs and version"
    assert set(plan(dataset, copy, capsys).values()) == {kept}

    spectrum = next((dataset / "sub-01" / "mrs").glob("*_svs.nii.gz"))
    spectrum.write_bytes(spectrum.read_bytes() + b"\0")
    (dataset / "sub-02" / "anat").mkdir()
    (dataset / "sub-02" / "anat" / "sub-02_T2w.nii.gz").write_bytes(b"new")
    assert plan(dataset, copy, capsys) == {
        "sub-01": "redo: the spectra changed",
        "sub-02": "redo: the study's description, images or tables changed",
        "sub-03": kept,
    }
    table = dataset / "morphology.tsv"
    lines = (
        table.read_text().splitlines() if table.exists() else ["participant_id\tlevel\tpfirrmann"]
    )
    table.write_text("\n".join([*lines, "sub-03\tL1-L2\t2"]) + "\n")
    assert plan(dataset, copy, capsys)["sub-03"].startswith("redo")

    recipe = tmp_path / "mine.toml"
    recipe.write_text('[reject]\nmethod = "none"\n')
    reasons = plan(simulated, copy, capsys, "-r", str(recipe))
    assert set(reasons.values()) == {"redo: the recipe or a model changed"}
    assert set(plan(simulated, copy, capsys, "--level", "L4/5").values()) == {
        "redo: other levels are asked for"
    }
    assert set(plan(simulated, copy, capsys, "--format", "csv").values()) == {
        "redo: another format is asked for"
    }
    (copy / "sub-01" / "results.json").write_text("{")
    (copy / "sub-02" / "provenance.json").unlink()
    assert (
        list(plan(simulated, copy, capsys).values())[:2]
        == ["redo: the earlier result is damaged"] * 2
    )
    shutil.rmtree(copy)
    assert set(plan(simulated, copy, capsys).values()) == {"new: no result yet"}
    assert not copy.exists(), "a dry run writes nothing"


def test_a_comment_in_the_recipe_redoes_nothing(simulated, copy, tmp_path, capsys):
    recipe = tmp_path / "default.toml"
    recipe.write_text("# the defaults, written out\n" + recipe_toml(load_recipe()))
    reasons = plan(simulated, copy, capsys, "-r", str(recipe))
    assert all(reason.startswith("keep") for reason in reasons.values())


def test_another_version_of_the_software_redoes_all(simulated, copy, capsys, monkeypatch):
    monkeypatch.setattr("mrs_disc.batch.work.__version__", "0.0.0")
    assert set(plan(simulated, copy, capsys).values()) == {"redo: the software's version changed"}


def test_json_and_csv_alone_load_no_plotting_library(simulated, tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mrs_disc.batch.run import BatchOptions, _settings\n"
        "from mrs_disc.batch.plan import find_tasks\n"
        "from mrs_disc.batch.work import analyze_one\n"
        "dataset, out = map(Path, sys.argv[1:])\n"
        "options = BatchOptions(formats=('json', 'csv'), levels=('L4-L5',))\n"
        "out.mkdir()\n"
        "print(analyze_one(find_tasks(dataset)[0], _settings(dataset, out, options)).kind)\n"
        "print('matplotlib' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(simulated), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["analysed", "False"]


# --------------------------------------------------------------------------- when things go wrong


@pytest.mark.slow
def test_a_bad_day_costs_what_it_hits_and_no_more(fake_work, make_dataset, tmp_path):
    words = ("ok", "die", "hang", "bug", "die once", "ok")
    dataset, out = make_dataset(*words), tmp_path / "out"
    options = BatchOptions(jobs=2, time_limit_s=3)
    summary = run_batch(dataset, out, options, work=fake_work.behave)
    assert (summary.n_analysed, summary.n_failed) == (3, 3)
    found = failures(out)
    assert {study: row[2] for study, row in found.items()} == {
        "study-1": "crashed",
        "study-2": "timeout",
        "study-3": "bug",
    }
    assert "secret header text" not in (out / "failures.tsv").read_text()
    for name in ("study-1", "study-2", "study-3"):
        (dataset / name / "behaviour.txt").write_text("ok")
    again = run_batch(dataset, out, BatchOptions(jobs=1, resume=True), work=fake_work.behave)
    assert (again.n_analysed, again.n_redone, again.n_kept) == (3, 3, 3)
    assert "0 new, 3 redone (3 failed before), 3 kept; 0 failed" in str(again)
    assert not failures(out)


def test_a_full_disk_ends_the_run_with_the_reason(fake_work, make_dataset, tmp_path):
    dataset, out = make_dataset("ok", "full"), tmp_path / "out"
    with pytest.raises(OutputError, match="No space left on device"):
        run_batch(dataset, out, BatchOptions(jobs=1), work=fake_work.behave)
    assert (out / "study-0" / "results.json").exists()
    assert not list((out / ".batch").glob("*.lock"))
    (dataset / "study-1" / "behaviour.txt").write_text("ok")
    again = run_batch(dataset, out, BatchOptions(jobs=1, resume=True), work=fake_work.behave)
    assert (again.n_kept, again.n_analysed) == (1, 1)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_scheduler_end_a_run_in_a_whole_folder(simulated, once, tmp_path, sent):
    out = tmp_path / "out"
    process = command("batch", simulated, "-o", out, "--jobs", 1, *RECORD)
    deadline = time.monotonic() + 120
    while not list(out.glob("sub-*/results.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    stderr = process.communicate()[1]
    assert process.returncode == 130, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert all((p / "provenance.json").exists() for p in out.glob("sub-*"))
    assert not list((out / ".batch").glob("*.lock"))
    assert not list((out / ".batch").glob("*.work"))


@pytest.mark.slow
def test_ctrl_c_on_a_terminal_hits_workers_that_still_import(simulated, tmp_path):
    """It goes to the whole group of processes; only the batch may answer."""
    for n, wait_s in enumerate((0.0, 0.1, 0.3, 0.6)):
        out = tmp_path / str(n)
        words = ("batch", simulated, "-o", out, "--jobs", 2, *RECORD)
        process = command(*words, start_new_session=True)
        deadline = time.monotonic() + 120
        while not list(out.glob(".batch/*.lock")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait_s)
        os.killpg(process.pid, signal.SIGINT)
        stderr = process.communicate()[1]
        assert process.returncode == 130, stderr
        assert "Traceback" not in stderr
        assert "mrs-disc: interrupted" in stderr


@pytest.mark.slow
def test_two_runs_on_one_folder_the_second_is_told(fake_work, make_dataset, simulated, tmp_path):
    out = tmp_path / "out"
    first = command("batch", simulated, "-o", out, "--jobs", 1, *RECORD)
    deadline = time.monotonic() + 120
    while not list(out.glob(".batch/*.lock")) and time.monotonic() < deadline:
        time.sleep(0.02)
    second = command("batch", simulated, "-o", out, "--jobs", 1, "--resume", *RECORD)
    stderr = second.communicate()[1]
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert f"process {first.pid} on host" in stderr
    third = command("batch", simulated, "-o", out, "--jobs", 1, "--resume", *RECORD)
    third.communicate()
    assert third.returncode == 0, "the claim of a killed run is no obstacle"


def test_the_review_of_a_study_outlives_its_new_analysis(fake_work, make_dataset, tmp_path):
    dataset, out = make_dataset("ok"), tmp_path / "out"
    run_batch(dataset, out, work=fake_work.behave)
    (out / "study-0" / "review.jsonl").write_text("signed\n")
    with (dataset / "study-0" / "study.toml").open("a") as study:
        study.write("# changed")
    with (out / "study-0" / "review.jsonl").open("a") as writing:
        summary = run_batch(dataset, out, BatchOptions(resume=True), work=fake_work.behave)
        writing.write("meanwhile\n")
    assert summary.n_redone == 1
    assert (out / "study-0" / "review.jsonl").read_text() == "signed\nmeanwhile\n"


def test_a_run_killed_between_the_two_renames_loses_nothing(fake_work, make_dataset, tmp_path):
    dataset, out = make_dataset("ok"), tmp_path / "out"
    run_batch(dataset, out, work=fake_work.behave)
    (out / "study-0" / "review.jsonl").write_text("signed\n")
    before = content(out / "study-0")
    (out / "study-0").rename(out / ".study-0.old")
    summary = run_batch(dataset, out, BatchOptions(resume=True), work=fake_work.behave)
    assert summary.n_kept == 1
    assert content(out / "study-0") == before


def test_sessions_inside_a_participants_folder_stay(tmp_path):
    target = tmp_path / "sub-01"
    (target / "ses-02").mkdir(parents=True)
    (target / "ses-02" / "results.json").write_text("2")
    new = tmp_path / "new"
    new.mkdir()
    (new / "results.json").write_text("1")
    publish(new, target)
    assert (target / "results.json").read_text() == "1"
    assert (target / "ses-02" / "results.json").read_text() == "2"
    assert [p.name for p in tmp_path.iterdir()] == ["sub-01"]


@pytest.mark.slow
def test_many_participants_at_once_as_bids_apps_are_run(simulated, once, tmp_path):
    out = tmp_path / "out"
    runs = [
        command(
            "bids-app", simulated, out, "participant", "--participant_label", *labels, "--jobs", 1
        )
        for labels in (("01",), ("02", "03"))
    ]
    for process in runs:
        stderr = process.communicate()[1]
        assert process.returncode == 0, stderr
    assert run(["bids-app", str(simulated), str(out), "group"]) == 0
    assert (out / "levels.tsv").read_bytes() == (once / "levels.tsv").read_bytes()


@pytest.mark.slow
def test_a_batch_killed_at_random_moments_equals_an_undisturbed_one(simulated, tmp_path):
    """By hand `kills.py` does fifty."""
    done = kill_and_compare(simulated, tmp_path, int(os.environ.get("MRS_DISC_KILLS", "12")))
    assert done.batches_killed > 0
    assert done.files >= 10


def test_the_record_of_a_failure_is_small_and_plain(fake_work, make_dataset, tmp_path):
    dataset, out = make_dataset("bug"), tmp_path / "out"
    run_batch(dataset, out, work=fake_work.behave)
    record = json.loads((out / "study-0" / "failure.json").read_text())
    assert record["stage"] == "bug"
    assert set(record) == {
        "schema_version", "participant_id", "session_id", "stage", "message",
        "recipe_sha256", "software",
    }  # fmt: skip


READERS = ("notes.txt", "reviewed/0123/report.pdf", "figures/my drawing.png", "review.torn-1")


def test_what_a_reader_left_outlives_a_new_analysis_and_what_a_batch_wrote_does_not(
    fake_work, make_dataset, tmp_path
):
    dataset, out = make_dataset("ok"), tmp_path / "out"
    run_batch(dataset, out, work=fake_work.behave)
    study = out / "study-0"
    written = ("report.html", "figures/L4-L5.png", "dicom/report_sr.dcm", "levels.csv")
    for name in (*READERS, *written):
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text(name)
    (study / "link").symlink_to("notes.txt")
    for n in range(3):  # whatever comes of it
        (dataset / "study-0" / "behaviour.txt").write_text("ok" if n != 1 else "bug")
        (dataset / "study-0" / "study.toml").write_text(f"# {n}")
        run_batch(dataset, out, BatchOptions(resume=True), work=fake_work.behave)
        assert {name: (study / name).read_text() for name in READERS} == {n: n for n in READERS}
        assert (study / "link").is_symlink()
        assert not [name for name in written if (study / name).exists()]
    assert [p.name for p in out.iterdir() if p.name.startswith(".study")] == []


def test_a_signed_result_that_is_redone_stays_beside_and_it_is_said(
    fake_work, make_dataset, tmp_path
):
    class Said(Progress):
        lines: ClassVar[list[str]] = []

        def say(self, message):
            self.lines.append(message)

    dataset, out = make_dataset("ok"), tmp_path / "out"
    run_batch(dataset, out, work=fake_work.behave)
    study = out / "study-0"
    before = (study / "results.json").read_bytes()
    digest = hashlib.sha256(before).hexdigest()
    sign = {"reviewer": "AB", "act": "sign"}
    head = append_act(study, START, digest, "2025-01-01T00:00:00Z", lambda _: sign).head
    (dataset / "study-0" / "study.toml").write_text("# changed")
    other = json.loads(Path(os.environ["CANNED_RESULT"]).read_text()) | {"impression": "other"}
    changed = tmp_path / "other.json"
    changed.write_text(json.dumps(other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANNED_RESULT", str(changed))
        options = BatchOptions(resume=True)
        run_batch(dataset, out, options, progress=Said(), work=fake_work.behave)
    assert (study / "results.json").read_bytes() != before
    assert (study / "reviewed" / head[:12] / "results.json").read_bytes() == before
    assert read_review(study / "reviewed" / head[:12]).signed
    assert read_review(study).status == "signed for an earlier result"
    assert any(f"study-0/reviewed/{head[:12]}" in line for line in Said.lines)


@pytest.mark.parametrize("word", range(3))
def test_a_run_killed_while_an_earlier_folder_goes_loses_nothing_of_a_reader(tmp_path, word):
    """The folder that was moved away is as any moment of the mending leaves it."""
    target, away = tmp_path / "sub-01", tmp_path / ".sub-01.old"
    for name in ("results.json", *READERS):
        (away / name).parent.mkdir(parents=True, exist_ok=True)
        (away / name).write_text(name)
    target.mkdir()
    (target / "results.json").write_text("new")
    for name in READERS[:word]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (away / name).rename(target / name)
    restore(target)
    assert {name: (target / name).read_text() for name in READERS} == {n: n for n in READERS}
    assert (target / "results.json").read_text() == "new"
    assert not away.exists()
