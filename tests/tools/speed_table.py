"""Measure two builds side by side, and write the table of tests/README.md.

::

    python tests/tools/speed_table.py OLD NEW [--studies 40] [--seed 31] [--rounds 5] [--write]

OLD and NEW are git revisions or folders of this project. Each is installed without its libraries
into a virtual environment of its own, beside the libraries of the Python that runs this; NEW also
runs with ``MRS_DISC_KERNEL=numpy``, as where no C compiler is. NEW writes the simulated discs as
files, and all builds read them: disc after disc, one build after the other, so that other work on
the machine slows all of them. Times are processor times, each the least of some rounds, since other
work only adds to them; of the fits it is the median over the discs. Peaks of memory are Linux's.
With ``--instructions`` Valgrind counts those of a fit, which no other work changes.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SILENT = "silent"
LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
QUANTITIES = ("LAC/PG", "CHO/PG", "log(acidity/structure)")
TO_REACH = {
    "one fit with baseline, median of all discs": 0.35,
    "five discs (4 × 32 × 2,048), files to results.json": 0.45,
    "32 coils × 64 transients × 2,048, file to fit": 0.5,
    "five discs, files to HTML + PDF + JSON": 0.6,
    "analyze, cold, JSON, one disc": 0.85,
    "peak memory of a worker, MB": 0.75,
    "validate --scope stress, two rows": 0.4,
}
"""What was asked for before anything was measured, as a share of the old."""


# What a build does: this file, run by the build's Python, takes orders from its standard input.


def serve(folder: Path) -> None:
    """Answer one JSON document a line with one, until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            answer = TASKS[order.pop("task")](folder, **order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def make(folder: Path, studies: int, seed: int) -> int:
    """Write the discs: some studies as they come, one of five discs, one large one."""
    import gzip

    import mrs_disc as md
    from mrs_disc.simulate.dataset import write_study
    from mrs_disc.simulate.scanner import Scan

    def write(name: str, number: int, scan: Scan, levels: list[str]) -> None:
        study, truth = md.simulate_study(
            number, levels=levels, anatomy=False, study_id=name, scan=scan
        )
        write_study(folder / name, study, truth, form="nifti")
        for path in (folder / name).glob("*.nii.gz"):  # plain: reading is ours, unpacking is zlib's
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
        toml = folder / name / "study.toml"
        toml.write_text(toml.read_text().replace(".nii.gz", ".nii"))
        silent = folder / SILENT / name  # of the pulse, which older builds know nothing of
        shutil.copytree(folder / name, silent, copy_function=os.link)
        words = toml.read_text().split("\n[acquisition]")[0]
        (silent / "study.toml").unlink()
        (silent / "study.toml").write_text(words)

    usual = Scan(n_coils=4, n_transients=32, n_water=4)
    for number in range(studies):
        write(f"study{number}", 1000 * seed + number, usual, LEVELS)
    write("many", 1000 * seed, Scan(n_coils=32, n_transients=64, n_water=4), ["L4-L5"])
    return studies


def knows(folder: Path) -> bool:
    """Return whether the build reads the discs as they are written."""
    import mrs_disc as md
    from mrs_disc.errors import InputError

    try:
        md.read_study(folder / "study0")
    except InputError:
        return False
    return True


def analysed(folder: Path, study: int) -> dict[str, dict[str, Any]]:
    """Return what the analysis of a study says of each disc."""
    import mrs_disc as md

    report = md.analyze(md.read_study(folder / f"study{study}"))
    found = {}
    for level in report.levels:
        if level.score is None:
            continue
        values = {
            name: [getattr(level.quantities[name], part) for part in ("value", "low", "high")]
            for name in QUANTITIES
        }
        found[level.level] = {"label": level.score.label, "values": values}
    return found


def fitted(folder: Path, study: int, level: str, rounds: int) -> dict[str, Any]:
    """Return the least time of the fit of a disc, its amplitudes and their errors."""
    import mrs_disc as md

    recipe = md.load_recipe()
    clean = md.preprocess(md.read_study(folder / f"study{study}")[level], recipe)
    result, seconds = None, []
    for _ in range(rounds):
        begun = process_time()
        result = md.fit(clean, recipe)
        seconds.append(process_time() - begun)
    sd = np.sqrt(np.diag(result.covariance))
    return {"seconds": min(seconds), "amplitude": list(result.amplitude), "sd": list(sd)}


def timed(folder: Path, study: str, formats: list[str] | None) -> float:
    """Return the time from files to a fit, or to files."""
    import mrs_disc as md
    from mrs_disc.report import write_report

    with tempfile.TemporaryDirectory() as out:
        begun = process_time()
        report = md.analyze(md.read_study(folder / study))
        if formats is not None:
            write_report(report, Path(out) / "out", formats=tuple(formats))
        return process_time() - begun


def stressed(folder: Path, discs: int, seed: int) -> float:
    """Return the time of some discs of two rows of the stress table."""
    from mrs_disc.validate.stress import stress_outcome

    begun = process_time()
    for row in ("plain", "water 6"):
        for index in range(discs):
            stress_outcome(seed, row, index)
    return process_time() - begun


def cold(folder: Path) -> dict[str, float]:
    """Return time and peak memory of a whole command; of a worker's memory after three studies."""
    words = ["analyze", os.fspath(folder / "study0"), "--level", "L4-L5", "--format", "json"]
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        program = "import sys; from mrs_disc.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", program, *words, "-o", f"{out}/out"]
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": spent}


def memory(folder: Path) -> float:
    """Return the peak memory in MB of a process that does what a batch's worker does."""
    program = (
        "import sys, mrs_disc.batch.work, mrs_disc as md;"
        "from mrs_disc.report import write_report;"
        "[write_report(md.analyze(md.read_study(study)),"
        " f'{sys.argv[-1]}/{n}', formats=('json',)) for n, study in enumerate(sys.argv[1:-1])];"
        "print([int(line.split()[1]) / 1024 for line in open('/proc/self/status')"
        " if line.startswith('VmHWM')][0])"  # getrusage would count what came before the program
    )
    with tempfile.TemporaryDirectory() as out:
        studies = [os.fspath(path) for path in sorted(folder.glob("study*"))[:3]]
        command = [sys.executable, "-c", program, *studies, out]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def instructions(python: Path, folder: Path) -> float:
    """Return how many million instructions a fit takes, mean over the discs of a study.

    Of OpenBLAS' kernels for older processors, since Valgrind does not know the newest registers.
    """
    program = (
        "import sys, mrs_disc as md\n"
        "recipe, study = md.load_recipe(), md.read_study(sys.argv[1])\n"
        "for level in sys.argv[3:]:\n"
        "    clean = md.preprocess(study[level], recipe)\n"
        "    for _ in range(int(sys.argv[2])):\n"
        "        md.fit(clean, recipe)\n"
    )
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    variables |= {"OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}
    counts = []
    for times in ("1", "3"):
        words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", python, "-c"]
        words += [program, folder / "study0", times, *LEVELS]
        # In another folder: where a build lies, Python would take that.
        done = subprocess.run(
            words, check=True, capture_output=True, text=True, env=variables, cwd=folder
        )
        counts.append(int(re.findall(r"Collected : (\d+)", done.stderr)[-1]))
    return (counts[1] - counts[0]) / (2 * len(LEVELS)) / 1e6


TASKS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (make, knows, analysed, fitted, timed, stressed, cold, memory)
}


# Both builds


class Build:
    """A build in its environment, with a process that waits for orders."""

    def __init__(self, name: str, python: Path, folder: Path, kernel: str = "") -> None:
        self.name, self.folder = name, folder
        one = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | one
        if kernel:
            variables["MRS_DISC_KERNEL"] = kernel
        self._process = subprocess.Popen(
            [os.fspath(python), __file__, "--serve", os.fspath(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
            cwd=folder,
            text=True,
        )

    def __call__(self, task: str, **options: Any) -> Any:
        """Return what the build answers to an order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"task": task, **options}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended at {task} {options}")
        return json.loads(answer)


def installed(what: str, place: Path) -> Path:
    """Install a revision or a folder, without libraries; return its Python."""
    source = Path(what).resolve()
    if not source.is_dir():
        source = place / "source"
        source.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", what], check=True, stdout=subprocess.PIPE
        )
        subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    venv.create(place / "venv", with_pip=True)
    python = place / "venv" / "bin" / "python"
    paths = sysconfig.get_paths(vars={"base": os.fspath(place / "venv")})
    libraries = Path(paths["purelib"]) / "libraries.pth"
    libraries.write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", source]
    subprocess.run(install, check=True)
    return python


Figures = dict[str, dict[str, list[float]]]  # figure, build, values


def measure(builds: list[Build], options: argparse.Namespace) -> tuple[Figures, list[str]]:
    """Return all figures, and the lines that compare what the builds say."""
    figures: Figures = {name: {build.name: [] for build in builds} for name in TO_REACH}
    fit, five, many, page, start, peak, stress = TO_REACH
    fits: dict[str, list[Any]] = {build.name: [] for build in builds}
    said: dict[str, list[Any]] = {build.name: [] for build in builds}
    for study in range(options.studies):
        for level in LEVELS:
            for build in builds:
                found = build("fitted", study=study, level=level, rounds=options.rounds)
                fits[build.name].append(found)
                figures[fit][build.name].append(1e3 * found["seconds"])
        for build in builds:
            said[build.name].append(build("analysed", study=study))
        sys.stderr.write(f"study {study + 1} of {options.studies}\n")
    html = ["html", "pdf", "json"]
    for round_ in range(options.rounds + 1):  # the first warms up
        for build in builds:
            found = {
                five: 1e3 * build("timed", study="study0", formats=["json"]),
                many: 1e3 * build("timed", study="many", formats=None),
                page: 1e3 * build("timed", study="study0", formats=html),
                start: 1e3 * build("cold")["seconds"],
                peak: build("memory"),
                stress: 1e3 * build("stressed", discs=4, seed=options.seed),
            }
            for name, value in found.items():
                if round_:
                    figures[name][build.name].append(value)
    truth = [
        json.loads((options.folder / f"study{n}" / "truth.json").read_text())[f"study{n}"]
        for n in range(options.studies)
    ]
    return figures, list(compared(fits, said, truth))


def compared(
    fits: dict[str, list[Any]], said: dict[str, list[Any]], truth: list[Any]
) -> Iterator[str]:
    """Yield how far the builds agree, and how far each is from the truth."""
    first, *others = said
    for other in others:
        apart = [
            float(np.max(np.abs(np.subtract(a["amplitude"], b["amplitude"])) / np.array(a["sd"])))
            for a, b in zip(fits[first], fits[other], strict=True)
            if len(a["sd"]) == len(b["sd"])
        ]
        pairs = [
            (a[level]["label"], b[level]["label"])
            for a, b in zip(said[first], said[other], strict=True)
            for level in a.keys() & b.keys()
        ]
        same = np.mean([a == b for a, b in pairs])
        yield (
            f"{other}: amplitudes at most {max(apart):.1e} standard deviations from {first}'s; "
            f"{100 * np.mean(np.array(apart) < 1e-6):.1f} % of the fits within 1e-6; "
            f"labels equal in {100 * same:.1f} % of {len(pairs)}"
        )
    for name in QUANTITIES:
        cells = []
        for build in said:
            errors, holds = [], []
            for study, true in zip(said[build], truth, strict=True):
                for level, disc in study.items():
                    value, low, high = disc["values"][name]
                    right = true_value(true[level], name)
                    if value is not None and right is not None and high is not None:
                        errors.append(value - right)
                        holds.append((low is None or low <= right) and right <= high)
            cells.append(
                f"{build} RMSE {np.sqrt(np.mean(np.square(errors))):.4f}, "
                f"intervals hold {100 * np.mean(holds):.1f} % of {len(holds)}"
            )
        yield f"{name}: " + "; ".join(cells)


def true_value(truth: Any, name: str) -> float | None:
    """Return the true value of a quantity of a disc."""
    truth = truth[0] if isinstance(truth, list) else truth
    if name.startswith("log"):
        return float(truth["log_acidity_structure"])
    above, below = name.split("/")
    return float(truth["amplitudes"][above] / truth["amplitudes"][below])


def table(figures: Figures, lines: list[str], command: str) -> str:
    """Return the table as it stands in the page."""
    sys.path.insert(0, os.fspath(Path(__file__).parent))
    from readme_tables import processor

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    builds = list(next(iter(figures.values())))
    rows = [
        f"`{command}`, {today}, {processor()}; processor times in ms.",
        "",
        f"| figure | {' | '.join(builds)} | new / old, to reach | NumPy / old |",
        "|---|" + "---|" * (len(builds) + 2),
    ]
    fit = next(iter(TO_REACH))
    for name, by_build in figures.items():
        middle = np.median if name == fit else np.min
        old, new, plain = (float(middle(by_build[build])) for build in builds)
        missed = "" if new / old <= TO_REACH[name] else " †"
        rows.append(
            f"| {name} | {old:.3g} | {new:.3g} | {plain:.3g} "
            f"| {new / old:.2f}, {TO_REACH[name]}{missed} | {plain / old:.2f} |"
        )
    return "\n".join([*rows, "", "```text", *lines, "```"])


def main() -> None:
    """Install, measure, print and write."""
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--studies", type=int, default=40, help="of five discs each")
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instructions", action="store_true", help="by Valgrind, in minutes")
    parser.add_argument("--write", action="store_true", help="into tests/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mrs-disc-speed-") as work:
        options.folder = Path(work) / "discs"
        options.folder.mkdir()
        old = installed(options.old, Path(work) / "old")
        new = installed(options.new, Path(work) / "new")
        builds = [
            Build("old", old, options.folder),
            Build("new", new, options.folder),
            Build("new, NumPy", new, options.folder, kernel="numpy"),
        ]
        builds[1]("make", studies=options.studies, seed=options.seed)
        if not builds[0]("knows"):
            builds[0] = Build("old", old, options.folder / SILENT)
        figures, lines = measure(builds, options)
        if options.instructions:
            before, now = (
                instructions(python, build.folder)
                for python, build in ((old, builds[0]), (new, builds[1]))
            )
            lines.append(
                f"million instructions of a fit: old {before:.0f}, new {now:.0f}, "
                f"new / old {now / before:.2f}"
            )
    command = (
        f"python tests/tools/speed_table.py {options.old} {options.new} "
        f"--studies {options.studies} --seed {options.seed} --rounds {options.rounds}"
    )
    text = table(figures, lines, command)
    sys.stdout.write(text + "\n")
    if options.write:
        from readme_tables import FULL, fill

        fill(FULL, "speed", text)


if __name__ == "__main__":
    main()
