"""Expected errors of a fit before anything is measured, by Fisher information.

The fit's own model (`signal.fit.model`) is differentiated at the signal that is expected, in the
window that is fitted. Unknown beside the amplitudes are the lines' parameters, the shapes of parts,
and a baseline of humps whose places, widths and areas are all free (`validate.bounds`). The priors
of the fit count: those of lines on the diagonal, those of ratios as measurements of their own.

What is predicted is the standard deviation of the truth given the data, at the median over
baselines. Of discs that need few humps the bound is too large, since the fit takes only those that
the data ask for, and averages; most so for CHO, far from the hump of proteins. It is too small
where the fit lets in what the bound does not know of. `EXCESS` says by how much. How near they lie
to the scatter of discs that had no part in it stands in tests/README.md ("Planning").

It is a scatter: the bias of a baseline that passes for PG is not in
it, and tails beyond the central 68 % are not. In discs whose acids hardly rise above their errors
(SNR under `LINEAR_SNR`) the fit loses more than linear theory says. The baselines are the
simulator's, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel as Chemistry
from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.signal.axes import window_hz
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import DELAY, GAUSS2, LORENTZ, N_COMMON, PHASE, MetaboliteModel
from mrs_disc.signal.fit.model import Scan as Window
from mrs_disc.signal.fit.solver import least_error, ratio_precision
from mrs_disc.signal.roots import root
from mrs_disc.simulate import Scan
from mrs_disc.simulate.lines import GAUSS
from mrs_disc.simulate.scanner import peak_of
from mrs_disc.steps.basis import basis_of
from mrs_disc.steps.chosen import without
from mrs_disc.typing import ComplexArray, FloatArray
from mrs_disc.validate.bounds import covariance_bound, hump_jacobian

BASELINES = 16
"""Baselines over which an expected error is the median; a fixed seed."""
_SEED = 190211

_REFERENCE_MHZ = 127.7
PROTEIN_PPM, PROTEIN_WIDTH_HZ, PROTEIN_AREA = (0.9, 2.2), (60.0, 120.0), (0.3, 1.5)
"""Place, width at 127.7 MHz, and area over that of PG, of the hump of proteins [P]: those that
`simulate.scanner.draw_disturbance` draws."""
BROAD, BROAD_WIDTH_HZ, BROAD_AREA = 5, 145.0, 0.6
"""Number of broad humps over the window, their width and their area over that of PG [D]: a spline
of knots 0.8 ppm apart, an eighth of PG's height in the mean; the width is chosen so that errors
agree with simulated discs at SNR 16 to 64 (seed 7001)."""
EXCESS: Mapping[str, float] = {
    "PG": 0.76, "LAC": 1.05, "ALA": 1.03, "PA": 1.12, "CHO": 1.61, "LAC/PG": 0.89,
    "acidity": 1.03, "structure": 0.83, "r": 0.88,
}  # fmt: skip
"""The bound over half of the central 68 % of the errors of simulated painful discs: geometric mean
over an SNR of PG of 24, 40 and 64 and two seeds (10973731, 66743015), 200 discs each [D]. PG's is
below one: the bound is at the usual share of stiff PG, of which those discs have none; LAC/PG's
counts discs of two more seeds at 24."""
LINEAR_SNR = 20.0
"""SNR of PG below which errors in painful discs are larger than expected: by a fifth at 16 [D]."""
_PLACE_SD_PPM, _PROTEIN_SD_HZ, _BROAD_SD_HZ = 1.0, 25.0, 60.0
"""How little is known of each hump's place and width [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The signal that is expected of a disc.

    Parameters
    ----------
    amplitude : mapping
        Component of the fit's model to its amplitude at the start of the FID, any unit.
    lorentz_hz, gauss_hz : float
        Widths (FWHM) that all components share.
    """

    amplitude: Mapping[str, float]
    lorentz_hz: float
    gauss_hz: float


@lru_cache(maxsize=8)
def chemistry(name: str, ratio_priors: bool, exclude: tuple[str, ...] = ()) -> Chemistry:
    """Return the metabolite model of a recipe, of what every disc holds."""
    model = without(load_metabolite_model(name), exclude)
    usual = tuple(component.without_pools() for component in model.component)
    model = model.model_copy(update={"component": usual})
    return model if ratio_priors else model.model_copy(update={"prior": ()})


def _chemistry(recipe: Recipe) -> Chemistry:
    return chemistry(recipe.fit.model, recipe.fit.ratio_priors, recipe.fit.exclude)


def _basis(scan: Scan, recipe: Recipe) -> FitBasis:
    model = _chemistry(recipe)
    return basis_of(model, scan.evolution(model), scan.sampling, scan.n_points)


@lru_cache(maxsize=4)
def _model(basis: FitBasis, window: Window) -> MetaboliteModel:
    return MetaboliteModel(
        basis.fids,
        window,
        moves=np.flatnonzero(basis.shift_sd_hz > 0),
        widens=np.flatnonzero(basis.extra_width_sd_hz > 0),
    )


def peak(lines: Lines, scan: Scan, recipe: Recipe) -> tuple[float, float]:
    """Return height (amplitude s) and width (FWHM, Hz) of the quality peak."""
    basis = _basis(scan, recipe)
    quality = _chemistry(recipe).quality_component
    fid = basis.whole_fids[basis.reported.index(quality)]
    time = scan.sampling.time_s(scan.n_points)
    decay = np.exp(-pi * lines.lorentz_hz * time - GAUSS * (lines.gauss_hz * time) ** 2)
    return peak_of(lines.amplitude[quality] * fid * decay, scan.sampling)


def gauss_of(linewidth_hz: float, lines: Lines, scan: Scan, recipe: Recipe) -> float:
    """Return the Gaussian width that gives the quality peak a width.

    Raises
    ------
    InputError
        If the peak is broader of its own, or no fit takes lines so broad.
    """

    def too_broad(gauss_hz: float) -> float:
        at = Lines(amplitude=lines.amplitude, lorentz_hz=lines.lorentz_hz, gauss_hz=gauss_hz)
        return peak(at, scan, recipe)[1] - linewidth_hz

    least, most = linewidth_hz + too_broad(0.0), linewidth_hz + too_broad(priors.MAX_WIDTH_HZ)
    if not least < linewidth_hz < most:
        raise InputError(
            f"a linewidth of {linewidth_hz:g} Hz: the peak of PG is {least:.0f} Hz wide in a "
            f"perfect field, and the fit ends at {most:.0f} Hz; give the full width at half "
            "maximum of PG"
        )
    return root(too_broad, 0.0, priors.MAX_WIDTH_HZ, 1e-3)


def noise_of(snr: float, lines: Lines, scan: Scan, recipe: Recipe) -> float:
    """Return the noise of one real channel of the average at which the quality peak has an SNR."""
    height = peak(lines, scan, recipe)[0]
    return float(height / (scan.sampling.dwell_time_s * snr * np.sqrt(scan.n_points)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """What errors a measurement will have.

    Parameters
    ----------
    names : tuple of str
        Components.
    amplitude : float array, shape (component,)
        As they are expected.
    covariance : float array, shape (baseline, component, component)
        Of the amplitudes, with each of the baselines drawn.
    """

    names: tuple[str, ...]
    amplitude: FloatArray
    covariance: FloatArray


def expected(
    lines: Lines,
    noise_sd: float,
    scan: Scan,
    recipe: Recipe,
    *,
    baselines: int = BASELINES,
    seed: int = _SEED,
) -> Expected:
    """Return the covariance of the amplitudes that a fit will quote.

    Parameters
    ----------
    lines : Lines
        The signal.
    noise_sd : float
        Standard deviation of one real channel of one point of the average, units of `lines`.
    scan : Scan
        Field, echo time, dwell time and number of points.
    recipe : Recipe
        ``[fit]``: model, window and priors of ratios.
    baselines, seed : int
        How many are drawn, and from which stream.
    """
    basis = _basis(scan, recipe)
    axis = (scan.sampling.dwell_time_s, scan.spectrometer_mhz, scan.sampling.reference_ppm)
    window = Window(
        dwell_time_s=scan.sampling.dwell_time_s, window_hz=window_hz(recipe.fit.window_ppm, *axis)
    )
    model = _model(basis, window)
    wholes = basis.wholes or basis.names
    shared = zip(wholes, basis.usual, strict=True)
    amplitude = np.array([lines.amplitude[name] * share for name, share in shared]) / noise_sd
    parameters = np.zeros(model.n_nonlinear)
    parameters[[LORENTZ, GAUSS2]] = lines.lorentz_hz, lines.gauss_hz**2
    spectrum = model.evaluate(parameters)
    slopes = model.jacobian(parameters, amplitude, spectrum)
    ratios = ratio_precision(basis.normal_ratios(), least_error(spectrum.design), amplitude)
    area = float(sum(a for a, whole in zip(amplitude, wholes, strict=True) if whole == "PG"))
    gather, rng = basis.gather, np.random.default_rng(seed)
    found = []
    for _ in range(baselines if recipe.fit.baseline != "none" else 1):
        humps, turned, hump_sd = (
            _baseline(rng, model, window, area, scan.spectrometer_mhz)
            if recipe.fit.baseline != "none"
            else (np.zeros((0, slopes.shape[1])), np.zeros(slopes.shape[1]), np.zeros(0))
        )
        own = slopes.copy()
        own[PHASE] += turned  # the baseline turns with the metabolites
        columns = np.vstack([spectrum.design, own, humps])
        prior_sd = np.concatenate([_line_sd(basis, model), hump_sd])
        known = {amplitude.size + i: float(s) for i, s in enumerate(prior_sd) if np.isfinite(s)}
        bound = covariance_bound(_with_measured(columns, ratios), 1.0, known)
        found.append(gather @ bound[: amplitude.size, : amplitude.size] @ gather.T)
    return Expected(
        names=basis.reported,
        amplitude=gather @ amplitude * noise_sd,
        covariance=np.array(found) * noise_sd**2,
    )


def _line_sd(basis: FitBasis, model: MetaboliteModel) -> FloatArray:
    """Return the prior standard deviation of each non-linear parameter; infinite where it is free.

    The same as `signal.fit.fit` gives to its solver.
    """
    sd = np.full(model.n_nonlinear, np.inf)
    sd[DELAY], sd[LORENTZ] = priors.DELAY_SD_S, priors.LORENTZ_SD_HZ
    sd[N_COMMON : N_COMMON + model.moves.size] = basis.shift_sd_hz[model.moves]
    sd[N_COMMON + model.moves.size :] = basis.extra_width_sd_hz[model.widens]
    return sd


def _baseline(
    rng: np.random.Generator, model: MetaboliteModel, window: Window, area: float, mhz: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw a baseline; return its derivatives, that by the phase, and the priors of its humps."""
    scale, (low, high) = mhz / _REFERENCE_MHZ, window.window_hz
    gap = (high - low) / BROAD
    protein_hz = (rng.uniform(*PROTEIN_PPM) - WATER_PPM) * mhz
    centre = np.append(protein_hz, low + gap * (np.arange(BROAD) + 0.5))
    width = scale * np.append(rng.uniform(*PROTEIN_WIDTH_HZ), np.full(BROAD, BROAD_WIDTH_HZ))
    areas = area * np.append(rng.uniform(*PROTEIN_AREA), np.full(BROAD, BROAD_AREA))
    jacobian: ComplexArray = hump_jacobian(model.time, centre, width, areas) * model.carrier
    turned = model.spectrum(1j * (areas @ jacobian[: areas.size]))
    sd = np.concatenate(
        [
            area * np.append(1.0, np.full(BROAD, BROAD_AREA)),
            np.full(areas.size, _PLACE_SD_PPM * mhz),
            scale * np.append(_PROTEIN_SD_HZ, np.full(BROAD, _BROAD_SD_HZ)),
        ]
    )
    return model.spectrum(jacobian), turned, sd


def _with_measured(columns: FloatArray, ratios: FloatArray) -> ComplexArray:
    """Return the Jacobian with the priors of ratios as data of noise one.

    A quadratic form R = F F^T is what measurements of derivatives F would add to the information.
    """
    values, vectors = np.linalg.eigh(ratios)
    factor = np.zeros((columns.shape[0], values.size))
    factor[: values.size] = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.concatenate([columns, factor], axis=1).astype(np.complex128)
