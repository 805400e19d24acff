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
    from mrs_disc.models import model_names, model_path
    from mrs_disc.schema import read_toml

    for name in model_names():
        content = read_toml(model_path(name))
        head = f"{name}@{content.get('version', 1)}"
        click.echo(f"{head:24s} {_kind(content):22s} {content.get('description', '')}")


@command.command()
@click.argument("name", shell_complete=shared.complete_model)
def show(name: str) -> None:
    """Print the card of model NAME, then the model itself.

    NAME is that of a shipped model, or a TOML file.

    Example: mrs-disc model show acidity_structure
    """
    from mrs_disc.models import model_path
    from mrs_disc.schema import read_toml

    path = model_path(name)
    content = read_toml(path)
    _checked(name)
    for line in _card(name, content):
        click.echo(f"# {line}" if line else "#")
    click.echo(path.read_text(encoding="utf-8"), nl=False)


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
    for path in write_files(output.parent, files, overwrite=overwrite):
        click.echo(path)
    click.echo(
        f"cross-validated by patient: AUC {figures.auc:.3f} ({figures.auc_low:.3f} to "
        f"{figures.auc_high:.3f}), Brier score {figures.brier:.3f} "
        f"({figures.n_discs} discs, {figures.n_painful} painful, {figures.n_patients} patients)",
        err=True,
    )


def _model_name(stem: str) -> str:
    """Return a name that a model may have, from that of its file."""
    import re

    name = re.sub(r"[^A-Za-z0-9_+\-]", "_", stem)[:40]
    return name if name[:1].isalpha() else f"m_{name}"[:40]


def _kind(content: dict[str, Any]) -> str:
    if "component" in content:
        return "metabolites"
    if "water" in content:
        return "relaxation times"
    return f"score: {content.get('kind', 'unknown')}"


def _checked(name: str) -> tuple[Any, str]:
    """Return a model of any kind and its digest; what is wrong is an `InputError`."""
    from mrs_disc.errors import InputError
    from mrs_disc.models import (
        content_digest,
        load_metabolite_model,
        metabolite_model_digest,
        model_path,
    )
    from mrs_disc.models.relaxation import load_relaxation_model
    from mrs_disc.models.scores import load_score_model
    from mrs_disc.schema import read_toml

    content = read_toml(model_path(name))
    if "fit" in content or "quantify" in content:
        raise InputError(
            f"{name}: is a recipe, not a model; 'mrs-disc recipe check {name}' checks it"
        )
    if "component" in content:
        model = load_metabolite_model(name)
        return model, metabolite_model_digest(model)
    if "water" in content:
        relaxation = load_relaxation_model(name)
        return relaxation, content_digest(relaxation)
    score = load_score_model(name)
    return score, content_digest(score)


def _card(name: str, content: dict[str, Any]) -> list[str]:
    """Return the card: what the model is, for whom, and how its number comes about."""
    lines = [
        f"Model {content['name']}@{content.get('version', 1)}: {content.get('description', '')}"
    ]
    if "kind" not in content:
        return [*lines, ""]
    lines += [
        f"Intended use: {content['intended_use']}",
        f"Validated: {'yes' if content.get('validated') else 'NO'}. "
        f"Trained on: {content['training']['data']} "
        f"({content['training'].get('n_discs', 0)} discs).",
        *(f"Limit: {limit}." for limit in content.get("limits", [])),
    ]
    if content["kind"] == "population":
        lines += _population_card(name)
    return [*lines, ""]


def _population_card(name: str) -> list[str]:
    """Return the disc-alone probability as arithmetic, and what another prevalence does."""
    from mrs_disc.models.scores import PopulationScore, load_score_model
    from mrs_disc.score.card import lone_disc_arithmetic, prevalence_table

    model = load_score_model(name)
    assert isinstance(model, PopulationScore)
    lines = [
        "",
        "r = log(acidity/structure), natural, with its error e. One disc alone, acid well above "
        "noise:",
        f"  p = {lone_disc_arithmetic(model)}",
        "  with N(x, s) = exp(-(r - x)^2 / (2 (s^2 + e^2))) / sqrt(s^2 + e^2)",
        "The score itself, from A = acidity (cut at 0), S = structure (at least A / exp(r_cap)),",
        "their errors a and s and correlation c, of all discs of the patient:",
        "  L(r) = exp(-(A - k S)^2 / (2 v)) / sqrt(v),  k = exp(r),  v = a^2 - 2 k a s c + k^2 s^2",
        "  F(class, u) = integral over r_range of N(r; mean + u, sd) L(r) dr",
        "  g(u) = sum over classes of share F(class, u)",
        "  p = integral over u of N(u; 0, patient_sd) x (product of g(u) of the other discs)",
        "      x sum over painful classes of share F(class, u), over the same with all classes",
        "",
        f"Assumed prevalence of painful discs: {model.prevalence:.0%} [recipe: score.prevalence]",
        "Probability of one disc alone, e = 0.3, at other prevalences:",
    ]
    return lines + [f"  {line}" for line in prevalence_table(model)]
