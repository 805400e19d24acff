"""Amplitude of the unsuppressed water, and what turns an area ratio into mmol per kg tissue water.

    C = 1000 x 55.51 x (2 / n_H) x S_m / S_w
        x [1 - exp(-TR_w/T1_w)] / [1 - exp(-TR_m/T1_m)] x exp(-TE_w/T2_w) / exp(-TE_m/T2_m)

Source: Near et al., NMR Biomed 2021;34:e4257, doi:10.1002/nbm.4257, equation 6 (molality), with
one water compartment and full MR visibility: the result counts what is mobile enough to be seen.
J evolution is in the basis FIDs and not divided out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.data import Fid, Morphology, Preprocessed, Protocol
from mrs_disc.models.relaxation import Metabolite, RelaxationModel, Time, choose_time
from mrs_disc.typing import FloatArray

_FLOOR = 0.25  # of the largest magnitude: below, the shape of the line matters too much
_LONGEST_S = 0.08
_MIN_POINTS = 8
_SHAPE_SD = 0.01
"""Relative error of the water amplitude from a line that is no Voigt line [proposed]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The water of one disc, and how both measurements were weighted."""

    amplitude: float
    relative_sd: float
    molality: float
    protons: float
    t1: Time
    t2: Time
    echo_time_s: float
    repetition_time_s: float
    metabolite_echo_time_s: float
    metabolite_repetition_time_s: float
    field_t: float


def water_amplitude(water: Fid) -> tuple[float, float] | None:
    """Return the magnitude of the water FID at the echo, and its relative standard error.

    The logarithm of the magnitude of a Voigt line is a parabola in time; it is fitted to the
    first points and read at time zero. Metabolites and lipid beat against water many times in that
    span and average out. `None` where too few points hold signal.
    """
    magnitude = np.abs(water.signal)
    time = water.sampling.time_s(water.n_points)
    low = np.flatnonzero((magnitude < _FLOOR * magnitude.max()) | (time > _LONGEST_S))
    n = int(low[0]) if low.size else magnitude.size
    if n < _MIN_POINTS:
        return None
    scaled = time[:n] / time[n - 1]
    # the logarithm of a magnitude has errors of noise / magnitude: rows weighted by the magnitude
    design = np.stack([np.ones(n), scaled, scaled**2], axis=1) * magnitude[:n, None]
    target = np.log(magnitude[:n]) * magnitude[:n]
    solution, _, _, _ = np.linalg.lstsq(design, target, rcond=None)
    residual = target - design @ solution
    spread = float(residual @ residual) / (n - 3)
    error = np.sqrt(spread * np.linalg.inv(design.T @ design)[0, 0])
    return exp(float(solution[0])), float(np.hypot(error, _SHAPE_SD))


def water_reference(
    preprocessed: Preprocessed, relaxation: RelaxationModel, morphology: Morphology | None
) -> Reference | str:
    """Return the water reference of a disc, or the reason why there is none in one clause."""
    if preprocessed.water is None:
        return "no water reference"
    protocol = preprocessed.protocol
    of_water = preprocessed.water_protocol or protocol
    times = _echo_and_repetition(protocol, "")
    if isinstance(times, str):
        return times
    water_times = _echo_and_repetition(of_water, " of the water reference")
    if isinstance(water_times, str):
        return water_times
    sampling = preprocessed.fid.sampling
    field_t = protocol.field_strength_t or sampling.spectrometer_mhz / GAMMA_1H_MHZ_PER_T
    grade = morphology.pfirrmann if morphology is not None else None
    t1 = choose_time(relaxation.water.t1, field_t, grade)
    t2 = choose_time(relaxation.water.t2, field_t, grade)
    if t1 is None or t2 is None:
        return f"{relaxation.name} has no relaxation time of water at {field_t:.2f} T"
    amplitude = water_amplitude(preprocessed.water)
    if amplitude is None:
        return "the water reference decays within a few points"
    return Reference(
        amplitude=amplitude[0],
        relative_sd=amplitude[1],
        molality=relaxation.water.molality_mol_kg,
        protons=relaxation.water.protons,
        t1=t1,
        t2=t2,
        echo_time_s=water_times[0],
        repetition_time_s=water_times[1],
        metabolite_echo_time_s=times[0],
        metabolite_repetition_time_s=times[1],
        field_t=field_t,
    )


def _echo_and_repetition(protocol: Protocol, of_what: str) -> tuple[float, float] | str:
    """Return echo and repetition time, s, or which of the two is not known."""
    if protocol.echo_time_s is None:
        return f"the echo time{of_what} is not known"
    if protocol.repetition_time_s is None:
        return f"the repetition time{of_what} is not known"
    return protocol.echo_time_s, protocol.repetition_time_s


def _weighting(
    t1: float | FloatArray, t2: float | FloatArray, repetition_time_s: float, echo_time_s: float
) -> FloatArray:
    """Return what relaxation leaves of a signal."""
    # expm1 keeps its digits where the repetition is short against T1
    return np.asarray(-np.expm1(-repetition_time_s / t1) * np.exp(-echo_time_s / t2))


def _drawn(time: Time, normals: FloatArray) -> FloatArray:
    """Return draws of a relaxation time, s."""
    return np.asarray(time.seconds * np.exp(time.log_sd * normals))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterDraws:
    """What all components of a disc are divided by, drawn once.

    Parameters
    ----------
    weighting : float array, shape (draw,)
        What relaxation leaves of the water.
    spread : float array, shape (draw,)
        Its amplitude over the drawn amplitude.
    """

    weighting: FloatArray
    spread: FloatArray


def repeat_normals(reference: Reference, normals: FloatArray) -> FloatArray:
    """Return the draws of repeats: relaxation and shape of the water stay, its noise is new.

    Parameters
    ----------
    reference : Reference
        The disc's water.
    normals : float array, shape (3 or more, draw)
        As `water_draws` takes them, behind them those of the components' relaxation times.
    """
    repeated = np.zeros_like(normals)
    noise = sqrt(max(reference.relative_sd**2 - _SHAPE_SD**2, 0.0))
    repeated[2] = normals[2] * (noise / reference.relative_sd)
    return repeated


def water_draws(reference: Reference, normals: FloatArray) -> WaterDraws:
    """Return draws of the water's weighting and amplitude.

    Parameters
    ----------
    reference : Reference
        The disc's water.
    normals : float array, shape (3, draw)
        Standard normal draws for its T1, T2 and amplitude.
    """
    t1, t2 = _drawn(reference.t1, normals[0]), _drawn(reference.t2, normals[1])
    return WaterDraws(
        weighting=_weighting(t1, t2, reference.repetition_time_s, reference.echo_time_s),
        spread=np.exp(-reference.relative_sd * normals[2]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTime:
    """A T2 that runs of this disc measured.

    Parameters
    ----------
    time : Time
        In place of the prior.
    correlation : float
        Of its logarithm with that of the amplitude of the run at hand, which it was made from.
    """

    time: Time
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one component's amplitude is multiplied with, and the times behind it."""

    factor: float
    draws: FloatArray
    t1: Time
    t2: Time
    protons: float

    def formula(self, amplitude: float, reference: Reference) -> str:
        """Return the sum with all its numbers, as a reader or a calculator can redo it."""
        r = reference
        return (
            f"1000 * {r.molality:.10g} * {r.protons:.10g} / {self.protons:.10g}"
            f" * {amplitude:.10g} / {r.amplitude:.10g}"
            f" * (1 - exp(-{r.repetition_time_s:.10g} / {r.t1.seconds:.10g}))"
            f" / (1 - exp(-{r.metabolite_repetition_time_s:.10g} / {self.t1.seconds:.10g}))"
            f" * exp(-{r.echo_time_s:.10g} / {r.t2.seconds:.10g})"
            f" / exp(-{r.metabolite_echo_time_s:.10g} / {self.t2.seconds:.10g})"
        )


def scale(
    entry: Metabolite,
    reference: Reference,
    water: WaterDraws,
    normals: FloatArray,
    measured: MeasuredTime | None = None,
) -> Scale | str:
    """Return the factor from amplitude to mmol per kg tissue water, or why there is none.

    Parameters
    ----------
    entry : Metabolite
        Protons and relaxation times of the component.
    reference : Reference
        The disc's water.
    water : WaterDraws
        Its draws, the same for all components.
    normals : float array, shape (2, draw)
        Standard normal draws for T1 and T2 of the component.
    measured : MeasuredTime, optional
        Its T2 where this disc's own runs tell it.
    """
    t1 = choose_time(entry.t1, reference.field_t, None)
    t2 = measured.time if measured else choose_time(entry.t2, reference.field_t, None)
    if t1 is None or t2 is None:
        return f"no relaxation time of {entry.name} at {reference.field_t:.2f} T"
    r = reference
    constant = 1000 * r.molality * r.protons / entry.protons / r.amplitude
    of_water = _weighting(r.t1.seconds, r.t2.seconds, r.repetition_time_s, r.echo_time_s)
    own = (r.metabolite_repetition_time_s, r.metabolite_echo_time_s)
    drawn = _weighting(_drawn(t1, normals[0]), _drawn(t2, normals[1]), *own)
    return Scale(
        factor=constant * float(of_water / _weighting(t1.seconds, t2.seconds, *own)),
        draws=constant * (water.weighting / drawn) * water.spread,
        t1=t1,
        t2=t2,
        protons=entry.protons,
    )
