"""`mrs-disc compare`: examinations of one person over time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mrs_disc.analysis.course import Change, Error
    from mrs_disc.data import Quantity
    from mrs_disc.record.level import Level, Results

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
    from mrs_disc.analysis.course import alike, cautions, course, examined, reviews, uncertain
    from mrs_disc.errors import InputError
    from mrs_disc.io import is_code
    from mrs_disc.record.file import read_results
    from mrs_disc.report.bands import acidity_bands
    from mrs_disc.report.course import course_csv, course_html
    from mrs_disc.report.files import write_files
    from mrs_disc.scoring.again import as_reviewed
    from mrs_disc.words import harmless

    if len(results) < 2:
        raise InputError("compare needs two results.json or more, in the order of time")
    paths = [path / "results.json" if path.is_dir() else path for path in results]
    resolved = [path.resolve() for path in paths]
    for path in resolved:
        if resolved.count(path) > 1:
            raise InputError(f"{path.parent.name}/{path.name} is named twice; name each once")
    records = [as_reviewed(read_results(path), path) for path in paths]
    error: Error = "repetition" if alike(records) else "truth"
    folders = [path.parent.name for path in resolved]  # in outputs only where they are codes
    folders = [name if is_code(name) else f"{k}" for k, name in enumerate(folders, start=1)]
    found = course(examined(records, folders), error=error)
    if not found.changes:
        raise InputError(
            "no level of these results has a quantity to compare: all failed, are poor, or were "
            "rejected on review"
        )
    chart = {c.level: [_point(v) for v in c.values] for c in found.changes if c.quantity == CHARTED}
    doubts = uncertain(records)
    notes = [*cautions(records), *reviews(records, found.names)]
    page = course_html(
        names=found.names,
        dates=[str(r.clinical.get("examination_date", "")) for r in records],
        judged=_judged(records),
        changes=[_row(c, doubts.get(c.level, "")) for c in found.changes],
        repeatability=[asdict(one) for one in found.repeatability],
        notes=notes,
        errors=sorted({c.error for c in found.changes if c.error}),
        chart=chart,
        quantity=CHARTED,
        bands=acidity_bands(records[-1]),
    )
    rows = [_cells(c, doubts.get(c.level, "")) for c in found.changes]
    table = course_csv([row | _judged_cells(str(row["level"]), records) for row in rows])
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


def _judged(records: Sequence[Results]) -> list[dict[str, Any]]:
    """Return what each examination said of each disc, in the words of the report."""
    from mrs_disc.record.levels import level_order
    from mrs_disc.report.level_content import evidence_words, score_words
    from mrs_disc.report.words import LABEL_KIND, LABEL_SHAPE, VERDICT_SHAPE

    def words(level: Level | None) -> dict[str, str]:
        if level is None or level.score is None or level.quality is None:
            absent = "not examined" if level is None else "not measured"
            return {"label": absent, "shape": "", "kind": "failed", "more": "", "quality": ""}
        score, verdict = level.score, level.quality.verdict
        told = [f"likelihood ratio {evidence_words(score)}"] if score.evidence else []
        told += [f"probability {score_words(score)}"] if score.value is not None else []
        return {
            "label": score.label,
            "shape": LABEL_SHAPE[score.label],
            "kind": LABEL_KIND[score.label],
            "more": "; ".join(told),
            "quality": f"{VERDICT_SHAPE[verdict]} {verdict}",
        }

    names = sorted({name for record in records for name in record.best}, key=level_order)
    return [
        {"level": name, "seen": [words(record.best.get(name)) for record in records]}
        for name in names
    ]


_JUDGED = ("label", "likelihood_ratio", "score", "score_low", "score_high", "verdict")


def _judged_cells(name: str, records: Sequence[Results]) -> dict[str, Any]:
    """Return a disc's columns of judgement: one of each for every examination."""
    from mrs_disc.record.table import cells_of

    row: dict[str, Any] = {}
    for n, record in enumerate(records, start=1):
        level = record.best.get(name)
        cells = dict.fromkeys(_JUDGED) if level is None else cells_of(level, _JUDGED)
        row[f"date_{n}"] = record.clinical.get("examination_date")
        row |= {f"{column}_{n}": value for column, value in cells.items()}
    return row


def _row(change: Change, doubt: str) -> dict[str, Any]:
    from mrs_disc.report.course import change_words, value_words

    text = change.reason
    if change.difference is not None:
        text = change_words(change.difference, change.low, change.high)
    seen = [v for v in change.values if v is not None]
    return {
        "level": f"{change.level} ({doubt})" if doubt else change.level,
        "quantity": change.quantity,
        "unit": next((v.unit for v in seen if v.unit and v.unit != "ratio of areas"), ""),
        "values": [
            "–" if v is None else value_words(v.value, v.low, v.high, v.limit)
            for v in change.values
        ],
        "change": text,
        "beyond": change.beyond_error,
    }


def _cells(change: Change, doubt: str) -> dict[str, Any]:
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
        "change_error": change.error,
        "reason": change.reason,
        "level_doubt": doubt,
    }
