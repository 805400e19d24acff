"""Every prior of the fit, in one table: what is taken for known before the data.

Each number has its unit and where it is from; decisions stand with the number. What half and double
of each do to errors and coverage, on the same simulated discs, is measured by
`tests/tools/prior_halves.py`; of the model before `disc_1h` version 3 only the widths of the humps
decided, and in vivo that of the Lorentzian prior.
"""

from __future__ import annotations

# Lines.

DELAY_SD_S = 1e-4
"""Standard deviation of the delay in s, where there is one. Scanners know the echo's top to a
fraction of a dwell time."""

LORENTZ_SD_HZ = 10.0
"""Standard deviation in Hz of the Lorentzian width that all components share, about zero.

T2 of 60 to 300 ms is 1 to 5 Hz, and a shim may add some. Without it the wings of broad lines take a
smooth background for their own: on whole simulated discs PG came out 3.5 bounds too large and its
intervals covered 72 %, with it 1.4 bounds and 95 %. Lines of 13 Hz at an SNR of 5 to 8 pay with
half a bound."""

GAUSS2_MEAN_HZ2 = 300.0
"""Mean in Hz^2 of the square of the Gaussian width, exponential, where there is one: 10 to 28 Hz in
discs."""

PRESENT_ODDS = 1.0
"""Odds that there is a delay, and, where the model says nothing of it, a Gaussian width, against
none."""

WEAK_SHIFT_HZ, WEAK_LORENTZ_HZ, WEAK_PHASE_RAD = 30.0, 40.0, 3.0
"""Standard deviations about the expansion point: felt only where there is no signal."""

# Limits of the lines.

SHIFT_RANGE_HZ = 30.0
"""Largest common shift in Hz that is searched, either way: 0.23 ppm at 3 T, water of 15 to 60 C."""

MAX_DELAY_S = 4e-4
"""Largest delay in s, either way."""

MAX_WIDTH_HZ = 80.0
"""Largest width in Hz; a fit that ends there is not to be used."""

OWN_SD, NARROWER_SD = 6.0, 2.0
"""Standard deviations of its prior that a component's own shift or width may reach; and those by
which its width may be less than the model's: lines must not grow."""

# Baseline.

SLOTS, EXPECTED_HUMPS = 10, 8.0
"""Largest and expected number of humps (binomial).

A strength (`STRENGTH_RANGE`) below the noise is the same as no hump. A prior of few merges strong
neighbours, and ALA between two of them came out 2.7 bounds too large where it is 2.0 now. Over weak
ones it makes no difference."""

HUMP_WIDTHS_HZ = (45.0, 51.0, 57.0, 65.0, 73.0, 110.0, 200.0)
HUMP_WIDTH_ODDS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0)
"""Gaussian widths (FWHM, Hz) of humps and their prior odds.

Five up to 73 Hz (three cost ALA over strong humps a tenth), and wide ones for a broad background
that is no hump. On whole simulated discs PG's intervals covered 80 % without any above 90 Hz, 87 %
with odds of a half for 200 Hz, 92 % with odds of three."""

HUMP_SPACING = 0.25
"""Distance of two humps on the grid in units of their width: more for narrow humps, which the data
locate better."""

STRENGTH_RANGE, STRENGTHS = (0.0002, 1.0), 26
"""Range and number of steps of the humps' typical area, log-uniform, in units of the metabolites'.

They go down to where the humps together are far below the noise: those amount to no hump at all.
Where they ended at 0.5 % of the metabolites, five humps took half a bound from PG in discs that
have none. An explicit point of mass at zero did no better."""

AREA_LOG_SD = 0.6
"""Standard deviation of the logarithm of an area about the common strength: a factor of 1.8.

Areas scatter normally, with the log-normal's mean and variance, so that they integrate out; one in
sixteen may then be slightly negative, which does no harm among positive ones."""

SOLVER_HUMP_WIDTH_HZ, SOLVER_AREA = 57.0, 0.1
"""Width in Hz and standard deviation, in units of the metabolites' area, of the humps of free sign
that take the baseline's part before it is averaged over. One of `HUMP_WIDTHS_HZ`."""

# A penalised spline in place of the humps (`spline`), for comparison with other programs.

SPLINE_SPACING_HZ = 12.0
"""Distance of its knots in Hz [proposed]: 0.1 ppm at 3 T. LCModel's stand 0.15 ppm apart at least;
the penalty, not the distance, says how much it bends."""

SPLINE_RANGE, SPLINE_START = (1e-5, 3.0), 0.02
"""Range that is searched, and start, of the standard deviation of the areas' second differences, in
units of the metabolites' area [proposed]."""
