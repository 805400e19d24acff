"""What an analysis found, from one disc's clean FID to the report of a study.

Decision: what a person does with a result at a prompt (plot it, see it in a notebook) are methods
of it, which call the public function that does so by its public name; a record imports nothing of
the rooms above it. Refused: drawing here, and results that can only be drawn from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import TINY, WATER_PPM, Z95_ONE_SIDED
from mrs_disc.data.frames import metabolite_frame
from mrs_disc.data.signals import Fid, Protocol
from mrs_disc.data.spectra import FittedSpectrum, filled_and_weighted, place_of, transformed
from mrs_disc.record.brief import brief
from mrs_disc.record.findings import Finding, sentences
from mrs_disc.record.parts import (
    Fit,
    Limit,
    Metabolite,
    Quality,
    Quantities,
    RatioHeld,
)
from mrs_disc.record.sampling import Sampling
from mrs_disc.record.signals import LevelSignals
from mrs_disc.typing import ComplexArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preprocessed:
    """A disc's spectrum ready for the fit, with what the steps found.

    Parameters
    ----------
    fid : Fid
        Combined, aligned, averaged, eddy-current and phase corrected, water removed.
    unsuppressed_residue : Fid
        The same before residual-water removal.
    water : Fid or None
        The water reference, combined and averaged.
    protocol : Protocol
        Of the metabolite measurement.
    transient_frequency_hz, transient_phase_rad : float arrays, shape (transient,)
        What was corrected in each transient; empty where the file came averaged.
    transient_picture : uint8 array or None, shape (2, row, column)
        Transients before and after alignment, for the eye: `mrs_disc.signal.transients.picture`.
    transient_picture_ppm : float
        Shift in the middle of that picture.
    rejected : mapping
        Index of a rejected transient to the reason.
    drift_hz : float or None
        Range of the smoothed frequencies of the transients.
    water_linewidth_hz : float or None
        Full width at half maximum of the water reference.
    """

    fid: Fid
    unsuppressed_residue: Fid
    protocol: Protocol
    water: Fid | None = None
    water_protocol: Protocol | None = None
    transient_frequency_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    transient_phase_rad: FloatArray = field(default_factory=lambda: np.empty(0))
    transient_picture: NDArray[np.uint8] | None = None
    transient_picture_ppm: float = WATER_PPM
    rejected: Mapping[int, str] = field(default_factory=dict)
    n_transients: int = 1
    drift_hz: float | None = None
    water_linewidth_hz: float | None = None
    findings: tuple[Finding, ...] = ()

    __repr__ = brief

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The curves that show a fit, as FIDs with the zero-order phase removed.

    A delay stays: multiply a spectrum by ``exp(-2j*pi*f*delay_s)`` to show it.

    Parameters
    ----------
    sampling : Sampling
        Of all curves, its axis referenced to the lines.
    data, baseline : complex arrays, shape (point,)
        What was fitted, and the baseline of the model.
    components : complex array, shape (component, point)
        Each component's FID; ``baseline + components.sum(0)`` is the fit.
    window_ppm : tuple of float
        Fitted range.
    reference_shift_ppm : float
        How far all lines lay from their places on the axis of the file; taken off in `sampling`.
    """

    sampling: Sampling
    data: ComplexArray
    baseline: ComplexArray
    components: ComplexArray
    window_ppm: tuple[float, float]
    reference_shift_ppm: float = 0.0

    __repr__ = brief

    @property
    def fit(self) -> ComplexArray:
        """The whole model, a FID like `data`."""
        total: ComplexArray = self.baseline + self.components.sum(axis=0)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise that a fit found, and what it left beside it.

    Parameters
    ----------
    sd : float
        Standard deviation of the real noise of one point of the FID.
    spectrum_sd : float
        The same of the unapodized spectrum, plain FFT of the data.
    residual_ratio : float
        RMS of the residual in the fitted range / noise.
    residual_whiteness_p : float or None
        Probability of a residual as structured as this one from white noise.
    """

    sd: float
    spectrum_sd: float
    residual_ratio: float
    residual_whiteness_p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The zero-order phase that was taken off the curves, and the delay that was not.

    The delay is that of the first point after the echo: the start that the file says, and what the
    fit found beyond it.
    """

    zero_order_rad: float
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPeak:
    """The component that quality is judged on; `height` is that of its fit in the spectrum."""

    name: str = ""
    height: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoTime:
    """What the multiplets of a spectrum say of its echo time.

    Parameters
    ----------
    multiplets : tuple of str
        The components that were asked.
    stated_s, fitting_s : float
        Echo time that the file states, and the one that fits best.
    deviation_sd : float
        Standard deviations by which the stated time fits worse.
    """

    multiplets: tuple[str, ...]
    stated_s: float
    fitting_s: float
    deviation_sd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """Amplitudes of a disc with their full covariance, and the curves that show the fit.

    Parameters
    ----------
    names : tuple of str
        The components, in the order of every array here.
    amplitude : float array, shape (component,)
        Time-domain amplitude at the start of the FID (units of the file, T2-weighted).
    covariance : float array, shape (component, component)
        Of the amplitudes, with all other parameters, the baseline and the noise unknown.
    crlb : float array, shape (component,)
        Cramér-Rao bound of each amplitude, in its unit.
    low, high : float arrays, shape (component,)
        95 % interval.
    ppm : float array, shape (component,)
        Where the component's first resonance was found on the referenced axis.
    linewidth_hz : float array, shape (component,)
        Full width at half maximum of one line.
    repetition : float array, shape (component, component), or None
        Covariance of the amplitudes over repeats of the same measurement, with new noise alone.
    echo : EchoTime or None
        What the multiplets say of the echo time; `None` where nothing seemed wrong.
    ratio_priors : tuple of RatioHeld
        The priors of ratios, and how far the fit lies from them.
    findings : tuple of Finding
        What was left out of the model.
    """

    model: str
    names: tuple[str, ...]
    amplitude: FloatArray
    covariance: FloatArray
    crlb: FloatArray
    low: FloatArray
    high: FloatArray
    ppm: FloatArray
    linewidth_hz: FloatArray
    curves: Curves
    noise: Noise
    phase: Phase
    peak: QualityPeak = QualityPeak()
    converged: bool
    reason: str = ""
    repetition: FloatArray | None = None
    echo: EchoTime | None = None
    ratio_priors: tuple[RatioHeld, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def sd(self) -> FloatArray:
        """One standard deviation of each amplitude."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))

    @property
    def residual_ratio(self) -> float:
        """Root mean square of the residual / noise, as results.json names it."""
        return self.noise.residual_ratio

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one point's real noise in the FID, as results.json names it."""
        return self.noise.sd

    @property
    def crlb_percent(self) -> FloatArray:
        """100 x Cramér-Rao bound / amplitude; infinite where that is not positive."""
        percent = np.full(len(self.names), np.inf)
        positive = self.amplitude > 0
        percent[positive] = 100.0 * self.crlb[positive] / self.amplitude[positive]
        return percent

    @property
    def correlation(self) -> FloatArray:
        """Correlation of the amplitudes, shape (component, component); 0 beside an sd of zero."""
        scale = np.where(self.sd > 0, self.sd, 1.0)
        return np.asarray(self.covariance / np.outer(scale, scale))

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)

    @property
    def metabolites(self) -> dict[str, Metabolite]:
        """Each component as results.json has it: an upper limit where it is below two sd."""
        return {name: self._metabolite(k) for k, name in enumerate(self.names)}

    def _metabolite(self, k: int) -> Metabolite:
        amplitude, sd = float(self.amplitude[k]), float(self.sd[k])
        low, high = float(self.low[k]), float(self.high[k])
        limit: Limit = None
        if not amplitude >= 2 * sd:
            one_sided = max(amplitude, 0.0) + Z95_ONE_SIDED * sd
            low, high, limit = 0.0, high if low >= 0 else one_sided, "upper"
        of_repeats = None if self.repetition is None else float(np.sqrt(self.repetition[k, k]))
        return Metabolite(
            amplitude=amplitude,
            sd=sd,
            low=low,
            high=high,
            limit=limit,
            crlb_percent=float(self.crlb_percent[k]),
            ppm=float(self.ppm[k]),
            linewidth_hz=float(self.linewidth_hz[k]),
            repetition_sd=of_repeats,
        )

    def spectrum(self, apodize_hz: float = 0.0, zero_fill: int = 2) -> FittedSpectrum:
        """Return the spectra of the fit, phased, on the referenced axis.

        Parameters
        ----------
        apodize_hz : float
            Lorentzian line broadening in Hz, 0 to 100: for the eye, nothing is fitted again.
        zero_fill : int
            The spectrum has at least this many times the points of the FID, 1 to 32.

        Returns
        -------
        FittedSpectrum
            ``ppm``, ``data``, ``fit``, ``baseline``, ``residual`` (float arrays, shape (point,)),
            ``components`` (shape (component, point)) and ``noise_sd``.

        Raises
        ------
        InputError
            If an option is out of its range.

        Examples
        --------
        >>> import mrs_disc as md
        >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5"])
        >>> fit = md.fit(md.preprocess(study["L4-L5"]))
        >>> spectrum = fit.spectrum(apodize_hz=3)
        >>> spectrum.data.shape == spectrum.fit.shape == spectrum["LAC"].shape
        True
        """
        curves = self.curves
        n, dwell_s = curves.data.size, curves.sampling.dwell_time_s
        weight = filled_and_weighted(n, dwell_s, apodize_hz, zero_fill)
        fids = np.vstack([curves.data, curves.baseline, curves.components]) * weight
        delay_s = self.phase.delay_s
        ppm, turned = transformed(fids, curves.sampling, filling=int(zero_fill), delay_s=delay_s)
        real = np.asarray(turned.real, np.float64)
        return FittedSpectrum(
            ppm=ppm,
            data=real[0],
            fit=real[1] + real[2:].sum(axis=0),
            baseline=real[1],
            components=real[2:],
            names=self.names,
            window_ppm=curves.window_ppm,
            noise_sd=self.noise.spectrum_sd * float(np.sqrt(np.mean(weight**2))),
        )

    def plot(
        self,
        ax: Axes | None = None,
        ppm: tuple[float, float] = (4.3, 0.5),
        apodize_hz: float = 0.0,
    ) -> Axes:
        """Draw the fit as the report does: see `mrs_disc.plot_fit`."""
        import mrs_disc

        return mrs_disc.plot_fit(self, ax, ppm, apodize_hz)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a component: its fields in ``results.json``, a pandas table."""
        return metabolite_frame(self.metabolites)

    def __repr__(self) -> str:
        state = "converged" if self.converged else f"not converged ({self.reason})"
        rows = [
            f"  {name:8s} {m.amplitude:10.4g} ± {m.sd:<9.3g} "
            + (f"below {m.high:.4g}" if m.limit else f"{m.low:.4g} to {m.high:.4g}")
            for name, m in self.metabolites.items()
        ]
        head = f"<FitResult {self.model}, {state}, residual {self.residual_ratio:.2f} × noise>"
        return "\n".join([head, "  component amplitude ± sd          95 %", *rows])

    def index(self, name: str) -> int:
        """Return the place of a component in the arrays; an `InputError` where there is none."""
        return place_of(name, self.names)

    def has(self, *names: str) -> bool:
        """Say whether the model holds all these components."""
        return set(names) <= set(self.names)

    def in_sd(self, name: str) -> float:
        """Return the amplitude of a component in its standard deviations; errors as of `index`."""
        place = self.index(name)
        return float(self.amplitude[place] / max(self.sd[place], TINY))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelMeasurement:
    """One disc through preprocessing, fit, quality and quantities.

    Parameters
    ----------
    preprocessed : Preprocessed
        From `preprocess`.
    fit : FitResult
        From `fit`.
    quality : Quality
        From `grade`.
    quantities : Quantities
        From `quantify`.
    """

    preprocessed: Preprocessed
    fit: FitResult
    quality: Quality
    quantities: Quantities

    __repr__ = brief


def fit_of_record(fit: Fit, signals: LevelSignals) -> FitResult:
    """Return a fit from its record and its curves.

    Parameters
    ----------
    fit : Fit
        Of ``results.json``.
    signals : LevelSignals
        Of ``signals.npz``, of the same level.
    """
    found = fit.metabolites.values()
    sd = np.array([m.sd for m in found])
    crlb = [np.nan if m.crlb_percent is None else m.amplitude * m.crlb_percent for m in found]
    whole = {m.repetition_sd for m in found}
    of_repeats = [m.repetition_sd or 0.0 for m in found]
    return FitResult(
        model=fit.model,
        names=tuple(fit.metabolites),
        amplitude=np.array([m.amplitude for m in found]),
        covariance=np.asarray(fit.correlation.matrix) * np.outer(sd, sd),
        crlb=0.01 * np.array(crlb),
        low=_floats(m.low for m in found),
        high=_floats(m.high for m in found),
        ppm=_floats(m.ppm for m in found),
        linewidth_hz=_floats(m.linewidth_hz for m in found),
        curves=Curves(
            sampling=signals.sampling,
            data=signals.data,
            baseline=signals.baseline,
            components=signals.components,
            window_ppm=fit.window_ppm,
            reference_shift_ppm=fit.reference_shift_ppm,
        ),
        noise=Noise(
            sd=fit.noise_sd,
            spectrum_sd=fit.spectrum_noise_sd,
            residual_ratio=np.nan if fit.residual_ratio is None else fit.residual_ratio,
            residual_whiteness_p=fit.residual_whiteness_p,
        ),
        phase=Phase(zero_order_rad=fit.phase_rad, delay_s=fit.delay_s),
        peak=QualityPeak(name=fit.quality_peak),
        converged=fit.converged,
        reason=fit.reason,
        repetition=None if None in whole else np.diag(of_repeats) ** 2,
        ratio_priors=fit.ratio_priors,
    )


def _floats(values: Iterable[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values])
