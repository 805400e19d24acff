"""`mrs-disc collect`: the tables of a dataset, rebuilt from the studies' results."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
def command(output: Path) -> int:
    """Rebuild the tables and the page of a batch's OUTPUT from the studies' results in it.

    Reviews are honoured. Can be run at any time, also while shards are at work.

    Example: mrs-disc collect out_bids
    """
    return collect(output)


def collect(output: Path) -> int:
    """Rebuild, say what there is, return the exit status."""
    from mrs_disc.batch.collect import collect_results
    from mrs_disc.words import counted

    found = collect_results(output)
    click.echo(
        f"mrs-disc: {counted(found.n_studies, 'study')}, {found.n_studies_failed} of them failed; "
        f"{counted(found.n_levels, 'level')}, {found.n_levels_failed} of them failed",
        err=True,
    )
    for note in found.notes:
        click.echo(f"mrs-disc: note: {note}", err=True)
    failed = bool(found.n_studies_failed or found.n_levels_failed)
    if failed:
        click.echo(f"mrs-disc: {output / 'failures.tsv'} says what failed, and why", err=True)
    click.echo(output / "levels.tsv")
    click.echo(output / "index.html")
    return 3 if failed else 0
