"""`mrs-disc send`: the DICOM objects of results, to an archive."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="AE@HOST:PORT|URL", help="The archive.")
@click.option("--calling", default="MRS_DISC", show_default=True, help="Our own AE title.")
def command(results: Path, to: str, calling: str) -> int:
    """Send the DICOM objects in RESULTS (made with --format dicom) by C-STORE or STOW-RS.

    Of a study that was signed, the final objects. Exit 3 where the archive does not take them.

    Example: mrs-disc send report --to ORTHANC@127.0.0.1:4242
    """
    from mrs_disc.errors import InputError
    from mrs_disc.node.config import parse_destination
    from mrs_disc.node.remote import RemoteError, send

    destination = parse_destination(to)
    paths = objects_of(results)
    if not paths:
        raise InputError(
            f"{results}: holds no DICOM objects; make them with: mrs-disc report {results} "
            f"-o {results} --format dicom --dicom-reference FILE"
        )
    try:
        send(destination, paths, calling)
    except RemoteError as error:
        click.echo(f"mrs-disc: {error}", err=True)
        return 3
    for path in paths:
        click.echo(path)
    return 0


def objects_of(results: Path) -> list[Path]:
    """Return the objects of a folder of results: the latest signature's, else the preliminary.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    from mrs_disc.errors import NoSuchPathError
    from mrs_disc.record.overlay import read_review
    from mrs_disc.record.review import FINAL_FOLDER, LOG_NAME

    if not results.exists():
        raise NoSuchPathError(results, "folder")
    if results.is_file():
        return [results]
    places = [results / "dicom", results]
    if (results / LOG_NAME).is_file() and (review := read_review(results)).signed:
        places.insert(0, results / FINAL_FOLDER / review.head[:12] / "dicom")
    return next((found for place in places if (found := sorted(place.glob("*.dcm")))), [])
