"""How many times as many transients a disc without a label would take to get one.

Errors are those recorded. What is new in each repeat, the noise, falls with the square root of the
transients; what else is not known (baseline, ratios, lines) is held, although more signal would
lower some of it: the answer is the number that is enough, were the amounts as measured. What an
examination takes that is not made yet, `mrs_disc.planning` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

from mrs_disc.data import Label
from mrs_disc.record.findings import Finding, finding
from mrs_disc.scoring.disc import Disc

MOST_TIMES = 64.0
"""Most that is looked for: an hour in place of a minute [P]."""
_QUARTERS = 24
"""Steps of a quarter of a doubling up to there."""


def with_transients(disc: Disc, times: float) -> Disc:
    """Return a disc with the errors that so many times as many transients leave."""

    def left(sd: float, repetition: float | None) -> float:
        noise = sd if repetition is None else min(repetition, sd)
        return sqrt(max(sd**2 - noise**2, 0.0) + noise**2 / times)

    return replace(
        disc,
        acidity_sd=left(disc.acidity_sd, disc.acidity_repetition_sd),
        structure_sd=left(disc.structure_sd, disc.structure_repetition_sd),
    )


def more_transients(disc: Disc, label: Callable[[Disc], Label]) -> Finding:
    """Say how many times as many transients would label a disc, were the amounts as measured.

    Looked for in doublings, then in quarters of one.

    Parameters
    ----------
    disc : Disc
        As measured, without a label.
    label : callable
        What the disc is called with the errors that it has.
    """

    def at(quarters: int) -> Label:
        return label(with_transients(disc, 2 ** (quarters / 4)))

    enough = next((n for n in range(4, _QUARTERS + 1, 4) if at(n) != "indeterminate"), None)
    if enough is None:
        return finding("transients_do_not_help", most=MOST_TIMES)
    enough = next(n for n in range(enough - 3, enough + 1) if at(n) != "indeterminate")
    times, found = 2 ** (enough / 4), at(enough)
    count = None if disc.n_transients is None else round(times * disc.n_transients)
    minutes = None
    if count is not None and disc.repetition_time_s is not None:
        minutes = count * disc.repetition_time_s / 60
    return finding("more_transients", times=times, label=found, n=count, minutes=minutes)
