"""`mrs-disc demo`: the bundled study, from scanner files to its report."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path

import click


def demo_study() -> Path:
    """Return the folder of the bundled study; a source checkout keeps it in sample_data."""
    package = Path(str(resources.files("mrs_disc")))
    inside = package / "sample_data" / "demo"
    return inside if inside.is_dir() else package.parent / "sample_data" / "demo"


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder; default: a fresh one."
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier report in the folder.")
def command(output: Path | None, overwrite: bool) -> int:
    """Analyse the bundled study (five simulated lumbar discs) and print its impression.

    Example: mrs-disc demo
    """
    from mrs_disc.analysis import analyze
    from mrs_disc.cli.analyze import DEFAULT_FORMATS, exit_status, tell
    from mrs_disc.io import read_study
    from mrs_disc.report import check_output, write_report

    if output is not None:
        check_output(output, DEFAULT_FORMATS, None, overwrite=overwrite)
    report = analyze(read_study(demo_study()))
    folder = output or Path(tempfile.mkdtemp(prefix="mrs-disc-demo-"))
    paths = write_report(report, folder, formats=DEFAULT_FORMATS, overwrite=overwrite)
    tell(report, paths)
    click.echo("The study is simulated.")
    return exit_status(report, demo_study())
