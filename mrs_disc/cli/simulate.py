"""`mrs-disc simulate`: studies with known truth, as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mrs_disc.simulate.dataset import Form

_FORMS = ("nifti", "sdat", "rda", "dicom")
_PROTOCOLS = ("typical", "weak")


@click.command()
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder; absent or empty.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all.")
@click.option(
    "--subjects",
    type=click.IntRange(1, 9999),
    default=1,
    show_default=True,
    help="How many persons, one study each.",
)
@click.option(
    "--levels",
    default="L1-L2,L2-L3,L3-L4,L4-L5,L5-S1",
    show_default=True,
    help="Disc levels, separated by commas.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(_FORMS),
    default="nifti",
    show_default=True,
    help="BIDS-MRS with coils and transients, or a scanner's files with study.toml.",
)
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default="typical",
    show_default=True,
    help="SNR of a typical examination, or a quarter of it.",
)
def command(output: Path, seed: int, subjects: int, levels: str, form: Form, protocol: str) -> None:
    """Write simulated studies and their truth (truth.json).

    Example: mrs-disc simulate -o simulated --seed 1 --subjects 3 --as sdat
    """
    from mrs_disc.simulate import SNR_OF_PROTOCOL, Scan, simulate_study
    from mrs_disc.simulate.dataset import Simulated, write_dataset

    wanted = [word.strip() for word in levels.split(",") if word.strip()]
    scan = Scan(snr_factor=SNR_OF_PROTOCOL[protocol])
    simulate_study(
        seed, levels=wanted, anatomy=False
    )  # says what is wrong before anything is written

    def studies() -> Iterator[Simulated]:
        for subject in range(1, subjects + 1):
            study, truth = simulate_study(
                seed, levels=wanted, subject=subject, scan=scan, study_id=f"sub-{subject:02d}"
            )
            yield Simulated(study=study, truth=truth)

    name = f"Simulated discs, seed {seed}, {protocol} protocol"
    folders = write_dataset(output, studies(), form=form, name=name)
    for folder in folders:
        click.echo(folder)
