"""The scanner: from a disc's noise-free signal to the samples of every coil and transient.

Whole arrays at once, complex64 for the samples. What disturbs a measurement (drift, jitter, motion,
eddy currents, residual water, baseline) is drawn first, as a record that goes into the truth; the
samples follow from it and from a noise stream of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import pi

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T, WATER_PPM
from mrs_disc.data import Protocol, Sampling, Scanner
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel
from mrs_disc.models.sequences import load_sequences
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.simulate.lines import GAUSS, hump_fids, spline_fid, unit_fids
from mrs_disc.simulate.population import Disc, amplitudes
from mrs_disc.steps.evolution import played
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

SNR_OF_PROTOCOL = {"typical": 4.0, "weak": 1.0}
"""Protocols of the simulator, by their SNR over that of ``population.toml``.

The weak one is that file's: an estimate from the brain, scaled by volume, coil, linewidth and
protons. With it the error e of ln(acidity/structure) of a painful disc is .8 in the median, and no
analysis tells painful discs as published ones were told. That takes e of .3 to .4, an AUC near .93
(Gornet 2019: sensitivity 82 %, specificity 88 %). The typical protocol has four times the SNR [D]:
e is .45 in the median of painful discs with the baseline unknown (`mrs_disc.planning`), and the
attainable AUC of `mrs-disc validate --scope score`, where the bound knows the baseline but for its
hump, .91 and .93 (seeds 20270115 and 20261130, 100 discs), .90 and .86 (seeds 860417 and 773311,
200 discs). With all of it unknown .93 takes eight times. So published discrimination asks for four
times the SNR of that estimate, or more. Transients
alone, sixteen times as many, cannot be the reason; coils, voxels or visible protons may.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """How the discs are measured. The defaults are a short 3 T PRESS with four coils."""

    spectrometer_mhz: float = 127.7
    echo_time_s: float = 0.028
    repetition_time_s: float = 1.5
    n_points: int = 2048
    spectral_width_hz: float = 2500.0
    n_coils: int = 4
    n_transients: int = 32
    n_water: int = 4
    sequence: str = "PRESS"
    mixing_time_s: float | None = None
    refocusing_bandwidth_hz: float | None = None
    voxel_size_mm: tuple[float, float, float] = (18.0, 16.0, 5.0)
    snr_factor: float = SNR_OF_PROTOCOL["typical"]
    """Over the SNR of `population.toml`, which is that of a weak measurement; the choice of
    transients, coils and voxel does not change it."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_points", 256, 65536),
            ("n_coils", 1, 128),
            ("n_transients", 1, 4096),
            ("n_water", 0, 1024),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} = {value}: a whole number from {low} to {high} expected")
        if not 0.01 <= self.snr_factor <= 100:
            raise InputError(f"snr_factor = {self.snr_factor}: from 0.01 to 100 expected")
        self.sampling  # noqa: B018 - checks dwell time and frequency

    @property
    def sampling(self) -> Sampling:
        """Sampling of the FIDs; the carrier lies on water."""
        return Sampling(
            dwell_time_s=1.0 / self.spectral_width_hz, spectrometer_mhz=self.spectrometer_mhz
        )

    @property
    def field_strength_t(self) -> float:
        """Field strength, T, to two digits."""
        return round(self.spectrometer_mhz / GAMMA_1H_MHZ_PER_T, 2)

    def evolution(self, model: MetaboliteModel) -> Evolution:
        """Return what the sequence does to the coupled spins of a model."""
        return played(model, self.protocol(water=False), load_sequences("sequences")).evolution

    @property
    def _pulse(self) -> str | None:
        """The shape that has to be said: ideal, where other people's pulses would be doubted."""
        entry = load_sequences("sequences").of(self.sequence)
        doubted = entry is not None and entry.refocusing is not None and entry.real == "told"
        return "ideal" if doubted and self.refocusing_bandwidth_hz is None else None

    def protocol(self, *, water: bool, affine: FloatArray | None = None) -> Protocol:
        """Return the protocol of the metabolite measurement or of the water reference."""
        return Protocol(
            sequence=self.sequence,
            echo_time_s=self.echo_time_s,
            repetition_time_s=self.repetition_time_s,
            mixing_time_s=self.mixing_time_s,
            refocusing_pulse=self._pulse,
            refocusing_bandwidth_hz=self.refocusing_bandwidth_hz,
            spectrometer_mhz=self.spectrometer_mhz,
            field_strength_t=self.field_strength_t,
            spectral_width_hz=self.spectral_width_hz,
            n_points=self.n_points,
            n_coils=self.n_coils,
            n_transients=self.n_water if water else self.n_transients,
            voxel_size_mm=self.voxel_size_mm,
            voxel_affine=affine,
            water_suppressed=not water,
            scanner=Scanner(manufacturer="simulated"),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disturbance:
    """All that stands between a disc and a clean average.

    Parameters
    ----------
    frequency_hz, phase_rad, gain : float arrays, shape (transient,)
        Offset, phase and amplitude of each transient.
    spoilt : bool array, shape (transient,)
        Transients that motion has spoilt.
    residual : complex array, shape (transient,)
        Amplitude and phase of the residual water of each transient.
    residual_offset_hz, residual_width_hz : float
        Its place from the carrier, and Lorentzian width.
    eddy_rad, eddy_tau_s : float arrays, shape (term,)
        Phase ``sum eddy_rad exp(-t / eddy_tau_s)``.
    knot_hz, knot_height, knot_spacing_hz : float arrays and float
        Baseline spline.
    hump_hz, hump_width_hz, hump_area : float arrays, shape (hump,)
        Protein humps.
    """

    frequency_hz: FloatArray
    phase_rad: FloatArray
    gain: FloatArray
    spoilt: BoolArray
    residual: ComplexArray
    residual_offset_hz: float = 0.0
    residual_width_hz: float = 5.0
    eddy_rad: FloatArray = field(default_factory=lambda: np.zeros(0))
    eddy_tau_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    knot_hz: FloatArray = field(default_factory=lambda: np.zeros(0))
    knot_height: FloatArray = field(default_factory=lambda: np.zeros(0))
    knot_spacing_hz: float = 1.0
    hump_hz: FloatArray = field(default_factory=lambda: np.zeros(0))
    hump_width_hz: FloatArray = field(default_factory=lambda: np.zeros(0))
    hump_area: FloatArray = field(default_factory=lambda: np.zeros(0))

    def with_baseline(self, factor: float) -> Disturbance:
        """Return the same with its baseline so many times as high."""
        return replace(
            self, knot_height=factor * self.knot_height, hump_area=factor * self.hump_area
        )

    @property
    def drift_hz(self) -> float:
        """Range of the linear trend of the transients' frequency."""
        n = self.frequency_hz.size
        if n < 3:
            return 0.0
        return float(abs(np.polyfit(np.arange(n), self.frequency_hz, 1)[0]) * (n - 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clean:
    """A disc's noise-free signal in a coil of sensitivity one.

    Parameters
    ----------
    components : complex array, shape (component, point)
        In the order of `names`, with their amplitudes.
    water : complex array, shape (point,)
        Unsuppressed water.
    peak_height : float
        Highest point of the real spectrum of PG alone, continuous Fourier transform (amplitude s).
    linewidth_hz : float
        Full width at half maximum of that peak.
    """

    names: tuple[str, ...]
    amplitude: dict[str, float]
    water_amplitude: float
    components: ComplexArray
    water: ComplexArray
    peak_height: float
    linewidth_hz: float


def clean_signal(disc: Disc, scan: Scan, model: MetaboliteModel) -> Clean:
    """Return the noise-free signal of a disc."""
    time = scan.sampling.time_s(scan.n_points)
    amplitude = amplitudes(
        disc, echo_time_s=scan.echo_time_s, repetition_time_s=scan.repetition_time_s
    )
    water_amplitude = amplitude.pop("water")
    names = tuple(c.name for c in model.component)
    lorentz = {n: 1.0 / (pi * disc.t2_s[n]) + disc.width_hz.get(n, 0.0) for n in names}
    fids = unit_fids(
        model,
        time,
        spectrometer_mhz=scan.spectrometer_mhz,
        evolution=scan.evolution(model),
        lorentz_hz=lorentz,
        gauss_hz=disc.b0_width_hz,
    )
    components = np.array([amplitude[n] for n in names])[:, None] * fids
    decay = -time / disc.t2_s["water"] - GAUSS * (disc.b0_width_hz * time) ** 2
    peak, width = peak_of(components[names.index(model.quality_component)], scan.sampling)
    return Clean(
        names=names,
        amplitude=amplitude,
        water_amplitude=water_amplitude,
        components=components,
        water=(water_amplitude * np.exp(decay)).astype(np.complex128),
        peak_height=peak,
        linewidth_hz=width,
    )


def peak_of(fid: ComplexArray, sampling: Sampling) -> tuple[float, float]:
    """Return height (amplitude s) and full width at half maximum (Hz) of a FID's highest line."""
    n = 8 * fid.size
    halved = fid.copy()
    halved[0] *= 0.5
    spectrum = np.fft.fftshift(np.fft.fft(halved, n).real) * sampling.dwell_time_s
    top = int(np.argmax(spectrum))
    half = spectrum[top] / 2
    right = top + int(np.argmax(spectrum[top:] < half))
    left = top - int(np.argmax(spectrum[top::-1] < half))
    upper = right - 1 + (spectrum[right - 1] - half) / (spectrum[right - 1] - spectrum[right])
    lower = left + 1 - (spectrum[left + 1] - half) / (spectrum[left + 1] - spectrum[left])
    return float(spectrum[top]), float((upper - lower) * sampling.spectral_width_hz / n)


def draw_disturbance(
    rng: np.random.Generator, scan: Scan, clean: Clean, *, spoilt_share: float = 0.05
) -> Disturbance:
    """Draw drift, jitter, motion, eddy currents, residual water and baseline."""
    n = scan.n_transients
    time = np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1)
    drift = float(rng.uniform(0, 8)) * rng.choice((-1.0, 1.0))
    frequency = rng.uniform(-4, 4) + drift * time + rng.normal(0, 1.5, n)
    phase = rng.normal(0, np.radians(10), n)
    gain = np.ones(n)
    spoilt = rng.random(n) < spoilt_share
    phase += spoilt * np.radians(rng.uniform(20, 90, n)) * rng.choice((-1.0, 1.0), n)
    frequency += spoilt * rng.normal(0, 5, n)
    gain = np.where(spoilt, rng.uniform(0.3, 0.8, n), gain)

    width = 3.0 + 0.5 * clean.linewidth_hz
    height = clean.peak_height * float(10 ** rng.uniform(-1, np.log10(30)))
    area = height * pi * width  # a Lorentzian's height is area / (pi FWHM)
    jitter = rng.uniform(0.1, 0.5) * rng.standard_normal(n)
    wobble = np.radians(10) * rng.standard_normal(n)
    own_phase = rng.uniform(-pi, pi)
    residual = (
        area * (1 + jitter + spoilt * rng.uniform(0, 2, n)) * np.exp(1j * (own_phase + wobble))
    )

    spacing = 0.8 * scan.spectrometer_mhz
    knots = (np.arange(0.4, 4.41, 0.8) - WATER_PPM) * scan.spectrometer_mhz
    pg_area = clean.amplitude["PG"]
    hump_width = rng.uniform(60, 120) * scan.spectrometer_mhz / 127.7
    total = np.radians(rng.uniform(5, 30)) * rng.choice((-1.0, 1.0))
    split = rng.uniform(0.2, 0.8)
    return Disturbance(
        frequency_hz=frequency,
        phase_rad=phase,
        gain=gain,
        spoilt=spoilt,
        residual=residual,
        residual_offset_hz=float(rng.uniform(-10, 10)),
        residual_width_hz=width,
        eddy_rad=total * np.array([split, 1 - split]),
        eddy_tau_s=np.array([0.005, 0.050]),
        knot_hz=knots,
        knot_height=clean.peak_height * rng.uniform(0, 0.5) * rng.uniform(0, 1, knots.size),
        knot_spacing_hz=spacing,
        hump_hz=np.array([(rng.uniform(0.9, 2.2) - WATER_PPM) * scan.spectrometer_mhz]),
        hump_width_hz=np.array([hump_width]),
        hump_area=np.array([pg_area * rng.uniform(0.3, 1.5)]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coils:
    """Receive coils: complex sensitivities (the strongest has magnitude one) and their noise.

    `mixing` turns independent noise of real standard deviation one into that of the coils.
    """

    sensitivity: ComplexArray
    mixing: ComplexArray

    @property
    def best_noise_gain(self) -> float:
        """Noise of the optimum combination, units of the strongest coil, for unit noise."""
        covariance = self.mixing @ self.mixing.conj().T
        solved = np.linalg.solve(covariance, self.sensitivity)
        return float(1.0 / np.sqrt((self.sensitivity.conj() @ solved).real))


def draw_coils(rng: np.random.Generator, n_coils: int) -> Coils:
    """Draw log-normal gains, free phases and correlated noise."""
    if n_coils == 1:
        phase = rng.uniform(-pi, pi, 1)
        return Coils(sensitivity=np.exp(1j * phase), mixing=np.eye(1, dtype=complex))
    gain = np.exp(0.6 * rng.standard_normal(n_coils))
    sensitivity = gain / gain.max() * np.exp(1j * rng.uniform(-pi, pi, n_coils))
    sd = rng.uniform(0.8, 1.25, n_coils)
    rho = rng.uniform(0.1, 0.4)
    common = np.exp(1j * rng.uniform(-pi, pi, n_coils))
    correlation = (1 - rho) * np.eye(n_coils) + rho * np.outer(common, common.conj())
    mixing = np.linalg.cholesky(sd[:, None] * correlation * sd)
    return Coils(sensitivity=sensitivity, mixing=mixing.astype(np.complex128))


def baseline(disturbance: Disturbance, time_s: FloatArray) -> ComplexArray:
    """Return the FID of the baseline: spline and humps."""
    total = np.zeros(time_s.size, dtype=complex)
    if disturbance.knot_hz.size:
        total += spline_fid(
            time_s,
            knot_hz=disturbance.knot_hz,
            height=disturbance.knot_height,
            spacing_hz=disturbance.knot_spacing_hz,
        )
    if disturbance.hump_hz.size:
        total += hump_fids(
            time_s,
            centre_hz=disturbance.hump_hz,
            fwhm_hz=disturbance.hump_width_hz,
            area=disturbance.hump_area,
        )
    return total


def measure(
    rng: np.random.Generator,
    scan: Scan,
    clean: Clean,
    disturbance: Disturbance,
    coils: Coils,
    *,
    noise_sd: float,
    water: bool,
) -> ComplexArray:
    """Return the samples of one measurement, complex64, shape (coil, transient, point).

    Parameters
    ----------
    rng : Generator
        Stream of the noise.
    noise_sd : float
        Standard deviation of one real channel of a coil of noise one.
    water : bool
        The unsuppressed reference (metabolites and water) instead of the suppressed scan.
    """
    time = scan.sampling.time_s(scan.n_points)
    eddy = disturbance.eddy_rad @ np.exp(-time / disturbance.eddy_tau_s[:, None])
    steady = clean.components.sum(axis=0) + baseline(disturbance, time)
    if water:
        offset, angle = disturbance.frequency_hz[:1], disturbance.phase_rad[:1]
        first = np.exp(1j * (angle + 2 * pi * offset * time + eddy)) * (clean.water + steady)
        transients = np.repeat(first[None, :], scan.n_water, axis=0)
    else:
        decay = 2j * pi * disturbance.residual_offset_hz - pi * disturbance.residual_width_hz
        residual = np.exp(decay * time)
        turn = 1j * (
            disturbance.phase_rad[:, None]
            + 2 * pi * disturbance.frequency_hz[:, None] * time
            + eddy
        )
        transients = np.exp(turn)
        transients *= disturbance.gain[:, None] * steady + disturbance.residual[:, None] * residual
    return receive(rng, transients, coils, noise_sd)


def receive(
    rng: np.random.Generator, transients: ComplexArray, coils: Coils, noise_sd: float
) -> ComplexArray:
    """Return transients as the coils record them: weighted, with noise, digitised (complex64).

    The digitiser's step is a power of two below a sixteenth of the noise: it adds less than a
    thousandth to the noise and lets the files be compressed.
    """
    n_coils, n_transients, n_points = (coils.sensitivity.size, *transients.shape)
    signal = coils.sensitivity.astype(np.complex64)[:, None, None] * transients.astype(np.complex64)
    if noise_sd > 0:
        shape = (n_coils, n_transients * n_points, 2)
        white = rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]
        mixed = (noise_sd * coils.mixing).astype(np.complex64) @ white
        signal += mixed.reshape(signal.shape)
        step = np.float32(2.0 ** np.floor(np.log2(noise_sd / 16.0)))
        channels = signal.view(np.float32)
        np.rint(channels / step, out=channels)
        channels *= step
    return signal
