"""`mrs-disc review`: the local review page over analysed studies."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from mrs_disc.errors import InputError


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(1024, 65535), help="On 127.0.0.1. Default: 8642, or a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option(
    "--dicom-reference",
    type=click.Path(path_type=Path),
    help="A DICOM file of the patient, for the final DICOM; over a batch a folder with "
    "<study>.dcm or <study>/ for each.",
)
@click.option(
    "--show-patient",
    is_flag=True,
    help="Head each study with the patient's name and number, from its DICOM objects.",
)
def command(
    out: Path,
    port: int | None,
    no_browser: bool,
    dicom_reference: Path | None,
    show_patient: bool,
) -> int:
    """Open the review page over OUT, the output of analyze or batch.

    The printed address opens it once, in one browser on this machine. Decisions and signatures go
    to review.jsonl beside each results.json, which is never changed. Ctrl+C or the page's own
    button stops it.

    Example: mrs-disc review out_bids
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the review page needs {' and '.join(missing)}: pip install 'mrs-disc[review]'"
        )
    if dicom_reference is not None and not dicom_reference.exists():
        raise InputError(
            f"--dicom-reference {dicom_reference.name}: there is no such file or folder"
        )
    from mrs_disc.review.server import serve

    def announce(address: str) -> None:
        click.echo(address)
        click.echo("The address opens once, in one browser. Stop with Ctrl+C.", err=True)

    serve(
        out,
        port,
        announce=announce,
        browser=not no_browser,
        dicom_reference=dicom_reference,
        show_patient=show_patient,
    )
    return 0
