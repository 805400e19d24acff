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

_LABELS = ("--participant-label", "--participant_label")


class ManyLabels(click.Command):
    """A command whose labels may follow their option all at once, as BIDS Apps take them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its labels."""
        return super().parse_args(ctx, repeated(args))


def repeated(words: list[str]) -> list[str]:
    """Return the command line with the option of labels before each label.

    >>> repeated(["in", "out", "participant", "--participant_label", "01", "02", "--jobs", "2"])
    ['in', 'out', 'participant', '--participant-label', '01', '--participant-label', '02', \
'--jobs', '2']
    """
    result: list[str] = []
    inside = False
    for number, word in enumerate(words):
        option, equals, label = word.partition("=")
        if option in _LABELS:
            inside = not equals
            followed = number + 1 < len(words) and not words[number + 1].startswith("-")
            if equals:
                result += [_LABELS[0], label]
            elif not followed:
                result.append(_LABELS[0])
        elif inside and not word.startswith("-"):
            result += [_LABELS[0], word]
        else:
            inside = False
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
@click.version_option(__version__, "-v", "--version", message="mrs_disc %(version)s")
@shared.recipe
@click.option("--jobs", "--n-cpus", "--n_cpus", type=click.IntRange(1, 1024), help="Workers.")
def command(
    bids: Path,
    output: Path,
    stage: str,
    participants: tuple[str, ...],
    recipe: str | None,
    jobs: int | None,
) -> int:
    """Analyse the participants of the dataset BIDS into OUTPUT, or join them (group).

    'participant' is 'batch --resume' without the tables, 'group' is 'collect'. Calls for
    different participants may run at the same time.

    Example: mrs-disc bids-app sample_data/bids out_app participant --participant-label 01 02
    """
    from mrs_disc.batch.run import BatchOptions
    from mrs_disc.errors import InputError

    if stage == "group":
        if not bids.is_dir():
            raise InputError(f"{bids}: there is no such folder")
        return collect(output)
    options = BatchOptions(
        recipe=recipe,
        jobs=jobs or cpu_count(),
        resume=True,
        participants=participants,
        time_limit_s=TIME_LIMIT_S,
        memory_limit_gb=MEMORY_LIMIT_GB,
        collect=False,
    )
    return run(bids, output, options, to_resume="")
