"""Studies with known truth: discs, patients, scanner, and their files.

`simulate_study` gives a study in memory with its truth; `write_dataset` puts studies into files of
NIfTI-MRS, Philips or Siemens form. The simulator shares no code with the fit that it judges.
"""

from __future__ import annotations

from mrs_disc.simulate.population import Disc, Kind, draw_disc
from mrs_disc.simulate.scanner import SNR_OF_PROTOCOL, Scan
from mrs_disc.simulate.study import (
    CERVICAL,
    LUMBAR,
    SPOILS,
    THORACIC,
    Spoil,
    Truth,
    simulate_study,
)

__all__ = [
    "CERVICAL",
    "LUMBAR",
    "SNR_OF_PROTOCOL",
    "SPOILS",
    "THORACIC",
    "Disc",
    "Kind",
    "Scan",
    "Spoil",
    "Truth",
    "draw_disc",
    "simulate_study",
]
