"""Simulated discs in stated regimes, each with its true amplitudes and the bound on their error.

A regime differs from the next by one difficulty: baseline, dirt, coils, weak signal, in vivo. Every
disc has a random stream of its own. SNR here is the amplitude of PG over the standard deviation of
one real channel of the combined average, in the time domain. The bound is that of the true model
with known baseline; in vivo place, width and area of the hump count as unknown. Lipid is in the
model throughout and in half of the discs (a tenth of PG to as much as PG; in vivo up to ten times).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from math import log, pi
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.data import (
    AnySignal,
    DiscAcquisition,
    Fid,
    Protocol,
    RawSignal,
    Sampling,
)
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.simulate.lines import hump_fids, unit_fids
from mrs_disc.simulate.population import KINDS, amplitudes, draw_disc
from mrs_disc.simulate.scanner import Scan, draw_coils
from mrs_disc.simulate.study import Measured, acquire, plan
from mrs_disc.steps.quantification import SUMS
from mrs_disc.typing import ComplexArray, FloatArray
from mrs_disc.validate.bounds import covariance_bound, hump_jacobian, linear_sd, signal_jacobian

MHZ, ECHO_TIME_S, N_POINTS, SPECTRAL_WIDTH_HZ = 127.7, 0.028, 2048, 2500.0
SAMPLING = Sampling(dwell_time_s=1 / SPECTRAL_WIDTH_HZ, spectrometer_mhz=MHZ)
TIME = SAMPLING.time_s(N_POINTS)
JUDGED = ("PG", "LAC", "ALA", "PA", "CHO")
_PG = 100.0
_FIXED_HUMPS = (  # ppm, FWHM in Hz, area relative to PG: the same in each disc
    (0.92, 62.0, 0.52),
    (1.38, 55.0, 0.61),
    (1.72, 75.0, 0.43),
    (2.12, 68.0, 0.66),
    (2.95, 84.0, 0.48),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One simulated disc.

    Parameters
    ----------
    acquisition : DiscAcquisition
        As a reader would hand it over.
    model : str
        Path or name of the model that the fit is given.
    truth : mapping
        Judged quantity to its true value.
    bound : mapping
        The same to the lower bound of its standard deviation.
    """

    acquisition: DiscAcquisition
    model: str
    truth: MappingProxyType[str, float]
    bound: MappingProxyType[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """What a regime is, and what its table is expected to hold.

    `rmse` maps a judged quantity to the largest RMSE / bound, `coverage` is the range in percent.
    """

    name: str
    text: str
    make: Callable[[int, int], Case]
    rmse: MappingProxyType[str, float]
    coverage: tuple[float, float]


@dataclass(slots=True, kw_only=True)
class _Disc:
    """A noise-free disc of a regime and what is needed for its bound."""

    names: tuple[str, ...]
    amplitude: FloatArray
    unit: ComplexArray
    shift_sd_hz: FloatArray
    noise_sd: float
    water: float
    baseline: ComplexArray = field(default_factory=lambda: np.zeros(N_POINTS, dtype=complex))

    @property
    def signal(self) -> ComplexArray:
        return np.asarray(self.amplitude @ self.unit + self.baseline)

    def covariance(self) -> FloatArray:
        """Return the bound on the covariance of the amplitudes, baseline known."""
        n = len(self.names)
        jacobian = signal_jacobian(self.unit, self.amplitude, TIME, gaussian=False)
        own = {n + 3 + i: float(sd) for i, sd in enumerate(self.shift_sd_hz)}
        return covariance_bound(jacobian, self.noise_sd, own)[:n, :n]


def model_path() -> Path:
    """Return the file of the regimes' own model."""
    return Path(str(resources.files("mrs_disc.validate"))) / "disc_regimes.toml"


@cache
def _model() -> MetaboliteModel:
    return load_metabolite_model(str(model_path()))


def _rng(seed: int, index: int, regime: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(regime, index)))


def _draw(
    rng: np.random.Generator, *, snr: tuple[float, float], width_hz: float, delay_s: float = 0.0
) -> _Disc:
    """Draw amplitudes from the population, lipid in half of the discs, lines of the width."""
    model = _model()
    names = tuple(c.name for c in model.component)
    kind = KINDS[int(rng.integers(3))]
    lipid = float(np.exp(rng.uniform(log(0.1), 0.0))) * float(rng.random() < 0.5)
    disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False, lipid=lipid)
    drawn = amplitudes(disc, echo_time_s=ECHO_TIME_S, repetition_time_s=1.5)
    scale = _PG / drawn["PG"]
    sd = np.array([c.shift_sd_ppm * MHZ for c in model.component])
    shift = sd * rng.standard_normal(len(names))
    width = width_hz * rng.uniform(0.95, 1.05)
    unit = unit_fids(
        model,
        TIME + delay_s,
        spectrometer_mhz=MHZ,
        reference_ppm=WATER_PPM,
        echo_time_s=ECHO_TIME_S,
        lorentz_hz={c.name: width + c.extra_width_hz for c in model.component},
        shift_hz=dict(zip(names, shift, strict=True)),
    )
    return _Disc(
        names=names,
        amplitude=np.array([scale * drawn[n] for n in names]),
        unit=unit,
        shift_sd_hz=sd,
        noise_sd=_PG / float(rng.uniform(*snr)),
        water=scale * drawn["water"],
    )


def random_humps(rng: np.random.Generator, time_s: FloatArray) -> ComplexArray:
    """Draw the humps of the ensemble: 1 + Poisson(4), none in a fifth of the discs."""
    n = 1 + rng.poisson(4)
    strength = float(np.exp(rng.uniform(log(0.03), 0.0)))
    centre = (rng.uniform(0.5, 4.1, n) - WATER_PPM) * MHZ
    width = rng.uniform(45.0, 90.0, n)
    area = 0.5 * _PG * strength * np.exp(0.5 * rng.standard_normal(n))
    if rng.random() < 0.2:
        area[:] = 0.0
    return hump_fids(time_s, centre_hz=centre, fwhm_hz=width, area=area)


def _noise(rng: np.random.Generator, sd: float, n: int = N_POINTS) -> ComplexArray:
    return np.asarray(sd * (rng.standard_normal(n) + 1j * rng.standard_normal(n)))


def _acquisition(metabolite: AnySignal, water: AnySignal | None = None) -> DiscAcquisition:
    protocol = Protocol(
        sequence="PRESS",
        echo_time_s=ECHO_TIME_S,
        repetition_time_s=1.5,
        spectrometer_mhz=MHZ,
        spectral_width_hz=SPECTRAL_WIDTH_HZ,
    )
    return DiscAcquisition(
        level="L4-L5",
        metabolite=metabolite,
        protocol=protocol,
        water=water,
        water_protocol=protocol if water is not None else None,
    )


def _fid(signal: ComplexArray) -> Fid:
    return Fid(signal=signal.astype(np.complex64), sampling=SAMPLING)


def _case(disc: _Disc, acquisition: DiscAcquisition) -> Case:
    bound = np.sqrt(np.diagonal(disc.covariance()))
    at = {name: disc.names.index(name) for name in JUDGED}
    return Case(
        acquisition=acquisition,
        model=str(model_path()),
        truth=MappingProxyType({n: float(disc.amplitude[i]) for n, i in at.items()}),
        bound=MappingProxyType({n: float(bound[i]) for n, i in at.items()}),
    )


def _plain(
    rng: np.random.Generator,
    humps: Literal["none", "random", "same"],
    *,
    snr: tuple[float, float] = (14, 25),
    width_hz: float = 9.0,
) -> Case:
    disc = _draw(rng, snr=snr, width_hz=width_hz)
    if humps == "same":
        ppm, fwhm, area = np.array(_FIXED_HUMPS).T
        centre = (ppm - WATER_PPM) * MHZ
        disc.baseline = hump_fids(TIME, centre_hz=centre, fwhm_hz=fwhm, area=_PG * area)
    elif humps == "random":
        disc.baseline = random_humps(rng, TIME)
    turn = np.exp(1j * (rng.normal(0, 0.1) + 2 * pi * rng.normal(0, 1.0) * TIME))
    return _case(disc, _acquisition(_fid(turn * disc.signal + _noise(rng, disc.noise_sd))))


def matched(seed: int, index: int) -> Case:
    """Return a single FID without baseline."""
    return _plain(_rng(seed, index, 0), "none")


def ensemble(seed: int, index: int) -> Case:
    """Return a single FID over humps drawn anew."""
    return _plain(_rng(seed, index, 1), "random")


def fixed(seed: int, index: int) -> Case:
    """Return a single FID over five strong humps, the same in each disc."""
    return _plain(_rng(seed, index, 2), "same")


def weak(seed: int, index: int) -> Case:
    """Return a weak, broad FID over humps drawn anew."""
    return _plain(_rng(seed, index, 5), "random", snr=(5, 8), width_hz=13.0)


def dirty(seed: int, index: int) -> Case:
    """Return an ensemble disc with all that preprocessing has to take away."""
    rng = _rng(seed, index, 3)
    delay = 60e-6
    time = TIME + delay
    disc = _draw(rng, snr=(14, 25), width_hz=9.0, delay_s=delay)
    disc.baseline = random_humps(rng, time)
    total = np.radians(rng.uniform(5, 30)) * rng.choice((-1.0, 1.0))
    eddy = total * (0.5 * np.exp(-time / 0.005) + 0.5 * np.exp(-time / 0.050))
    turn = np.exp(1j * (np.radians(60) + 2 * pi * 4.0 * time + eddy))
    line = np.exp(-pi * 9.0 * time)
    offset, phase = rng.uniform(-3, 3), rng.uniform(-pi, pi)
    residual = 0.02 * disc.water * line * np.exp(2j * pi * offset * time + 1j * phase)
    metabolite = turn * (disc.signal + residual) + _noise(rng, disc.noise_sd)
    water = turn * (disc.water * line + disc.signal) + _noise(rng, disc.noise_sd)
    return _case(disc, _acquisition(_fid(metabolite), _fid(water)))


def coils(seed: int, index: int) -> Case:
    """Return a disc seen by 16 coils in 48 transients that drift, some of them spoilt."""
    rng = _rng(seed, index, 4)
    n_coils, n_transients = 16, 48
    disc = _draw(rng, snr=(14, 25), width_hz=9.0)
    array = draw_coils(rng, n_coils)
    drift = 6.0 * rng.choice((-1.0, 1.0)) * np.linspace(-0.5, 0.5, n_transients)
    phase = rng.normal(0, np.radians(5), n_transients)
    spoilt = rng.random(n_transients) < 0.06
    phase += spoilt * np.radians(rng.uniform(40, 180, n_transients))
    frequency = drift + spoilt * rng.normal(0, 8, n_transients)
    gain = np.where(spoilt, rng.uniform(0.2, 0.7, n_transients), 1.0)
    broad = np.where(spoilt, rng.uniform(5, 25, n_transients), 0.0)
    exponent = 1j * phase[:, None] + (2j * pi * frequency - pi * broad)[:, None] * TIME
    rows = gain[:, None] * np.exp(exponent) * disc.signal
    sd = disc.noise_sd * np.sqrt(n_transients) / array.best_noise_gain

    def receive(transients: ComplexArray) -> RawSignal:
        shape = (n_coils, transients.shape[0] * N_POINTS, 2)
        white = rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]
        noise = ((sd * array.mixing).astype(np.complex64) @ white).reshape(n_coils, -1, N_POINTS)
        noise += array.sensitivity.astype(np.complex64)[:, None, None] * transients.astype(
            np.complex64
        )
        noise.flags.writeable = False
        return RawSignal(signal=noise, sampling=SAMPLING)

    water = np.exp(-pi * 9.0 * TIME) * disc.water + disc.signal
    acquisition = _acquisition(receive(rows), receive(np.repeat(water[None], 2, axis=0)))
    disc.noise_sd *= float(np.sqrt(n_transients / (~spoilt).sum()))
    return _ratio_case(disc, acquisition)


def _ratio_case(disc: _Disc, acquisition: DiscAcquisition) -> Case:
    """Judge the ratios to PG."""
    covariance = disc.covariance()
    pg = disc.names.index("PG")
    truth, bound = {}, {}
    for name in JUDGED[1:]:
        index = disc.names.index(name)
        ratio = disc.amplitude[index] / disc.amplitude[pg]
        gradient = np.zeros(len(disc.names))
        gradient[index], gradient[pg] = 1 / disc.amplitude[pg], -ratio / disc.amplitude[pg]
        truth[f"{name}/PG"], bound[f"{name}/PG"] = float(ratio), linear_sd(gradient, covariance)
    return Case(
        acquisition=acquisition,
        model=str(model_path()),
        truth=MappingProxyType(truth),
        bound=MappingProxyType(bound),
    )


LOG = "log(acidity/structure)"


def in_vivo(seed: int, index: int) -> Case:
    """Return a disc of the whole generative model, without gas discs (they have to fail)."""
    rng = _rng(seed, index, 6)
    scan = Scan(n_coils=4, n_transients=32, n_water=2)
    model = load_metabolite_model("disc_1h")
    kind = KINDS[int(rng.integers(3))]
    disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False)
    m = plan(rng, disc, scan, model)
    acquisition = acquire(rng, rng, scan, m)
    weights, covariance = acidity_bound(m, scan, model)
    amplitude = m.clean.amplitude
    acidity, structure = weights @ [amplitude[name] for name in m.clean.names]
    by_log = np.array([1 / acidity, -1 / structure]) @ weights
    pg = np.sqrt(np.diagonal(covariance))[m.clean.names.index("PG")]
    return Case(
        acquisition=acquisition,
        model="disc_1h",
        truth=MappingProxyType({LOG: log(acidity / structure), "PG": amplitude["PG"]}),
        bound=MappingProxyType({LOG: linear_sd(by_log, covariance), "PG": float(pg)}),
    )


def acidity_bound(m: Measured, scan: Scan, model: MetaboliteModel) -> tuple[FloatArray, FloatArray]:
    """Return the weights of acidity and structure, and the bound on the amplitudes' covariance.

    Place, width and area of the protein hump are unknown, the spline and own widths known.

    Returns
    -------
    weights : float array, shape (2, component)
        Of acidity, then of structure.
    covariance : float array, shape (component, component)
    """
    names, d, disc = m.clean.names, m.disturbance, m.disc
    n, mhz = len(names), scan.spectrometer_mhz
    time = scan.sampling.time_s(scan.n_points)
    unit = unit_fids(
        model,
        time,
        spectrometer_mhz=mhz,
        reference_ppm=WATER_PPM,
        echo_time_s=scan.echo_time_s,
        lorentz_hz={c: 1 / (pi * disc.t2_s[c]) + disc.width_hz.get(c, 0.0) for c in names},
        gauss_hz=disc.b0_width_hz,
    )
    amplitude = np.array([m.clean.amplitude[c] for c in names])
    jacobian = np.concatenate(
        [
            signal_jacobian(unit, amplitude, time, gaussian=True),
            hump_jacobian(time, d.hump_hz, d.hump_width_hz, d.hump_area),
        ]
    )
    own = {n + 4 + i: c.shift_sd_ppm * mhz for i, c in enumerate(model.component)}
    noise = m.average_sd * float(np.sqrt(scan.n_transients / max((~d.spoilt).sum(), 1)))
    weights = np.array([[SUMS[s].get(c, 0.0) for c in names] for s in ("acidity", "structure")])
    return weights, covariance_bound(jacobian, noise, own)[:n, :n]


def _limits(*values: float, names: tuple[str, ...] = JUDGED) -> MappingProxyType[str, float]:
    return MappingProxyType(dict(zip(names, values, strict=False)))


_ENSEMBLE = (1.9, 1.2, 1.8, 1.7, 1.6)
REGIMES: dict[str, Regime] = {
    r.name: r
    for r in (
        Regime(
            name="matched",
            text="single FID, 9 Hz lines, PG SNR 14 to 25, no baseline",
            make=matched,
            rmse=_limits(1.10, 1.10, 1.10, 1.10, 1.10),
            coverage=(93, 97),
        ),
        Regime(
            name="ensemble",
            text="the same over 1 + Poisson(4) positive humps of 45 to 90 Hz, none in a fifth",
            make=ensemble,
            rmse=_limits(*_ENSEMBLE),
            coverage=(92, 98),
        ),
        Regime(
            name="fixed",
            text="the same over five humps of .4 to .7 of PG, the same in each disc",
            make=fixed,
            rmse=_limits(4.0, 1.7, 3.6, 2.4, 2.7),
            coverage=(90, 100),
        ),
        Regime(
            name="dirty",
            text="ensemble with 2 % residual water, 60 us delay, 60 degrees, 4 Hz, eddy currents",
            make=dirty,
            rmse=_limits(*(1.15 * v for v in _ENSEMBLE)),
            coverage=(91, 98),
        ),
        Regime(
            name="coils",
            text="16 coils x 48 transients, correlated noise, 6 Hz drift, 6 % spoilt, no baseline",
            make=coils,
            rmse=_limits(1.2, 1.2, 1.2, 1.2, names=tuple(f"{n}/PG" for n in JUDGED[1:])),
            coverage=(92, 98),
        ),
        Regime(
            name="weak",
            text="ensemble, PG SNR 5 to 8, 13 Hz lines",
            make=weak,
            rmse=MappingProxyType({}),
            coverage=(91, 98),
        ),
        Regime(
            name="in vivo",
            text="the whole generative model: broad lines, lipid, hump, spline, motion, coils",
            make=in_vivo,
            rmse=MappingProxyType({LOG: 1.3}),
            coverage=(90, 98),
        ),
    )
}
