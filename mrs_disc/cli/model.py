"""`mrs-disc model`: list, show, check or calibrate models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from mrs_disc.cli import shared


@click.group(cls=shared.Group)
def command() -> None:
    """List, show, check or calibrate models."""


@command.command("list")
def list_models() -> None:
    """Print the shipped models: name, kind, what each is for.

    Example: mrs-disc model list
    """
    from mrs_disc.models import model_names
    from mrs_disc.models.any_kind import kind_of, load_any_model

    for name in model_names():
        model, _ = load_any_model(name)
        head = f"{name}@{model.version}"
        click.echo(f"{head:24s} {kind_of(model):22s} {model.description}")


@command.command()
@click.argument("name", shell_complete=shared.complete_model)
def show(name: str) -> None:
    """Print the card of model NAME, then the model itself.

    NAME is that of a shipped model, or a TOML file.

    Example: mrs-disc model show acidity_structure
    """
    from mrs_disc.models import model_path
    from mrs_disc.scoring.card import model_card

    model, _ = _checked(name)
    for line in model_card(model):
        click.echo(f"# {line}" if line else "#")
    click.echo(model_path(name).read_text(encoding="utf-8"), nl=False)


@command.command()
@click.argument("file", shell_complete=shared.complete_model)
def check(file: str) -> None:
    """Check a model of any kind, and print its digest.

    Example: mrs-disc model check disc_1h
    """
    model, digest = _checked(file)
    click.echo(f"{model.name}@{model.version}: valid, digest {digest}")


@command.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="MODEL.toml to write."
)
@click.option(
    "--kind",
    type=click.Choice(["population", "logistic"]),
    default="population",
    show_default=True,
    help="Population model by maximum likelihood, or L2-penalised logistic regression.",
)
@click.option("--outcome", default="provocation", show_default=True, help="Column of the outcome.")
@click.option(
    "--quantity",
    "quantities",
    multiple=True,
    help="For --kind logistic: a column; may be repeated. Default: acidity/structure.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 50),
    default=5,
    show_default=True,
    help="Of the cross-validation; all discs of a patient are in one.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def calibrate(
    table: Path,
    output: Path,
    kind: Literal["population", "logistic"],
    outcome: str,
    quantities: tuple[str, ...],
    folds: int,
    overwrite: bool,
) -> None:
    """Fit a score model to TABLE, discs with outcomes.

    TABLE is a levels.tsv with a column of outcomes; the model is cross-validated by patient.
    Writes MODEL.toml, which a recipe can name, and its card MODEL.html.

    Example: mrs-disc model calibrate sample_data/cohort/levels.tsv -o local.toml
    """
    from mrs_disc.calibrate import calibrate as fit_to
    from mrs_disc.calibrate.write import card_html, model_toml
    from mrs_disc.errors import InputError
    from mrs_disc.report.files import write_files

    if output.suffix != ".toml":
        raise InputError(f"-o {output.name}: the model is a TOML file; name it *.toml")
    if quantities and kind != "logistic":
        raise InputError("--quantity is for --kind logistic; the population model has its own")
    found = fit_to(
        table,
        name=_model_name(output.stem),
        kind=kind,
        outcome=outcome,
        quantities=quantities,
        folds=folds,
    )
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    files = {
        output.name: model_toml(found).encode("utf-8"),
        f"{output.stem}.html": card_html(found).encode("utf-8"),
    }
    figures = found.assessment
    for path in write_files(output.parent, files, overwrite=overwrite, inputs=[table]):
        click.echo(path)
    click.echo(
        f"cross-validated by patient: AUC {figures.auc:.3f} ({figures.auc_low:.3f} to "
        f"{figures.auc_high:.3f}), Brier score {figures.brier:.3f} "
        f"({figures.n_discs} discs, {figures.n_painful} painful, {figures.n_patients} patients)",
        err=True,
    )


@command.command("import")
@click.argument("basis", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="MODEL.toml to write."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def import_(basis: Path, output: Path, overwrite: bool) -> int:
    """Make a metabolite model of BASIS, a basis set of another program.

    Taken are LCModel's .basis (spant's too), Osprey's MAT file, a jMRUI file, and a folder of
    LCModel .raw, jMRUI or FSL-MRS JSON files; BasisREMY writes any of these. Writes MODEL.toml and
    a folder of FIDs beside it, and fits the model to the sum of its own components. Exit status 3:
    that sum is not found.

    Example: mrs-disc model import sample_data/basis/three.basis -o out_model/three.toml
    """
    from mrs_disc.analysis.own_sum import own_sum
    from mrs_disc.errors import InputError
    from mrs_disc.models import load_metabolite_model
    from mrs_disc.models.basis_sets import model_files, read_basis_set
    from mrs_disc.report.files import write_files

    if output.suffix != ".toml":
        raise InputError(f"-o {output.name}: the model is a TOML file; name it *.toml")
    if output.stem != _model_name(output.stem):
        raise InputError(
            f"-o {output.name}: a model's name has letters, digits, _, + and -, and begins with a "
            f"letter; try {_model_name(output.stem)}.toml"
        )
    found = read_basis_set(basis)
    for remark in found.remarks:
        click.echo(f"note: {remark}", err=True)
    files = model_files(found, output.stem, f"imported from {basis.name}")
    for path in write_files(output.parent, files, overwrite=overwrite, inputs=[basis])[:1]:
        click.echo(path)
    checked = own_sum(load_metabolite_model(str(output)), found.spectrometer_mhz)
    click.echo(f"{len(found.fids)} components; {checked.words}", err=True)
    return 0 if checked.holds else 3


def _model_name(stem: str) -> str:
    """Return a name that a model may have, from that of its file."""
    import re

    name = re.sub(r"[^A-Za-z0-9_+\-]", "_", stem)[:40]
    return name if name[:1].isalpha() else f"m_{name}"[:40]


def _checked(name: str) -> tuple[Any, str]:
    """Return a model of any kind, its basis files read too, and its digest."""
    from mrs_disc.models.any_kind import load_any_model

    return load_any_model(name)
