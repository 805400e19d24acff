"""What a fit is given, and what it refuses: data, basis, and components that are all one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mrs_disc.constants import TINY
from mrs_disc.errors import InputError
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.humps import Narrow
from mrs_disc.signal.fit.model import Scan, Spectrum
from mrs_disc.signal.fit.solver import NormalRatio
from mrs_disc.signal.fit.start import MIN_POINTS
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

_COLLINEAR = 1e-6
_NONE = 1e-3  # of its usual size: as good as not there
_INSIDE = 0.01  # of a component's energy: less is the tails of lines elsewhere


class RatioPrior(Protocol):
    """What is known of the ratio of two amplitudes: log-normal, as `models.RatioPrior` has it."""

    @property
    def numerator(self) -> str:
        """Name of the component above."""

    @property
    def denominator(self) -> str:
        """Name of the component below."""

    @property
    def median(self) -> float:
        """Median of the ratio."""

    @property
    def log_sd(self) -> float:
        """Standard deviation of its logarithm."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A component that may not be there: if it is, it is not negative.

    Parameters
    ----------
    index : int
        Which component.
    probability : float
        That it is there.
    scale : float
        Standard deviation of its amplitude, as a ratio to another's.
    of : int
        Which other.
    at_start : bool
        Whether the search for a start counts on it all the same.
    """

    index: int
    probability: float
    scale: float
    of: int = 0
    at_start: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class FitBasis:
    """The components to fit; what depends on them alone is prepared once for all fits.

    Parameters
    ----------
    names : tuple of str
        What to call the components, in the order of every array.
    fids : complex array, shape (component, point)
        FIDs at amplitude one and phase zero, without the linewidth that all components share.
    shift_sd_hz : float array, shape (component,)
        How far each may move on its own: prior standard deviation in Hz, 0 = only with all others.
    extra_width_sd_hz : float array, shape (component,)
        Lorentzian width of its own: prior standard deviation in Hz, 0 = none.
    ratio_priors : sequence of RatioPrior
        What is known of ratios of amplitudes.
    wholes : sequence of str
        For each component the name of what it is a part of, whose amount is the sum of its parts;
        none: each is a whole of its own.
    shares : sequence of float
        For each component its usual share of that whole; none: all of it.
    presence : sequence of Presence
        What not every disc holds.
    narrow : sequence of Narrow
        Ranges, from the reference frequency, in which the baseline may hold narrow humps.
    spread_odds : float
        Prior odds that there is a Gaussian width against none.
    """

    names: tuple[str, ...]
    fids: ComplexArray
    shift_sd_hz: FloatArray
    extra_width_sd_hz: FloatArray
    ratio_priors: Sequence[RatioPrior] = ()
    wholes: Sequence[str] = ()
    shares: Sequence[float] = ()
    presence: Sequence[Presence] = ()
    narrow: Sequence[Narrow] = ()
    spread_odds: float = priors.PRESENT_ODDS

    @cached_property
    def usual(self) -> FloatArray:
        """Usual shares of the components in their wholes, shape (component,)."""
        return np.array(self.shares or [1.0] * len(self.names))

    @property
    def whole_fids(self) -> ComplexArray:
        """FIDs of the wholes at amplitude one and their usual shape, shape (whole, point).

        Made at each call: a protocol asks once, and they take a megabyte.
        """
        return np.asarray(self.gather @ (self.usual[:, None] * self.fids))

    @cached_property
    def reported(self) -> tuple[str, ...]:
        """Names of the wholes, in the order of their first parts."""
        return tuple(dict.fromkeys(self.wholes or self.names))

    @cached_property
    def gather(self) -> FloatArray:
        """Sums parts to wholes, shape (whole, component)."""
        of = self.wholes or self.names
        return np.array([[float(name == whole) for name in of] for whole in self.reported])

    @cached_property
    def sure(self) -> IntArray:
        """The wholes by which a start is searched: those that every disc holds, shape (sure,)."""
        perhaps = [one.index for one in self.presence if not one.at_start]
        return np.flatnonzero(~np.isin(self.first, perhaps))

    @cached_property
    def first(self) -> IntArray:
        """The first part of each whole, shape (whole,)."""
        return np.asarray(np.argmax(self.gather, axis=1), np.int64)

    def __post_init__(self) -> None:
        if self.fids.ndim != 2 or self.fids.shape[0] == 0:
            raise InputError(f"basis: shape {self.fids.shape}, expected (component, point)")
        count = self.fids.shape[0]
        if len(self.names) != count:
            raise InputError(f"basis: {len(self.names)} names for {count} components")
        for name in ("wholes", "shares"):
            given = getattr(self, name)
            if given and len(given) != count:
                raise InputError(f"basis: {len(given)} {name} for {count} components")
        for name in ("shift_sd_hz", "extra_width_sd_hz"):
            values = np.asarray(getattr(self, name))
            if values.shape != (count,) or not np.all(values >= 0):
                raise InputError(f"basis: {name} must hold {count} values, none negative")
        object.__setattr__(self, "fids", np.array(self.fids, dtype=np.complex128))
        self.fids.flags.writeable = False
        if not np.all(np.isfinite(self.fids)):
            raise InputError("basis: a point is not a finite number")
        for name, fid in zip(self.names, self.fids, strict=True):
            if not np.any(fid):
                raise InputError(f"basis: component {name} is zero everywhere")
        for prior in self.ratio_priors:
            for name in (prior.numerator, prior.denominator):
                if name not in self.names:
                    raise InputError(
                        f"basis: a ratio prior names {name}, "
                        f"but the components are {', '.join(self.names)}"
                    )

    def normal_ratios(self, *, usual: bool = False) -> tuple[NormalRatio, ...]:
        """Return the ratio priors as the solver knows them.

        `usual`: of what not every disc holds there is none, but for what a start is searched by.

        Amounts may be unlike those of other discs; parts of one component are a shape, whose prior
        has no tails: a broad part would take the baseline.
        """
        of = list(self.wholes or self.names)
        about_zero = (
            NormalRatio(p.index, p.of, 0.0, p.scale * (_NONE if usual and not p.at_start else 1.0))
            for p in self.presence
        )
        return (
            *about_zero,
            *(
                NormalRatio.of(
                    self.names.index(prior.numerator),
                    self.names.index(prior.denominator),
                    median=prior.median,
                    log_sd=prior.log_sd,
                    has_tails=of.count(of[self.names.index(prior.numerator)]) == 1,
                )
                for prior in self.ratio_priors
            ),
        )


def checked_data(fid: ComplexArray, basis: FitBasis, scan: Scan) -> ComplexArray:
    """Return the data as complex128, or say what is wrong with them."""
    data = np.asarray(fid)
    if data.ndim != 1 or data.size < MIN_POINTS:
        raise InputError(f"FID of shape {data.shape}: one dimension, {MIN_POINTS} points or more")
    if not np.all(np.isfinite(data)):
        bad = int(np.flatnonzero(~np.isfinite(data))[0])
        raise InputError(f"FID: point {bad} is not a finite number")
    data = data.astype(np.complex128)
    if not np.any(data):
        raise InputError("FID: every point is zero")
    largest = float(np.abs(data).max())
    if not 1e-100 < largest < 1e100:
        raise InputError(f"FID: largest point {largest:g}; rescale to between 1e-100 and 1e100")
    if np.all(data == data[0]):
        raise InputError("FID: every point has the same value")
    if np.count_nonzero(data) < MIN_POINTS:
        raise InputError(f"FID: fewer than {MIN_POINTS} points are not zero")
    if not (np.isfinite(scan.dwell_time_s) and scan.dwell_time_s > 0):
        raise InputError(
            f"dwell_time_s = {scan.dwell_time_s}: a positive number of seconds expected"
        )
    low, high = scan.window_hz
    edge = 0.5 / scan.dwell_time_s
    if not low < high:
        raise InputError(f"window {low} to {high} Hz: the lower end comes first")
    if not (-edge <= low and high <= edge):
        raise InputError(
            f"window {low:.0f} to {high:.0f} Hz leaves the spectrum of +-{edge:.0f} Hz; narrow it"
        )
    if basis.fids.shape[1] < data.size:
        raise InputError(
            f"basis of {basis.fids.shape[1]} points for data of {data.size}: as many or more needed"
        )
    return data


def refuse_collinear(basis: FitBasis, model: Spectrum) -> None:
    """Raise where components cannot be told apart in the window.

    What not every disc holds may be like another, as lipid in another field is where all lines are
    broad: then there is none of it.

    Parameters
    ----------
    basis : FitBasis
        The components.
    model : Spectrum
        They, where the fit starts.
    """
    perhaps = [one.index for one in basis.presence]
    kept = np.setdiff1d(np.arange(len(basis.names)), perhaps)
    names = [basis.names[index] for index in kept]
    design = model.design[kept]
    norm = np.sqrt((design**2).sum(axis=1))
    share = norm**2 / np.maximum((np.abs(model.fids[kept]) ** 2).sum(axis=1), TINY)
    if share.min() < _INSIDE:
        raise InputError(f"component {names[int(share.argmin())]} has no signal inside the window")
    # Of normed spectra the least eigenvalue of the Gram matrix is zero where a weighted sum of
    # components is zero; the eigenvector holds the weights.
    unit = design / norm[:, None]
    values, vectors = np.linalg.eigh(unit @ unit.T)
    if values[0] < _COLLINEAR:
        pair = np.sort(np.argsort(-np.abs(vectors[:, 0]))[:2])
        raise InputError(
            f"components {names[pair[0]]} and {names[pair[1]]} cannot be told apart: their spectra "
            "are collinear inside the window; leave one out"
        )
