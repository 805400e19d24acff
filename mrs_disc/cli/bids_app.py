"""`mrs-disc bids-app`: batch and collect as BIDS Apps are called.

Source of the convention: Gorgolewski et al., PLoS Comput Biol 2017;13:e1005209,
doi:10.1371/journal.pcbi.1005209.
"""

from __future__ import annotations

from pathlib import Path

import click

from mrs_disc._version import __version__
from mrs_disc.cli import shared
from mrs_disc.cli.batch import MEMORY_LIMIT_GB, TIME_LIMIT_S, cpu_count, run
from mrs_disc.cli.collect import collect

_LABELS = ("--participant-label", "--session-label")
_LEAST_MB = 512
"""Of a worker: an analysis takes a fifth of it."""


class ManyLabels(click.Command):
    """A command whose labels may follow their option all at once, as BIDS Apps take them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take options with underscores too, and repeat one of labels before each of them."""
        return super().parse_args(ctx, repeated([hyphenated(word) for word in args]))


def hyphenated(word: str) -> str:
    """Return an option as it is written here; BIDS Apps write it in both ways.

    >>> hyphenated("--bids_filter_file=a_b.json"), hyphenated("sub_01")
    ('--bids-filter-file=a_b.json', 'sub_01')
    """
    option, equals, value = word.partition("=")
    return option.replace("_", "-") + equals + value if option.startswith("--") else word


def repeated(words: list[str]) -> list[str]:
    """Return the command line with the option of labels before each label.

    >>> repeated(["in", "out", "participant", "--participant-label", "01", "02", "--jobs", "2"])
    ['in', 'out', 'participant', '--participant-label', '01', '--participant-label', '02', \
'--jobs', '2']
    """
    result: list[str] = []
    inside = ""
    for number, word in enumerate(words):
        option, equals, label = word.partition("=")
        if option in _LABELS:
            inside = "" if equals else option
            followed = number + 1 < len(words) and not words[number + 1].startswith("-")
            if equals:
                result += [option, label]
            elif not followed:
                result.append(option)
        elif inside and not word.startswith("-"):
            result += [inside, word]
        else:
            inside = ""
            result.append(word)
    return result


@click.command(cls=ManyLabels)
@click.argument("bids", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("stage", type=click.Choice(["participant", "group"]))
@click.option(
    "--participant-label",
    "participants",
    multiple=True,
    metavar="LABEL...",
    help="Only these participants, with or without sub-.",
)
@click.option(
    "--session-label",
    "sessions",
    multiple=True,
    metavar="LABEL...",
    help="Only these sessions, with or without ses-.",
)
@click.option(
    "--bids-filter-file",
    type=click.Path(path_type=Path),
    help='JSON that says which files are taken: {"svs": {"acquisition": "press"}}.',
)
@click.option("--skip-bids-validator", is_flag=True, help="Accepted: no validator is run.")
@click.option(
    "-w",
    "--work-dir",
    type=click.Path(path_type=Path),
    help="Folder for temporary files of libraries; unfinished results lie in OUTPUT, hidden.",
)
@click.option(
    "--mem-mb",
    type=click.IntRange(_LEAST_MB),
    help="Memory of all workers, MiB: bounds each, and how many there are.",
)
@click.version_option(__version__, "-v", "--version", message="mrs_disc %(version)s")
@shared.recipe
@shared.accept_levels
@click.option(
    "--jobs", "--n-cpus", "--nprocs", type=click.IntRange(1, 1024), help="Worker processes."
)
def command(
    bids: Path,
    output: Path,
    stage: str,
    participants: tuple[str, ...],
    sessions: tuple[str, ...],
    bids_filter_file: Path | None,
    skip_bids_validator: bool,
    work_dir: Path | None,
    mem_mb: int | None,
    recipe: str | None,
    accept_levels: bool,
    jobs: int | None,
) -> int:
    """Analyse the participants of the dataset BIDS into OUTPUT, or join them (group).

    'participant' is 'batch --resume' without the tables, 'group' is 'collect'. Calls for
    different participants or sessions may run at the same time. Options may be written with
    underscores.

    Example: mrs-disc bids-app sample_data/bids out_app participant --participant-label 01 02
    """
    from mrs_disc.batch.run import BatchOptions
    from mrs_disc.errors import InputError
    from mrs_disc.io.studies.bids_filter import Filters, read_filters

    if stage == "group":
        if not bids.is_dir():
            raise InputError(f"{bids}: there is no such folder")
        return collect(output)
    filters: Filters = {}
    if bids_filter_file is not None:
        filters = read_filters(bids_filter_file)
        named = filters.get("svs", {})  # studies of others are none of this run's
        participants = participants or tuple(one for one in named.get("sub", ()) if one)
        sessions = sessions or tuple(one for one in named.get("ses", ()) if one)
    if work_dir is not None:
        _use_work_dir(work_dir, bids)
    jobs = jobs or cpu_count()
    memory_limit_gb = MEMORY_LIMIT_GB
    if mem_mb is not None:
        jobs = min(jobs, mem_mb // _LEAST_MB)
        memory_limit_gb = min(memory_limit_gb, mem_mb / 1024 / jobs)
    options = BatchOptions(
        recipe=shared.accepting(recipe, accept_levels),
        jobs=jobs,
        resume=True,
        participants=participants,
        sessions=sessions,
        filters=filters,
        time_limit_s=TIME_LIMIT_S,
        memory_limit_gb=memory_limit_gb,
        collect=False,
    )
    return run(bids, output, options, to_resume="")


def _use_work_dir(work_dir: Path, bids: Path) -> None:
    """Let this process and its workers keep temporary files there.

    Raises
    ------
    InputError
        If it lies in the dataset, which is never written to.
    OutputError
        If it cannot be made.
    """
    import os
    import tempfile

    from mrs_disc.errors import InputError
    from mrs_disc.files import writing

    place, dataset = work_dir.resolve(), bids.resolve()
    if place == dataset or dataset in place.parents:
        raise InputError(f"--work-dir {work_dir}: lies in the dataset, which is never written to")
    with writing(work_dir):
        work_dir.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(place)
    tempfile.tempdir = None  # asked for anew
