"""The card of a population model: a lone disc as one line of arithmetic, other prevalences."""

from __future__ import annotations

from math import exp, sqrt

from mrs_disc.models.scores import PopulationClass, PopulationScore
from mrs_disc.score.population_model import shares_at


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
