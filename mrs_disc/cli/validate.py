"""`mrs-disc validate`: the accuracy tables against known truth."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option(
    "--scope",
    type=click.Choice(["fit", "score", "all"]),
    default="all",
    show_default=True,
    help="Amplitudes, the score, or both.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides all.")
@click.option(
    "--discs", type=click.IntRange(1), default=200, show_default=True, help="Discs of each regime."
)
@click.option(
    "--regime", "regimes", multiple=True, help="Only this regime of the fit; may be repeated."
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
    challenge: Path | None,
    as_json: bool,
) -> None:
    """Print the accuracy tables against known truth.

    Example: mrs-disc validate --scope fit --regime matched --discs 50 --seed 7
    """
    from mrs_disc import validate

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
    click.echo(json.dumps(_finite(documents), indent=1) if as_json else "\n\n".join(texts))


def _finite(value: Any) -> Any:
    """Return the document with null where a number could not be had: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _progress(name: str, done: int, of: int) -> None:
    """Say on stderr how far it is: one line that moves on a terminal, one per part elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == of else ""
        click.echo(f"\r{name}: {done} of {of}{end}", err=True, nl=False)
    elif done == of:
        click.echo(f"{name}: {done} of {of}", err=True)
