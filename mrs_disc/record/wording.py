"""The words of every finding, in one table: kind to sentence, and to what follows from it.

A template names the values of the finding in braces; `mrs_disc.record.findings` formats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["forbids", "problem", "note", "reason", "remark"]
"""``forbids``: the level cannot be analysed. ``problem``: the result may be wrong, or something was
left out; ``info`` shows it as a problem and the impression counts it. ``note``: what was mended,
assumed or found. ``reason``: of a verdict or a score. ``remark``: worth a line beside a reason."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    Parameters
    ----------
    words : str
        The sentence, with the finding's values in braces.
    role : Role
        What follows from such a finding.
    verdict : {"acceptable", "poor"} or None
        The best verdict on the spectrum that it leaves.
    """

    words: str
    role: Role = "note"
    verdict: Literal["acceptable", "poor"] | None = None


KINDS: dict[str, Kind] = {
    # ---- gate: what a file holds
    "too_few_points": Kind("{n} points: at least {least} are needed", "forbids"),
    "clipped": Kind(
        "samples are clipped: the receiver was overdriven, amounts are distorted", "problem"
    ),
}
