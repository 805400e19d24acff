"""Workers that die, hang, break or print cost their own task and nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mrs_disc.batch import pool
from mrs_disc.batch.pool import Lost, Pool


def run(work, tasks, **options):
    settings = {"jobs": 2, **options}
    return dict(Pool(work, None, **settings).run(tasks))


def test_one_death_one_hang_and_one_bug_cost_three_tasks(fake_work):
    words = ["a", "die", "b", "hang", "bug", "c"]
    replies = run(fake_work.by_word, words, time_limit_s=2)
    assert {w: replies[w] for w in "abc"} == {"a": "A", "b": "B", "c": "C"}
    stages = {word: replies[word].stage for word in ("die", "hang", "bug")}
    assert stages == {"die": "crashed", "hang": "timeout", "bug": "bug"}
    assert replies["hang"].message == "took longer than 2 s"
    assert "secret header text" not in replies["bug"].message
    assert "KeyError" in replies["bug"].message


def test_workers_have_one_thread_and_are_silent_and_replaced(fake_work, capfd):
    seen = run(fake_work.surroundings, range(6), jobs=1, tasks_per_worker=2)
    assert all(reply["threads"] == ["1", "1"] for reply in seen.values())
    assert len({reply["pid"] for reply in seen.values()}) == 3
    assert os.getpid() not in {reply["pid"] for reply in seen.values()}
    assert capfd.readouterr().out == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits data memory on Linux")
def test_memory_beyond_the_limit_is_a_failure_of_the_task(fake_work):
    replies = run(fake_work.by_word, ["memory", "a"], jobs=1, memory_limit_gb=2)
    assert isinstance(replies["memory"], Lost)
    assert "MemoryError" in replies["memory"].message
    assert replies["a"] == "A"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_what_a_task_freed_is_given_back_though_some_of_it_is_kept(fake_work):
    """200 MB in blocks of 100 KB, of which every fiftieth stays: 4 MB."""
    answers = Pool(fake_work.by_word, None, jobs=1).run(["size", "holes", "size"])
    sizes = [int(reply) / 1e3 for task, reply in answers if task == "size"]
    assert sizes[1] - sizes[0] < 20


def test_no_worker_outlives_a_killed_parent(fake_work, tmp_path):
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import fake_work\n"
        "from mrs_disc.batch.pool import Pool\n"
        "for task, reply in Pool(fake_work.surroundings, None, jobs=1).run([1]):\n"
        "    print(reply['pid'], flush=True)\n"
        "for _ in Pool(fake_work.by_word, None, jobs=2).run(['hang', 'hang2', 'a', 'hang']): pass\n"
    )
    here = Path(__file__).parent
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(here), str(here.parents[1])],
        stdout=subprocess.PIPE,
        text=True,
    )
    parent.stdout.readline()
    time.sleep(1.5)
    children = children_of(parent.pid)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def test_an_interrupt_while_idle_workers_are_closed_stays_an_interrupt(fake_work, monkeypatch):
    """The worker that was just closed is met again when all are ended."""
    close = pool._Worker.close

    def interrupted(worker):
        close(worker)
        raise KeyboardInterrupt

    monkeypatch.setattr(pool._Worker, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(fake_work.by_word, ["a", "b"])
