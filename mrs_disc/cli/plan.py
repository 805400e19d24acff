"""`mrs-disc plan`: what an examination will tell, and how long it has to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mrs_disc.cli.shared import recipe as recipe_option

if TYPE_CHECKING:
    from mrs_disc.planning.setting import Stated


@click.command()
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--snr", type=float, help="SNR of PG in a typical degenerated disc.")
@click.option("--averages", type=int, help="Transients that the SNR belongs to.  [default: 1]")
@click.option("--linewidth", type=float, metavar="HZ", help="Width of PG.  [default: 26]")
@click.option("--te", type=float, metavar="MS", help="Echo time.  [default: 28]")
@click.option("--tr", type=float, metavar="MS", help="Repetition time.  [default: 1500]")
@click.option("--field", type=float, metavar="T", help="Field strength.  [default: 3]")
@click.option("--transients", type=int, help="Of each disc.  [default: the study's, or 128]")
@click.option("--discs", type=int, help="Of the examination.  [default: the study's, or 1]")
@click.option(
    "--want",
    multiple=True,
    metavar="QUANTITY=ERROR",
    help="An error to plan for, as r=0.35 or LAC/PG=0.2 (20 %); may be repeated.",
)
@recipe_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    study: Path | None,
    want: tuple[str, ...],
    recipe: str | None,
    as_json: bool,
    **numbers: float | None,
) -> None:
    """Say which errors and labels to expect, and how many transients an aim takes.

    STUDY is a study or the results of one; its SNR, linewidth and protocol count unless they are
    given. Without it, state the SNR. Numbers rest on the simulator's discs, not on a cohort.

    Example: mrs-disc plan sample_data/demo --want r=0.35 --want LAC/PG=0.2
    """
    from mrs_disc.planning import plan
    from mrs_disc.planning.text import plan_text

    if study is None and numbers["snr"] is None:
        raise click.UsageError("name a STUDY, or state the SNR of PG: --snr 3 (of one transient)")
    wanted = dict(_wanted(text) for text in want) or None
    found = plan(study, recipe=recipe, wanted=wanted, **_stated(numbers))
    if as_json:
        from mrs_disc.record.file import plain

        click.echo(json.dumps(plain(found.as_json()), indent=1))
    else:
        click.echo(plan_text(found))


def _wanted(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise click.UsageError(
            f"--want {text}: a quantity and its error expected, as r=0.35"
        ) from None


_NAMES = {"linewidth": "linewidth_hz", "te": "echo_time_s", "tr": "repetition_time_s"}
_NAMES |= {"field": "field_t"}


def _stated(numbers: dict[str, float | None]) -> Stated:
    """Return what was given, times in seconds."""
    given: dict[str, Any] = {
        _NAMES.get(name, name): value / 1e3 if name in ("te", "tr") else value
        for name, value in numbers.items()
        if value is not None
    }
    return cast("Stated", given)
