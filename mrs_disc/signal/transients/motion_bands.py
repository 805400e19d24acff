"""Lines and residual water of transients, parted so that the water's jitter leaves the lines alone.

Strong residual water has a reference of its own. Its tails reach into the lines' window, where
`Spectra.water_tails` spans them; how much of each a transient holds follows from the water in its
own band, by a regression over the series, and is taken off. What still varies there beyond the
noise (water of another shape) is weighted down to the variance of the noise. Weak water is one line
more: the window is carried on over it, with what varies along it weighted down likewise.

Source: Mikkelsen et al., NMR Biomed 2020;33:e4368, doi:10.1002/nbm.4368 (unstable water).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.signal.noise import median
from mrs_disc.signal.transients.registration import Band, decimated, likeness, shape_of
from mrs_disc.signal.transients.robust import TINY, clamped, clamped_covariance
from mrs_disc.signal.transients.series import Spectra
from mrs_disc.typing import ComplexArray, FloatArray

STRONG = 2.0
"""Matched-filter energy of the water in a transient above which it is parted from the lines."""

MARGIN = 0.1
"""The water's band is widened by this share to either side."""

SKIRT = 0.4
"""The lines' window is widened by this share away from the water: what decays fast is broad, and
cut off it would not tell of the phase. Where there is none of it, the reference gives no weight."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a band of each transient is compared with: the mean of the others.

    Attributes
    ----------
    others : complex array, shape (transient, sample)
        Mean of the other transients, weighted in time by its own signal-to-noise ratio.
    norm : float
        ``sum(signal * conj(others))`` of a transient like the others.
    energy : float
        Matched-filter energy: inverse variance of the complex amplitude that the filter gives.
    share : float array, shape (sample,)
        Share of each sample in it.
    """

    others: ComplexArray
    norm: float
    energy: float
    share: FloatArray

    def amplitude(self, signal: ComplexArray) -> ComplexArray:
        """Return the complex amplitude of each transient, 1 for one like the others."""
        amplitude: ComplexArray = np.sum(signal * self.others.conj(), axis=1) / self.norm
        return amplitude


def reference_of(signal: ComplexArray) -> Reference | None:
    """Return what each transient of a band is compared with.

    Parameters
    ----------
    signal : complex array, shape (transient, sample)
        Aligned transients of one `Band`, noise variance 1.

    Returns
    -------
    Reference or None
        None where the mean holds nothing above its noise.
    """
    weight = np.ones(len(signal))
    for _ in range(2):
        mean = (weight @ signal) / weight.sum()
        weight = np.maximum(likeness(signal, mean), 1e-3)
    total = weight @ signal
    noise = float(np.sum(weight**2) / weight.sum() ** 2)
    shape, power = shape_of(total / weight.sum(), noise)
    filtered = power * shape
    norm = float(filtered.sum())
    if not (shape > 1e-3).any() or norm <= 0:
        return None
    # leaving the transient out: its own noise would else look like agreement
    others = (total - weight[:, None] * signal) / (weight.sum() - weight)[:, None]
    # of the filter's output, squared mean over variance; the reference has noise of its own
    energy = norm**2 / float((power + noise) @ shape**2)
    return Reference(others * shape, norm, energy, filtered / norm)


def part(spectra: Spectra, inside: slice, band: slice | None) -> tuple[Band, Band | None]:
    """Return lines and water of aligned transients.

    Parameters
    ----------
    spectra : Spectra
        In units of their complex noise.
    inside, band : slice
        Window of the lines, and band of the residual water, apart from it; None: no water is
        expected.

    Returns
    -------
    lines : Band
    water : Band or None
        None where the water is weak and counts among the lines.
    """
    bins, duration_s = spectra.bins, spectra.duration_s
    if band is None:
        return decimated(bins[:, inside].astype(np.complex128), duration_s), None
    margin = round(MARGIN * (band.stop - band.start))
    wide = slice(max(band.start - margin, 0), min(band.stop + margin, bins.shape[1]))
    inside = _widened(inside, wide, bins.shape[1])
    water = decimated(bins[:, wide].astype(np.complex128), duration_s)
    reference = reference_of(water.signal)
    if reference is None or reference.energy < STRONG:
        return decimated(_carried_on(bins, inside, wide), duration_s), None
    # only the components along the tails are exchanged: what is orthogonal to them stays as it is
    lines = bins[:, inside].astype(np.complex128)
    tails = spectra.water_tails(inside, band)
    along: ComplexArray = lines @ tails.conj()
    kept = _softened(_without_water(along, reference.amplitude(water.signal)))
    return decimated(lines + (kept - along) @ tails.T, duration_s), water


def _widened(inside: slice, wide: slice, n_points: int) -> slice:
    """Return the window with a skirt away from the water, and up to near water."""
    skirt = round(SKIRT * (inside.stop - inside.start))
    near = wide.stop - wide.start
    if wide.start >= inside.stop:
        last = wide.start if wide.start - inside.stop <= near else inside.stop
        return slice(max(inside.start - skirt, 0), last)
    first = wide.stop if inside.start - wide.stop <= near else inside.start
    return slice(first, min(inside.stop + skirt, n_points))


def _carried_on(bins: ComplexArray, inside: slice, wide: slice) -> ComplexArray:
    """Return the window with weak water in it, where they are neighbours."""
    water = bins[:, wide].astype(np.complex128)
    gap = max(wide.start - inside.stop, inside.start - wide.stop)
    if gap > water.shape[1]:
        return bins[:, inside].astype(np.complex128)
    first, last = min(inside.start, wide.start), max(inside.stop, wide.stop)
    carried = bins[:, first:last].astype(np.complex128)
    # the water's size may vary from transient to transient; its shape is that of its mean
    shape: ComplexArray = water.mean(axis=0)[:, None]
    shape = shape / max(float(np.linalg.norm(shape)), TINY)
    along: ComplexArray = water @ shape.conj()
    carried[:, wide.start - first : wide.stop - first] += (_softened(along) - along) @ shape.T
    return carried


def _without_water(along: ComplexArray, water: ComplexArray) -> ComplexArray:
    """Take off what follows the water in its band, transient by transient.

    The departures from the medians show what follows it: the medians themselves hold lines too.
    """
    departure = water - _median(water)
    squares = np.abs(departure) ** 2
    weight = clamped(squares)
    information = max(float(weight @ squares), TINY)
    typical = _median(along)
    slope = (weight * departure.conj()) @ (along - typical) / information
    # shrunk by James and Stein: what noise alone would make of the slope counts for nothing
    slope *= np.maximum(1 - 1 / (information * np.abs(slope) ** 2 + TINY), 0)
    rest: ComplexArray = along - water[:, None] * slope
    return rest


def _median(values: ComplexArray) -> ComplexArray:
    """Return the median over transients, of real and imaginary parts."""
    return np.asarray(median(values.real.T) + 1j * median(values.imag.T))


def _softened(rows: ComplexArray) -> ComplexArray:
    """Weight down what varies beyond the noise, whose variance is 1."""
    variance, directions = np.linalg.eigh(clamped_covariance(rows))
    weight = 1 / np.sqrt(np.maximum(variance, 1.0))
    softened: ComplexArray = ((rows @ directions.conj()) * weight) @ directions.T
    return softened
