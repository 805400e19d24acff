"""Lines and residual water of transients, parted so that the water's jitter leaves the lines alone.

Strong residual water has a reference of its own. Its tails reach into the lines' window, where
`water_tails` spans them; how much of each a transient holds follows from the water in its own
band, by a regression over the series, and is taken off. What still varies there beyond the noise
(water of another shape) is weighted down to the variance of the noise. Weak water is one line more:
the window is carried on over it, with what varies along it weighted down likewise.

Source: Mikkelsen et al., NMR Biomed 2020;33:e4368, doi:10.1002/nbm.4368 (unstable water).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.signal.align import water_tails
from mrs_disc.signal.registration import Band, likeness, shape_of, thinned
from mrs_disc.signal.series import clamped_covariance
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
    whole : float
        ``sum(signal * conj(others))`` of a transient like the others.
    energy : float
        Matched-filter energy: inverse variance of the complex amplitude that is so found.
    lever : float array, shape (sample,)
        Share of the samples in it.
    """

    others: ComplexArray
    whole: float
    energy: float
    lever: FloatArray

    def amplitude(self, signal: ComplexArray) -> ComplexArray:
        """Return the complex amplitude of each transient, 1 for one like the others."""
        found: ComplexArray = np.sum(signal * self.others.conj(), axis=1) / self.whole
        return found


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
    lever = power * shape
    whole = float(lever.sum())
    if not (shape > 1e-3).any() or whole <= 0:
        return None
    others = (total - weight[:, None] * signal) / (weight.sum() - weight)[:, None]
    energy = whole**2 / float((power + noise) @ shape**2)
    return Reference(others * shape, whole, energy, lever / whole)


def part(
    spectra: ComplexArray,
    frequencies: FloatArray,
    inside: slice,
    band: slice | None,
    duration_s: float,
) -> tuple[Band, Band | None]:
    """Return lines and water of aligned transients.

    Parameters
    ----------
    spectra : complex array, shape (transient, point)
        Unitary spectra in units of their complex noise, in the order of `frequencies`.
    frequencies : float array, shape (point,)
        Hz from the carrier.
    inside, band : slice
        Window of the lines, and band of the residual water, apart from it; None: no water is
        expected.
    duration_s : float
        Number of points times dwell time, s.

    Returns
    -------
    lines : Band
    water : Band or None
        None where the water is weak and counts among the lines.
    """
    if band is None:
        return thinned(spectra[:, inside].astype(np.complex128), duration_s), None
    margin = round(MARGIN * (band.stop - band.start))
    wide = slice(max(band.start - margin, 0), min(band.stop + margin, spectra.shape[1]))
    inside = _widened(inside, wide, spectra.shape[1])
    core = spectra[:, wide].astype(np.complex128)
    water = thinned(core, duration_s)
    reference = reference_of(water.signal)
    if reference is None or reference.energy < STRONG:
        return thinned(_carried_on(spectra, core, inside, wide), duration_s), None
    lines = spectra[:, inside].astype(np.complex128)
    tails = water_tails(spectra, frequencies, inside, band, duration_s)
    struck: ComplexArray = lines @ tails.conj()
    left = _softened(_without_water(struck, reference.amplitude(water.signal)))
    return thinned(lines + (left - struck) @ tails.T, duration_s), water


def _widened(inside: slice, wide: slice, n_points: int) -> slice:
    """Return the window with a skirt away from the water, and up to near water."""
    skirt = round(SKIRT * (inside.stop - inside.start))
    near = wide.stop - wide.start
    if wide.start >= inside.stop:
        last = wide.start if wide.start - inside.stop <= near else inside.stop
        return slice(max(inside.start - skirt, 0), last)
    first = wide.stop if inside.start - wide.stop <= near else inside.start
    return slice(first, min(inside.stop + skirt, n_points))


def _carried_on(
    spectra: ComplexArray, core: ComplexArray, inside: slice, wide: slice
) -> ComplexArray:
    """Return the window with weak water in it, where they are neighbours."""
    between = max(wide.start - inside.stop, inside.start - wide.stop)
    if between > core.shape[1]:
        return spectra[:, inside].astype(np.complex128)
    first, last = min(inside.start, wide.start), max(inside.stop, wide.stop)
    carried = spectra[:, first:last].astype(np.complex128)
    along: ComplexArray = core.mean(axis=0)[:, None]
    along = along / max(float(np.linalg.norm(along)), 1e-300)
    held: ComplexArray = core @ along.conj()
    carried[:, wide.start - first : wide.stop - first] += (_softened(held) - held) @ along.T
    return carried


def _without_water(struck: ComplexArray, water: ComplexArray) -> ComplexArray:
    """Take off what follows the water in its band, transient by transient.

    The departures from the middle show what follows it: the middle itself holds lines too.
    """
    away = water - (np.median(water.real) + 1j * np.median(water.imag))
    size = np.abs(away) ** 2
    clamp = np.minimum(1.0, 3 * np.median(size) / np.maximum(size, 1e-300))
    told = max(float(clamp @ size), 1e-300)
    middle = np.median(struck.real, axis=0) + 1j * np.median(struck.imag, axis=0)
    follows = (clamp * away.conj()) @ (struck - middle) / told
    # what noise alone would make of it counts for nothing
    follows *= np.maximum(1 - 1 / (told * np.abs(follows) ** 2 + 1e-300), 0)
    rest: ComplexArray = struck - water[:, None] * follows
    return rest


def _softened(rows: ComplexArray) -> ComplexArray:
    """Weight down what varies beyond the noise, whose variance is 1."""
    variance, turn = np.linalg.eigh(clamped_covariance(rows)[1])
    soft = 1 / np.sqrt(np.maximum(variance, 1.0))
    softened: ComplexArray = ((rows @ turn.conj()) * soft) @ turn.T
    return softened
