"""Measure a batch: throughput, overhead, memory and growth, resume, tables.

Run by hand: ``python tests/benchmarks/batch_scaling.py [--studies N] [--many N]``. Prints the table
of pipelines/README.md. Studies are simulated once and linked many times, so that the disk holds
them; the growth to 10,000 studies is that of the machinery, with a stand-in for the analysis.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE), str(HERE.parent / "batch")]

from mrs_disc.batch.plan import Task  # noqa: E402 - the paths come first
from mrs_disc.batch.work import Outcome, Settings, analyze_one  # noqa: E402

REPEATS = 3
CHILD = """
import json, resource, sys, time
sys.path[:0] = {path!r}
from collections.abc import Iterator
from pathlib import Path
from mrs_disc.batch.progress import Silent
from mrs_disc.batch.run import BatchOptions, run_batch
class Times(Silent):
    at = []
    def step(self, failed):
        self.at.append(time.perf_counter())
def main():
    from batch_scaling import measured as work, peak_mb
    if {fake!r}:
        import fake_work
        work = fake_work.canned
    begun = time.perf_counter()
    options = BatchOptions(jobs={jobs}, resume=True, formats={formats!r}, collect={collect})
    summary = run_batch(Path({dataset!r}), Path({out!r}), options, work=work, progress=Times())
    wall = time.perf_counter() - begun
    me, them = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peaks = [float(p.read_text()) for p in Path({out!r}).glob(".batch/peak-*")]
    print(json.dumps(dict(
        first=Times.at[0] - begun, steady=Times.at[-1] - Times.at[0], wall=wall,
        parent_mb=peak_mb(), worker_mb=max(peaks, default=0),
        cpu=me.ru_utime + me.ru_stime + them.ru_utime + them.ru_stime,
        parent_cpu=me.ru_utime + me.ru_stime, done=summary.done, kept=summary.n_kept,
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
    dataset: Path,
    out: Path,
    *,
    jobs: int = 1,
    fake: bool = False,
    formats: tuple[str, ...] = ("json",),
    collect: bool = False,
) -> dict[str, float]:
    """Run a batch in a process of its own and return what it took."""
    values = {"dataset": str(dataset), "out": str(out), "jobs": jobs, "fake": fake}
    code = CHILD.format(path=sys.path[:3], formats=formats, collect=collect, **values)
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


def in_process(kinds: list[Path], n: int, out: Path) -> float:
    """Return the CPU seconds of a study without any batch, libraries loaded."""
    from mrs_disc.analysis import analyze
    from mrs_disc.io import read_study
    from mrs_disc.report import write_report

    def once(k: int) -> None:
        write_report(analyze(read_study(kinds[k % len(kinds)])), out / str(k), formats=("json",))

    once(-1)
    begun = time.process_time()
    for k in range(n):
        once(k)
    return (time.process_time() - begun) / n


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40, help="of five discs, really analysed")
    parser.add_argument("--many", type=int, default=10_000, help="studies with a stand-in")
    chosen = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="batch-scaling-"))
    try:
        for line in measure(place, chosen.studies, chosen.many):
            print(line, flush=True)  # noqa: T201
    finally:
        shutil.rmtree(place)


def measure(place: Path, n: int, many: int) -> Iterator[str]:
    """Yield the rows of the table."""
    load = os.getloadavg()[0]
    yield f"| measured with {os.cpu_count()} cores, load before {load:.1f} | |\n|---|---|"
    kinds = simulated(place / "kinds", 8, 5)
    half, whole = (linked(kinds, place / f"data-{k}", k) for k in (n // 2, n))
    runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for k in range(REPEATS):
        for jobs, found in runs.items():
            found.append(batch(whole, place / f"o-{jobs}-{k}", jobs=jobs))
    walls = {jobs: min(run["steady"] for run in found) / (n - 1) for jobs, found in runs.items()}
    yield f"| studies of five discs a minute, 1 worker (best of {REPEATS}) | {60 / walls[1]:.0f} |"
    yield f"| the same, 2 workers | {60 / walls[2]:.0f} ({walls[1] / walls[2]:.2f} ×) |"
    bare = in_process(kinds, n // 2, place / "bare")
    few = batch(half, place / "few")
    each = (min(run["cpu"] for run in runs[1]) - few["cpu"]) / (n - n // 2)
    yield f"| CPU time of a study, bare and in a batch | {bare:.3f} s, {each:.3f} s |"
    yield f"| overhead of the batch | {100 * (each / bare - 1):.1f} % |"
    yield f"| from the start to the first result | {min(r['first'] for r in runs[2]):.1f} s |"
    done = place / "o-1-0"
    again = batch(whole, done)
    yield f"| resume: a study that is kept | {1000 * again['wall'] / n:.0f} ms |"
    peaks = []
    small = simulated(place / "small", 2, 1)
    for k in (n // 2, 4 * n, 10 * n):
        data = linked(small, place / f"small-{k}", k)
        peaks.append((k, batch(data, place / f"small-out-{k}")["worker_mb"]))
    told = ", ".join(f"{mb:.0f} MB after {k}" for k, mb in peaks)
    yield f"| peak memory of a worker, studies of one disc | {told} |"
    os.environ["CANNED_RESULT"] = str(done / "study-00000" / "results.json")
    grown = []
    for k in (many // 100, many // 10, many):
        data = linked([toml_only(place / f"toml-{k}")], place / f"many-{k}", k)
        found = batch(data, place / f"many-out-{k}", fake=True, collect=True)
        grown.append((k, found["parent_mb"], found["wall"]))
        shutil.rmtree(data)
    told = ", ".join(f"{mb:.0f} MB with {k}" for k, mb, _ in grown)
    yield f"| peak memory of the batch and its tables | {told} |"
    k, _, wall = grown[-1]
    yield f"| the machinery alone, {k} studies, tables included | {wall:.0f} s |"
    size = sum(p.stat().st_size for p in (done / "study-00000").iterdir())
    yield f"| disk, record and signals of a study of five discs | {size / 1e6:.2f} MB |"


def toml_only(folder: Path) -> Path:
    """Return a study that names a file which is not there: its analysis is a stand-in."""
    folder.mkdir()
    text = 'schema_version = 1\nstudy_id = "s"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "x.dat"\n'
    (folder / "study.toml").write_text(text)
    return folder


if __name__ == "__main__":
    main()
