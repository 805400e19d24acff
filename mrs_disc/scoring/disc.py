"""What a score sees of one disc, and the findings that all kinds share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.data import DiscScore, Label, Quality, Quantities
from mrs_disc.models.relaxation import FIELD_TOLERANCE
from mrs_disc.models.scores import ScoreModel
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.record.findings import probability as probability
from mrs_disc.record.level import Level
from mrs_disc.record.levels import REGIONS
from mrs_disc.record.parts import LikelihoodRatio

STRUCTURE_SD = 3.0
"""Structure below so many standard deviations is not measurable, and gives no score."""

HALF = 0.5
"""A label agrees with its side of even odds."""

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
    acidity_repetition_sd, structure_repetition_sd : float or None
        What of these is new in each repeat; `None` where it is not known.
    components : tuple of str
        What was fitted.
    n_transients : int or None
        How many stand behind it.
    quantities : Quantities or None
        For kinds that look at other quantities.
    unusable : Finding or None
        Why this disc can have no score.
    remarks : tuple of Finding
        What a reader has to know of its score.
    """

    level: str
    acidity: float | None = None
    acidity_sd: float = 0.0
    structure: float | None = None
    structure_sd: float = 0.0
    correlation: float = 0.0
    acidity_repetition_sd: float | None = None
    structure_repetition_sd: float | None = None
    components: tuple[str, ...] = ()
    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    field_t: float | None = None
    n_transients: int | None = None
    quantities: Quantities | None = None
    unusable: Finding | None = None
    remarks: tuple[Finding, ...] = ()


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
        for name in ("acidity", "structure"):
            stated = quantities.values.get(name)
            if stated is not None and stated.repetition_sd:
                known[f"{name}_repetition_sd"] = stated.repetition_sd
    mhz = protocol.spectrometer_mhz
    return Disc(
        level=level.level,
        components=tuple(measured.fit.metabolites),
        echo_time_s=protocol.echo_time_s,
        repetition_time_s=protocol.repetition_time_s,
        field_t=protocol.field_strength_t or (mhz and mhz / GAMMA_1H_MHZ_PER_T),
        n_transients=(quality.n_transients - quality.n_rejected) * (protocol.n_averages or 1),
        quantities=quantities,
        unusable=_unusable(quality),
        remarks=(finding("lipid_in_error"),) if quality.lipid_contaminated else (),
        **known,
    )


def _unusable(quality: Quality) -> Finding | None:
    """Return why a spectrum gives no score: the gravest reason of a poor one."""
    if quality.verdict != "poor":
        return None
    reasons: Sequence[Finding | str] = quality.findings or quality.reasons or ["no reason given"]
    return finding("poor_spectrum", why=reasons[0])


def out_of_scope(disc: Disc, model: ScoreModel) -> Finding | None:
    """Return why the model was not made for this disc, or `None`."""
    scope = model.scope
    absent = [name for name in scope.components if name not in disc.components]
    if absent:
        return finding("not_fitted", model=model.name, names=absent)
    low, high = scope.echo_time_s
    if disc.echo_time_s is None or not low <= disc.echo_time_s <= high:
        came = None if disc.echo_time_s is None else 1000 * disc.echo_time_s
        limits = {"low_ms": 1000 * low, "high_ms": 1000 * high}
        return finding("echo_time_outside", model=model.name, came_ms=came, **limits)
    fields = (*scope.field_t, *scope.exploratory_field_t)
    if disc.field_t is None or not any(_same_field(disc.field_t, f) for f in fields):
        return finding("field_outside", model=model.name, fields=fields, came=disc.field_t)
    return None


def exploratory(disc: Disc, model: ScoreModel) -> tuple[Finding, ...]:
    """Return where the model is applied to a disc that it was not made for, though to one alike."""
    found = []
    fields, regions = model.scope.exploratory_field_t, model.scope.region
    if disc.field_t is not None and any(_same_field(disc.field_t, f) for f in fields):
        found.append(finding("exploratory_field", field_t=disc.field_t))
    region = next(name for name, levels in REGIONS.items() if disc.level in levels)
    if regions and region not in regions:
        found.append(finding("exploratory_region", region=region, regions=list(regions)))
    return tuple(found)


def scope_remarks(disc: Disc, model: ScoreModel) -> tuple[Finding, ...]:
    """Return what a reader has to know about the model when it is applied to this disc."""
    remarks = [*disc.remarks, *exploratory(disc, model)]
    times = model.scope.repetition_time_s
    came_s = disc.repetition_time_s
    if times and came_s is not None and not times[0] <= came_s <= times[1]:
        limits = {"low_s": times[0], "high_s": times[1]}
        remarks.append(finding("repetition_time_outside", came_s=came_s, **limits))
    if not model.validated:
        remarks.append(finding("not_validated", data=model.training.data))
    return tuple(remarks)


def _same_field(field_t: float, nominal_t: float) -> bool:
    return abs(field_t / nominal_t - 1) <= FIELD_TOLERANCE


def label_of(evidence: LikelihoodRatio, probability: float, options: ScoreOptions) -> Label:
    """Return the label that evidence and probability carry; a limit itself counts as reached.

    The evidence has to be strong on its own, so that no label comes from the prevalence alone; its
    interval may not reach from one limit to the other.
    """
    low, high = evidence.low, evidence.high
    if low is not None and high is not None and low <= options.unlikely < options.likely <= high:
        return "indeterminate"
    if evidence.value >= options.likely and probability >= HALF:
        return "likely painful"
    if evidence.value <= options.unlikely and probability <= HALF:
        return "unlikely painful"
    return "indeterminate"


def held_back(
    evidence: LikelihoodRatio, probability: float, prevalence: float, options: ScoreOptions
) -> Finding | None:
    """Return why evidence that is strong enough for a label carries none, or `None`.

    Parameters
    ----------
    evidence : LikelihoodRatio
        Of the disc.
    probability, prevalence : float
        At the prevalence that is assumed.
    options : ScoreOptions
        The labels' limits.
    """
    if options.unlikely < evidence.value < options.likely:
        return None
    if label_of(evidence, probability, options) != "indeterminate":
        return None
    ratio, low, high = evidence.value, evidence.low, evidence.high
    if low is not None and high is not None and low <= options.unlikely < options.likely <= high:
        return finding("held_by_interval", ratio=ratio, low=low, high=high)
    return finding("held_by_prevalence", ratio=ratio, prevalence=prevalence, value=probability)


def at_prevalence(ratio: float, prevalence: float) -> float:
    """Return the probability that a likelihood ratio gives at a prevalence (Bayes' rule).

    >>> round(at_prevalence(6.8, 0.25), 2), round(at_prevalence(1.0, 0.4), 2)
    (0.69, 0.4)
    """
    if ratio == float("inf"):
        return 1.0
    return prevalence * ratio / (prevalence * ratio + 1 - prevalence)


def ratio_behind(probability: float, prevalence: float) -> float:
    """Return the likelihood ratio that takes a prevalence to a probability.

    >>> ratio_behind(0.75, 0.25)
    9.0
    """
    odds = (1 - prevalence) / prevalence
    return probability / max(1 - probability, 1e-300) * odds


def indeterminate(model: str, *findings: Finding, **inputs: Any) -> DiscScore:
    """Return the score of a disc that can have none."""
    return DiscScore(
        model=model,
        value=None,
        low=None,
        high=None,
        label="indeterminate",
        reasons=sentences(findings),
        findings=findings,
        inputs=inputs,
    )


def structure_problem(disc: Disc) -> Finding | None:
    """Return why acidity over structure cannot be had of a disc, or `None`."""
    if disc.acidity is None or disc.structure is None:
        return finding("sums_not_measured")
    numbers = (disc.acidity, disc.acidity_sd, disc.structure, disc.structure_sd, disc.correlation)
    if not all(isfinite(n) for n in numbers):
        return finding("sums_not_finite")
    if disc.structure <= 0 or disc.structure < STRUCTURE_SD * disc.structure_sd:
        ratio = disc.structure / disc.structure_sd if disc.structure_sd > 0 else 0.0
        return finding("structure_not_measurable", ratio=ratio, least=STRUCTURE_SD)
    if disc.acidity < -NEGATIVE_SD * disc.acidity_sd:
        return finding("acidity_negative", ratio=-disc.acidity / disc.acidity_sd)
    return None


def no_quantity(name: str, disc: Disc) -> Finding:
    """Return why a quantity that a model needs could not be had."""
    quantities = disc.quantities
    if quantities is None:
        return finding("no_quantities")
    if (quantity := quantities.values.get(name)) is None:
        return finding("no_quantity", name, why="not among the quantities")
    return finding("no_quantity", name, why=quantity.reason or "only an upper limit")


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
