"""The components of a model that are fitted: those asked for, with a line in the fitted range.

An amount of which the fitted range shows nothing would be its prior, quoted as a measurement. So a
component without a line in the range is left out, and a finding says so.

Decision: where the foot of such a component reaches into the range it is fitted, and counts as
baseline: without it the others would be bent to describe its foot (of the demo's L4-L5 in the
range of .5 to 3 ppm, lactate fourfold and lipid far below zero). What the user excludes is not
fitted at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import atan, pi

import numpy as np

from mrs_disc.data import FitResult, Sampling
from mrs_disc.errors import InputError, ModelError, did_you_mean
from mrs_disc.models import Component, MetaboliteModel
from mrs_disc.recipe import FitOptions
from mrs_disc.record.findings import Finding, finding
from mrs_disc.signal.axes import frequency_axis, spectrum

SEEN = 0.1
"""Height of a line in the fitted range over that of the highest, from which a simulated component
counts as seen [proposed]."""
_WIDTH_HZ = 12.0
"""Width of a line whose foot is asked for: that of a narrow line of a disc."""
FOUND_SD = 3.0
"""Amount of a compound that few discs hold, in its standard deviations, from which it is named
[proposed]."""
POOLED = 0.5
"""Share of a component's energy in the fitted range, from which its pools are fitted [proposed]."""
FOOT = 0.02
"""Share of a component's energy in the fitted range, from which its foot is fitted [proposed]; the
kernel refuses what has half of that."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that is fitted, those of its components that are not told, and what to say.

    Not told are the feet of lines outside the range, and compounds that few discs hold.
    """

    model: MetaboliteModel
    feet: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def without(model: MetaboliteModel, names: Sequence[str]) -> MetaboliteModel:
    """Return a model without some of its components, and without the priors that name them.

    Parameters
    ----------
    model : MetaboliteModel
        The model.
    names : sequence of str
        The components. Where the quality peak is among them, the first that stays is judged on.

    Raises
    ------
    ModelError
        If the model has no such component, or none would stay.
    """
    known = [component.name for component in model.component]
    for name in names:
        if name not in known:
            raise ModelError(
                f"exclude: model {model.name} has no component '{name}'."
                f"{did_you_mean(name, known)} Components: {', '.join(known)}."
            )
    kept = tuple(c for c in model.component if c.name not in names)
    if not kept:
        raise ModelError(f"exclude: no component of model {model.name} is left to fit.")
    peak = model.quality_component
    return model.model_copy(
        update={
            "component": kept,
            "prior": tuple(p for p in model.prior if not {p.numerator, p.denominator} & set(names)),
            "quality_peak": kept[0].name if peak in names else peak,
        }
    )


def chosen(
    model: MetaboliteModel,
    options: FitOptions,
    sampling: Sampling,
    window_ppm: tuple[float, float],
) -> Chosen:
    """Return what is fitted of a model.

    Parameters
    ----------
    model : MetaboliteModel
        Loaded.
    options : FitOptions
        ``[fit]``: what is excluded, and whether ratios are held.
    sampling : Sampling
        Of the data; where on the axis a simulated FID lies depends on it.
    window_ppm : tuple of float
        Fitted range, cut where the spectral width ends.

    Raises
    ------
    ModelError
        If an excluded component is not in the model.
    InputError
        If no line lies in the range.
    """
    asked = list(dict.fromkeys(options.exclude))
    wanted = without(model, asked)
    reach = {c.name: _reach(c, model, sampling, window_ppm) for c in wanted.component}
    outside = [name for name, (seen, _) in reach.items() if not seen]
    low, high = window_ppm
    if len(outside) == len(reach):
        raise InputError(
            f"no line of model {model.name} lies between {low:.2f} and {high:.2f} ppm: "
            "[fit] window_ppm, or the components that are excluded, leave nothing to fit"
        )
    feet = tuple(name for name in outside if reach[name][1] >= FOOT)
    reported = without(wanted, outside)
    kept = {component.name for component in reported.component} | set(feet)
    foreign = tuple(c for c in model.foreign if _reach(c, model, sampling, window_ppm)[0])
    # Of a component whose lines mostly lie elsewhere, pools cannot be told from itself.
    usual = tuple(
        c if reach[c.name][1] >= POOLED else c.without_pools()
        for c in model.component
        if c.name in kept
    )
    fitted = reported.model_copy(
        update={
            "component": (*usual, *foreign),
            "prior": reported.prior if options.ratio_priors else (),
        }
    )
    noticed = []
    if asked:
        noticed.append(finding("components_excluded", names=asked))
    if outside:
        noticed.append(finding("components_outside", names=outside, low=low, high=high))
    if reported.quality_component != model.quality_component:
        peaks = {"was": model.quality_component, "now": reported.quality_component}
        noticed.append(finding("quality_peak_replaced", **peaks))
    same = not noticed and not foreign and fitted.prior == model.prior
    names = tuple(component.name for component in foreign)
    return Chosen(model if same else fitted, feet, names, tuple(noticed))


def found(fit: FitResult, foreign: Sequence[str]) -> list[Finding]:
    """Find compounds that few discs hold and this one does."""
    noticed = []
    for name in foreign:
        ratio = fit.in_sd(name)
        if ratio >= FOUND_SD:
            noticed.append(finding("foreign_found", name, ratio=ratio))
    return noticed


def told(fit: FitResult, feet: Sequence[str]) -> FitResult:
    """Return a fit in which components that are not told count as baseline."""
    if not feet:
        return fit
    kept = [k for k, name in enumerate(fit.names) if name not in feet]
    foot = [k for k, name in enumerate(fit.names) if name in feet]
    block = np.ix_(kept, kept)
    curves = fit.curves
    return replace(
        fit,
        names=tuple(fit.names[k] for k in kept),
        covariance=fit.covariance[block],
        repetition=None if fit.repetition is None else fit.repetition[block],
        curves=replace(
            curves,
            baseline=curves.baseline + curves.components[foot].sum(axis=0),
            components=curves.components[kept],
        ),
        **{name: getattr(fit, name)[kept] for name in _ROWS},
    )


_ROWS = ("amplitude", "crlb", "low", "high", "ppm", "linewidth_hz")


def _reach(
    component: Component,
    model: MetaboliteModel,
    sampling: Sampling,
    window_ppm: tuple[float, float],
) -> tuple[bool, float]:
    """Return whether a line of a component lies in a range, and what share of its energy does."""
    low, high = window_ppm
    mhz = sampling.spectrometer_mhz
    if component.simulated is None:
        groups = [(component.extra_width_hz, component.resonance)]
        groups += [(part.extra_width_hz, part.resonance) for part in component.part]
        seen, inside, whole = False, 0.0, 0.0  # of few lines, number by number
        for extra_hz, resonances in groups:
            for r in resonances:
                width_hz = _WIDTH_HZ + extra_hz + r.extra_width_hz
                half, energy = 0.5 * width_hz / mhz, r.weight**2 / width_hz
                share = (atan((high - r.ppm) / half) - atan((low - r.ppm) / half)) / pi
                seen |= low <= r.ppm <= high
                inside, whole = inside + energy * share, whole + energy
        return seen, inside / whole
    dwell_s = component.simulated.dwell_time_s or model.basis_dwell_time_s
    if dwell_s is None:  # said where the basis is made
        return True, 1.0
    fid = component.simulated.fid
    decay = np.exp(-np.pi * _WIDTH_HZ * dwell_s * np.arange(fid.size))
    height = np.abs(spectrum(fid * decay))
    ppm = frequency_axis(height.size, dwell_s) / mhz + sampling.reference_ppm
    within = (ppm >= low) & (ppm <= high)
    top = (height >= np.roll(height, 1)) & (height >= np.roll(height, -1))
    seen = bool(np.any(within & top & (height >= SEEN * height.max())))
    return seen, float(np.sum(height[within] ** 2) / np.sum(height**2))
