"""Rows of ``stress.toml``: what of a disc lies outside the model that is fitted, and one such disc.

Signals come from `mrs_disc.validate.second` alone; of the rest of the package only the forms of a
number and of humps are shared. Areas are scaled so that PG has 100 at the echo; what an amount is,
is said by the lines that it stands for (PG and LAC the methyl, PA both groups, COL all its lines).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log, pi
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mrs_disc.data import (
    AnySignal,
    DiscAcquisition,
    Fid,
    Morphology,
    Protocol,
    Sampling,
    Transients,
)
from mrs_disc.schema import StrictModel
from mrs_disc.typing import ComplexArray
from mrs_disc.validate.rows import ONE, PG, ZERO, Count, Draw, Humps, Share, Spread
from mrs_disc.validate.second import signals
from mrs_disc.validate.second.spins import Localisation

MHZ, POINTS, WIDTH_HZ, REPETITION_S = 127.74, 2048, 2500.0, 1.5
SAMPLING = Sampling(dwell_time_s=1 / WIDTH_HZ, spectrometer_mhz=MHZ)
TIME = SAMPLING.time_s(POINTS)
RATIO, LOG = "LAC/PG", "log(acidity/structure)"
REFERRED = "PG/water"
ACIDITY = {"LAC": 1.0, "ALA": 1.0, "PA": 0.6}
STRUCTURE = {"PG": 1.0, "COL": 1.0}


class Acetyl(StrictModel):
    """The N-acetyl of PG: one population, and a second beside it."""

    place_ppm: Draw
    extra_hz: Draw
    second_share: Draw
    second_ppm: Draw
    second_extra_hz: Draw


class Carbohydrate(StrictModel):
    """Ring protons: places scattered by `jitter_ppm`, areas by exp(`log_sd`), `only` so many."""

    gauss_ppm: Draw
    extra_hz: Draw
    jitter_ppm: Spread
    log_sd: Spread
    only: Count | None = None


class Lipid(StrictModel):
    """Marrow lipid: a pool for each displacement, in equal parts."""

    discs: Share
    area: Draw
    pools_hz: tuple[Draw, ...]
    gauss_ppm: Draw
    extra_hz: Draw


class Broad(StrictModel):
    """Lines of macromolecules: their area together, and width."""

    area: Draw
    width_hz: Draw
    log_sd: Spread


class Residue(StrictModel):
    """Water that suppression leaves: how much of PG, of how many parts, each with its own phase."""

    amount: Draw
    parts: tuple[Count, Count]
    place_hz: Draw
    width_hz: Draw
    sideband_share: Draw = ZERO
    sideband_pairs: Count = 1
    sideband_hz: Draw = ZERO


class Averages(StrictModel):
    """Transients: an unwanted signal that turns with the phase cycle, drift and motion."""

    n: Count
    periods: tuple[Count, ...] = (4,)
    unwanted: Draw = ZERO
    unwanted_ppm: Draw = ZERO
    unwanted_hz: Draw = ONE
    drift_hz: Draw = ZERO
    phase_sd_degrees: Spread = 0.0


class Played(StrictModel):
    """The sequence that made the signal, and what the protocol says of it."""

    name: str
    echo_time_s: Annotated[float, Field(gt=0, lt=1)]
    mixing_time_s: Spread = 0.010
    bandwidth_hz: Spread = 0.0
    told: str
    told_bandwidth: bool = False


class StressDisc(StrictModel):
    """What a disc is made of and measured with; see the head of ``stress.toml``."""

    snr: Draw
    lorentz_hz: Draw
    gauss_hz: Draw
    phase_rad: Draw
    shift_hz: Draw
    jitter_ppm: Spread
    acetyl: Acetyl
    carbohydrate: Carbohydrate
    lipid: Lipid
    sequence: Played
    acid_log: Mapping[str, Draw] = Field(default_factory=dict)
    nuisance_mm: Mapping[str, Draw] = Field(default_factory=dict)
    macromolecule: Broad | None = None
    humps: Humps | None = None
    field_hz: tuple[Draw, ...] = ()
    water: Residue | None = None
    averages: Averages | None = None
    pg_t2_s: Draw | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StressCase:
    """One disc: what a reader would hand over, and the truth."""

    acquisition: DiscAcquisition
    truth: Mapping[str, float]
    painful: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """Areas at the echo, PG 100, and the factor from mmol of protons per kg to that scale."""

    area: Mapping[str, float]
    scale: float
    kind: signals.Kind
    pg_mmol: float


def stress_case(row: StressDisc, rng: np.random.Generator, sets: np.random.Generator) -> StressCase:
    """Draw one disc of a row; `sets` is the stream of what a whole set of discs has in common."""
    te_s = row.sequence.echo_time_s
    contents = _contents(row, rng, te_s)
    lorentz, gauss = row.lorentz_hz.one(rng), row.gauss_hz.one(rng)
    clean = _lines(row, contents, lorentz, gauss, rng)
    clean = clean + _nuisances(row, contents, lorentz, gauss, rng)
    if row.humps is not None:
        ppm, width, area = row.humps.draw(sets)
        hz = signals.hz_of(ppm, MHZ)
        clean = clean + signals.singlets(TIME, hz=hz, area=area, gauss_hz=width)
    if row.field_hz:
        places = np.array([part.one(rng) for part in row.field_hz])
        clean = clean * signals.field_spread(TIME, places, rng.uniform(0.5, 1.5, places.size))
    if row.water is not None:
        clean = clean + _residue(row.water, rng)
    turn = np.exp(1j * row.phase_rad.one(rng) + 2j * pi * row.shift_hz.one(rng) * TIME)
    signal = _received(row, clean * turn, PG / row.snr.one(rng), rng)
    return StressCase(
        acquisition=_acquisition(row, signal, contents, turn * signals.decay(TIME, 9.0, 0.0)[0]),
        truth=_truth(contents, row),
        painful=contents.kind.painful,
    )


def _contents(row: StressDisc, rng: np.random.Generator, te_s: float) -> _Contents:
    """Draw the class and the amounts."""
    tables = signals.load_tables()
    kinds = list(tables.class_.values())
    shares = np.cumsum([kind.share for kind in kinds])
    kind = kinds[int(np.searchsorted(shares, rng.random() * shares[-1]))]
    common = 0.25 * rng.standard_normal()
    amount = {}
    for name, median in kind.median.items():
        offset = common if name in ACIDITY else 0.0
        offset += row.acid_log[name].one(rng) if name in row.acid_log else 0.0
        amount[name] = median * float(np.exp(kind.log_sd[name] * rng.standard_normal() + offset))
    amount["CARB"] = tables.amounts.carb_per_pg * amount["PG"] * float(rng.uniform(0.8, 1.2))
    area = signals.areas(amount, echo_time_s=te_s, repetition_time_s=REPETITION_S)
    if row.pg_t2_s is not None:
        area["PG"] *= float(np.exp(te_s / tables.amounts.t2_s["PG"] - te_s / row.pg_t2_s.one(rng)))
    scale = PG / area["PG"]
    return _Contents(
        area={name: scale * value for name, value in area.items()},
        scale=scale,
        kind=kind,
        pg_mmol=amount["PG"],
    )


def _lines(
    row: StressDisc, contents: _Contents, lorentz: float, gauss: float, rng: np.random.Generator
) -> ComplexArray:
    """Return the FID of what every disc has."""
    area, tables = contents.area, signals.load_tables()
    played = Localisation(
        name=row.sequence.name,
        echo_time_s=row.sequence.echo_time_s,
        mixing_time_s=row.sequence.mixing_time_s,
        bandwidth_hz=row.sequence.bandwidth_hz,
    )
    total = _acetyl(row.acetyl, area["PG"], lorentz, gauss, rng)
    envelope = signals.decay(TIME, lorentz, gauss)[0]
    for name in ("LAC", "ALA", "PA"):
        # The amount of lactate and alanine is that of the methyl; the CH comes beside it.
        counted = tables.amounts.protons[name]
        fid = _coupled(name, played) * tables.protons(name) / counted
        moved = np.exp(2j * pi * row.jitter_ppm * MHZ * rng.standard_normal() * TIME)
        total = total + area[name] * fid * envelope * moved
    for name, extra in (("CHO", 0.0), ("COL", 6.0)):
        table = tables.lines[name]
        hz = signals.hz_of(table.ppm + row.jitter_ppm * rng.standard_normal(), MHZ)
        part = area[name] * table.protons / table.protons.sum()
        total = total + signals.singlets(
            TIME, hz=hz, area=part, lorentz_hz=lorentz + extra, gauss_hz=gauss
        )
    total = total + _carbohydrate(row.carbohydrate, area["CARB"], lorentz, gauss, rng)
    return np.asarray(total + _lipid(row.lipid, lorentz, gauss, rng))


@lru_cache(maxsize=64)
def _coupled(name: str, sequence: Localisation) -> ComplexArray:
    """Return a compound's FID without decay, the same for all discs of a sequence."""
    fid = signals.coupled(TIME, name, sequence, mhz=MHZ)
    fid.flags.writeable = False
    return fid


def _acetyl(
    acetyl: Acetyl, area: float, lorentz: float, gauss: float, rng: np.random.Generator
) -> ComplexArray:
    place, share = acetyl.place_ppm.one(rng), acetyl.second_share.one(rng)
    places = np.array([place, place + acetyl.second_ppm.one(rng)])
    extra = np.array([acetyl.extra_hz.one(rng), acetyl.second_extra_hz.one(rng)])
    return signals.singlets(
        TIME,
        hz=signals.hz_of(places, MHZ),
        area=area * np.array([1 - share, share]),
        lorentz_hz=lorentz + extra,
        gauss_hz=gauss,
    )


def _carbohydrate(
    carb: Carbohydrate, area: float, lorentz: float, gauss: float, rng: np.random.Generator
) -> ComplexArray:
    table = signals.load_tables().lines["CARB"]
    n = table.ppm.size
    ppm = table.ppm + carb.jitter_ppm * rng.standard_normal(n)
    weight = table.protons * np.exp(carb.log_sd * rng.standard_normal(n))
    if carb.only is not None:
        weight[rng.permutation(n)[carb.only :]] = 0.0
    broad = carb.gauss_ppm.some(rng, n) * MHZ
    return signals.singlets(
        TIME,
        hz=signals.hz_of(ppm, MHZ),
        area=area * weight / weight.sum(),
        lorentz_hz=lorentz + carb.extra_hz.some(rng, n),
        gauss_hz=np.hypot(gauss, broad),
    )


def _lipid(lipid: Lipid, lorentz: float, gauss: float, rng: np.random.Generator) -> ComplexArray:
    there, area = rng.random() < lipid.discs, lipid.area.one(rng)
    if not there:
        return np.zeros(TIME.size, dtype=complex)
    table = signals.load_tables().lines["lipid"]
    part = PG * area * table.protons / table.protons.sum() / len(lipid.pools_hz)
    broad, extra = lipid.gauss_ppm.one(rng) * MHZ, lipid.extra_hz.one(rng)
    return np.asarray(
        sum(
            signals.singlets(
                TIME,
                hz=signals.hz_of(table.ppm, MHZ) + pool.one(rng),
                area=part,
                lorentz_hz=lorentz + extra,
                gauss_hz=np.hypot(gauss, broad),
            )
            for pool in lipid.pools_hz
        )
    )


def _nuisances(
    row: StressDisc, contents: _Contents, lorentz: float, gauss: float, rng: np.random.Generator
) -> ComplexArray:
    """Return compounds and macromolecules that the fitted model may lack."""
    tables, te_s = signals.load_tables(), row.sequence.echo_time_s
    total = np.zeros(TIME.size, dtype=complex)
    envelope = signals.decay(TIME, lorentz, gauss)[0]
    left = tables.amounts.weight("nuisance", te_s, REPETITION_S)
    echo = Localisation(name="spin echo", echo_time_s=te_s)
    for name, amount in row.nuisance_mm.items():
        area = contents.scale * left * tables.protons(name) * amount.one(rng)
        if name in tables.spins:
            total = total + area * _coupled(name, echo) * envelope
            continue
        table = tables.lines[name]
        hz, part = signals.hz_of(table.ppm, MHZ), area * table.protons / table.protons.sum()
        total = total + signals.singlets(TIME, hz=hz, area=part, lorentz_hz=lorentz, gauss_hz=gauss)
    if row.macromolecule is not None:
        broad, table = row.macromolecule, tables.lines["macromolecule"]
        weight = table.protons * np.exp(broad.log_sd * rng.standard_normal(table.ppm.size))
        total = total + signals.singlets(
            TIME,
            hz=signals.hz_of(table.ppm, MHZ),
            area=PG * broad.area.one(rng) * weight / weight.sum(),
            gauss_hz=broad.width_hz.some(rng, table.ppm.size),
        )
    return total


def _residue(water: Residue, rng: np.random.Generator) -> ComplexArray:
    """Return residual water of several parts, with its sidebands."""
    n = int(rng.integers(water.parts[0], water.parts[1] + 1))
    share = rng.dirichlet(np.ones(n))
    phase = rng.uniform(-pi, pi, n)
    left = signals.singlets(
        TIME,
        hz=water.place_hz.some(rng, n),
        area=PG * water.amount.one(rng) * share * np.exp(1j * phase),
        lorentz_hz=water.width_hz.some(rng, n),
    )
    bands = signals.sidebands(
        TIME,
        left,
        hz=water.sideband_hz.some(rng, water.sideband_pairs),
        share=water.sideband_share.one(rng),
        phase_rad=float(rng.uniform(-pi, pi)),
    )
    return np.asarray(left + bands)


def _received(
    row: StressDisc, clean: ComplexArray, noise_sd: float, rng: np.random.Generator
) -> AnySignal:
    """Return the FID with noise, or as many transients as the row asks for."""
    averages = row.averages
    if averages is None:
        noise = rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS)
        return Fid(signal=(clean + noise_sd * noise).astype(np.complex64), sampling=SAMPLING)
    n = averages.n
    period = int(rng.choice(averages.periods))
    unwanted = signals.singlets(
        TIME,
        hz=signals.hz_of(averages.unwanted_ppm.one(rng), MHZ),
        area=PG * averages.unwanted.one(rng) * np.exp(1j * rng.uniform(-pi, pi)),
        lorentz_hz=averages.unwanted_hz.one(rng),
    )
    rows = signals.cycled(clean, unwanted, n, period)
    drift = averages.drift_hz.one(rng) * np.linspace(-0.5, 0.5, n)
    phase = rng.normal(0.0, np.radians(averages.phase_sd_degrees), n)
    rows = signals.drifting(rows, TIME, drift, phase)
    noise = rng.standard_normal(rows.shape) + 1j * rng.standard_normal(rows.shape)
    noisy = rows + noise_sd * np.sqrt(n) * noise
    return Transients(signal=noisy.astype(np.complex64), sampling=SAMPLING)


def _acquisition(
    row: StressDisc, signal: AnySignal, contents: _Contents, line: ComplexArray
) -> DiscAcquisition:
    """Return what a reader would hand over; with a water reference where PG's T2 is drawn."""
    played = row.sequence
    protocol = Protocol(
        sequence=played.told,
        echo_time_s=played.echo_time_s,
        repetition_time_s=REPETITION_S,
        mixing_time_s=played.mixing_time_s if played.told == "STEAM" else None,
        refocusing_bandwidth_hz=played.bandwidth_hz if played.told_bandwidth else None,
        spectrometer_mhz=MHZ,
        field_strength_t=3.0,
        spectral_width_hz=WIDTH_HZ,
    )
    water = None
    if row.pg_t2_s is not None:
        kind = contents.kind
        left = np.exp(-played.echo_time_s / kind.water_t2_s)
        left *= 1 - np.exp(-REPETITION_S / kind.water_t1_s)
        fid = (contents.scale * 2 * 55510.0 * left * line).astype(np.complex64)
        water = Fid(signal=fid, sampling=SAMPLING)
    return DiscAcquisition(
        level="L4-L5",
        metabolite=signal,
        protocol=protocol,
        water=water,
        water_protocol=None if water is None else protocol,
        morphology=Morphology(pfirrmann=contents.kind.pfirrmann),
    )


def _truth(contents: _Contents, row: StressDisc) -> dict[str, float]:
    """Return the true areas and what follows from them."""
    area = contents.area
    truth = {name: float(area[name]) for name in ("PG", "LAC", "ALA", "PA", "CHO")}
    acid, firm = (sum(w * area[n] for n, w in parts.items()) for parts in (ACIDITY, STRUCTURE))
    truth |= {RATIO: area["LAC"] / area["PG"], LOG: log(acid / firm)}
    return truth | ({REFERRED: contents.pg_mmol} if row.pg_t2_s is not None else {})


def merged(first: Mapping[str, Any], second: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return what two rows say together.

    Raises
    ------
    ValueError
        Naming the field, if they say different things of one.
    """
    together = dict(first)
    for key, value in second.items():
        name = f"{where}{key}"
        if key not in first or first[key] == value:
            together[key] = value
        elif isinstance(value, Mapping) and isinstance(first[key], Mapping) and not _drawn(value):
            together[key] = merged(first[key], value, f"{name}.")
        else:
            raise ValueError(name)
    return together


def laid_over(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds for all rows with what a row says itself put over it."""
    together = dict(common)
    for key, value in own.items():
        inside: Any = together.get(key)
        together[key] = value
        tables = isinstance(value, Mapping) and isinstance(inside, Mapping)
        if tables and not (_drawn(value) or _drawn(inside)):
            together[key] = laid_over(inside, value)
    return together


def _drawn(value: Any) -> bool:
    return set(value) <= {"log", "normal", "about"}
