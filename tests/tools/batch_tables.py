"""Write what was measured of many studies and of faults into the pages.

::

    python tests/tools/batch_tables.py scaling [options of tests/benchmarks/batch_scaling.py]
    python tests/tools/batch_tables.py kills [options of tests/batch/kills.py]
    python tests/tools/batch_tables.py signed [options of tests/review/kills.py]
    python tests/tools/batch_tables.py mutants [options of tests/fuzz/mutants.py]
    python tests/tools/batch_tables.py faults
    python tests/tools/batch_tables.py pages

Each of the first five runs its script (or, with ``--from FILE``, takes what one printed), keeps
what it found in `tests/benchmarks/batch_measured.json` and writes the pages anew; the last only
writes the pages: a summary in README, all in `pipelines/README.md` and `tests/faults/README.md`.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from readme_tables import README, fill, processor  # noqa: E402 - the path comes first

MEASURED = ROOT / "tests" / "benchmarks" / "batch_measured.json"
PIPELINES = ROOT / "pipelines" / "README.md"
FAULTS = ROOT / "tests" / "faults" / "README.md"
SCRIPTS = {
    "scaling": "tests/benchmarks/batch_scaling.py",
    "kills": "tests/batch/kills.py",
    "signed": "tests/review/kills.py",
    "mutants": "tests/fuzz/mutants.py",
    "faults": "-m tests.faults.what_is_seen",
}
STUDIES, DISCS_A_STUDY, STUDIES_A_JOB = 200_000, 5, 500
DISCS_OF_STAND_IN = 5


def measure(name: str, options: list[str]) -> dict[str, Any]:
    """Run a script and return what it found, with when, where and how."""
    if options[:1] == ["--from"]:
        text, options = Path(options[1]).read_text(), options[2:]
    else:
        command = [sys.executable, *SCRIPTS[name].split(), *options]
        text = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
        ).stdout
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found: dict[str, Any] = json.loads(text)
    return {"command": " ".join([SCRIPTS[name], *options]), "date": today,
            "machine": processor()} | found  # fmt: skip


def stamp(found: dict[str, Any]) -> str:
    """Return how, when and where something was measured."""
    return f"`python {found['command']}`, {found['date']}, {found['machine']}"


# --------------------------------------------------------------------------- rows


def overhead_percent(scaling: dict[str, Any]) -> float:
    """Return what the batch adds to a study, in worker and parent, in percent of its analysis."""
    added = scaling["added_s"] + scaling["machinery"][-1]["parent_s"]
    return float(100 * added / scaling["bare_s"])


def scaling_rows(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows on throughput, memory and disk."""
    ratio = 2 * one["cpu_1"] / one["cpu_2"]
    real, many = one["really"], one["machinery"]
    return [
        (
            "studies of five discs a minute, in processor time: 1 worker; 2 on cores of their own",
            f"{60 / one['cpu_1']:.0f}; {120 / one['cpu_2']:.0f} ({ratio:.2f} ×)",
        ),
        (
            f"the same in wall time, best of 3; load of the machine before: {one['load_before']}",
            f"{60 / one['seconds_1']:.0f}; {60 / one['seconds_2']:.0f}",
        ),
        (
            "processor time of a study: bare analysis; added by a worker; by the parent",
            f"{one['bare_s']:.3f} s; {1000 * one['added_s']:.1f} ms; "
            f"{1000 * many[-1]['parent_s']:.1f} ms (together {overhead_percent(one):.1f} %)",
        ),
        ("from the start to the first result", f"{one['first_s']:.1f} s"),
        ("resume: processor time of a study that is kept", f"{1000 * one['kept_s']:.0f} ms"),
        (
            "studies of one disc, really analysed by 2 workers: "
            + ", ".join(f"{row['n']:,}" for row in real),
            "peak memory of a worker "
            + ", ".join(f"{row['worker_mb']:.0f}" for row in real)
            + " MB, of the parent "
            + ", ".join(f"{row['parent_mb']:.0f}" for row in real)
            + " MB",
        ),
        (
            "machinery and tables with a stand-in for the analysis: "
            + ", ".join(f"{row['n']:,}" for row in many)
            + " studies",
            "parent "
            + ", ".join(f"{row['parent_mb']:.0f}" for row in many)
            + " MB; tables "
            + ", ".join(f"{row['tables_mb']:.0f}" for row in many)
            + " MB, "
            + ", ".join(f"{row['tables_s']:.1f}" for row in many)
            + " s",
        ),
        ("disk: record and signals of a study of five discs", f"{one['disk_mb']:.2f} MB"),
    ]


def million_figures(one: dict[str, Any]) -> dict[str, float]:
    """Return what a million discs would need, computed from what was measured."""
    last = one["machinery"][-1]
    study_s = one["bare_s"] + one["added_s"] + last["parent_s"]
    times = STUDIES / last["n"] * DISCS_A_STUDY / DISCS_OF_STAND_IN
    worker_mb = max(row["worker_mb"] for row in one["really"])
    return {
        "jobs": STUDIES // STUDIES_A_JOB,
        "job_minutes": STUDIES_A_JOB * study_s / 2 / 60,
        "job_gb": (2 * worker_mb + one["really"][-1]["parent_mb"]) / 1000,
        "core_hours": STUDIES * study_s / 3600,
        "record_gb": STUDIES * one["disk_mb"] / 1000,
        "tables_minutes": last["tables_s"] * times / 60,
        "levels_gb": last["levels_mb"] * times / 1000,
    }


def million(one: dict[str, Any]) -> str:
    """Return how a million discs would run."""
    n = million_figures(one)
    return (
        f"**A million discs** ({STUDIES:,} studies of five, record alone), computed from these "
        f"figures: {n['jobs']:.0f} jobs of {STUDIES_A_JOB} studies, each about "
        f"{n['job_minutes']:.0f} minutes on two cores and {n['job_gb']:.1f} GB of memory; "
        f"{n['core_hours']:.0f} core-hours in all; {n['record_gb']:.0f} GB of records and signals; "
        f"then one job of {n['tables_minutes']:.0f} minutes for the tables (`levels.tsv` "
        f"{n['levels_gb']:.1f} GB). Real data with 30 coils take longer to read; `report.html` "
        "more than doubles the time of a study and about doubles its disk."
    )


def million_row(one: dict[str, Any]) -> tuple[str, str]:
    """Return the row on a million discs."""
    n = million_figures(one)
    return (
        "a million discs, computed from these figures",
        f"{n['jobs']:.0f} jobs of {STUDIES_A_JOB} studies: {n['job_minutes']:.0f} minutes on 2 "
        f"cores and {n['job_gb']:.1f} GB; {n['core_hours']:.0f} core-hours, "
        f"{n['record_gb']:.0f} GB of disk",
    )


def kills_row(one: dict[str, Any]) -> tuple[str, str]:
    """Return the row on kills."""
    hit = f"{one['batches_killed']} hit the batch, {one['workers_killed']} a worker"
    return (
        f"{one['kills']} times `kill -9` at random moments ({hit}), then `--resume`",
        f"{one['folders']} of {one['folders']} outputs equal an undisturbed run byte for byte "
        f"({one['files']} files)",
    )


def signed_row(one: dict[str, Any]) -> tuple[str, str]:
    """Return the row on kills of what is signed."""
    kinds = one["kinds"].values()
    return (
        f"`kill -9`, {one['count']} times each, while " + ", ".join(one["kinds"]),
        f"no confirmed act, final report, signed result or reader's file lost, by hash "
        f"({sum(kind['files'] for kind in kinds):,} compared)",
    )


def mutants_row(one: dict[str, Any]) -> tuple[str, str]:
    """Return the row on mutants of all formats."""
    ends = one["formats"].values()
    total = sum(end.get("read", 0) + end.get("refused", 0) for end in ends)
    return (
        f"mutated files of {len(one['formats'])} kinds, {one['count']:,} each",
        f"{total:,} tried, {sum(e.get('read', 0) for e in ends):,} read, the others refused in one "
        f"line; {len(one['broken'])} tracebacks, hangs or gigabytes",
    )


def faults_row(one: dict[str, Any]) -> tuple[str, str]:
    """Return the row on faults."""
    ends = [row["status"] for row in one["faults"]]
    return (
        f"[{len(ends)} kinds of damage](tests/faults/README.md) to one level of a study",
        f"{ends.count(0)} borne, {ends.count(3)} cost their level, "
        f"{ends.count(2)} are refused with a line; no traceback",
    )


# --------------------------------------------------------------------------- pages


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary(found: dict[str, Any]) -> str:
    """Return README's table."""
    one = found["scaling"]
    rows = scaling_rows(one)
    kept = [rows[0], *rows[2:3], *rows[5:7]]
    kept += [
        million_row(one),
        kills_row(found["kills"]),
        signed_row(found["signed"]),
        faults_row(found["faults"]),
        mutants_row(found["mutants"]),
    ]
    note = (
        f"Measured {one['date']} on {one['machine']}; written by `tests/tools/batch_tables.py`. "
        "More of it, and how a million discs would run: "
        "[pipelines/README.md](pipelines/README.md#measured)."
    )
    return "\n".join([table(("many studies, bad days", ""), kept), "", note])


def whole(found: dict[str, Any]) -> str:
    """Return the table of pipelines/README.md."""
    one, mutants = found["scaling"], found["mutants"]
    rows = scaling_rows(one)
    faults = faults_row(found["faults"])
    link = (faults[0].replace("(tests/", "(../tests/"), faults[1])
    rows += [kills_row(found["kills"]), signed_row(found["signed"]), link, mutants_row(mutants)]
    each = [
        (name, str(end.get("read", 0)), str(end.get("refused", 0)), f"{end['seconds']}")
        for name, end in mutants["formats"].items()
    ]
    stamps = [f"- {stamp(found[name])}" for name in SCRIPTS]
    return "\n".join(
        [table(("", ""), rows), "", million(one), "", "Measured by", "", *stamps, "",
         "Mutants, by what was mutated:", "",
         table(("mutated", "read", "refused", "s of processor"), each)]
    )  # fmt: skip


def fault_table(found: dict[str, Any]) -> str:
    """Return the table of tests/faults/README.md."""
    words = {0: "analysed", 2: "refused", 3: "the level fails"}
    rows = [
        (row["name"], f"{row['status']}, {words[row['status']]}", escaped(row["sees"]))
        for row in found["faults"]["faults"]
    ]
    return table(("one level of a study is spoilt", "exit status", "what a user sees"), rows)


def escaped(text: str) -> str:
    """Return text that stays one cell of a table."""
    plain = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return plain or "(nothing: as of the whole study)"


def write_pages(found: dict[str, Any]) -> None:
    """Fill what can be filled."""
    if set(SCRIPTS) <= set(found):
        fill(README, "batch", summary(found))
        fill(PIPELINES, "batch", whole(found))
    if "faults" in found:
        fill(FAULTS, "faults", fault_table(found))


def main() -> None:
    """Measure one thing, or none, and write."""
    name, *options = sys.argv[1:] or ["pages"]
    found = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    if name != "pages":
        found[name] = measure(name, options)
        MEASURED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_pages(found)


if __name__ == "__main__":
    main()
