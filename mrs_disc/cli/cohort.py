"""`mrs-disc cohort`: what the discs of many studies tell together."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("derivatives", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="COLUMN",
    help="Compare discs by this column of the disc table or of participants.tsv; may be repeated. "
    "Default: provocation and pfirrmann.",
)
@click.option(
    "--quantity",
    "quantities",
    multiple=True,
    metavar="NAME",
    help="Only this quantity; may be repeated. Default: all, and the likelihood ratio.",
)
@click.option(
    "--participants",
    type=click.Path(path_type=Path),
    help="The dataset's participants.tsv; default: the one in DERIVATIVES, where there is one.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def command(
    derivatives: Path,
    output: Path,
    groups: tuple[str, ...],
    quantities: tuple[str, ...],
    participants: Path | None,
    overwrite: bool,
) -> None:
    """Compare groups, draw ROC curves and judge repeats over all studies in DERIVATIVES.

    Writes cohort.txt (methods, and what could not be done) and a table with its picture for groups
    of discs (mixed model, patient as random effect), score against provocation (area under the
    curve), and repeated runs (ICC, repeatability). Upper limits count as limits everywhere. What
    cannot be done for want of discs is a sentence and no error.

    Example: mrs-disc cohort out_bids -o cohort --participants sample_data/bids/participants.tsv
    """
    from mrs_disc.batch.cohort import WRITTEN, cohort_files
    from mrs_disc.batch.whole import read_cohort
    from mrs_disc.files import is_regular
    from mrs_disc.report.files import write_files
    from mrs_disc.tables import read_table
    from mrs_disc.words import harmless

    table = read_cohort(derivatives)
    if participants is None and is_regular(derivatives / "participants.tsv"):
        participants = derivatives / "participants.tsv"
    known: dict[str, dict[str, str]] = {}
    if participants is not None:
        for row in read_table(participants, needed=("participant_id",)):
            cells = dict(row.cells)
            known[cells.pop("participant_id")] = cells
    files, left = cohort_files(table, groups=groups, quantities=quantities, participants=known)
    inputs = [] if participants is None else [participants]
    replaced = WRITTEN if (output / "cohort.txt").is_file() else ()
    for path in write_files(output, files, overwrite=overwrite, inputs=inputs, replaced=replaced):
        click.echo(path)
    for sentence in left:
        click.echo(f"mrs-disc: note: {harmless(sentence, 400)}", err=True)
