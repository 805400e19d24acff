"""Simulated discs in stated regimes, each with its true amplitudes and the bound on their error.

A regime is a row of ``regimes.toml``. Each differs from the next by one difficulty: baseline, dirt,
coils, weak signal, in vivo. Every disc has a random stream of its own. The bound is that of the
true model with known baseline; in vivo place, width and area of the hump count as unknown. Lipid is
in the model throughout and in half of the discs (a tenth of PG to as much as PG; in vivo up to ten
times).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log, pi
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from mrs_disc.data import AnySignal, DiscAcquisition, Fid, Protocol, RawSignal, Sampling
from mrs_disc.errors import did_you_mean
from mrs_disc.models import MetaboliteModel, Status, load_metabolite_model
from mrs_disc.schema import StrictModel, load_toml
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.simulate.lines import unit_fids
from mrs_disc.simulate.population import KINDS, amplitudes, draw_disc
from mrs_disc.simulate.scanner import Scan, draw_coils
from mrs_disc.simulate.study import acquire, plan
from mrs_disc.typing import ComplexArray, FloatArray
from mrs_disc.validate.bounds import acidity_bound, covariance_bound, linear_sd, signal_jacobian
from mrs_disc.validate.rows import PG, Coils, DiscRow

MHZ, ECHO_TIME_S, N_POINTS, SPECTRAL_WIDTH_HZ = 127.7, 0.028, 2048, 2500.0
SAMPLING = Sampling(dwell_time_s=1 / SPECTRAL_WIDTH_HZ, spectrometer_mhz=MHZ)
TIME = SAMPLING.time_s(N_POINTS)
JUDGED = ("PG", "LAC", "ALA", "PA", "CHO")
LOG = "log(acidity/structure)"
_PROTOCOL = Protocol(
    sequence="PRESS",
    echo_time_s=ECHO_TIME_S,
    repetition_time_s=1.5,
    spectrometer_mhz=MHZ,
    spectral_width_hz=SPECTRAL_WIDTH_HZ,
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
    truth: Mapping[str, float]
    bound: Mapping[str, float]


def model_path() -> Path:
    """Return the file of the regimes' own model."""
    return Path(__file__).with_name("disc_regimes.toml")


@cache
def regime_model() -> MetaboliteModel:
    """Return the regimes' own model."""
    return load_metabolite_model(str(model_path()))


class Regime(StrictModel):
    """A regime, and what its table is expected to hold.

    `rmse` maps a judged quantity to the largest RMSE / bound, `coverage` is the range in percent.
    """

    name: str = Field(min_length=1)
    text: str = Field(min_length=1)
    stream: Annotated[int, Field(ge=0)]
    rmse: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    coverage: tuple[float, float]
    judged: Literal["amplitudes", "ratios to PG"] = "amplitudes"
    source: str = ""
    status: Status = "P"
    disc: DiscRow | None = None
    scan: Scan | None = None

    @model_validator(mode="after")
    def _sound(self) -> Regime:
        if (self.disc is None) == (self.scan is None):
            raise ValueError("give either 'disc' or 'scan'")
        names = [component.name for component in regime_model().component]
        for name in (*self.disc.factor, *self.disc.move_ppm) if self.disc else ():
            if name not in names:
                raise ValueError(
                    f"no component is named '{name}'.{did_you_mean(name, names)} "
                    f"Components: {', '.join(names)}"
                )
        return self

    def make(self, seed: int, index: int) -> Case:
        """Return a disc of the regime, the same for the same seed and index."""
        key = np.random.SeedSequence(seed, spawn_key=(self.stream, index))
        rng = np.random.default_rng(key)
        if self.disc is not None:
            return _disc_case(rng, self.disc, self.judged)
        assert self.scan is not None
        return _patient_case(rng, self.scan)


class _Regimes(StrictModel):
    """All rows of a file; what `disc` and `humps` say at its head is put into each."""

    source: str
    status: Status
    regime: tuple[Regime, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _whole_rows(cls, content: Any) -> Any:
        common, sets = content.get("disc", {}), content.get("humps", {})
        rows = []
        for row in content.get("regime", ()):
            if "scan" in row and "disc" not in row:
                rows.append(row)
                continue
            disc = {**common, **row.get("disc", {})}
            if isinstance(name := disc.get("humps"), str):
                if name not in sets:
                    raise ValueError(
                        f"regime '{row.get('name')}': no humps are named '{name}'."
                        f"{did_you_mean(name, sets)} Humps: {', '.join(sets)}"
                    )
                disc["humps"] = sets[name]
            rows.append({**row, "disc": disc})
        head = {key: value for key, value in content.items() if key not in ("disc", "humps")}
        return head | {"regime": rows}

    @model_validator(mode="after")
    def _apart(self) -> _Regimes:
        for key in ("name", "stream"):
            values = [getattr(row, key) for row in self.regime]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key} = {value!r} stands in two regimes")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Disc:
    """The lines of a disc without noise, and what is needed for their bound.

    `unit` holds the components' FIDs of amplitude one, shape (component, point).
    """

    names: tuple[str, ...]
    amplitude: FloatArray
    unit: ComplexArray
    water: float

    def covariance(self, noise_sd: float) -> FloatArray:
        """Return the bound on the covariance of the amplitudes, baseline known."""
        n = len(self.names)
        jacobian = signal_jacobian(self.unit, self.amplitude, TIME, gaussian=False)
        own = {n + 3 + i: c.shift_sd_ppm * MHZ for i, c in enumerate(regime_model().component)}
        return covariance_bound(jacobian, noise_sd, own)[:n, :n]


def _draw_disc(rng: np.random.Generator, row: DiscRow, time_s: FloatArray) -> tuple[_Disc, float]:
    """Draw amplitudes from the population, places and widths from the row; and the noise's sd."""
    model = regime_model()
    names = tuple(c.name for c in model.component)
    kind = KINDS[int(rng.integers(3))]
    lipid = row.lipid.one(rng) * float(rng.random() < row.lipid_share)
    disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False, lipid=lipid)
    drawn = amplitudes(disc, echo_time_s=ECHO_TIME_S, repetition_time_s=1.5)
    scale = PG / drawn["PG"]
    amplitude = {name: scale * drawn[name] for name in names}
    shift = {
        c.name: c.shift_sd_ppm * MHZ * z
        for c, z in zip(model.component, rng.standard_normal(len(names)), strict=True)
    }
    width = row.width_hz.one(rng)
    noise_sd = PG / row.snr.one(rng)
    for name, factor in row.factor.items():
        amplitude[name] *= factor.one(rng)
    for name, ppm in row.move_ppm.items():
        shift[name] += MHZ * ppm.one(rng)
    unit = unit_fids(
        model,
        time_s,
        spectrometer_mhz=MHZ,
        evolution=Evolution(echo_time_s=ECHO_TIME_S),
        lorentz_hz={c.name: width + c.extra_width_hz for c in model.component},
        shift_hz=shift,
    )
    lines = _Disc(
        names=names,
        amplitude=np.array(list(amplitude.values())),
        unit=unit,
        water=scale * drawn["water"],
    )
    return lines, noise_sd


def _disc_case(rng: np.random.Generator, row: DiscRow, judged: str) -> Case:
    """Return a disc of a row; whatever a row leaves out draws nothing."""
    time = TIME + row.delay_s
    disc, noise_sd = _draw_disc(rng, row, time)
    signal = disc.amplitude @ disc.unit
    if row.humps is not None:
        signal = signal + row.humps.fid(rng, time, MHZ)
    phase, shift = row.phase_rad.one(rng), row.shift_hz.one(rng)
    eddy = row.eddy.phase(rng, time) if row.eddy else 0.0
    turn = np.exp(1j * (phase + 2 * pi * shift * time + eddy))
    metabolite, water = turn * signal, None
    if row.water is not None:
        line = np.exp(-pi * row.water.width_hz * time)
        metabolite = turn * (signal + row.water.left(rng, disc.water, line, time))
        water = turn * (disc.water * line + signal)
    sent = [metabolite] if water is None else [metabolite, water]
    signals: Sequence[AnySignal]
    if row.coils is None:
        signals = [_received(rng, fid, noise_sd) for fid in sent]
    else:
        signals, unspoilt = _received_by_coils(rng, row.coils, sent, noise_sd)
        noise_sd *= float(np.sqrt(row.coils.n_transients / max(unspoilt, 1)))
    return _case(disc, noise_sd, signals, judged)


def _received(rng: np.random.Generator, fid: ComplexArray, noise_sd: float) -> Fid:
    noise = rng.standard_normal(N_POINTS) + 1j * rng.standard_normal(N_POINTS)
    return Fid(signal=(fid + noise_sd * noise).astype(np.complex64), sampling=SAMPLING)


def _received_by_coils(
    rng: np.random.Generator, coils: Coils, sent: Sequence[ComplexArray], noise_sd: float
) -> tuple[list[RawSignal], int]:
    """Return the samples of all coils and transients, and how many transients are not spoilt.

    `noise_sd` is that of the optimally combined average.
    """
    array = draw_coils(rng, coils.n_coils)
    factor, spoilt = coils.transients(rng, TIME)
    sd = noise_sd * np.sqrt(coils.n_transients) / array.best_noise_gain
    mixing = (sd * array.mixing).astype(np.complex64)
    signals = []
    for fid, factors in zip(sent, (factor, np.ones((coils.n_water, 1))), strict=False):
        rows = (factors * fid).astype(np.complex64)
        shape = (coils.n_coils, rows.size, 2)
        white = rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]
        samples = (mixing @ white).reshape(coils.n_coils, *rows.shape)
        samples += array.sensitivity.astype(np.complex64)[:, None, None] * rows
        signals.append(RawSignal(signal=samples, sampling=SAMPLING))
    return signals, int((~spoilt).sum())


def _case(disc: _Disc, noise_sd: float, signals: Sequence[AnySignal], judged: str) -> Case:
    """Return a disc with the truth and the bound of what is judged of it."""
    covariance = disc.covariance(noise_sd)
    amplitude = dict(zip(disc.names, disc.amplitude, strict=True))
    truth, bound = {}, {}
    for name in JUDGED:
        gradient = np.zeros(len(disc.names))
        gradient[disc.names.index(name)] = 1.0
        if judged == "amplitudes":
            truth[name], bound[name] = float(amplitude[name]), linear_sd(gradient, covariance)
        elif name != "PG":
            ratio = amplitude[name] / amplitude["PG"]
            gradient /= amplitude["PG"]
            gradient[disc.names.index("PG")] = -ratio / amplitude["PG"]
            truth[f"{name}/PG"], bound[f"{name}/PG"] = float(ratio), linear_sd(gradient, covariance)
    acquisition = DiscAcquisition(
        level="L4-L5",
        metabolite=signals[0],
        protocol=_PROTOCOL,
        water=signals[1] if len(signals) > 1 else None,
        water_protocol=_PROTOCOL if len(signals) > 1 else None,
    )
    return Case(acquisition=acquisition, model=str(model_path()), truth=truth, bound=bound)


def _patient_case(rng: np.random.Generator, scan: Scan) -> Case:
    """Return a disc of the whole generative model, without gas discs (they have to fail)."""
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
        truth={LOG: log(acidity / structure), "PG": amplitude["PG"]},
        bound={LOG: linear_sd(by_log, covariance), "PG": float(pg)},
    )


def load_regimes(path: Path) -> dict[str, Regime]:
    """Return the regimes of a file by name.

    Raises
    ------
    InputError
        If it cannot be read, or a row is not sound.
    """
    return {row.name: row for row in load_toml(path, _Regimes).regime}


REGIMES = load_regimes(Path(__file__).with_name("regimes.toml"))
