"""Transients of unsuppressed water inside an acquisition of metabolites, recognised by their size.

Some protocols measure the water reference first or last in the same file. Such transients are
louder by far than the others and much alike, and each is one line that decays.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from mrs_disc.signal.axes import complex_array
from mrs_disc.signal.noise import median, power_of
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray


def water_transients(signal: ComplexArray, factor: float = 5.0) -> BoolArray:
    """Recognise transients without water suppression inside one acquisition.

    Parameters
    ----------
    signal : complex array, shape (transient, point) or (coil, transient, point)
        Raw or combined signal.
    factor : float
        Least ratio of amplitude between the two kinds.

    Returns
    -------
    bool array, shape (transient,)
        True for unsuppressed water. All false where there are not two kinds: a gap of `factor` in
        the amplitude at the start, water alike among itself, and a start that decays as a
        line does. A single loud transient counts as water only where it is the first or last.
    """
    raw = complex_array(signal, "signal", 2, 3, finite=False)
    n_transients, n_points = raw.shape[-2:]
    mask = np.zeros(n_transients, dtype=bool)
    if n_transients < 2 or n_points < 16:
        return mask
    amplitude = early_amplitude(raw)
    order = np.argsort(amplitude, kind="stable")
    ranked = amplitude[order]
    silent = int(np.searchsorted(ranked, 0.0, side="right"))
    if n_transients - silent < 2:
        return mask
    # the widest gap between neighbours in size parts the two kinds, if there are two
    ratio = ranked[silent + 1 :] / ranked[silent:-1]
    gap = int(np.argmax(ratio))
    loud = order[silent + gap + 1 :]
    alike = amplitude[loud].max() <= 2.5 * amplitude[loud].min()
    # a single one in between is a spoilt transient, not a measurement of water
    alone = len(loud) == 1 and loud[0] not in (0, n_transients - 1)
    if ratio[gap] >= factor and alike and not alone and _is_one_line(raw[..., loud, :]):
        mask[loud] = True
    return mask


def early_amplitude(raw: ComplexArray) -> FloatArray:
    """Return the size of each transient's start over all coils; 0 for one that is not finite.

    Parameters
    ----------
    raw : complex array, shape (transient, point) or (coil, transient, point)
        Raw or combined signal.
    """
    early = np.asarray(raw[..., : max(4, min(32, raw.shape[-1] // 16))])
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(early).all(axis=-1)
        power = power_of(early)
        power = np.where(np.isfinite(power), power, 0.0)
    if raw.ndim == 3:
        finite, power = finite.all(axis=0), power.sum(axis=0)
    # the median over points does not see a spike
    return np.sqrt(np.where(finite, median(power), 0.0))


def _is_one_line(loud: ComplexArray) -> bool:
    """Tell whether the loudest channel of these transients is one line that decays."""
    channels = loud.reshape(-1, loud.shape[-2], loud.shape[-1])
    strength = np.abs(channels[:, :, :16]).sum(axis=(1, 2))
    power = np.abs(scipy.fft.fft(channels[int(np.argmax(strength))].astype(np.complex128))) ** 2
    reach = max(2, power.shape[1] // 25)
    for line in power:
        # most of the energy lies within a few hundredths of the band about the highest point
        near = np.roll(line, reach - int(np.argmax(line)))[: 2 * reach + 1]
        if near.sum() < 0.7 * line.sum():
            return False
    return True
