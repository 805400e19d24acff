"""`mrs-disc convert`: scanner files of one acquisition to NIfTI-MRS."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT.nii.gz or OUT.nii."
)
@click.option("--spectrometer-mhz", type=float, help="Where the file does not say it, MHz.")
@click.option("--dwell-time-s", type=float, help="Where the file does not say it, s.")
@click.option("--echo-time-s", type=float, help="Where the file does not say it, s.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def command(
    files: tuple[Path, ...],
    output: Path,
    spectrometer_mhz: float | None,
    dwell_time_s: float | None,
    echo_time_s: float | None,
    overwrite: bool,
) -> None:
    """Convert the scanner FILES of one acquisition to NIfTI-MRS.

    FILES are one file, all files of a series, or a folder with one series. Water that they hold
    beside the metabolites becomes a second file.

    Example: mrs-disc convert sample_data/lumbar_sdat/L4-L5_act.SDAT -o converted/L4-L5.nii.gz
    """
    from mrs_disc.io.acquire import Given
    from mrs_disc.io.convert import convert
    from mrs_disc.schema import validate

    values = {
        "spectrometer_mhz": spectrometer_mhz,
        "dwell_time_s": dwell_time_s,
        "echo_time_s": echo_time_s,
    }
    given = validate(values, Given, "options")
    for path in convert(files, output, given, overwrite=overwrite):
        click.echo(path)
