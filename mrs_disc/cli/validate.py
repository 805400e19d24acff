"""`mrs-disc validate`: the accuracy tables against known truth."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--scope",
    type=click.Choice(["fit", "score", "all", "stress"]),
    default="all",
    show_default=True,
    help="Amplitudes, the score, both (all), or discs outside the fitted model (stress).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all.")
@click.option(
    "--discs", type=click.IntRange(1), default=200, show_default=True, help="Discs of each regime."
)
@click.option(
    "--regime", "regimes", multiple=True, help="Only this regime of the fit; may be repeated."
)
@click.option(
    "--rows",
    multiple=True,
    metavar="NAME,...",
    help="Only these rows of the stress table; 'A+B' are two together. May be repeated.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes of the stress table; they change no number.",
)
@click.option(
    "--challenge",
    type=click.Path(path_type=Path),
    help="Folder of the public fitting challenge (ISMRM 2016): its table instead.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    scope: str,
    seed: int,
    discs: int,
    regimes: tuple[str, ...],
    rows: tuple[str, ...],
    jobs: int,
    challenge: Path | None,
    as_json: bool,
) -> None:
    """Print the accuracy tables against known truth.

    Rows of the stress table go by name: --scope stress --rows "creatine,water 6+stiff PG".

    Example: mrs-disc validate --scope fit --regime matched --discs 50 --seed 7
    """
    from mrs_disc import validate

    if rows and scope != "stress":
        raise click.UsageError("--rows are those of the stress table: add --scope stress")
    if regimes and scope not in ("fit", "all"):
        raise click.UsageError("--regime names those of the fit: add --scope fit")
    documents: dict[str, object] = {}
    texts: list[str] = []
    if challenge is not None:
        result = validate.validate_challenge(challenge)
        documents["challenge"] = result.as_json()
        texts.append(validate.challenge_text(result))
    if challenge is None and scope in ("fit", "all"):
        table = validate.validate_fit(seed, discs, regimes=regimes or None, progress=_progress)
        documents["fit"] = table.as_json()
        texts.append(validate.accuracy_text(table))
    if challenge is None and scope in ("score", "all"):
        scores = validate.validate_score(seed, discs, progress=_progress)
        documents["score"] = scores.as_json()
        texts.append(validate.score_text(scores))
    if challenge is None and scope == "stress":
        names = [name.strip() for given in rows for name in given.split(",") if name.strip()]
        stress = validate.validate_stress(
            seed, discs, rows=names or None, jobs=jobs, progress=_progress
        )
        documents["stress"] = stress.as_json()
        texts.append(validate.stress_text(stress))
    if as_json:
        from mrs_disc.record.file import plain

        click.echo(json.dumps(plain(documents), indent=1))
    else:
        click.echo("\n\n".join(texts))


def _progress(name: str, done: int, of: int) -> None:
    """Say on stderr how far it is: one line that moves on a terminal, one per part elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == of else ""
        click.echo(f"\r{name}: {done} of {of}{end}", err=True, nl=False)
    elif done == of:
        click.echo(f"{name}: {done} of {of}", err=True)
