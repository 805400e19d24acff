"""T2 of a component from runs of one disc at several echo times, in place of an assumed one.

An amplitude is what is left at the echo, so its logarithm falls with the echo time by 1/T2:

    ln A_i = ln A_0 - TE_i / T2          (weights 1 / (sd_i / A_i)^2; two runs or more)
    R = 1 / T2 = -sum w (TE - mean) ln A / sum w (TE - mean)^2,      sd(R) = 1 / sqrt(same sum)

The gain of the receiver cancels where the water references of all runs have one echo time: then
A_i / W_i takes the place of A_i. Elsewhere one gain is assumed, and held against the water: from
run to run it has to fall as a T2 of water that its prior allows.

Decision: the measured T2 takes the place of the prior, and is not mixed with it, where it is the
better known of the two. The prior of PG is as wide as ignorance; a mean with it would only pull.
What the runs have in common (a baseline that passes for PG at any echo time) is in no error here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import chdtrc

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T, Z95
from mrs_disc.data import FitResult, LevelMeasurement, Morphology
from mrs_disc.models.relaxation import RelaxationModel, Time, choose_time
from mrs_disc.record.findings import Finding, finding
from mrs_disc.steps.water_reference import MeasuredTime, Reference, water_reference
from mrs_disc.typing import FloatArray

COMPONENTS = ("PG", "LAC")
"""PG, whose T2 is as good as unknown, and LAC where it is strong."""

STRONG_SD = 5.0
"""Amplitudes of so many standard deviations have a logarithm that is as good as normal [P]."""

LEAST_APART_S = 0.010
"""Echo times closer than this tell next to nothing of a T2 of tens of milliseconds [P]."""

_ALIKE = 0.02
"""Times that differ by less, relative, are one [P]."""

_LEAST_P = 0.01
"""Probability of lying so far from one exponential by chance, below which there is none [P]."""

_GAIN_SD = 3.0
"""Standard deviations that water may lie from what its prior allows [P]."""

_SLOWEST_HZ = 0.1
"""A T2 of ten seconds: what falls slower does not fall."""

UNCERTAIN_EVOLUTION = ("sequence_assumed", "pulses_not_told")
"""Findings with which a multiplet's amplitude may change with the echo time for another reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """A component's transverse relaxation from several runs.

    Parameters
    ----------
    rate_hz, rate_sd_hz : float
        1/T2 and its standard error, 1/s.
    slopes : tuple of float
        By how much the rate changes with the logarithm of each run's amplitude, 1/s.
    p : float
        Probability of lying further from one exponential by chance; 1 for two echo times.
    """

    rate_hz: float
    rate_sd_hz: float
    slopes: tuple[float, ...]
    p: float = 1.0

    @property
    def seconds(self) -> float:
        """T2."""
        return 1 / self.rate_hz

    @property
    def log_sd(self) -> float:
        """Standard error of its logarithm."""
        return self.rate_sd_hz / self.rate_hz

    @property
    def interval_s(self) -> tuple[float, float]:
        """95 % interval of T2; infinite above where the rate may vanish."""
        slow = self.rate_hz - Z95 * self.rate_sd_hz
        fast = self.rate_hz + Z95 * self.rate_sd_hz
        return 1 / fast, 1 / slow if slow > 0 else float("inf")


def decay_of(echo_times_s: FloatArray, log_amplitude: FloatArray, log_sd: FloatArray) -> Decay:
    """Return the rate at which amplitudes fall with the echo time, by weighted least squares.

    Parameters
    ----------
    echo_times_s : float array, shape (run,)
        Not all equal.
    log_amplitude, log_sd : float arrays, shape (run,)
        Natural logarithm of each amplitude, and its standard error.
    """
    weight = 1 / log_sd**2
    away = echo_times_s - np.average(echo_times_s, weights=weight)
    information = float(weight @ away**2)
    slopes = -weight * away / information
    rate = float(slopes @ log_amplitude)
    left = log_amplitude - np.average(log_amplitude, weights=weight) + rate * away
    freedom = len(echo_times_s) - 2
    return Decay(
        rate_hz=rate,
        rate_sd_hz=1 / sqrt(information),
        slopes=tuple(slopes.tolist()),
        p=float(chdtrc(freedom, float(weight @ left**2))) if freedom else 1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredT2:
    """What the runs of one disc tell of T2: times to use in each run, and what there is to say.

    `of_run` has for each run the components whose T2 was measured.
    """

    of_run: tuple[Mapping[str, MeasuredTime], ...]
    findings: tuple[Finding, ...]


def measured_t2(
    runs: Sequence[LevelMeasurement],
    names: Sequence[str],
    relaxation: RelaxationModel,
    morphology: Morphology | None,
) -> MeasuredT2 | None:
    """Return the T2 that runs of one disc measure; `None` where they have one echo time.

    Parameters
    ----------
    runs : sequence of LevelMeasurement
        Usable runs of one disc.
    names : sequence of str
        What each is called, for the words.
    relaxation : RelaxationModel
        The priors.
    morphology : Morphology or None
        The Pfirrmann grade chooses the prior of water.
    """
    first = runs[0].preprocessed.protocol
    alike = [
        (run, name)
        for run, name in zip(runs, names, strict=True)
        if run.preprocessed.protocol.echo_time_s is not None
        and _same(run.preprocessed.protocol.repetition_time_s, first.repetition_time_s)
        and run.preprocessed.protocol.sequence == first.sequence
    ]
    echo_s = np.array([run.preprocessed.protocol.echo_time_s for run, _ in alike], dtype=float)
    if len(alike) < 2 or np.ptp(echo_s) < LEAST_APART_S:
        return None
    waters = [water_reference(run.preprocessed, relaxation, morphology) for run, _ in alike]
    known = [water for water in waters if isinstance(water, Reference)]
    gain = _gain(known if len(known) == len(alike) else [])
    where = {"runs": [name for _, name in alike], "echo_ms": (1e3 * echo_s).round(1).tolist()}
    of_run: list[dict[str, MeasuredTime]] = [{} for _ in runs]
    findings = []
    for component in COMPONENTS:
        prior = _prior(component, relaxation, alike[0][0])
        decay = _decay(component, [run.fit for run, _ in alike], echo_s, gain)
        if prior is None or decay is None:
            continue
        told = {**where, "prior_ms": 1e3 * prior.seconds, "name": component}
        if (why := _problem(component, decay, prior, gain, [run for run, _ in alike])) is not None:
            findings.append(finding("t2_not_measured", component, why=why, **told))
            continue
        low, high = decay.interval_s
        findings.append(
            finding(
                "t2_measured",
                component,
                t2_ms=1e3 * decay.seconds,
                low_ms=1e3 * low,
                high_ms=1e3 * high,
                gain=finding(gain.kind),
                **told,
            )
        )
        for index, (run, _) in enumerate(alike):
            at = next(i for i, one in enumerate(runs) if one is run)
            of_run[at][component] = _for_run(decay, component, run.fit, index, where)
    return MeasuredT2(of_run=tuple(of_run), findings=tuple(findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gain:
    """How the receiver's gain is dealt with: what to take off each logarithm, with its error."""

    kind: str
    log_water: FloatArray | float = 0.0
    log_sd: FloatArray | float = 0.0
    contradicted: Finding | None = None


def _gain(waters: Sequence[Reference]) -> _Gain:
    """Return what the water references of all runs say; without them one gain is assumed."""
    if not waters:
        return _Gain(kind="t2_gain_assumed")
    amplitude = np.array([water.amplitude for water in waters])
    log_sd = np.array([water.relative_sd for water in waters])
    echo_s = np.array([water.echo_time_s for water in waters])
    one_weighting = all(
        _same(water.echo_time_s, waters[0].echo_time_s)
        and _same(water.repetition_time_s, waters[0].repetition_time_s)
        for water in waters
    )
    if one_weighting:
        return _Gain(kind="t2_gain_cancels", log_water=np.log(amplitude), log_sd=log_sd)
    if np.ptp(echo_s) < LEAST_APART_S:
        return _Gain(kind="t2_gain_assumed")
    decay, prior = decay_of(echo_s, np.log(amplitude), log_sd), waters[0].t2
    expected = 1 / prior.seconds
    error = np.hypot(decay.rate_sd_hz, expected * prior.log_sd)
    contradicted = None
    if decay.p < _LEAST_P or abs(decay.rate_hz - expected) > _GAIN_SD * error:
        contradicted = finding("t2_gain_differs", rate_hz=decay.rate_hz, expected_hz=expected)
    return _Gain(kind="t2_gain_held", contradicted=contradicted)


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (
        one is not None and other is not None and abs(one - other) <= _ALIKE * abs(other)
    )


def _prior(component: str, relaxation: RelaxationModel, run: LevelMeasurement) -> Time | None:
    entry = relaxation.of(component)
    mhz = run.preprocessed.fid.sampling.spectrometer_mhz
    field_t = run.preprocessed.protocol.field_strength_t or mhz / GAMMA_1H_MHZ_PER_T
    return None if entry is None else choose_time(entry.t2, field_t, None)


def _decay(
    component: str, fits: Sequence[FitResult], echo_s: FloatArray, gain: _Gain
) -> Decay | None:
    """Return the decay of a component; `None` where it is weak in a run."""
    if not all(fit.has(component) for fit in fits):
        return None
    amplitude = np.array([fit.amplitude[fit.index(component)] for fit in fits])
    sd = np.array([fit.sd[fit.index(component)] for fit in fits])
    if not (np.all(np.isfinite(sd)) and np.all(sd > 0) and np.all(amplitude >= STRONG_SD * sd)):
        return None
    log_sd = np.hypot(sd / amplitude, gain.log_sd)
    return decay_of(echo_s, np.log(amplitude) - gain.log_water, log_sd)


def _problem(
    component: str, decay: Decay, prior: Time, gain: _Gain, runs: Sequence[LevelMeasurement]
) -> Finding | None:
    """Return why a decay measures no T2, or `None`."""
    if gain.contradicted is not None:
        return gain.contradicted
    seen = {one.kind for run in runs for one in run.preprocessed.findings}
    doubts = [kind for kind in UNCERTAIN_EVOLUTION if kind in seen]
    if component != "PG" and doubts:
        return finding("t2_evolution_uncertain")
    if decay.p < _LEAST_P:
        return finding("t2_runs_disagree", p=decay.p)
    if decay.rate_hz <= _SLOWEST_HZ:
        return finding("t2_not_decaying")
    if decay.log_sd >= prior.log_sd:
        return finding("t2_less_certain", log_sd=decay.log_sd, prior=prior.log_sd)
    return None


def _for_run(
    decay: Decay, component: str, fit: FitResult, index: int, where: Mapping[str, Sequence[object]]
) -> MeasuredTime:
    """Return the T2 to use in one run, with its correlation to that run's amplitude."""
    at = fit.index(component)
    relative = float(fit.sd[at] / fit.amplitude[at])
    runs, echoes = (", ".join(str(one) for one in where[key]) for key in ("runs", "echo_ms"))
    # ln T2 = -ln R, and R changes with the logarithm of this run's amplitude by its slope
    correlation = -decay.slopes[index] * relative / decay.rate_sd_hz
    return MeasuredTime(
        time=Time(
            seconds=decay.seconds,
            log_sd=decay.log_sd,
            source=f"measured in this disc: {runs} at echo times of {echoes} ms",
            status="D",
        ),
        correlation=float(np.clip(correlation, -1.0, 1.0)),
    )
