"""The parts of a row of ``regimes.toml``: what a disc is made of, and how each part is drawn.

Every part draws from the random stream that it is given. The forms that a number may have stand at
the head of that file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from mrs_disc.constants import WATER_PPM
from mrs_disc.schema import StrictModel
from mrs_disc.simulate.lines import hump_fids
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

PG = 100.0
"""Amplitude of PG in every disc of a row; areas in the rows are relative to it."""

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=4096)]
Spread: TypeAlias = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is the same in each disc, or drawn anew for each."""

    way: str
    first: float
    second: float

    def some(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draw n numbers."""
        return WAYS[self.way](rng, self.first, self.second, n)

    def one(self, rng: np.random.Generator) -> float:
        """Draw one number."""
        return float(self.some(rng, 1)[0])


WAYS: dict[str, Callable[[np.random.Generator, float, float, int], FloatArray]] = {
    "given": lambda rng, a, b, n: np.full(n, a),
    "even": lambda rng, a, b, n: rng.uniform(a, b, n),
    "log": lambda rng, a, b, n: np.exp(rng.uniform(log(a), log(b), n)),
    "normal": lambda rng, a, b, n: rng.normal(a, b, n),
    "about": lambda rng, a, b, n: a * rng.uniform(1 - b, 1 + b, n),
}


def _number(value: Any) -> Any:
    """Take a number in the forms of regimes.toml."""
    way, pair = "even", value
    if isinstance(value, Number):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        way, pair = next(iter(value.items()))
    elif isinstance(value, int | float):
        way, pair = "given", [value, value]
    plain = isinstance(pair, list) and all(type(n) in (int, float) for n in pair)
    if way not in WAYS or not plain or len(pair) != 2:
        forms = ", ".join(f"{{ {way} = [..] }}" for way in ("log", "normal", "about"))
        raise ValueError(f"should be a number, a range [low, high], or one of {forms}")
    first, second = pair
    if way in ("even", "log") and not first <= second:
        raise ValueError("a range has to rise, as in [14, 25]")
    if way == "log" and first <= 0:
        raise ValueError("what is drawn by its logarithm has to lie above 0")
    if way in ("normal", "about") and second < 0:
        raise ValueError("the second number is a spread and cannot be below 0")
    return Number(way, first, second)


Draw: TypeAlias = Annotated[Number, BeforeValidator(_number)]
ZERO, ONE = Number("given", 0.0, 0.0), Number("given", 1.0, 1.0)


class Hump(StrictModel):
    """One broad Gaussian."""

    ppm: Draw
    fwhm_hz: Draw
    area: Draw


class Humps(StrictModel):
    """Humps that are listed one by one, or one and a Poisson number `more` of a common kind."""

    hump: tuple[Hump, ...] = ()
    more: Annotated[float, Field(ge=0, le=100)] = 0.0
    kind: Hump | None = None
    strength: Draw = ONE
    log_sd: Spread = 0.0
    absent: Share = 0.0

    @model_validator(mode="after")
    def _one_form(self) -> Humps:
        if bool(self.hump) == (self.kind is not None):
            raise ValueError("give either the list 'hump' or the table 'kind'")
        return self

    def draw(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Draw places (ppm), widths (Hz) and areas.

        `strength` is a factor on all humps of a disc, exp(`log_sd`) scatters each on its own, and
        a share of the discs has none.
        """
        if self.kind is None:
            rows = [[h.ppm.one(rng), h.fwhm_hz.one(rng), h.area.one(rng)] for h in self.hump]
            ppm, width, relative = np.array(rows).T
            area = PG * relative
        else:
            n = 1 + rng.poisson(self.more)
            strength = self.strength.one(rng)
            ppm, width = self.kind.ppm.some(rng, n), self.kind.fwhm_hz.some(rng, n)
            area = self.kind.area.some(rng, n) * PG * strength
            area *= np.exp(self.log_sd * rng.standard_normal(n))
        if self.absent and rng.random() < self.absent:
            area[:] = 0.0
        return ppm, width, area

    def fid(self, rng: np.random.Generator, time_s: FloatArray, mhz: float) -> ComplexArray:
        """Draw the humps and return their sum."""
        ppm, width, area = self.draw(rng)
        return hump_fids(time_s, centre_hz=(ppm - WATER_PPM) * mhz, fwhm_hz=width, area=area)


class Eddy(StrictModel):
    """A phase of drawn sign that decays with several time constants in equal parts."""

    degrees: Draw
    time_constants_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)

    def phase(self, rng: np.random.Generator, time_s: FloatArray) -> FloatArray:
        """Draw the phase in rad."""
        total = np.radians(self.degrees.one(rng)) * rng.choice((-1.0, 1.0))
        share = 1 / len(self.time_constants_s)
        return np.asarray(total * sum(share * np.exp(-time_s / t) for t in self.time_constants_s))


class Water(StrictModel):
    """A water reference of one Lorentzian line, and the share of it left under the metabolites."""

    width_hz: Spread
    residual: Share = 0.0
    offset_hz: Draw = ZERO

    def left(
        self, rng: np.random.Generator, amplitude: float, line: FloatArray, time_s: FloatArray
    ) -> ComplexArray:
        """Draw what is left of a water of this amplitude and line; of none nothing is drawn."""
        if self.residual == 0:
            return np.zeros(time_s.size, dtype=complex)
        offset, phase = self.offset_hz.one(rng), rng.uniform(-pi, pi)
        turn = np.exp(2j * pi * offset * time_s + 1j * phase)
        return np.asarray(self.residual * amplitude * line * turn)


class Coils(StrictModel):
    """A coil array, and transients that drift and that motion spoils here and there."""

    n_coils: Count
    n_transients: Count
    n_water: Count
    drift_hz: float
    phase_sd_degrees: Spread
    spoilt_share: Share
    spoilt_degrees: Draw
    spoilt_hz: Draw
    spoilt_gain: Draw
    spoilt_width_hz: Draw

    def transients(
        self, rng: np.random.Generator, time_s: FloatArray
    ) -> tuple[ComplexArray, BoolArray]:
        """Draw what each transient is multiplied by, and which are spoilt."""
        n = self.n_transients
        drift = self.drift_hz * rng.choice((-1.0, 1.0)) * np.linspace(-0.5, 0.5, n)
        phase = rng.normal(0, np.radians(self.phase_sd_degrees), n)
        spoilt = rng.random(n) < self.spoilt_share
        phase += spoilt * np.radians(self.spoilt_degrees.some(rng, n))
        frequency = drift + spoilt * self.spoilt_hz.some(rng, n)
        gain = np.where(spoilt, self.spoilt_gain.some(rng, n), 1.0)
        broad = np.where(spoilt, self.spoilt_width_hz.some(rng, n), 0.0)
        exponent = 1j * phase[:, None] + (2j * pi * frequency - pi * broad)[:, None] * time_s
        return gain[:, None] * np.exp(exponent), spoilt


class DiscRow(StrictModel):
    """What a disc is made of and measured with; see the head of ``regimes.toml``."""

    snr: Draw
    width_hz: Draw
    lipid: Draw
    lipid_share: Share
    phase_rad: Draw
    shift_hz: Draw
    factor: Mapping[str, Draw] = Field(default_factory=dict)
    move_ppm: Mapping[str, Draw] = Field(default_factory=dict)
    humps: Humps | None = None
    delay_s: Spread = 0.0
    eddy: Eddy | None = None
    water: Water | None = None
    coils: Coils | None = None
