"""What is known of transients before a series was seen, in one table."""

from __future__ import annotations

import numpy as np

JITTER_HZ = 10.0
SOUND_SD = np.array([1.5, np.radians(10), 0.05])
SOUND_WORTH, SOUND_WORTH_SHARE = 6.0, 0.1
WATER_AMPLITUDE_SD, WATER_PHASE_SD = 0.3, float(np.radians(10))
UNSTEADY_FACTOR = 9.0
UNSTEADY_CHANCE = (0.1, 0.6)
SPOILT_SD = np.array([6.0, np.radians(55), 0.25])
SPOILT_AMPLITUDE = 0.6
SPOILT_FREEDOM = 4.0
AFFECTED = 0.85
SPOILT_SHARE, SPOILT_WORTH = 0.05, 20.0
SPOILT_CHANCE = 0.22
FALSE_SHARE = 0.05
