"""`mrs-disc fetch`: a study from an archive, into a folder."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import click

_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_DATES = re.compile(r"\d{8}(-(\d{8})?)?|-\d{8}")


@click.command()
@click.option("--from", "source", required=True, metavar="AE@HOST:PORT|URL", help="The archive.")
@click.option("--study", metavar="UID", help="StudyInstanceUID.")
@click.option("--patient", metavar="ID", help="PatientID, where the study is not known.")
@click.option("--date", metavar="YYYYMMDD", help="Of the study; a range is 20250101-20250131.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--calling", default="MRS_DISC", show_default=True, help="Our own AE title.")
@click.option(
    "--move",
    metavar="[HOST:]PORT",
    help="Fetch by C-MOVE: the archive sends to this port of ours, and has to know it.",
)
def command(
    source: str,
    study: str | None,
    patient: str | None,
    date: str | None,
    output: Path,
    calling: str,
    move: str | None,
) -> int:
    """Fetch the MR objects of a study by C-FIND and C-GET or C-MOVE, or QIDO-RS and WADO-RS.

    With --move the archive needs an entry for us: our AE title, this machine's address, the port.
    It is listened to on 127.0.0.1 unless HOST says otherwise, while the study comes.

    The folder has to be absent or empty, and appears when all is there. Then: mrs-disc init OUTPUT.

    Example: mrs-disc fetch --from ORTHANC@127.0.0.1:4242 --study 1.2.3 -o fetched
    """
    from mrs_disc.errors import InputError, OutputError
    from mrs_disc.files import writing
    from mrs_disc.node.config import parse_destination
    from mrs_disc.node.fetch import fetch_study
    from mrs_disc.node.remote import find
    from mrs_disc.words import counted

    if not (study or patient):
        raise click.UsageError("--study UID is missing, or --patient ID with --date")
    if study and not _UID.fullmatch(study):
        raise click.UsageError(
            f"--study {study[:64]}: a StudyInstanceUID is digits and dots, as 1.2.840.113619.2.1"
        )
    if date and not _DATES.fullmatch(date):
        raise click.UsageError(f"--date {date[:64]}: YYYYMMDD expected, or a range of two with -")
    with writing(output), suppress(FileNotFoundError):
        output.lstat()  # also what no file can be called is said before anyone is asked
        if not output.is_dir() or any(output.iterdir()):
            raise OutputError(f"{output} is there already and not empty; choose another folder")
    archive = parse_destination(source)
    listen = _address(move) if move is not None else None
    if listen is not None and archive.url is not None:
        raise click.UsageError("--move is for an AE@HOST:PORT; a URL is asked by WADO-RS")
    found = find(
        archive, study=study or "", patient=patient or "", date=date or "", calling=calling
    )
    if not found:
        raise InputError(f"{archive.name} has no such study; is the identifier right?")
    if len(found) > 1:
        for one in found:
            click.echo(f"{one.study_uid}\t{one.date}", err=True)
        raise InputError(f"{len(found)} studies fit; name one of these with --study, or a --date")
    n = fetch_study(archive, found[0].study_uid, output, calling, listen)
    click.echo(f"mrs-disc: {counted(n, 'object')}; then: mrs-disc init {output}", err=True)
    click.echo(output)
    return 0


def _address(text: str) -> tuple[str, int]:
    """Return the address and port to listen on."""
    host, _, port = text.rpartition(":")
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise click.UsageError(f"--move {text}: a port is expected, as 11113 or 192.168.1.9:11113")
    return host.strip("[]") or "127.0.0.1", int(port)
