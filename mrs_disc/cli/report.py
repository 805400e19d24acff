"""`mrs-disc report`: render a record again, without analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mrs_disc.cli import shared


@click.command()
@click.argument("results", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder.")
@shared.formats(
    "html, csv, pdf, png, text, xlsx, nifti, dicom, fhir, citation, json; may be repeated. "
    "Default: html."
)
@shared.dicom_reference
@click.option(
    "--paper",
    type=click.Choice(["a4", "letter"]),
    default="a4",
    show_default=True,
    help="Of the PDF.",
)
@click.option("--page-image", is_flag=True, help="With DICOM: the first page as an image too.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of results.json and stop.")
def command(
    results: Path | None,
    output: Path | None,
    formats: tuple[str, ...],
    dicom_reference: Path | None,
    paper: Literal["a4", "letter"],
    page_image: bool,
    overwrite: bool,
    schema: bool,
) -> int:
    """Render RESULTS (a results.json with its signals.npz, or their folder) again.

    Example: mrs-disc report out -o views --format pdf
    """
    if schema:
        import json

        from mrs_disc.record.json_schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2))
        return 0
    if results is None:
        raise click.UsageError("RESULTS is missing: give a results.json, or its folder")
    if output is None:
        raise click.UsageError("-o OUT is missing: give the folder to write to")
    shared.refuse_idle_dicom_options(formats, dicom_reference, page_image=page_image)
    from mrs_disc.report import render_results

    paths = render_results(
        results,
        output,
        formats=formats or ("html",),
        overwrite=overwrite,
        dicom_reference=dicom_reference,
        paper=paper,
        secondary_capture=page_image,
        say=lambda line: click.echo(f"mrs-disc: {line}", err=True),
    )
    for path in paths:
        click.echo(path)
    return 0
