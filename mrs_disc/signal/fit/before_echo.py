"""Whether an FID begins before its echo, told by what its components explain from each point on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.inputs import FitBasis, checked_data
from mrs_disc.signal.fit.model import Scan
from mrs_disc.signal.fit.problem import model_of, start_grid
from mrs_disc.typing import ComplexArray, FloatArray

_DECISIVE = 0.7  # of what is not explained; in noisy spectra no start explains much more


def points_before_echo(
    fid: ComplexArray,
    basis: FitBasis,
    scan: Scan,
    *,
    most: int,
    shift_range_hz: float = priors.SHIFT_RANGE_HZ,
) -> int:
    """Return how many first points seem to lie before the echo; 0 where it begins as said.

    A FID that begins early turns each line by another phase, which no common phase makes good: the
    components explain most of what is left where the points before the echo have been left out.

    Parameters
    ----------
    fid, basis, scan, shift_range_hz
        As in `fit.fit_fid`.
    most : int
        Largest number that is looked for.
    """
    unexplained = unexplained_from(fid, basis, scan, most=most, shift_range_hz=shift_range_hz)
    decisive = unexplained.min() < _DECISIVE * unexplained[0]
    return int(np.argmin(unexplained)) if decisive else 0


def unexplained_from(
    fid: ComplexArray,
    basis: FitBasis,
    scan: Scan,
    *,
    most: int,
    free: Sequence[int] = (),
    shift_range_hz: float = priors.SHIFT_RANGE_HZ,
) -> FloatArray:
    """Return the share that the components leave unexplained where the first points are left out.

    Parameters
    ----------
    fid, basis, scan, shift_range_hz
        As in `fit.fit_fid`.
    most : int
        Largest number of points that are left out.
    free : sequence of int
        Components that may have any sign, as those of a multiplet of unknown echo time have.

    Returns
    -------
    float array, shape (most + 1,)
        Shares of the energy, from none left out on.
    """
    data = checked_data(fid, basis, scan)
    n_points = data.size - most
    slow = data * (model_of(basis, scan, data.size).carrier / float(np.abs(data).max()))
    grid = start_grid(basis, scan, n_points)
    return 1 - grid.upright_shares(slow, shift_range_hz, free)
