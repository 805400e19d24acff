"""Noise-free FIDs of a metabolite model as a plain sum of closed-form lines.

The simulator is the truth that the fit is judged by: every line of every multiplet is listed with
its frequency, width and complex weight, and the FID is the sum of the list. How coupled lines
evolve until the echo is the one thing that it takes from the fit's basis, whose density matrix is
held against the independent one of `mrs_disc.validate.second`.

Sign: ``exp(+2j pi f t)``, larger ppm is larger frequency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.models import Component, MetaboliteModel
from mrs_disc.signal.axes import exponential_tables
from mrs_disc.signal.fit.basis import group_lines
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.typing import ComplexArray, FloatArray

GAUSS = pi**2 / (4.0 * log(2.0))
"""Decay of a Gaussian line of FWHM w: exp(-GAUSS (w t)^2)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineList:
    """Every line of one component of unit amplitude.

    Parameters
    ----------
    hz : float array, shape (line,)
        Frequency from the carrier.
    weight : complex array, shape (line,)
        Area and phase at the start of the FID.
    lorentz_hz, gauss_hz : float arrays, shape (line,)
        Full widths at half maximum.
    """

    hz: FloatArray
    weight: ComplexArray
    lorentz_hz: FloatArray
    gauss_hz: FloatArray

    def fid(self, time_s: FloatArray) -> ComplexArray:
        """Return the sum of the lines at evenly spaced times, shape (point,)."""
        step_s = (time_s[-1] - time_s[0]) / max(time_s.size - 1, 1)
        rate = 2j * pi * self.hz - pi * self.lorentz_hz
        fid = np.zeros(time_s.size, dtype=complex)
        for width in np.unique(self.gauss_hz):
            of_width = self.gauss_hz == width
            rates = rate[of_width]
            # a point is a product of two tables of few exponentials: the sum is one of matrices
            coarse, fine = exponential_tables(rates * step_s, time_s.size, rates * time_s[0])
            every = ((self.weight[of_width] * coarse.T) @ fine).reshape(-1)[: time_s.size]
            fid += every * np.exp(-GAUSS * (width * time_s) ** 2)
        return fid


def line_list(
    component: Component,
    *,
    spectrometer_mhz: float,
    reference_ppm: float,
    echo_time_s: float = 0.0,
    evolution: Evolution | None = None,
    lorentz_hz: float = 0.0,
    gauss_hz: float = 0.0,
    shift_hz: float = 0.0,
) -> LineList:
    """Return the lines of a component whose resonances in the amplitude add up to one.

    Parameters
    ----------
    component : Component
        Of a metabolite model, with resonances.
    spectrometer_mhz, reference_ppm : float
        Hz per ppm, and the shift at the carrier.
    echo_time_s : float
        Of a PRESS with ideal pulses, where no evolution is given.
    evolution : Evolution or None
        What another sequence did to coupled spins until the echo.
    lorentz_hz, gauss_hz : float
        Widths that all lines of the component have beyond those of its resonances.
    shift_hz : float
        Displacement of the whole component.
    """
    evolution = evolution or Evolution(echo_time_s=echo_time_s)
    unit = sum(r.weight for r in component.resonance if r.in_amplitude)
    rows: list[tuple[float, complex, float, float]] = []
    for r in component.resonance:
        centre = (r.ppm - reference_ppm) * spectrometer_mhz + shift_hz
        lorentz = lorentz_hz + r.extra_width_hz
        gauss = float(np.hypot(gauss_hz, r.gauss_width_ppm * spectrometer_mhz))
        lines = group_lines(r, component.resonance, spectrometer_mhz, evolution)
        for offset, weight in zip(lines.hz.tolist(), lines.weight.tolist(), strict=True):
            rows.append((centre + offset, r.weight / unit * weight, lorentz, gauss))
    hz, weights, lorentz_all, gauss_all = zip(*rows, strict=True)
    return LineList(
        hz=np.array(hz),
        weight=np.array(weights),
        lorentz_hz=np.array(lorentz_all),
        gauss_hz=np.array(gauss_all),
    )


def unit_fids(
    model: MetaboliteModel,
    time_s: FloatArray,
    *,
    spectrometer_mhz: float,
    evolution: Evolution,
    lorentz_hz: Mapping[str, float] | float = 0.0,
    gauss_hz: Mapping[str, float] | float = 0.0,
    shift_hz: Mapping[str, float] | float = 0.0,
) -> ComplexArray:
    """Return the FID of every component at amplitude one, shape (component, point).

    The carrier lies on water. Widths and shifts are the same for all components, or given by
    component name (0 where absent).
    """

    def of(value: Mapping[str, float] | float, name: str) -> float:
        return value.get(name, 0.0) if isinstance(value, Mapping) else value

    rows = [
        line_list(
            c,
            spectrometer_mhz=spectrometer_mhz,
            reference_ppm=WATER_PPM,
            evolution=evolution,
            lorentz_hz=of(lorentz_hz, c.name),
            gauss_hz=of(gauss_hz, c.name),
            shift_hz=of(shift_hz, c.name),
        ).fid(time_s)
        for c in model.component
    ]
    return np.stack(rows)


def hump_fids(
    time_s: FloatArray, *, centre_hz: FloatArray, fwhm_hz: FloatArray, area: FloatArray
) -> ComplexArray:
    """Return the sum of broad in-phase Gaussians: protein and other macromolecules.

    Parameters
    ----------
    time_s : float array, shape (point,)
        Time since the echo.
    centre_hz, fwhm_hz, area : float arrays, shape (hump,)
        Place, full width at half maximum, and amplitude at time zero.
    """
    exponent = 2j * pi * centre_hz[:, None] * time_s - GAUSS * (fwhm_hz[:, None] * time_s) ** 2
    fid: ComplexArray = area @ np.exp(exponent)
    return fid


def spline_fid(
    time_s: FloatArray, *, knot_hz: FloatArray, height: FloatArray, spacing_hz: float
) -> ComplexArray:
    """Return the FID whose in-phase spectrum is a cubic spline with equidistant knots.

    The Fourier transform of a cubic B-spline of spacing h is ``h sinc(h t)^4``; twice its causal
    half has the spline itself as real part of its spectrum.

    Parameters
    ----------
    time_s : float array, shape (point,)
        Time since the echo.
    knot_hz, height : float arrays, shape (knot,)
        Centres of the B-splines and their heights, amplitude x s.
    spacing_hz : float
        Distance of the knots.
    """
    envelope = 2.0 * spacing_hz * np.sinc(spacing_hz * time_s) ** 4
    fid: ComplexArray = envelope * (height @ np.exp(2j * pi * knot_hz[:, None] * time_s))
    return fid
