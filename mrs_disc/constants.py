"""Numbers of nature and of convention, each with its source."""

from __future__ import annotations

GAMMA_1H_MHZ_PER_T = 42.577478518
"""Proton gyromagnetic ratio over 2 pi (CODATA 2018, shielded values differ by 26 ppm)."""

WATER_PPM = 4.65
"""Shift of water at 37 C and the carrier's default (spant and FSL-MRS use the same value)."""

Z95 = 1.959964
"""Half width of the 95 % interval of a normal distribution, in standard deviations."""

Z95_ONE_SIDED = 1.6448536269514722
"""The same of a one-sided limit: the 95th percentile."""

LIPID_TO_WATER_PPM = 3.35
"""From the lipid's CH2 (1.30) to the carrier on water (4.65)."""
PG_TO_WATER_PPM = 2.61
"""Distance of the N-acetyl of proteoglycan (2.04 ppm) from water (4.65 ppm)."""

PICTURE_PPM = 0.4
"""Half width of the picture of the transients: a line with what drift takes it to."""

TINY = 1e-300
"""Least divisor: zero over it stays zero, and no sum of squares of a signal comes near it."""

ROMAN = ("", "I", "II", "III", "IV", "V")
"""Pfirrmann grades as they are written (Spine 2001;26:1873-1878)."""

UNLIKELY_UP_TO, LIKELY_FROM = 0.25, 4.0
"""Probabilities at which the labels begin unless a recipe says otherwise [proposed]."""

RESEARCH_USE = (
    "For research use only. Not a medical device; not for diagnosis or treatment decisions."
)
