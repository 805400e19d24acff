"""Combination of receive coils by whitened singular-value decomposition.

In whitened coordinates the noise of the coils is equal and independent, and the direction of most
signal energy is the direction of highest signal-to-noise ratio. The direction is the first
eigenvector of the whitened coil covariance of a strong signal: best the water reference, else the
metabolite data, averaged over transients and weighted in time by their own signal-to-noise ratio.

Coils that add no independent noise (silent, doubled, sums of others) make the covariance singular.
They are found by a Cholesky factorisation with pivots of the noise correlation, and left out.

Source: Rodgers and Robson, Magn Reson Med 2010;63:881-891, doi:10.1002/mrm.22230.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import complex_array
from mrs_disc.signal.transients.robust import TINY, power_above_noise
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

SINGULAR = 1e-5
"""Share of a coil's noise variance that others must leave unexplained for it to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilWeights:
    """How to combine coils.

    Attributes
    ----------
    weights : complex128 array, shape (coil,)
        ``weights @ raw`` is the combined signal, in the units of the strongest coil.
    strongest : int
        The coil, used or not, that sees most of the combined signal.
    dropped : tuple of (int, str)
        Coils left out, each with the reason.
    snr_gain : float
        SNR of the combination / SNR of the best single coil.
    """

    weights: ComplexArray
    strongest: int
    dropped: tuple[tuple[int, str], ...]
    snr_gain: float


def coil_weights(reference: ComplexArray, covariance: ComplexArray) -> CoilWeights:
    """Return the coil weights of highest signal-to-noise ratio.

    Parameters
    ----------
    reference : complex array, shape (coil, point) or (coil, transient, point)
        A signal of the voxel: best the water reference, else the metabolite data themselves.
        Transients that are not finite are left out.
    covariance : complex array, shape (coil, coil)
        Noise covariance ``E[n n^H]`` of one transient, as `noise.noise_covariance` gives it.

    Returns
    -------
    CoilWeights

    Raises
    ------
    InputError
        If the arrays disagree on the coils, are not finite, or no coil has a signal.

    Notes
    -----
    One phase is free: here the first point of the combined reference becomes real and positive,
    so that with a water reference the metabolites come out near phase zero too.
    The scale is that of the strongest coil: a signal that this coil alone would record with
    amplitude a has amplitude a in the combination.
    """
    signal = complex_array(reference, "coil reference", 2, 3, finite=False)
    if signal.ndim == 2:
        signal = signal[:, None, :]
    noise = np.asarray(covariance)
    n_coils = signal.shape[0]
    if noise.shape != (n_coils, n_coils):
        raise InputError(f"signal has {n_coils} coils but the noise covariance is {noise.shape}")
    if not np.isfinite(noise).all():
        raise InputError("noise covariance has values that are not finite numbers")
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(signal.sum(axis=(0, 2)))
    if not finite.all():
        signal = signal[:, finite]
        if not finite.any():
            raise InputError("coil reference: every transient has points that are not finite")
    mean = signal.mean(axis=1, dtype=np.complex128)
    if not mean.any() and not signal.any():
        raise InputError("coil reference is zero throughout")
    noise = _floored(noise, signal)
    used, dropped = _independent_coils(noise)
    factor = np.linalg.cholesky(noise[np.ix_(used, used)])
    direction = _strongest_direction(mean[used], signal[used], factor)

    whitening = scipy.linalg.solve_triangular(
        factor, direction, lower=True, trans="C", check_finite=False
    ).conj()
    # what each coil sees of the combined signal: by regression for coils that were left out
    sensitivity = _as_seen(mean, whitening @ mean[used])
    sensitivity[used] = factor @ direction
    strongest = int(np.argmax(np.abs(sensitivity)))
    scale = float(np.abs(sensitivity[strongest]))
    weights = np.zeros(n_coils, dtype=np.complex128)
    weights[used] = scale * whitening
    start = weights @ mean[:, 0]
    phasor = np.exp(-1j * np.angle(start)) if start != 0 else 1.0
    best_coil = float(np.max(np.abs(sensitivity[used]) / np.sqrt(np.diag(noise).real[used])))
    return CoilWeights(
        weights=weights * phasor,
        strongest=strongest,
        dropped=dropped,
        snr_gain=1.0 / best_coil,
    )


def combine(raw: ComplexArray, weights: ComplexArray) -> ComplexArray:
    """Return the combined signal, one pass over the data.

    Parameters
    ----------
    raw : complex array, shape (coil, point) or (coil, transient, point)
        Any memory order; not copied.
    weights : complex array, shape (coil,)
        As in `CoilWeights`. A coil of weight zero is not read, so that it may hold anything.

    Returns
    -------
    complex array, shape (point,) or (transient, point)
        In double precision: sums over coils in single precision differ from library to library,
        and what is made of them by up to 1e-4 of a weak amplitude. A transient that is not finite
        stays so, the others are not touched by it.

    Raises
    ------
    InputError
        If the arrays disagree on the coils.
    """
    signal = complex_array(raw, "raw signal", 2, 3, finite=False)
    factors = np.asarray(weights)
    if factors.shape != signal.shape[:1]:
        raise InputError(
            f"raw signal has {signal.shape[0]} coils but there are {factors.size} weights"
        )
    used = factors != 0
    if not used.all():
        signal, factors = signal[used], factors[used]
    wide = factors.astype(np.complex128)
    with np.errstate(invalid="ignore", over="ignore"):
        if signal.ndim == 2:
            return np.asarray(wide @ signal.astype(np.complex128))
        # transient by transient: what is doubled in precision stays in the processor's cache
        combined = np.empty(signal.shape[1:], dtype=np.complex128)
        for index in range(len(combined)):
            np.matmul(wide, signal[:, index].astype(np.complex128), out=combined[index])
    return combined


def _floored(noise: ComplexArray, signal: ComplexArray) -> ComplexArray:
    """Noise covariance with the rounding of the numbers added, for data without noise."""
    rounding = np.finfo(signal.dtype).eps * np.abs(signal[:, 0, :]).max(axis=1)
    floored: ComplexArray = noise.astype(np.complex128) + np.diag(rounding.astype(float) ** 2)
    return floored


def _independent_coils(noise: ComplexArray) -> tuple[IntArray, tuple[tuple[int, str], ...]]:
    """Return the coils to use, and those to leave out with the reason for each."""
    variance = np.diag(noise).real
    silent = variance <= 0
    if silent.all():
        raise InputError("no coil has a signal or noise")
    scale = np.where(silent, 0.0, 1 / np.sqrt(np.where(silent, 1.0, variance)))
    correlation = noise * np.outer(scale, scale)
    # pivots: of what is left, the coil least explained by those before it comes next
    _, pivots, rank, _ = lapack.zpstrf(correlation, tol=SINGULAR, lower=1)
    order = pivots - 1
    kept = np.sort(order[:rank])
    dropped = []
    for coil in sorted(int(c) for c in order[rank:]):
        if silent[coil]:
            dropped.append((coil, "silent"))
            continue
        alike = int(kept[np.argmax(np.abs(correlation[coil, kept]))])
        if abs(correlation[coil, alike]) ** 2 > 1 - 2 * SINGULAR:
            dropped.append((coil, f"doubles coil {alike}"))
        else:
            dropped.append((coil, "a sum of other coils"))
    return np.asarray(kept, dtype=np.int64), tuple(dropped)


def _as_seen(mean: ComplexArray, combined: ComplexArray) -> ComplexArray:
    """Regress each coil's signal on the combined one, for coils that were left out."""
    energy = float(np.vdot(combined, combined).real)
    return np.asarray(mean @ combined.conj() / max(energy, TINY))


def _strongest_direction(
    mean: ComplexArray, signal: ComplexArray, factor: ComplexArray
) -> ComplexArray:
    """First eigenvector of the whitened coil covariance, noise taken off."""
    n_coils, n_transients, n_points = signal.shape
    if n_coils == 1:
        return np.ones(1, dtype=np.complex128)
    whitened = scipy.linalg.solve_triangular(factor, mean, lower=True, check_finite=False)
    weight = _time_weights(whitened, 1.0 / n_transients)
    coherent = (whitened * weight) @ whitened.conj().T
    if n_transients > 1:
        # Phases that differ from transient to transient cancel in the mean: then stack instead.
        n_early = max(8, n_points // 16)
        sample = signal[:, :: max(1, n_transients // 16), :n_early]
        early = np.ascontiguousarray(sample, dtype=np.complex128).reshape(n_coils, -1)
        stacked = scipy.linalg.solve_triangular(factor, early, lower=True, check_finite=False)
        n_stacked = sample.shape[1]
        gram = stacked @ stacked.conj().T / n_stacked
        gram -= n_early * np.eye(n_coils)
        level = whitened[:, :n_early]
        in_mean = np.linalg.eigvalsh(level @ level.conj().T)[-1] - n_early / n_transients
        in_stack = np.linalg.eigvalsh(gram)[-1]
        # the largest eigenvalue of pure noise is of this size, and proves nothing
        chance = 2 * np.sqrt(n_coils * n_early / n_stacked) + n_coils / n_stacked
        if in_stack > 3 * chance and in_mean < 0.3 * in_stack:
            coherent = gram
    return np.asarray(np.linalg.eigh(coherent)[1][:, -1])


def _time_weights(whitened: ComplexArray, noise: float) -> FloatArray:
    """Weight of each point by its signal-to-noise ratio, in blocks of growing coarseness."""
    n_coils, n_points = whitened.shape
    power = np.sum(whitened.real**2 + whitened.imag**2, axis=0) / (n_coils * noise)
    # gaps are allowed: an echo or a slow beat may come after a silence
    excess = power_above_noise(power, 1.0, n_blocks=24, deviations=3, n_averaged=n_coils, gaps=True)
    return excess / (1 + excess) if excess.any() else np.ones(n_points)
