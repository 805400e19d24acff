"""`mrs-disc analyze`: one study to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mrs_disc.cli import shared

if TYPE_CHECKING:
    from mrs_disc.data import StudyReport

DEFAULT_FORMATS = ("json", "html", "csv")


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@shared.recipe
@shared.levels
@shared.accept_levels
@shared.formats(
    "json, html, csv, pdf, png, text, xlsx, nifti, dicom, fhir; may be repeated. "
    "Default: json, html, csv."
)
@shared.dicom_reference
@shared.pairing
@click.option("--overwrite", is_flag=True, help="Replace an earlier report in the folder.")
def command(
    study: Path,
    output: Path,
    recipe: str | None,
    levels: tuple[str, ...],
    accept_levels: bool,
    formats: tuple[str, ...],
    dicom_reference: Path | None,
    pairing: Path | None,
    overwrite: bool,
) -> int:
    """Analyse STUDY (a BIDS folder, a study.toml, or a folder of scanner files).

    Example: mrs-disc analyze sample_data/lumbar_sdat -o out
    """
    from mrs_disc.analysis import analyze
    from mrs_disc.io import read_study
    from mrs_disc.report import asks_reference, check_output, write_report

    if not study.exists():  # what is wrong with the line itself is said first
        shared.refuse_idle_dicom_options(formats, dicom_reference)
    _spare_the_input(study, output)
    wanted = formats or DEFAULT_FORMATS
    read = read_study(study)
    if not asks_reference(read):  # [clinical] may want the day from it
        shared.refuse_idle_dicom_options(formats, dicom_reference)
    check_output(output, wanted, dicom_reference, overwrite=overwrite, study=read, levels=levels)
    _tell_pair(study, read.study_id, pairing, output)
    report = analyze(read, shared.accepting(recipe, accept_levels), levels=levels)
    paths = write_report(
        report,
        output,
        formats=wanted,
        dicom_reference=dicom_reference,
        overwrite=overwrite,
        say=lambda line: click.echo(f"mrs-disc: {line}", err=True),
    )
    tell(report, paths)
    return exit_status(report, study)


def _tell_pair(study: Path, study_id: str, pairing: Path | None, output: Path) -> None:
    """Say which folder a neutral id stands for, and keep it where that is asked for."""
    from mrs_disc.batch.pairing import keep_pairing, pairing_lines
    from mrs_disc.io.studies.study import named_by_content

    if not named_by_content(study):
        return
    pair = {study.resolve().name: study_id}
    if pairing is not None:
        keep_pairing(pairing, pair, output)
    for line in pairing_lines(pair, pairing is not None):
        click.echo(f"mrs-disc: {line}", err=True)


def tell(report: StudyReport, paths: Sequence[Path]) -> None:
    """Print the impression, the files, and a link that opens the page where there is one."""
    click.echo(f"{report.impression}\n")
    for path in paths:
        click.echo(path)
    if page := next((path for path in paths if path.suffix == ".html"), None):
        click.echo(f"\nReport: {page.resolve().as_uri()}")


def _spare_the_input(study: Path, output: Path) -> None:
    """Refuse to write results among the scanner's files, or into a subject of a dataset."""
    from mrs_disc.errors import InputError
    from mrs_disc.io.studies.bids import is_subject

    folder, target = (study.parent if study.is_file() else study).resolve(), output.resolve()
    if folder.is_dir() and target == folder:
        raise InputError(
            f"-o {output}: the study's own folder is never written to; choose another folder"
        )
    if is_subject(folder) and folder in target.parents:
        raise InputError(f"-o {output}: lies inside a subject of the dataset; choose another")


def exit_status(report: StudyReport, study: Path) -> int:
    """Return 3 where a level failed, else 0; tell on stderr of failures and what was left out."""
    from mrs_disc.constants import RESEARCH_USE
    from mrs_disc.io.studies.study import paths_of_labels
    from mrs_disc.record.findings import of_role, sentences
    from mrs_disc.words import harmless

    levels_of: dict[str, list[str]] = {}
    failures = []
    for found in report:
        usual = sentences(of_role(found.record.findings, "method"))
        for note in (note for note in found.record.notes if note not in usual):
            levels_of.setdefault(note, []).append(found.level)
        if found.failure is not None:
            failures.append(
                f"{found.level} failed ({found.failure.stage}): {found.failure.message}"
            )
    notices = [notice for notice in report.notices if notice != RESEARCH_USE]
    notes = [f"{', '.join(dict.fromkeys(names))}: {note}" for note, names in levels_of.items()]
    lines = (*notices, *notes, *failures)
    paths = paths_of_labels(study) if lines else {}
    for line in lines:
        click.echo(f"mrs-disc: {harmless(line + _behind_labels(line, paths))}", err=True)
    return 3 if failures else 0


def _behind_labels(line: str, paths: Mapping[str, str]) -> str:
    """Return which files the labels of a line stand for; reports keep the labels."""
    known: list[str] = []
    for label, path in sorted(paths.items(), key=lambda pair: -len(pair[0])):
        if label in line:
            known.insert(0, f"{label} is {path}")
            line = line.replace(label, "")  # the label of a whole begins those of its files
    return f" ({'; '.join(known)})" if known else ""
