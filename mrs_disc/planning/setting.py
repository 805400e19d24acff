"""How discs are to be measured, and what errors that gives: noise, lines, transients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isfinite, pi
from typing import TypedDict

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.planning.expected import EXCESS, Expected, Lines, expected, gauss_of, noise_of, peak
from mrs_disc.recipe import Recipe
from mrs_disc.simulate import Disc, Kind, Scan, draw_disc
from mrs_disc.simulate.population import amplitudes, load_population, typical_disc
from mrs_disc.steps.quantification import SUMS
from mrs_disc.typing import FloatArray

R = "r"
"""ln(acidity/structure), what the score looks at."""
ALIASES = {"log(acidity/structure)": R}
LONGEST_S = 3600.0
"""Time for one disc beyond which an aim is called out of reach [P]."""
REFERENCE: Kind = "D"
"""The class whose typical disc has the SNR that is stated: degenerated, painless."""


class Stated(TypedDict, total=False):
    """Keywords of `plan`: what is known of the measurement."""

    snr: float
    averages: int
    linewidth_hz: float
    echo_time_s: float
    repetition_time_s: float
    field_t: float
    transients: int
    discs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How discs are to be measured.

    Parameters
    ----------
    snr : float
        Height of the PG peak of a typical degenerated disc over the standard deviation of the real
        noise, of the mean of `averages` transients.
    averages : int
        To how many transients `snr` belongs.
    linewidth_hz : float
        Full width at half maximum of that peak.
    echo_time_s, repetition_time_s : float
        Of PRESS.
    field_t : float
        Field strength.
    transients : int
        How many are to be taken of each disc.
    discs : int
        How many discs, one after the other.
    """

    snr: float
    averages: int = 1
    linewidth_hz: float = 26.0
    echo_time_s: float = 0.028
    repetition_time_s: float = 1.5
    field_t: float = 3.0
    transients: int = 128
    discs: int = 1

    def __post_init__(self) -> None:
        for name, (low, high, what) in _LIMITS.items():
            value = getattr(self, name)
            if not (isfinite(value) and low <= value <= high):
                raise InputError(f"{what} = {value:g}: from {low:g} to {high:g} expected")
        if self.repetition_time_s <= self.echo_time_s:
            raise InputError(
                f"a repetition time of {1e3 * self.repetition_time_s:g} ms with an echo time of "
                f"{1e3 * self.echo_time_s:g} ms: the repetition time has to be the longer one"
            )

    @property
    def minutes(self) -> float:
        """Time of one disc."""
        return self.minutes_of(self.transients)

    def minutes_of(self, transients: int) -> float:
        """Return the time that transients of one disc take, without preparation."""
        return transients * self.repetition_time_s / 60

    @property
    def most(self) -> int:
        """Transients of the longest time."""
        return max(1, int(LONGEST_S / self.repetition_time_s))


_LIMITS = {
    "snr": (0.01, 1e5, "SNR"),
    "averages": (1, 100_000, "averages that the SNR belongs to"),
    "linewidth_hz": (1.0, 200.0, "linewidth (Hz)"),
    "echo_time_s": (0.005, 0.4, "echo time (s)"),
    "repetition_time_s": (0.1, 20.0, "repetition time (s)"),
    "field_t": (0.5, 12.0, "field strength (T)"),
    "transients": (1, 100_000, "transients"),
    "discs": (1, 30, "discs"),
}
assert set(_LIMITS) == {field.name for field in fields(Examination)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """An examination with everything that its errors follow from."""

    examination: Examination
    recipe: Recipe

    @cached_property
    def scan(self) -> Scan:
        """The simulator's scan of this protocol."""
        one = self.examination
        return Scan(
            spectrometer_mhz=one.field_t * GAMMA_1H_MHZ_PER_T,
            echo_time_s=one.echo_time_s,
            repetition_time_s=one.repetition_time_s,
            n_points=1024,
            spectral_width_hz=2000.0 * max(1.0, one.field_t / 3.0),
        )

    @cached_property
    def _reference(self) -> tuple[Lines, float]:
        """The typical disc whose SNR is stated, and the noise of one transient."""
        one, disc = self.examination, typical_disc(REFERENCE, field_strength_t=self._field)
        lines = self._lines(disc, disc.b0_width_hz)
        gauss = gauss_of(one.linewidth_hz, lines, self.scan, self.recipe)
        lines = replace(lines, gauss_hz=gauss)
        noise = noise_of(one.snr, lines, self.scan, self.recipe)
        return lines, noise * float(np.sqrt(one.averages))

    @property
    def _field(self) -> float:
        return self.examination.field_t

    def _lines(self, disc: Disc, gauss_hz: float) -> Lines:
        one = self.examination
        amplitude = amplitudes(
            disc, echo_time_s=one.echo_time_s, repetition_time_s=one.repetition_time_s
        )
        return Lines(amplitude=amplitude, lorentz_hz=1 / (pi * disc.t2_s["LAC"]), gauss_hz=gauss_hz)

    def typical(self, kind: Kind) -> Lines:
        """Return the typical disc of a class; the field is as even as the linewidth says."""
        return self.lines_of(typical_disc(kind, field_strength_t=self._field))

    def lines_of(self, disc: Disc) -> Lines:
        """Return the lines of a disc, its field as much better or worse as that of all discs."""
        usual = typical_disc(REFERENCE, field_strength_t=self._field).b0_width_hz
        return self._lines(disc, disc.b0_width_hz * self._reference[0].gauss_hz / usual)

    def noise_sd(self, transients: int) -> float:
        """Return the noise of the mean of transients, in the units of the lines."""
        return self._reference[1] / float(np.sqrt(transients))

    def snr(self, lines: Lines, transients: int) -> float:
        """Return the SNR of a disc's quality peak."""
        height, dwell = peak(lines, self.scan, self.recipe)[0], self.scan.sampling.dwell_time_s
        return height / (dwell * self.noise_sd(transients) * float(np.sqrt(self.scan.n_points)))

    def expected(self, lines: Lines, transients: int) -> Expected:
        """Return the errors of a disc after some transients."""
        return expected(lines, self.noise_sd(transients), self.scan, self.recipe)

    def discs(self, kinds: tuple[Kind, ...], count: int, transients: int) -> list[Expected]:
        """Return drawn discs of some classes, in their shares at the lower levels, measured once.

        Each has a baseline of its own.
        """
        share = {kind: load_population().share["lower"]["HDP".index(kind)] for kind in kinds}
        whole = sum(share.values())
        found = []
        for kind in kinds:
            for subject in range(round(count * share[kind] / whole)):
                disc = draw_disc(
                    _POPULATION_SEED,
                    subject,
                    "L4-L5",
                    kind=kind,
                    gas=False,
                    field_strength_t=self._field,
                )
                found.append(
                    expected(
                        self.lines_of(disc),
                        self.noise_sd(transients),
                        self.scan,
                        self.recipe,
                        baselines=1,
                        seed=subject,
                    )
                )
        return found


_POPULATION_SEED = 190211


def gradient(quantity: str, names: tuple[str, ...], amplitude: FloatArray) -> FloatArray:
    """Return the derivative of the logarithm of a quantity by the amplitudes.

    Parameters
    ----------
    quantity : str
        A component, a sum (acidity, structure, LAAL), one of them over another, or ``"r"``.
    names : tuple of str
        Components.
    amplitude : float array, shape (component,)
        Their amplitudes.

    Raises
    ------
    InputError
        If nothing has that name.
    """
    quantity = ALIASES.get(quantity, quantity)
    parts = "acidity/structure" if quantity == R else quantity
    weights = [_weights(part, quantity, names) for part in parts.split("/", 1)]
    terms = [w / max(float(w @ amplitude), 1e-300) for w in weights]
    return terms[0] if len(terms) == 1 else terms[0] - terms[1]


def _weights(part: str, quantity: str, names: tuple[str, ...]) -> FloatArray:
    known = [R, *names, *SUMS, *(f"{name}/PG" for name in names if name != "PG")]
    of: Mapping[str, float] = SUMS.get(part, {part: 1.0})
    if any(name not in names for name in of):
        raise InputError(
            f"no quantity is named '{quantity}'.{did_you_mean(quantity, known)} "
            f"Known: {', '.join(known)}, and any of them over another."
        )
    return np.array([of.get(name, 0.0) for name in names])


def error_of(quantity: str, disc: Expected) -> float:
    """Return the expected error: absolute of r, relative of everything else; over 1 is no value."""
    slope = gradient(quantity, disc.names, disc.amplitude)
    bound = float(np.median(np.sqrt(np.maximum(slope @ disc.covariance @ slope, 0.0))))
    return bound / EXCESS.get(quantity, 1.0)


def fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """Return the fewest transients that are enough, or `None` where none up to `most` are."""
    if not enough(most):
        return None
    low, high = 0, most
    while high - low > max(1, high // 100):  # to 1 %: the prediction is not better than that
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
