"""The card of a model: what it is, for whom, and how a score's number comes about."""

from __future__ import annotations

from math import exp, sqrt

from mrs_disc.constants import LIKELY_FROM, UNLIKELY_UP_TO
from mrs_disc.models import model_reference
from mrs_disc.models.any_kind import AnyModel
from mrs_disc.models.scores import PopulationClass, PopulationScore, ScoreModelBase
from mrs_disc.scoring.patient import HIGH_PREVALENCE
from mrs_disc.scoring.population_model import shares_at


def model_card(model: AnyModel) -> list[str]:
    """Return the lines of the card, the last one empty."""
    lines = [f"Model {model_reference(model)}: {model.description}"]
    if isinstance(model, ScoreModelBase):
        lines += [
            f"Intended use: {model.intended_use}",
            f"Validated: {'yes' if model.validated else 'NO'}. "
            f"Trained on: {model.training.data} ({model.training.n_discs} discs).",
            *(f"Limit: {limit}." for limit in model.limits),
        ]
    if isinstance(model, PopulationScore):
        lines += _population_card(model)
    return [*lines, ""]


def _population_card(model: PopulationScore) -> list[str]:
    """Return the disc-alone probability as arithmetic, and what another prevalence does."""
    return [
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
        "  LR = p / (1 - p) x (1 - prevalence) / prevalence, with the model's own prevalence",
        f"Label: likely painful from LR = {LIKELY_FROM:g} on where p >= 1/2, unlikely painful up "
        f"to {UNLIKELY_UP_TO:g} where p <= 1/2",
        "[recipe: score.likely, score.unlikely]; none where the interval of LR reaches from one to "
        "the other. Where the",
        f"patient's discs fit a prevalence of {HIGH_PREVALENCE:.0%} as well, unlikely painful asks "
        f"for p <= {UNLIKELY_UP_TO / (1 + UNLIKELY_UP_TO):g} there too.",
        "",
        f"Assumed prevalence of painful discs: {model.prevalence:.0%} [recipe: score.prevalence]",
        "Probability of one disc alone, e = 0.3, at other prevalences:",
        *(f"  {line}" for line in prevalence_table(model)),
    ]


def lone_disc_arithmetic(model: PopulationScore) -> str:
    """Return the probability of a lone disc as one line, N(x, s) of mean x and spread s."""

    def term(c: PopulationClass) -> str:
        return f"{c.share:g} N({c.mean:g}, {sqrt(c.sd**2 + model.patient_sd**2):.3f})"

    sick = " + ".join(term(c) for c in model.disc_class if c.painful)
    every = " + ".join(term(c) for c in model.disc_class)
    return f"{f'({sick})' if '+' in sick else sick} / ({every})"


def lone_disc_probability(
    model: PopulationScore, r: float, error: float, prevalence: float | None = None
) -> float:
    """Return what that line gives.

    >>> from mrs_disc.models.scores import load_score_model
    >>> model = load_score_model("acidity_structure")
    >>> lone_disc_probability(model, -3.0, 0.3) < 0.01 < lone_disc_probability(model, -1.0, 0.3)
    True
    """
    shares = shares_at(model, prevalence)
    weights = []
    for c, share in zip(model.disc_class, shares, strict=True):
        variance = c.sd**2 + model.patient_sd**2 + error**2
        weights.append(share * exp(-((r - c.mean) ** 2) / (2 * variance)) / sqrt(variance))
    painful = sum(w for w, c in zip(weights, model.disc_class, strict=True) if c.painful)
    return float(painful / sum(weights))


def prevalence_table(model: PopulationScore) -> list[str]:
    """Return lines of a table: probability by r, one column per prevalence."""
    prevalences = (0.10, model.prevalence, 0.39, 0.50)
    lines = ["r      " + "".join(f"{p:>8.0%}" for p in prevalences)]
    for r in (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5):
        values = [lone_disc_probability(model, r, 0.3, p) for p in prevalences]
        lines.append(f"{r:<7.1f}" + "".join(f"{v:>8.2f}" for v in values))
    return lines
