"""Measure a batch: throughput by workers, overhead, memory and growth, resume, tables, disk.

By hand: ``python tests/benchmarks/batch_scaling.py [--studies N] [--really N] [--many N]`` prints
what it measured as JSON; ``tests/tools/batch_tables.py scaling`` puts it into the tables. Studies
are simulated once and linked many times, so that the disk holds them.

Throughput is told in processor time, which other work on the machine changes little, and in wall
time: each number of workers in turn, the best of some runs, with the load of the machine before
the first beside it. All else is processor time: the overhead is that of `analyze_one` over the bare
analysis of the same study, one right after the other, and what the parent process and the pipes
need for a study.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE), str(HERE.parent / "batch")]

from mrs_disc.batch.plan import Task, find_tasks  # noqa: E402 - the paths come first
from mrs_disc.batch.run import BatchOptions, _settings  # noqa: E402
from mrs_disc.batch.work import Outcome, Settings, analyze_one  # noqa: E402

REPEATS = 3
CHILD = """
import json, resource, sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from mrs_disc.batch.progress import Progress
from mrs_disc.batch.run import BatchOptions, run_batch
class Times(Progress):
    at = []
    def step(self, failed):
        self.at.append(time.perf_counter())
def main():
    from batch_scaling import measured as work, peak_mb
    if {fake!r}:
        import fake_work
        work = fake_work.canned
    begun = time.perf_counter()
    options = BatchOptions(jobs={jobs}, resume=True, formats=("json",), collect={collect})
    summary = run_batch(Path({dataset!r}), Path({out!r}), options, work=work, progress=Times())
    wall = time.perf_counter() - begun
    me, them = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peaks = [float(p.read_text()) for p in Path({out!r}).glob(".batch/peak-*")]
    print(json.dumps(dict(
        first=Times.at[0] - begun, steady=Times.at[-1] - Times.at[0], wall=wall,
        parent_mb=peak_mb(), worker_mb=max(peaks, default=0), n_workers=len(peaks),
        parent_cpu=me.ru_utime + me.ru_stime, cpu=them.ru_utime + them.ru_stime,
        done=summary.done, kept=summary.n_kept,
    )))
if __name__ == "__main__":
    main()
"""


def peak_mb() -> float:
    """Return the highest memory of this process; that of `getrusage` outlives an exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(task: Task, settings: Settings) -> Outcome:
    """Analyse a study and note the memory that its worker has needed so far."""
    outcome = analyze_one(task, settings)
    (Path(settings.out) / ".batch" / f"peak-{os.getpid()}").write_text(str(peak_mb()))
    return outcome


def batch(
    dataset: Path, out: Path, *, jobs: int = 1, fake: bool = False, collect: bool = False
) -> dict[str, float]:
    """Run a batch in a process of its own and return what it took."""
    values = {"dataset": str(dataset), "out": str(out), "jobs": jobs, "fake": fake}
    code = CHILD.format(path=sys.path[:3], collect=collect, **values)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def simulated(folder: Path, n_kinds: int, n_levels: int) -> list[Path]:
    """Write some studies in scanner files."""
    from mrs_disc.simulate import simulate_study
    from mrs_disc.simulate.dataset import write_study

    levels = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"][-n_levels:]
    for n in range(1, n_kinds + 1):
        study, _ = simulate_study(1, subject=n, levels=levels, anatomy=False, study_id=f"s{n}")
        write_study(folder / f"s{n}", study, None, form="nifti")
    return sorted(folder.iterdir())


def linked(kinds: list[Path], folder: Path, n: int) -> Path:
    """Return a dataset of `n` studies that are links to a few."""
    for k in range(n):
        target = folder / f"study-{k:05d}"
        target.mkdir(parents=True)
        for path in kinds[k % len(kinds)].iterdir():
            os.link(path, target / path.name)
    return folder


# --------------------------------------------------------------------------- what is measured


def throughput(data: Path, place: Path, n: int) -> dict[str, Any]:
    """Return seconds a study with one and two workers, and from the start to the first result."""
    walls: dict[int, list[float]] = {1: [], 2: []}
    cpu: dict[int, list[float]] = {1: [], 2: []}
    first = []
    for k in range(REPEATS):
        for jobs in walls:
            run = batch(data, place / f"o-{jobs}-{k}", jobs=jobs)
            walls[jobs].append(run["steady"] / (n - 1))
            cpu[jobs].append(run["cpu"] / n)
            first.append(run["first"])
    again = batch(data, place / "o-1-0")
    assert again["kept"] == n
    return {
        "seconds_1": min(walls[1]), "seconds_2": min(walls[2]),
        "cpu_1": min(cpu[1]), "cpu_2": min(cpu[2]),
        "first_s": min(first), "kept_s": (again["cpu"] + again["parent_cpu"]) / n,
    }  # fmt: skip


def overhead(data: Path, place: Path, n: int) -> dict[str, float]:
    """Return processor time of a study bare, and what a worker of a batch adds to it."""
    from mrs_disc.analysis import analyze
    from mrs_disc.io import read_study
    from mrs_disc.report import write_report

    settings, _ = _settings(data, place / "batched", BatchOptions(formats=("json",)))
    tasks = find_tasks(data)[:n]

    def bare(task: Task) -> None:
        out = place / "bare" / task.key
        write_report(analyze(read_study(task.path)), out, formats=("json",))

    def batched(task: Task) -> None:
        assert analyze_one(task, settings).kind == "analysed"

    bare(tasks[0])
    pairs = [both(task, (bare, batched) if k % 2 else (batched, bare))
             for k, task in enumerate(tasks[1:])]  # fmt: skip
    return {
        "bare_s": statistics.median(pair["bare"] for pair in pairs),
        "added_s": statistics.median(pair["batched"] - pair["bare"] for pair in pairs),
    }


def both(task: Task, ways: tuple[Callable[[Task], None], ...]) -> dict[str, float]:
    """Return the processor time of one task by each way."""
    took = {}
    for way in ways:
        begun = time.process_time()
        way(task)
        took[way.__name__] = time.process_time() - begun
    return took


def really(place: Path, sizes: list[int]) -> list[dict[str, float]]:
    """Return memory and processor time of batches of studies of one disc, really analysed."""
    small = simulated(place / "small", 2, 1)
    found = []
    for k in sizes:
        data = linked(small, place / f"small-{k}", k)
        run = batch(data, place / f"small-out-{k}", jobs=2)
        found.append({"n": k, "worker_mb": run["worker_mb"], "parent_mb": run["parent_mb"],
                      "n_workers": run["n_workers"], "cpu_s": run["cpu"] / k})  # fmt: skip
        shutil.rmtree(place / f"small-out-{k}")
        shutil.rmtree(data)
    return found


def machinery(place: Path, record: Path, sizes: list[int]) -> list[dict[str, float]]:
    """Return memory and time of the parent with a stand-in for the analysis, tables included."""
    os.environ["CANNED_RESULT"] = str(record)
    found = []
    for k in sizes:
        data = linked([toml_only(place / f"toml-{k}")], place / f"many-{k}", k)
        out = place / f"many-out-{k}"
        run = batch(data, out, fake=True)
        shutil.rmtree(data)
        peak = collected(out)
        found.append({"n": k, "parent_mb": run["parent_mb"], "parent_s": run["parent_cpu"] / k,
                      "tables_mb": peak["mb"], "tables_s": peak["cpu"],
                      "levels_mb": (out / "levels.tsv").stat().st_size / 1e6})  # fmt: skip
        shutil.rmtree(out)
    return found


def collected(out: Path) -> dict[str, float]:
    """Make the tables in a process of their own; return its memory and processor time."""
    code = (
        f"import sys, time; sys.path[:0] = {sys.path[:3]!r}\n"
        "from pathlib import Path\n"
        "from batch_scaling import peak_mb\n"
        "from mrs_disc.batch import collect_results\n"
        "begun = time.process_time()\n"
        f"collect_results(Path({str(out)!r}))\n"
        "print(peak_mb(), time.process_time() - begun)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mb, cpu = map(float, done.stdout.split())
    return {"mb": mb, "cpu": cpu}


def toml_only(folder: Path) -> Path:
    """Return a study that names a file which is not there: its analysis is a stand-in."""
    folder.mkdir()
    text = 'schema_version = 1\nstudy_id = "s"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "x.dat"\n'
    (folder / "study.toml").write_text(text)
    return folder


def measure(place: Path, n: int, real: int, many: int) -> dict[str, Any]:
    """Return all that is measured."""
    found: dict[str, Any] = {"studies": n, "load_before": round(os.getloadavg()[0], 1)}
    kinds = simulated(place / "kinds", 8, 5)
    data = linked(kinds, place / "data", n)
    found |= throughput(data, place, n)
    found |= overhead(data, place, n)
    record = place / "o-1-0" / "study-00000"
    found["disk_mb"] = sum(p.stat().st_size for p in record.iterdir()) / 1e6
    found["really"] = really(place, [real // 100, real // 10, real])
    found["machinery"] = machinery(place, record / "results.json", [many // 100, many // 10, many])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40, help="of five discs")
    parser.add_argument("--really", type=int, default=10_000, help="of one disc")
    parser.add_argument("--many", type=int, default=10_000, help="with a stand-in")
    chosen = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="batch-scaling-"))
    try:
        found = measure(place, chosen.studies, chosen.really, chosen.many)
    finally:
        shutil.rmtree(place)
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
