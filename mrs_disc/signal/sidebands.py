"""Sidebands of residual water: pairs of images of the water line, from coils that vibrate.

Gradient coils vibrate at some hundred hertz, and the field with them: all signal is modulated in
frequency. To first order a line w(t) gains two images, on either side at the distance f of the
vibration and of opposite sign::

    w(t) exp(i b sin(2 pi f t + p))  =  w + c w exp(2 pi i f t) - c* w exp(-2 pi i f t),
    c = (b / 2) exp(i p)

Of the metabolites the images are lost in the noise; those of strong residual water lie on the
metabolites, and one half of each pair lies alone, downfield. There the size and phase of a pair are
measured, by the water line itself as the matched filter, and both halves are subtracted.

Decision: a line downfield counts as an image only where it stands far out of the noise, is a small
share of the water, and has the water's shape. A proton that really resonates there (formate,
amides) is no hundredth of a strong water line, or is broader. Amplitudes that vibrate (images of
like sign) are not looked for.

Source: "Localized proton spectroscopy without water suppression: removal of gradient induced
frequency modulations by modulus signal selection", J Magn Reson 2002;154:53-59 (abstract: vibrating
gradients modulate the frequency; sidebands lie symmetrically about the water).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from mrs_disc.typing import ComplexArray, FloatArray

LEAST_SD = 8.0
"""Standard deviations by which an image stands out of noise and surroundings, at least [P]."""

LEAST_SHARE, MOST_SHARE = 0.004, 0.03
"""Smallest and largest share of the water that an image may have [P]. In brain, amides are a
thousandth of strong residual water, and its wing at 60 Hz is three."""

MOST_LEFT = 0.35
"""Largest part of an image's height that may stay where it was subtracted: else it has another
shape [P]."""

MOST_LINES = 6
"""Where more lines than this stand out downfield, they are the wing of a line, or tissue."""

_NEAR_HZ = 10.0  # about an image, where little of it may stay
_RISE_S = 0.012
_PADDING = 4
_NEWTON, _MOST_STEP_HZ = 4, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidebands:
    """A FID without the images of its water.

    Attributes
    ----------
    signal : complex array, shape (point,)
        The FID less both halves of each pair.
    hz : float array, shape (pair,)
        Distances from the water.
    share : float array, shape (pair,)
        Sizes in units of the water.
    """

    signal: ComplexArray
    hz: FloatArray
    share: FloatArray


def remove_sidebands(
    signal: ComplexArray,
    whole: ComplexArray,
    water: ComplexArray,
    dwell_time_s: float,
    *,
    search_hz: tuple[float, float],
    removed_hz: float,
    noise_sd: float,
) -> Sidebands:
    """Measure images of water downfield of it, and subtract them on both sides.

    Parameters
    ----------
    signal : complex array, shape (point,)
        FID without its water, and without what lay up to `removed_hz` downfield of it.
    whole : complex array, shape (point,)
        FID as it was before.
    water : complex array, shape (point,)
        The water line alone.
    dwell_time_s : float
        Time from point to point, s.
    search_hz : tuple of float
        Distances from the water between which an image is looked for, Hz.
    removed_hz : float
        Up to here the lower half of a pair is gone already.
    noise_sd : float
        Standard deviation of one real channel.

    Returns
    -------
    Sidebands
    """
    low, high = search_hz[0], min(search_hz[1], 0.45 / dwell_time_s)
    if not low < high or not np.any(water):
        return _none(signal)
    search = _Search(water, dwell_time_s, low, high)
    pairs = search.images(whole - water, noise_sd * search.error)
    if not pairs:
        return _none(signal)
    cleaned = signal.astype(np.complex128)
    for place, image in pairs:
        cleaned += search.line(np.conj(image), -place)
        if place > removed_hz:
            cleaned -= search.line(image, place)
    hz, share = np.array([(place, abs(image)) for place, image in pairs]).T
    return Sidebands(signal=cleaned.astype(signal.dtype), hz=hz, share=share)


def _none(signal: ComplexArray) -> Sidebands:
    return Sidebands(signal=signal, hz=np.empty(0), share=np.empty(0))


class _Search:
    """The water line as a matched filter, over distances from it.

    The first milliseconds come in smoothly: where an FID begins, the wings of all lines upfield
    begin with it.
    """

    def __init__(self, water: ComplexArray, dwell_time_s: float, low_hz: float, high_hz: float):
        self._water = water
        self._time = dwell_time_s * np.arange(len(water))
        rise = np.sin(0.5 * np.pi * np.minimum(self._time / _RISE_S, 1.0)) ** 2
        energy = float(rise @ np.abs(water) ** 2)
        self._filter = rise * water.conj() / energy
        self.error = float(np.linalg.norm(self._filter))
        """Standard deviation of a size per that of a real channel."""
        self._n_fft = int(scipy.fft.next_fast_len(_PADDING * len(water)))
        hz = np.arange(self._n_fft) / (self._n_fft * dwell_time_s)
        self._range = (hz >= low_hz) & (hz <= high_hz)
        self._hz = hz[self._range]

    def images(self, signal: ComplexArray, sd: float) -> list[tuple[float, complex]]:
        """Return distances and sizes of all images.

        What stands out is taken off, one line of the water's shape after the other; then each is
        measured once more with the others gone. A broad line takes several next to each other, and
        leaves some of itself: those are no images.
        """
        rest, lines = signal, list[tuple[float, complex]]()
        while True:
            hz, size = self.highest(rest)
            if size < LEAST_SD * sd:
                break
            if len(lines) == MOST_LINES:
                return []
            image, hz = self.image(rest, hz)
            rest = rest - self.line(image, hz)
            lines.append((hz, image))
        for k, (hz, image) in enumerate(lines):
            rest = rest + self.line(image, hz)
            image, hz = self.image(rest, hz)
            rest = rest - self.line(image, hz)
            lines[k] = hz, image
        found = []
        for k, (hz, image) in enumerate(lines):
            alone = all(abs(hz - other) > _NEAR_HZ for other, _ in lines[:k] + lines[k + 1 :])
            left = self.highest(rest, hz)[1]
            small = left < max(MOST_LEFT * abs(image), 4 * sd)
            if alone and small and LEAST_SHARE < abs(image) < MOST_SHARE:
                found.append((hz, image))
        return sorted(found, key=lambda one: one[0])

    def highest(self, signal: ComplexArray, near_hz: float | None = None) -> tuple[float, float]:
        """Return where an image is largest, everywhere or next to a distance, and its size."""
        size = np.abs(scipy.fft.fft(signal * self._filter, self._n_fft)[self._range])
        if near_hz is not None:
            size = np.where(np.abs(self._hz - near_hz) < _NEAR_HZ, size, 0.0)
        peak = int(np.argmax(size))
        return float(self._hz[peak]), float(size[peak])

    def image(self, signal: ComplexArray, hz: float) -> tuple[complex, float]:
        """Return the size of an image, and its distance between the points of the transform.

        At the best distance the derivative of ``|c|^2`` vanishes: Newton's steps.
        """
        product = signal * self._filter
        powers = np.stack([product, -2j * np.pi * self._time * product])
        powers = np.stack([*powers, -2j * np.pi * self._time * powers[1]])
        for _ in range(_NEWTON):
            size, slope, curve = powers @ np.exp(-2j * np.pi * hz * self._time)
            first = 2 * float((np.conj(size) * slope).real)
            second = 2 * float(abs(slope) ** 2 + (np.conj(size) * curve).real)
            if second >= 0:
                break
            hz -= float(np.clip(first / second, -_MOST_STEP_HZ, _MOST_STEP_HZ))
        return complex(product @ np.exp(-2j * np.pi * hz * self._time)), hz

    def line(self, image: complex, hz: float) -> ComplexArray:
        """Return an image."""
        return np.asarray(self._water * (image * np.exp(2j * np.pi * hz * self._time)))
