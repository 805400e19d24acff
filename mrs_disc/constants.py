"""Numbers of nature and of convention, each with its source."""

from __future__ import annotations

GAMMA_1H_MHZ_PER_T = 42.577478518
"""Proton gyromagnetic ratio over 2 pi (CODATA 2018, shielded values differ by 26 ppm)."""

WATER_PPM = 4.65
"""Shift of water at 37 C and the carrier's default (spant and FSL-MRS use the same value)."""

RESEARCH_USE = (
    "For research use only. Not a medical device; not for diagnosis or treatment decisions."
)
