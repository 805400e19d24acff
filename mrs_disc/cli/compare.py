"""`mrs-disc compare`: examinations of one person over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mrs_disc.analysis.course import Change
    from mrs_disc.data import Quantity

CHARTED = "log(acidity/structure)"


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def command(results: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """Compare RESULTS (results.json files or their folders) of one person, in order of time.

    Writes course.html and course.csv: the change of each disc with its interval, and the
    repeatability coefficient where discs were measured more than once.

    Example: mrs-disc compare out_bids/sub-03/ses-01 out_bids/sub-03/ses-02 -o course
    """
    from mrs_disc.analysis.course import cautions, course, examined, reviews
    from mrs_disc.errors import InputError
    from mrs_disc.record.file import read_results
    from mrs_disc.record.overlay import as_reviewed
    from mrs_disc.report.course import course_csv, course_html
    from mrs_disc.report.files import write_files
    from mrs_disc.words import harmless

    if len(results) < 2:
        raise InputError("compare needs two results.json or more, in the order of time")
    paths = [path / "results.json" if path.is_dir() else path for path in results]
    resolved = [path.resolve() for path in paths]
    for path in resolved:
        if resolved.count(path) > 1:
            raise InputError(f"{path.parent.name}/{path.name} is named twice; name each once")
    records = [as_reviewed(read_results(path), path) for path in paths]
    found = course(examined(records, [path.parent.name for path in resolved]))
    if not found.changes:
        raise InputError(
            "no level of these results has a quantity to compare: all failed, are poor, or were "
            "rejected on review"
        )
    chart = {c.level: [_point(v) for v in c.values] for c in found.changes if c.quantity == CHARTED}
    notes = [*cautions(records), *reviews(records, found.names)]
    page = course_html(
        names=found.names,
        changes=[_row(c) for c in found.changes],
        repeatability=[
            {"quantity": r.quantity, "coefficient": r.coefficient, "freedom": r.freedom}
            for r in found.repeatability
        ],
        notes=notes,
        chart=chart,
        quantity=CHARTED,
    )
    table = course_csv([_cells(c) for c in found.changes])
    files = {"course.html": page, "course.csv": table}
    for path in write_files(output, files, overwrite=overwrite, inputs=paths):
        click.echo(path)
    for note in notes:
        click.echo(f"mrs-disc: note: {harmless(note)}", err=True)


def _point(quantity: Quantity | None) -> tuple[float | None, float | None, float] | None:
    """Return value, low and high for the chart; of an upper limit only that."""
    if quantity is None:
        return None
    if quantity.limit is not None:
        return None if quantity.high is None else (None, None, quantity.high)
    if quantity.value is None:
        return None
    low = quantity.value if quantity.low is None else quantity.low
    high = quantity.value if quantity.high is None else quantity.high
    return quantity.value, low, high


def _row(change: Change) -> dict[str, Any]:
    from mrs_disc.report.course import change_words, value_words

    text = change.reason
    if change.difference is not None:
        text = change_words(change.difference, change.low, change.high)
    seen = [v for v in change.values if v is not None]
    return {
        "level": change.level,
        "quantity": change.quantity,
        "unit": next((v.unit for v in seen if v.unit and v.unit != "ratio of areas"), ""),
        "values": [
            "–" if v is None else value_words(v.value, v.low, v.high, v.limit)
            for v in change.values
        ],
        "change": text,
        "beyond": change.beyond_error,
    }


def _cells(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {"level": change.level, "quantity": change.quantity}
    for index, value in enumerate(change.values, start=1):
        row[f"value_{index}"] = None if value is None else value.value
        row[f"low_{index}"] = None if value is None else value.low
        row[f"high_{index}"] = None if value is None else value.high
        row[f"limit_{index}"] = None if value is None else value.limit
    return row | {
        "change": change.difference,
        "change_low": change.low,
        "change_high": change.high,
        "reason": change.reason,
    }
