"""What a score sees of one disc, and the words that all kinds share."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.data import DiscScore, Label, Quantities
from mrs_disc.models.relaxation import FIELD_TOLERANCE
from mrs_disc.models.scores import ScoreModel
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.level import Level

STRUCTURE_SD = 3.0
"""Structure below so many standard deviations is not measurable, and gives no score."""

LABELS_BEGIN = tuple(f"{limit:.2f}" for limit in (ScoreOptions().unlikely, ScoreOptions().likely))
"""Probabilities at which the labels begin by default, as they are written."""

NEGATIVE_SD = 3.5
"""Acidity so many standard deviations below zero is no noise: baseline or lipid is misjudged."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disc:
    """One disc as a score sees it.

    Parameters
    ----------
    level : str
        Disc level.
    acidity, structure : float or None
        Sums of amplitudes, uncut, in the same unit; `None` where the model lacks a part.
    acidity_sd, structure_sd, correlation : float
        Their measurement errors.
    components : tuple of str
        What was fitted.
    quantities : Quantities or None
        For kinds that look at other quantities.
    unusable : str
        Why this disc can have no score; empty: it can.
    """

    level: str
    acidity: float | None = None
    acidity_sd: float = 0.0
    structure: float | None = None
    structure_sd: float = 0.0
    correlation: float = 0.0
    components: tuple[str, ...] = ()
    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    field_t: float | None = None
    quantities: Quantities | None = None
    unusable: str = ""
    remarks: tuple[str, ...] = field(default_factory=tuple)


def disc_of(level: Level) -> Disc:
    """Return what a score sees of a measured level."""
    measured = level.measured
    assert measured is not None
    quality, quantities, protocol = measured.quality, measured.quantities, measured.protocol
    known: dict[str, float] = {}
    sums = quantities.sums
    if sums is not None and sums.covariance_acidity_structure is not None:
        acidity, structure = sums.of["acidity"], sums.of["structure"]
        product = acidity.sd * structure.sd
        known = {
            "acidity": acidity.value,
            "acidity_sd": acidity.sd,
            "structure": structure.value,
            "structure_sd": structure.sd,
            "correlation": sums.covariance_acidity_structure / product if product > 0 else 0.0,
        }
    mhz = protocol.spectrometer_mhz
    unusable = ""
    if quality.verdict == "poor":
        unusable = "poor spectrum: " + (
            quality.reasons[0] if quality.reasons else "no reason given"
        )
    remarks = []
    if quality.lipid_contaminated:
        remarks.append("lactate may be contaminated by lipid: its wider error is in the interval")
    return Disc(
        level=level.level,
        components=tuple(measured.fit.metabolites),
        echo_time_s=protocol.echo_time_s,
        repetition_time_s=protocol.repetition_time_s,
        field_t=protocol.field_strength_t or (mhz and mhz / GAMMA_1H_MHZ_PER_T),
        quantities=quantities,
        unusable=unusable,
        remarks=tuple(remarks),
        **known,
    )


def out_of_scope(disc: Disc, model: ScoreModel) -> str:
    """Return why the model was not made for this disc, or an empty text."""
    scope = model.scope
    absent = [name for name in scope.components if name not in disc.components]
    if absent:
        return f"model {model.name} needs {', '.join(absent)}, which was not fitted"
    low, high = scope.echo_time_s
    if disc.echo_time_s is None or not low <= disc.echo_time_s <= high:
        came = "unknown" if disc.echo_time_s is None else f"{1000 * disc.echo_time_s:g} ms"
        return (
            f"model {model.name} was made for echo times of {1000 * low:g} to {1000 * high:g} ms, "
            f"not {came}"
        )
    fields = (*scope.field_t, *scope.exploratory_field_t)
    if disc.field_t is None or not any(_same_field(disc.field_t, f) for f in fields):
        made = " and ".join(f"{f:g} T" for f in fields)
        came = "an unknown field" if disc.field_t is None else f"{disc.field_t:.2f} T"
        return f"model {model.name} was made for {made}, not {came}"
    return ""


def scope_remarks(disc: Disc, model: ScoreModel) -> tuple[str, ...]:
    """Return what a reader has to know about the model when it is applied to this disc."""
    remarks = list(disc.remarks)
    exploratory = model.scope.exploratory_field_t
    if disc.field_t is not None and any(_same_field(disc.field_t, f) for f in exploratory):
        remarks.append(f"exploratory at {disc.field_t:.1f} T: no published validation was found")
    times = model.scope.repetition_time_s
    repetition = disc.repetition_time_s
    if times and repetition is not None and not times[0] <= repetition <= times[1]:
        remarks.append(
            f"repetition time {repetition:g} s lies outside {times[0]:g} to {times[1]:g} s, "
            "for which the model was made"
        )
    if not model.validated:
        remarks.append(f"model not validated; trained on: {model.training.data}")
    return tuple(remarks)


def _same_field(field_t: float, nominal_t: float) -> bool:
    return abs(field_t / nominal_t - 1) <= FIELD_TOLERANCE


def label_of(probability: float, options: ScoreOptions) -> Label:
    """Return the label of a probability; a limit itself counts as reached."""
    if probability >= options.likely:
        return "likely painful"
    if probability <= options.unlikely:
        return "unlikely painful"
    return "indeterminate"


def indeterminate(model: str, *reasons: str, **inputs: Any) -> DiscScore:
    """Return the score of a disc that can have none."""
    return DiscScore(
        model=model,
        value=None,
        low=None,
        high=None,
        label="indeterminate",
        reasons=reasons,
        inputs=inputs,
    )


def structure_problem(disc: Disc) -> str:
    """Return why acidity over structure cannot be had of a disc, or an empty text."""
    if disc.acidity is None or disc.structure is None:
        return "acidity or structure was not measured"
    numbers = (disc.acidity, disc.acidity_sd, disc.structure, disc.structure_sd, disc.correlation)
    if not all(isfinite(n) for n in numbers):
        return "acidity or structure is not a finite number"
    if disc.structure <= 0 or disc.structure < STRUCTURE_SD * disc.structure_sd:
        ratio = disc.structure / disc.structure_sd if disc.structure_sd > 0 else 0.0
        return f"structure not measurable: {ratio:.1f} sd, {STRUCTURE_SD:g} are needed"
    if disc.acidity < -NEGATIVE_SD * disc.acidity_sd:
        return (
            f"acidity lies {-disc.acidity / disc.acidity_sd:.1f} sd below zero, which noise does "
            "not explain: baseline or lipid is misjudged"
        )
    return ""


def log_error(disc: Disc) -> float | None:
    """Return the standard error of log(acidity/structure) by the delta method.

    `None` where acidity is below two standard deviations, where that means little.
    """
    if disc.acidity is None or not disc.structure or disc.acidity < 2 * disc.acidity_sd:
        return None
    if disc.acidity <= 0:
        return None
    a, s = disc.acidity_sd / disc.acidity, disc.structure_sd / disc.structure
    return sqrt(max(a * a + s * s - 2 * disc.correlation * a * s, 0.0))


def probability(value: float | None) -> str:
    """Return a probability of two decimals that never claims certainty.

    Three, where two would read as a limit of the labels that the value has not reached.

    >>> probability(0.874), probability(0.9991), probability(0.001), probability(0.7967)
    ('0.87', '> 0.99', '< 0.01', '0.797')
    """
    if value is None:
        return "–"
    if value > 0.99:
        return "> 0.99"
    if value < 0.01:
        return "< 0.01"
    text = f"{value:.2f}"
    return f"{value:.3f}".removesuffix("0") if text in LABELS_BEGIN else text
