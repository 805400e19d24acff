"""Discs and patients of the generative model: what a disc is made of, and what a reader would see.

Every disc draws from a stream of its own (seed, subject, level), so that it does not depend on
which other discs are simulated. The numbers stand with their sources in ``population.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from mrs_disc.data import LEVELS, Morphology, Provocation, level_order
from mrs_disc.models import Origin
from mrs_disc.schema import StrictModel, load_toml

Kind: TypeAlias = Literal["H", "D", "P"]
"""Healthy, degenerated and painless, degenerated and painful."""

KINDS: tuple[Kind, ...] = ("H", "D", "P")

Range: TypeAlias = tuple[float, float]

PATIENT, DISC, SCAN, NOISE = range(4)
"""Names of the random streams below a seed and a subject."""


class DiscClass(StrictModel):
    """Discs of one kind."""

    pfirrmann: tuple[int, int]
    pfirrmann_share: Range
    lipid_share: float
    water_fraction: float
    water_t1_s: dict[str, float]
    linewidth_hz: Range
    snr: Range
    median: dict[str, float]
    log_sd: dict[str, float]


class Rings(StrictModel):
    """Ring protons of the carbohydrate, which follow PG."""

    visible: float
    protons: int
    scatter: Range
    sources: dict[str, Origin]


class Population(StrictModel):
    """The generative model's numbers."""

    schema_version: Literal[1]
    name: str
    version: int
    patient_log_sd: float
    gas_fraction: float
    lipid_log10_range: Range
    carb: Rings
    sources: dict[str, Origin]
    protons: dict[str, float]
    class_: dict[Kind, DiscClass] = Field(alias="class")
    share: dict[str, tuple[float, float, float]]
    water_t2_ms: dict[str, Range]
    t2_ms: dict[str, Range]
    t1_s: dict[str, Range]
    intrinsic_width_hz: dict[str, Range]


@cache
def load_population() -> Population:
    """Return the shipped population."""
    path = Path(str(resources.files("mrs_disc.simulate"))) / "population.toml"
    return load_toml(path, Population)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disc:
    """What one disc is made of, before any scanner sees it.

    Parameters
    ----------
    concentration : mapping
        Component to visible mmol per kg tissue water (COL, CARB and LIP as visible protons).
    protons : mapping
        Component to the protons that its amplitude stands for.
    t2_s, t1_s : mappings
        Component and ``"water"`` to relaxation times at the field strength asked for.
    width_hz : mapping
        Component to intrinsic Lorentzian width beyond ``1 / (pi T2)``.
    b0_width_hz : float
        Gaussian FWHM of the field inhomogeneity.
    gas : float or None
        Signal that a vacuum phenomenon leaves, `None` without one.
    gas_broadening : float
        Factor by which it has broadened `b0_width_hz`.
    """

    level: str
    kind: Kind
    pfirrmann: int
    concentration: Mapping[str, float]
    protons: Mapping[str, float]
    t2_s: Mapping[str, float]
    t1_s: Mapping[str, float]
    width_hz: Mapping[str, float]
    b0_width_hz: float
    water_fraction: float
    snr: float
    gas: float | None
    gas_broadening: float
    morphology: Morphology
    provocation: Provocation


def stream(seed: int, subject: int, *key: int) -> np.random.Generator:
    """Return the random stream of one part of one subject; streams do not depend on each other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(subject, *key)))


def draw_disc(
    seed: int,
    subject: int,
    level: str,
    *,
    kind: Kind | None = None,
    lipid: float | bool | None = None,
    gas: bool | None = None,
    spread: float = 1.0,
    field_strength_t: float = 3.0,
) -> Disc:
    """Draw one disc.

    Parameters
    ----------
    seed, subject : int
        Name the random stream, together with the level.
    level : str
        Disc level; lower lumbar discs degenerate more often.
    kind : "H", "D" or "P", optional
        Given instead of drawn.
    lipid : float or bool, optional
        Marrow lipid: its area relative to PG, whether there is any, or drawn.
    gas : bool, optional
        Vacuum phenomenon: given, or drawn (3 % of degenerated discs).
    spread : float
        Factor on the scatter of concentrations; 0: every disc at the median of its class.
    field_strength_t : float
        Scales linewidth and T1.
    """
    population = load_population()
    rng = stream(seed, subject, DISC, level_order(level))
    patient = population.patient_log_sd * stream(seed, subject, PATIENT).standard_normal()

    share = population.share["lower" if level in LEVELS[-5:] else "upper"]
    drawn = KINDS[int(np.searchsorted(np.cumsum(share), rng.random()))]
    kind = kind or drawn
    c = population.class_[kind]
    grade = int(c.pfirrmann[int(rng.random() > c.pfirrmann_share[0])])

    concentration = _concentration(rng, population, c, patient, spread)
    pg_area = population.protons["PG"] * concentration["PG"]
    concentration["LIP"] = pg_area * _lipid(rng, population, c, lipid)

    high_field = field_strength_t > 2.0
    t2, t1 = _relaxation(rng, population, c, grade, high_field)
    width = _uniform(rng, population.intrinsic_width_hz)
    b0_width = float(rng.uniform(*c.linewidth_hz)) * (field_strength_t / 3.0) ** 0.74
    snr = float(np.exp(rng.uniform(*np.log(c.snr)))) * (1.0 if high_field else 0.75)

    left, broader = _vacuum(rng, population, kind, gas)
    grade = grade if left is None else 5
    return Disc(
        level=level,
        kind=kind,
        pfirrmann=grade,
        concentration=concentration,
        protons=dict(population.protons),
        t2_s=t2,
        t1_s=t1,
        width_hz=width,
        b0_width_hz=b0_width * broader,
        water_fraction=c.water_fraction,
        snr=snr,
        gas=left,
        gas_broadening=broader,
        morphology=_morphology(rng, kind, grade),
        provocation=_provocation(rng, kind),
    )


def typical_disc(kind: Kind, *, field_strength_t: float = 3.0) -> Disc:
    """Return the disc in the middle of its class: medians, middles of ranges, no lipid, no gas.

    Parameters
    ----------
    kind : "H", "D" or "P"
        Its class.
    field_strength_t : float
        Scales linewidth, SNR and T1 as in `draw_disc`.
    """
    population = load_population()
    c = population.class_[kind]
    grade = c.pfirrmann[int(c.pfirrmann_share[1] > c.pfirrmann_share[0])]
    high_field = field_strength_t > 2.0
    middle = {
        "t2": {name: 1e-3 * sum(ends) / 2 for name, ends in population.t2_ms.items()},
        "t1": {name: sum(ends) / 2 for name, ends in population.t1_s.items()},
        "width": {name: sum(ends) / 2 for name, ends in population.intrinsic_width_hz.items()},
    }
    if not high_field:
        middle["t1"] = {name: 0.85 * value for name, value in middle["t1"].items()}
    middle["t2"]["water"] = 1e-3 * population.water_t2_ms[str(grade)][0]
    middle["t1"]["water"] = c.water_t1_s["3" if high_field else "1.5"]
    rings = population.carb.visible * population.carb.protons * c.median["PG"]
    return Disc(
        level="L4-L5",
        kind=kind,
        pfirrmann=grade,
        concentration={**c.median, "CARB": rings, "LIP": 0.0},
        protons=dict(population.protons),
        t2_s=middle["t2"],
        t1_s=middle["t1"],
        width_hz=middle["width"],
        b0_width_hz=sum(c.linewidth_hz) / 2 * (field_strength_t / 3.0) ** 0.74,
        water_fraction=c.water_fraction,
        snr=float(np.sqrt(c.snr[0] * c.snr[1])) * (1.0 if high_field else 0.75),
        gas=None,
        gas_broadening=1.0,
        morphology=Morphology(pfirrmann=grade),
        provocation=Provocation(result="indeterminate"),
    )


def _uniform(rng: np.random.Generator, table: Mapping[str, Range]) -> dict[str, float]:
    return {name: float(rng.uniform(*limits)) for name, limits in table.items()}


def _concentration(
    rng: np.random.Generator, population: Population, c: DiscClass, patient: float, spread: float
) -> dict[str, float]:
    """Draw all but the lipid; acids share the patient's offset, ring protons follow PG."""
    concentration = {}
    for name, median in c.median.items():
        offset = patient if name in ("LAC", "ALA", "PA") else 0.0
        log = c.log_sd[name] * rng.standard_normal() + offset
        concentration[name] = median * float(np.exp(spread * log))
    rings = population.carb.visible * population.carb.protons * concentration["PG"]
    concentration["CARB"] = rings * float(rng.uniform(*population.carb.scatter))
    return concentration


def _lipid(
    rng: np.random.Generator, population: Population, c: DiscClass, given: float | bool | None
) -> float:
    """Draw the area of marrow lipid relative to PG, or take what is given of it."""
    is_there = rng.random() < c.lipid_share
    amount = float(10.0 ** rng.uniform(*population.lipid_log10_range))
    if given is not None and not isinstance(given, bool):
        return float(given)
    return amount if (is_there if given is None else given) else 0.0


def _vacuum(
    rng: np.random.Generator, population: Population, kind: Kind, given: bool | None
) -> tuple[float | None, float]:
    """Draw the signal that a vacuum phenomenon leaves (`None`: there is none), and its widening."""
    is_there = kind != "H" and rng.random() < population.gas_fraction
    left, broader = float(rng.uniform(0.1, 0.3)), float(rng.uniform(2.0, 4.0))
    return (left, broader) if (is_there if given is None else given) else (None, 1.0)


def _relaxation(
    rng: np.random.Generator, population: Population, c: DiscClass, grade: int, high_field: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Draw T2 and T1 of all components and of water, s."""
    t2 = {name: 1e-3 * value for name, value in _uniform(rng, population.t2_ms).items()}
    t1 = _uniform(rng, population.t1_s)
    if not high_field:
        t1 = {name: 0.85 * value for name, value in t1.items()}
    mean, sd = population.water_t2_ms[str(grade)]
    t2["water"] = 1e-3 * max(mean / 2, mean + sd * float(np.clip(rng.standard_normal(), -2, 2)))
    t1["water"] = c.water_t1_s["3" if high_field else "1.5"]
    return t2, t1


def _morphology(rng: np.random.Generator, kind: Kind, grade: int) -> Morphology:
    """Draw what a reader would see; findings go with the kind as plausibility has it [P]."""

    def pick(options: tuple[Any, ...], shares: tuple[float, ...]) -> Any:
        return options[int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares)))]

    modic = {"H": (0.97, 0.01, 0.02, 0), "D": (0.7, 0.08, 0.2, 0.02), "P": (0.4, 0.35, 0.23, 0.02)}
    hiz = {"H": 0.02, "D": 0.15, "P": 0.45}
    herniation = {
        "H": (0.85, 0.15, 0, 0),
        "D": (0.35, 0.45, 0.18, 0.02),
        "P": (0.2, 0.4, 0.35, 0.05),
    }
    height = {
        1: (1, 0, 0, 0), 2: (0.8, 0.2, 0, 0), 3: (0.35, 0.55, 0.1, 0),
        4: (0.05, 0.35, 0.5, 0.1), 5: (0, 0, 0.3, 0.7),
    }  # fmt: skip
    return Morphology(
        pfirrmann=grade,
        modic=pick((0, 1, 2, 3), modic[kind]),
        hiz=bool(rng.random() < hiz[kind]),
        herniation=pick(("none", "bulge", "protrusion", "extrusion"), herniation[kind]),
        disc_height_loss=pick(("none", "mild", "moderate", "severe"), height[grade]),
    )


def _provocation(rng: np.random.Generator, kind: Kind) -> Provocation:
    """Draw the result of a provocation: a reference that errs now and then [P]."""
    positive = {"H": 0.01, "D": 0.06, "P": 0.90}[kind]
    unclear = rng.random() < 0.03
    is_positive = rng.random() < positive
    if unclear:
        return Provocation(result="indeterminate")
    return Provocation(result="positive" if is_positive else "negative")


def amplitudes(disc: Disc, *, echo_time_s: float, repetition_time_s: float) -> dict[str, float]:
    """Return time-domain amplitudes at the start of the FID: proton- and T1- and T2-weighted.

    The unit is one proton-millimol per kg tissue water as a coil of sensitivity one receives it,
    times the tissue's water fraction. Water itself stands under ``"water"``.
    """
    amount = {name: disc.protons[name] * value for name, value in disc.concentration.items()}
    amount["water"] = 2.0 * 55510.0
    scale = disc.water_fraction * (1.0 if disc.gas is None else disc.gas)
    return {
        name: scale
        * value
        * float(1.0 - np.exp(-repetition_time_s / disc.t1_s[name]))
        * float(np.exp(-echo_time_s / disc.t2_s[name]))
        for name, value in amount.items()
    }
