"""`mrs-disc batch`: every study of a dataset."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from mrs_disc.cli import shared

if TYPE_CHECKING:
    from mrs_disc.batch.run import BatchOptions
    from mrs_disc.recipe import Recipe


class Chosen(TypedDict):
    """What the options say, under the names of `BatchOptions`."""

    recipe: str | Recipe | None
    jobs: int
    shard: tuple[int, int]
    resume: bool
    participants: tuple[str, ...]
    levels: tuple[str, ...]
    formats: tuple[str, ...]
    time_limit_s: float | None
    memory_limit_gb: float | None
    pairing: Path | None


TIME_LIMIT_S = 1800.0
MEMORY_LIMIT_GB = 4.0


def cpu_count() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shard(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    from mrs_disc.batch.plan import parse_shard

    return parse_shard(value)


def _none_for_zero(_: click.Context, __: click.Parameter, value: float) -> float | None:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number; 0 stands for no limit")
    return value or None


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@shared.recipe
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    default=cpu_count,
    help="Worker processes. Default: one per processor.",
)
@click.option(
    "--shard",
    metavar="I/N",
    default="1/1",
    callback=_shard,
    help="Only part I of N, as on a cluster.",
)
@shared.pairing
@click.option("--resume", is_flag=True, help="Keep results that still hold; redo the others.")
@click.option("--dry-run", is_flag=True, help="List what would be done, and why; write nothing.")
@click.option(
    "--participant-label",
    "participants",
    multiple=True,
    metavar="LABEL",
    help="Only this participant, with or without sub-; may be repeated.",
)
@shared.levels
@shared.accept_levels
@shared.formats(
    "html, csv, pdf, png, text, xlsx, nifti, dicom (of DICOM input), fhir, or json alone; "
    "may be repeated. Default: json and html."
)
@click.option(
    "--time-limit",
    "time_limit_s",
    callback=_none_for_zero,
    type=click.FloatRange(0),
    default=TIME_LIMIT_S,
    show_default=True,
    help="Longest time for one study, s; 0: none.",
)
@click.option(
    "--memory-limit",
    "memory_limit_gb",
    callback=_none_for_zero,
    type=click.FloatRange(0),
    default=MEMORY_LIMIT_GB,
    show_default=True,
    help="Data memory of one worker, GiB; 0: none.",
)
def command(
    dataset: Path, output: Path, dry_run: bool, accept_levels: bool, **chosen: Unpack[Chosen]
) -> int:
    """Analyse every study of DATASET (BIDS, or a folder of study folders) into OUTPUT.

    Each study gets a folder of its own, which appears when it is whole; the tables of the
    dataset are made at the end (after shards, by 'mrs-disc collect'). A study folder whose name
    is no code, as it may be a person's, is called by a neutral id; the terminal shows the pairs.

    Example: mrs-disc batch sample_data/bids -o out_bids --jobs 2
    """
    from mrs_disc.batch.run import BatchOptions

    chosen["recipe"] = shared.accepting(chosen["recipe"], accept_levels)
    options = BatchOptions(**chosen)
    return show_plan(dataset, output, options) if dry_run else run(dataset, output, options)


def show_plan(dataset: Path, output: Path, options: BatchOptions) -> int:
    """Print study, action and reason, tab-separated, and how many of each."""
    from mrs_disc.batch.pairing import pairing_lines, pairs_of
    from mrs_disc.batch.run import plan_batch
    from mrs_disc.record.table import cell

    counts: dict[str, int] = {}
    pairs: dict[str, str] = {}
    for task, decision in plan_batch(dataset, output, options):
        click.echo(f"{cell(task.key)}\t{decision.action}\t{decision.why}")
        counts[decision.action] = counts.get(decision.action, 0) + 1
        pairs |= pairs_of([task])
    for line in pairing_lines(pairs, options.pairing is not None):
        click.echo(f"mrs-disc: {line}", err=True)
    total = ", ".join(f"{n} {action}" for action, n in sorted(counts.items()))
    click.echo(f"mrs-disc: {total or 'no study in this shard'}; nothing was done", err=True)
    return 0


def run(
    dataset: Path, output: Path, options: BatchOptions, *, to_resume: str = " with --resume"
) -> int:
    """Run the batch; return its exit status."""
    from mrs_disc.batch.progress import progress_on
    from mrs_disc.batch.run import run_batch

    summary = run_batch(dataset, output, options, progress=progress_on(sys.stderr))
    click.echo(f"mrs-disc: {summary}", err=True)
    if summary.interrupted:
        click.echo(
            f"mrs-disc: interrupted; what is there is whole. The same command{to_resume} goes "
            f"on; 'mrs-disc collect {output}' makes the tables of what there is.",
            err=True,
        )
        return 130
    if summary.collected is None:
        click.echo(
            f"mrs-disc: 'mrs-disc collect {output}' makes the tables when all shards are through",
            err=True,
        )
        click.echo(output)
    else:
        for note in summary.collected.notes:
            click.echo(f"mrs-disc: note: {note}", err=True)
        if summary.failures:
            click.echo(f"mrs-disc: {output / 'failures.tsv'} says what failed, and why", err=True)
        click.echo(output / "levels.tsv")
        click.echo(output / "index.html")
    return 3 if summary.failures else 0
