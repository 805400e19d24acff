"""From amplitudes to ratios, sums and water-referenced amounts, each with its interval.

Every interval comes from draws of the amplitudes with their full covariance (and of relaxation
times where they enter). The draws are antithetic and matched to their first two moments, from a
fixed seed: sums have exactly the standard deviation that the covariance gives, and the same input
has the same output. The delta method is only a check in the tests: ratios with a weak denominator
are skewed.

Two errors are told: `sd` and the interval are about the truth, `repetition_sd` is the scatter of
repeats, in which only the noise is new. Draws of both stand side by side in each array: the first
half is about the truth, the other half are repeats (NaN where the fit does not say).

Sums are cut at zero, never their parts: cutting each part first adds the upper half of its noise.
A value below two standard deviations is an upper limit, max(value, 0) + the one-sided 95 % error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.data import (
    FitResult,
    Morphology,
    Preprocessed,
    Quantities,
    Quantity,
    Sum,
    Sums,
    frozen,
)
from mrs_disc.errors import InputError
from mrs_disc.models.relaxation import RelaxationModel, load_relaxation_model
from mrs_disc.recipe import Recipe, load_recipe
from mrs_disc.signal.noise import median
from mrs_disc.steps.water_reference import (
    MeasuredTime,
    Reference,
    repeat_normals,
    scale,
    water_draws,
    water_reference,
)
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import FloatArray

SUMS: Mapping[str, Mapping[str, float]] = {
    "LAAL": {"LAC": 1.0, "ALA": 1.0},
    "acidity": {"LAC": 1.0, "ALA": 1.0, "PA": 0.6},
    "structure": {"PG": 1.0, "COL": 1.0},
}
"""Weights of the amplitudes; PA counts 3/5, its methyl protons (three-proton equivalents)."""

RATIOS = ("LAC", "ALA", "LAAL", "PA", "CHO", "CARB", "COL")
"""Numerators over PG that every result names, whatever the model."""

LIMIT_SD = 2.0
"""Below so many standard deviations a value is an upper limit."""
DENOMINATOR_SD = 3.0
"""A denominator below so many standard deviations is not measurable."""

_SEED = 20190211
_PERCENTILES = (0.025, 0.1587, 0.5, 0.8413, 0.95, 0.975)
_RATIO_UNIT = "ratio of areas"
_AREA_UNIT = "signal units of the file"
_MOLAL_UNIT = "mmol per kg tissue water"
_EQUIVALENTS_UNIT = "mmol protons per kg tissue water"
_WATER_NORMALS = 3


@lru_cache(maxsize=8)
def normal_draws(samples: int, dimensions: int) -> FloatArray:
    """Return standard normal draws, shape (dimensions, draw), with exact mean 0 and covariance 1.

    Half of them are the negatives of the other half; a fixed seed.
    """
    half = max(samples // 2, dimensions + 1)
    draws = np.random.default_rng(_SEED).standard_normal((dimensions, half))
    values, vectors = np.linalg.eigh(draws @ draws.T / half)
    white = (vectors / np.sqrt(values)) @ vectors.T @ draws
    return frozen(np.concatenate([white, -white], axis=1))


@dataclass(slots=True)
class _Table:
    """Quantities as they come, with the draws that their covariance needs."""

    values: dict[str, Quantity] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    draws: list[FloatArray] = field(default_factory=list)

    def none(self, name: str, reason: str) -> None:
        """Enter a quantity that cannot be had."""
        self.values[name] = Quantity(value=None, reason=reason)

    def add(self, name: str, quantity: Quantity, draws: FloatArray) -> None:
        """Enter a quantity with its draws."""
        self.values[name] = quantity
        if quantity.value is not None and quantity.sd is not None:
            self.names.append(name)
            self.draws.append(draws)

    def covariance(self) -> tuple[tuple[float, ...], ...]:
        """Return the covariance of the quantities that could be had, row by row.

        Draws of ratios have long tails: they are cut at five standard deviations, and scaled back.
        """
        if not self.names:
            return ()
        sd = np.array([self.values[n].sd for n in self.names], dtype=np.float64)
        centred = np.array([_of_truth(draws) for draws in self.draws])
        centred -= centred.mean(axis=1, keepdims=True)
        np.clip(centred, -5 * sd[:, None], 5 * sd[:, None], out=centred)
        covariance = centred @ centred.T / centred.shape[1]
        back = sd / np.sqrt(np.maximum(np.diagonal(covariance), 1e-300))
        return tuple(map(tuple, (covariance * back * back[:, None]).tolist()))


@one_blas_thread
def quantify(
    fit: FitResult,
    preprocessed: Preprocessed,
    recipe: str | Path | Recipe | None = None,
    *,
    relaxation: RelaxationModel | None = None,
    morphology: Morphology | None = None,
    measured: Mapping[str, MeasuredTime] | None = None,
) -> Quantities:
    """Return the ratios, sums and water-referenced amounts of a disc.

    Parameters
    ----------
    fit : FitResult
        Amplitudes with their covariance.
    preprocessed : Preprocessed
        Water reference and protocol.
    recipe : str, Path, Recipe or None
        ``[quantify]``: reference, merging rule of LAC and ALA, number of draws; `None`: the
        defaults.
    relaxation : RelaxationModel, optional
        Relaxation times of water and of the components; default: those that the recipe names.
    morphology : Morphology, optional
        The Pfirrmann grade chooses the relaxation times of water.
    measured : mapping, optional
        Component to its T2 where runs of this disc at several echo times measured it.

    Returns
    -------
    Quantities
        What cannot be had is there with its reason. `sums` are the sums uncut, `factors` what
        a reader needs to redo the water-referenced amounts.

    Raises
    ------
    InputError
        If the recipe requires a water reference and the disc has none.
    """
    recipe = load_recipe(recipe)
    relaxation = relaxation or load_relaxation_model(recipe.quantify.relaxation)
    if recipe.quantify.reference == "water" and preprocessed.water is None:
        raise InputError(
            'no water reference, which [quantify] reference = "water" needs. '
            'Add the file or set reference = "none".'
        )
    if not (np.all(np.isfinite(fit.amplitude)) and np.all(np.isfinite(fit.covariance))):
        return _nothing(fit)
    count = len(fit.names)
    normals = normal_draws(recipe.quantify.samples, 3 * count + _WATER_NORMALS)
    draws = np.hstack([amplitude_draws(fit, normals[:count]), _repeat_draws(fit, normals[:count])])
    merged, why = merges(fit, recipe)
    table = _Table()
    sums = _sums(table, fit, draws)
    _ratios(table, fit, draws, why)
    _acidity_to_structure(table, fit, draws)
    factors: dict[str, Any] = {"laal": why} if why else {}
    reference: Reference | str = 'reference = "none" in [quantify]'
    if recipe.quantify.reference != "none":
        reference = water_reference(preprocessed, relaxation, morphology)
    if isinstance(reference, str):
        _without_water(table, fit, reference)
    else:
        factors |= {"water": _water_factors(reference, morphology)}
        own = np.hstack([normals[count:], repeat_normals(reference, normals[count:])])
        factors |= _water(table, fit, draws, own, (reference, relaxation, measured or {}))
    return Quantities(
        values=table.values,
        names=tuple(table.names),
        covariance=table.covariance(),
        merged_laal=merged,
        sums=sums,
        factors=factors,
    )


def _nothing(fit: FitResult) -> Quantities:
    """Return the quantities of a fit without numbers: each with its reason."""
    names = [*SUMS, *(f"{n}/PG" for n in RATIOS), "acidity/structure", "log(acidity/structure)"]
    names += [f"{n}/water" for n in (*fit.names, "structure")]
    reason = fit.reason or "the fit gave no number"
    return Quantities(values={n: Quantity(value=None, reason=reason) for n in names})


def amplitude_draws(fit: FitResult, normals: FloatArray) -> FloatArray:
    """Return draws of the amplitudes, shape (component, draw).

    Correlated as the covariance says. Where the fit's 95 % interval is lopsided, each half of a
    component's draws has the width of its half of the interval, with mean and standard deviation
    those of the fit: the skewness is taken over, the moments stay.
    """
    sd = fit.sd
    safe = np.where(sd > 0, sd, 1.0)
    correlation = fit.covariance / safe / safe[:, None]
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    standard = root @ normals
    below = (fit.amplitude - fit.low) / (Z95 * safe)
    above = (fit.high - fit.amplitude) / (Z95 * safe)
    lopsided = (below > 0.2) & (above > 0.2) & (np.abs(above - below) > 0.05 * (above + below))
    for index in np.flatnonzero(lopsided):
        z = standard[index]
        split = z * np.where(z < 0, below[index], above[index])
        split -= split.mean()
        standard[index] = split / np.sqrt((split * split).mean())
    return np.asarray(fit.amplitude[:, None] + sd[:, None] * standard)


def _of_truth(draws: FloatArray) -> FloatArray:
    """Return the half of the draws that is about the truth."""
    return draws[: draws.size // 2]


def _repeat_draws(fit: FitResult, normals: FloatArray) -> FloatArray:
    """Return amplitudes of repeats, shape (component, draw)."""
    if fit.repetition is None:
        return np.full(normals.shape, np.nan)
    values, vectors = np.linalg.eigh(fit.repetition)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.asarray(fit.amplitude[:, None] + root @ normals)


def _repetition_sd(draws: FloatArray) -> float | None:
    """Return half of the central 68 % of the repeats, or `None` where they are not known."""
    repeats = draws[draws.size // 2 :]
    ordered = np.sort(repeats)
    minus, plus = (float(ordered[int(share * repeats.size)]) for share in (0.1587, 0.8413))
    return (plus - minus) / 2 if np.isfinite(plus - minus) else None


def merges(fit: FitResult, recipe: Recipe) -> tuple[bool, str]:
    """Return whether lactate and alanine cannot be told apart, and why, in words."""
    if not fit.has("LAC", "ALA"):
        return False, ""
    lac, ala = fit.index("LAC"), fit.index("ALA")
    width_ppm = fit.linewidth_hz[lac] / fit.curves.sampling.spectrometer_mhz
    limit_ppm = recipe.quantify.merge_linewidth_ppm
    if width_ppm >= limit_ppm:
        return True, f"linewidth {width_ppm:.3f} ppm, from {limit_ppm:g} ppm on they merge"
    sd = fit.sd
    product = sd[lac] * sd[ala]
    correlation = fit.covariance[lac, ala] / product if product > 0 else 0.0
    limit = recipe.quantify.merge_correlation
    if abs(correlation) >= limit:
        return True, f"correlation {correlation:.2f}, from {limit:g} on they merge"
    return False, ""


# --------------------------------------------------------------------------- one quantity


def _measured(
    value: float, draws: FloatArray, *, unit: str, how: str, sd: float | None = None, cut: bool
) -> Quantity:
    """Return a positive quantity with its interval, or with an upper limit below two sd.

    `sd` is given for sums, where it is exact; a ratio takes half the central 68 % of its draws.
    """
    low, minus, middle, plus, one_sided, high = _percentiles(_of_truth(draws))
    spread = (plus - minus) / 2 if sd is None else sd
    shown = max(value, 0.0) if cut else value
    if value < LIMIT_SD * spread:
        low, high = 0.0, max(value, 0.0) + one_sided - middle
    return Quantity(
        value=shown,
        sd=spread,
        low=max(low, 0.0),
        high=high,
        limit="upper" if value < LIMIT_SD * spread else None,
        unit=unit,
        how=how,
        repetition_sd=_repetition_sd(draws),
    )


def _percentiles(draws: FloatArray) -> list[float]:
    """Return the draws at 2.5, 15.87, 50, 84.13, 95 and 97.5 %."""
    ordered = np.sort(draws)  # without branches: faster than a partition, even at two ranks
    return [float(ordered[int(share * draws.size)]) for share in _PERCENTILES]


def _weights(fit: FitResult, parts: Mapping[str, float]) -> FloatArray:
    weights = np.zeros(len(fit.names))
    for name, weight in parts.items():
        weights[fit.index(name)] = weight
    return weights


def _lacks(fit: FitResult, names: Sequence[str]) -> str:
    """Return why a quantity of these components cannot be had, or an empty text."""
    absent = [n for n in names if not fit.has(n)]
    model = f"{fit.model} as fitted" if fit.findings else fit.model
    return f"model {model} has no {' and no '.join(absent)}" if absent else ""


def _formula(parts: Mapping[str, float]) -> str:
    return " + ".join(n if w == 1 else f"{w:g} {n}" for n, w in parts.items())


# --------------------------------------------------------------------------- sums and ratios


def _sums(table: _Table, fit: FitResult, draws: FloatArray) -> Sums:
    """Enter LAAL, acidity and structure; return them uncut, as the score takes them."""
    uncut: dict[str, Sum] = {}
    for name, parts in SUMS.items():
        if reason := _lacks(fit, tuple(parts)):
            table.none(name, reason)
            continue
        weights = _weights(fit, parts)
        value = float(weights @ fit.amplitude)
        sd = float(np.sqrt(max(float(weights @ fit.covariance @ weights), 0.0)))
        how = f"{_formula(parts)}, cut at zero; not corrected for relaxation"
        drawn = weights @ draws
        quantity = _measured(value, drawn, unit=_AREA_UNIT, how=how, sd=sd, cut=True)
        table.add(name, quantity, drawn)
        uncut[name] = Sum(value=value, sd=sd, weights=dict(parts))
    if not {"acidity", "structure"} <= set(uncut):
        return Sums(of=uncut)
    acid, firm = (_weights(fit, SUMS[n]) for n in ("acidity", "structure"))
    return Sums(of=uncut, covariance_acidity_structure=float(acid @ fit.covariance @ firm))


def _ratios(table: _Table, fit: FitResult, draws: FloatArray, why_merged: str) -> None:
    """Enter every component over PG, and over the quality peak where that is another."""
    denominators = ["PG"]
    if fit.peak.name not in ("", "PG"):
        denominators.append(fit.peak.name)
    for denominator in denominators:
        own = [n for n in fit.names if n != denominator]
        numerators = dict.fromkeys((*RATIOS, *own) if denominator == "PG" else own)
        if denominator != "PG" and fit.has("LAC", "ALA"):
            numerators["LAAL"] = None
        for numerator in numerators:
            _ratio(table, fit, draws, numerator, denominator, why_merged)


def _ratio(
    table: _Table,
    fit: FitResult,
    draws: FloatArray,
    numerator: str,
    denominator: str,
    why_merged: str,
) -> None:
    name = f"{numerator}/{denominator}"
    parts = SUMS.get(numerator, {numerator: 1.0})
    if reason := _lacks(fit, (*parts, denominator)):
        table.none(name, reason)
        return
    below = fit.index(denominator)
    if reason := _not_measurable(denominator, fit.amplitude[below], fit.sd[below]):
        table.none(name, reason)
        return
    weights = _weights(fit, parts)
    how = f"{_formula(parts)} / {denominator}, not corrected for relaxation"
    if numerator in ("LAC", "ALA") and why_merged:
        how += f"; LAC and ALA cannot be told apart ({why_merged}): LAAL/{denominator} counts"
    drawn = (weights @ draws) / draws[below]
    value = float(weights @ fit.amplitude / fit.amplitude[below])
    cut = len(parts) > 1
    table.add(name, _measured(value, drawn, unit=_RATIO_UNIT, how=how, cut=cut), drawn)


def _not_measurable(name: str, value: float, sd: float) -> str:
    if value >= DENOMINATOR_SD * sd and value > 0:
        return ""
    return f"{name} is not measurable: {value:.4g} ± {sd:.2g}, below {DENOMINATOR_SD:g} sd"


def _acidity_to_structure(table: _Table, fit: FitResult, draws: FloatArray) -> None:
    """Enter acidity/structure and its natural logarithm."""
    names = ("acidity/structure", "log(acidity/structure)")
    if reason := _lacks(fit, tuple({**SUMS["acidity"], **SUMS["structure"]})):
        for name in names:
            table.none(name, reason)
        return
    acid, firm = (_weights(fit, SUMS[n]) for n in ("acidity", "structure"))
    a, s = float(acid @ fit.amplitude), float(firm @ fit.amplitude)
    if reason := _not_measurable("structure", s, float(np.sqrt(firm @ fit.covariance @ firm))):
        for name in names:
            table.none(name, reason)
        return
    drawn = (acid @ draws) / (firm @ draws)
    how = f"({_formula(SUMS['acidity'])}) / ({_formula(SUMS['structure'])})"
    how += ", not corrected for relaxation"
    ratio = _measured(a / s, drawn, unit=_RATIO_UNIT, how=how, cut=True)
    table.add(names[0], ratio, drawn)
    log_draws = _log_draws(drawn)
    logarithm = _logarithm(a / s, ratio, log_draws, f"natural logarithm of {how}")
    table.add(names[1], logarithm, log_draws)


def _log_draws(draws: FloatArray) -> FloatArray:
    """Return logarithms; a draw at or below zero becomes a ten-thousandth of the median."""
    floor = 1e-4 * max(float(median(_of_truth(draws))), 1e-12)
    return np.log(np.maximum(draws, floor))


def _logarithm(value: float, linear: Quantity, log_draws: FloatArray, how: str) -> Quantity:
    """Return the logarithm of a positive quantity; below two sd only its upper end is known."""
    assert linear.high is not None
    upper = float(np.log(linear.high))
    if linear.limit == "upper" and value <= 0:
        return Quantity(
            value=None,
            high=upper,
            limit="upper",
            how=how,
            reason=f"no acid above zero; the logarithm is below {upper:.2f} (one-sided 95 %)",
        )
    if linear.limit == "upper":
        known = float(np.log(value))
        return Quantity(value=known, high=upper, limit="upper", how=how)
    _, minus, _, plus, _, _ = _percentiles(_of_truth(log_draws))
    return Quantity(
        value=float(np.log(value)),
        sd=(plus - minus) / 2,
        low=float(np.log(linear.low)) if linear.low else None,
        high=upper,
        how=how,
        repetition_sd=_repetition_sd(log_draws),
    )


# --------------------------------------------------------------------------- water


def _without_water(table: _Table, fit: FitResult, reason: str) -> None:
    for name in (*(f"{n}/water" for n in fit.names), "structure/water", "log(structure/water)"):
        table.none(name, reason)


def _water(
    table: _Table,
    fit: FitResult,
    draws: FloatArray,
    normals: FloatArray,
    known: tuple[Reference, RelaxationModel, Mapping[str, MeasuredTime]],
) -> dict[str, Any]:
    """Enter the water-referenced amounts; return the factors of each component."""
    reference, relaxation, measured = known
    amounts: dict[str, tuple[float, FloatArray]] = {}
    factors: dict[str, Any] = {}
    of_water = water_draws(reference, normals[:_WATER_NORMALS])
    for index, name in enumerate(fit.names):
        entry = relaxation.of(name)
        if entry is None:
            table.none(f"{name}/water", f"{relaxation.name} has no entry for {name}")
            continue
        own = normals[_WATER_NORMALS + 2 * index : _WATER_NORMALS + 2 * index + 2]
        if (t2 := measured.get(name)) is not None:
            own = np.stack([own[0], _with_amplitude(own[1], draws[index], t2.correlation)])
        scaled = scale(entry, reference, of_water, own, t2)
        if isinstance(scaled, str):
            table.none(f"{name}/water", scaled)
            continue
        amplitude = float(fit.amplitude[index])
        value, drawn = amplitude * scaled.factor, draws[index] * scaled.draws
        how = scaled.formula(amplitude, reference)
        table.add(
            f"{name}/water", _measured(value, drawn, unit=_MOLAL_UNIT, how=how, cut=False), drawn
        )
        amounts[name] = (value * entry.protons, drawn * entry.protons)
        factors[name] = {
            "amplitude": amplitude,
            "protons": scaled.protons,
            "t1_s": scaled.t1.seconds,
            "t1_source": f"{scaled.t1.source} [{scaled.t1.status}]",
            "t2_s": scaled.t2.seconds,
            "t2_low_s": scaled.t2.interval_s[0],
            "t2_high_s": scaled.t2.interval_s[1],
            "t2_source": f"{scaled.t2.source} [{scaled.t2.status}]",
            "factor": scaled.factor,
        }
    _structure_to_water(table, fit, amounts)
    return factors


def _with_amplitude(normals: FloatArray, drawn: FloatArray, correlation: float) -> FloatArray:
    """Return the draws of a T2 that was made from the amplitudes that are `drawn` beside it."""
    truth = _of_truth(drawn)
    along = (truth - truth.mean()) / max(float(truth.std()), 1e-300)
    mixed = normals.copy()
    mixed[: truth.size] = correlation * along + sqrt(1 - correlation**2) * normals[: truth.size]
    return mixed


def _structure_to_water(
    table: _Table, fit: FitResult, amounts: Mapping[str, tuple[float, FloatArray]]
) -> None:
    """Enter the structure index: protons of PG and COL per kg tissue water, and its logarithm."""
    names = ("structure/water", "log(structure/water)")
    absent = [n for n in SUMS["structure"] if n not in amounts]
    if absent:
        reason = _lacks(fit, absent) or f"{absent[0]}/water could not be had"
        for name in names:
            table.none(name, reason)
        return
    value = float(sum(amounts[n][0] for n in SUMS["structure"]))
    drawn = np.sum([amounts[n][1] for n in SUMS["structure"]], axis=0)
    how = "3 x PG/water + COL/water: visible protons, corrected for relaxation"
    linear = _measured(value, drawn, unit=_EQUIVALENTS_UNIT, how=how, cut=True)
    table.add(names[0], linear, drawn)
    log_draws = _log_draws(drawn)
    logarithm = _logarithm(value, linear, log_draws, f"natural logarithm of {how}")
    if logarithm.value is None:
        logarithm = Quantity(value=None, reason="structure is not above zero")
    table.add(names[1], logarithm, log_draws)


def _water_factors(reference: Reference, morphology: Morphology | None) -> dict[str, Any]:
    r = reference
    return {
        "amplitude": r.amplitude,
        "amplitude_relative_sd": r.relative_sd,
        "molality_mol_kg": r.molality,
        "protons": r.protons,
        "pfirrmann": morphology.pfirrmann if morphology is not None else None,
        "field_t": r.field_t,
        "t1_s": r.t1.seconds,
        "t1_source": f"{r.t1.source} [{r.t1.status}]",
        "t2_s": r.t2.seconds,
        "t2_source": f"{r.t2.source} [{r.t2.status}]",
        "echo_time_s": r.echo_time_s,
        "repetition_time_s": r.repetition_time_s,
        "metabolite_echo_time_s": r.metabolite_echo_time_s,
        "metabolite_repetition_time_s": r.metabolite_repetition_time_s,
    }
