"""Cramér-Rao bounds of simulated discs from the closed-form signal, apart from any fit.

The Fisher information of complex white noise of standard deviation s in each real channel is
``Re(J^H J) / s^2`` with the Jacobian J of the noise-free signal; a normal prior of standard
deviation p on a parameter adds ``1 / p^2`` to its diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np

from mrs_disc.models import MetaboliteModel
from mrs_disc.simulate.lines import GAUSS, unit_fids
from mrs_disc.simulate.scanner import Scan
from mrs_disc.simulate.study import Measured
from mrs_disc.steps.quantification import SUMS
from mrs_disc.typing import ComplexArray, FloatArray


def signal_jacobian(
    unit: ComplexArray, amplitude: FloatArray, time_s: FloatArray, *, gaussian: bool
) -> ComplexArray:
    """Return the derivatives of the metabolites' signal.

    Parameters
    ----------
    unit : complex array, shape (component, point)
        FIDs of amplitude one, as they are in the signal.
    amplitude : float array, shape (component,)
        True amplitudes.
    time_s : float array, shape (point,)
        Time since the echo.
    gaussian : bool
        Whether a common Gaussian width is unknown beside the Lorentzian one.

    Returns
    -------
    complex array, shape (parameter, point)
        Amplitudes, then common shift (Hz), Lorentzian width (Hz), phase (rad), the square of the
        Gaussian width (Hz^2) if asked for, then the components' own shifts (Hz).
    """
    parts = amplitude[:, None] * unit
    total = parts.sum(axis=0)
    common = [2j * pi * time_s * total, -pi * time_s * total, 1j * total]
    if gaussian:
        common.append(-GAUSS * time_s**2 * total)
    return np.concatenate([unit, np.array(common), 2j * pi * time_s * parts])


def hump_jacobian(
    time_s: FloatArray, centre_hz: FloatArray, fwhm_hz: FloatArray, area: FloatArray
) -> ComplexArray:
    """Return the derivatives by area, centre and width of each hump, shape (3 hump, point)."""
    unit = np.exp(2j * pi * centre_hz[:, None] * time_s - GAUSS * (fwhm_hz[:, None] * time_s) ** 2)
    by_centre = 2j * pi * time_s * area[:, None] * unit
    by_width = -2 * GAUSS * fwhm_hz[:, None] * time_s**2 * area[:, None] * unit
    return np.concatenate([unit, by_centre, by_width])


def covariance_bound(
    jacobian: ComplexArray, noise_sd: float, prior_sd: Mapping[int, float]
) -> FloatArray:
    """Return the lower bound of the covariance of all parameters.

    Parameters
    ----------
    jacobian : complex array, shape (parameter, point)
        Of the noise-free signal.
    noise_sd : float
        Standard deviation of one real channel of one point.
    prior_sd : mapping
        Index of a parameter to the standard deviation of its prior; 0: known.
    """
    n = jacobian.shape[0]
    information = (jacobian.conj() @ jacobian.T).real / noise_sd**2
    known = [i for i, sd in prior_sd.items() if sd == 0]
    for index, sd in prior_sd.items():
        if sd > 0:
            information[index, index] += 1.0 / sd**2
    free = np.setdiff1d(np.arange(n), known)
    part = information[np.ix_(free, free)]
    scale = 1.0 / np.sqrt(np.maximum(np.diagonal(part), 1e-300))
    inverse = np.linalg.pinv(part * scale[:, None] * scale, rcond=1e-13, hermitian=True)
    bound = np.zeros((n, n))
    bound[np.ix_(free, free)] = inverse * scale[:, None] * scale
    return bound


def linear_sd(gradient: FloatArray, covariance: FloatArray) -> float:
    """Return the standard deviation of a function with this gradient (delta method)."""
    return float(np.sqrt(np.maximum(gradient @ covariance @ gradient, 0.0)))


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
        evolution=scan.evolution(model),
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
