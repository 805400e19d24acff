"""What is assumed of transients before a series was seen, in one table.

All are proposed, none is measured in vivo. They follow the simulator's generative model: frequency
and phase jitter by 1.5 Hz and 10 degrees, residual water by 10 to 50 %, and 5 % of the transients
are spoilt, their phase by 20 to 90 degrees. The series itself soon outweighs those of sound ones.

The last two columns say what half and double of a value does to 360 simulated series (160 of 4
coils x 32 transients, 80 of 8 x 64, half as many again of each without motion): the percentage of
spoilt transients that is left out, and how many of 1,000 sound ones. As they are: 98.8, 0.9.

| name | value | unit | half | double |
|---|---|---|---|---|
| `SOUND_SD[0]` | 1.5 | Hz | 98.8, 2.8 | 98.8, 0.7 |
| `SOUND_SD[1]` | 10 | degrees | 99.0, 2.8 | 98.8, 0.7 |
| `SOUND_SD[2]` | 0.05 | of the amplitude | 99.0, 1.1 | 98.6, 0.9 |
| `SOUND_WORTH` | 6 | transients | 98.8, 0.9 | 98.8, 1.0 |
| `SOUND_WORTH_SHARE` | 0.1 | of the series | 98.8, 0.9 | 98.8, 0.9 |
| `WATER_AMPLITUDE_SD` | 0.3 | of its amplitude | 98.8, 0.9 | 98.6, 0.8 |
| `WATER_PHASE_SD` | 10 | degrees | 98.8, 0.9 | 98.8, 0.9 |
| `UNSTEADY_FACTOR` | 9 | of the variance | 98.8, 1.0 | 98.6, 0.8 |
| `UNSTEADY_CHANCE[0]` | 0.1 | chance | 98.8, 0.9 | 98.8, 1.0 |
| `UNSTEADY_CHANCE[1]` | 0.6 | chance | 98.8, 1.1 | 98.8, 0.7 (at 0.95) |
| `SPOILT_SD[0]` | 6 | Hz | 98.8, 0.9 | 98.6, 0.7 |
| `SPOILT_SD[1]` | 55 | degrees | 98.8, 1.0 | 98.6, 0.6 |
| `SPOILT_SD[2]` | 0.25 | of the amplitude | 98.8, 0.7 | 98.6, 0.9 |
| `SPOILT_AMPLITUDE` | 0.6 | of the amplitude | 98.6, 0.6 | 98.4, 1.5 |
| `SPOILT_FREEDOM` | 4 | degrees of freedom | 98.8, 0.9 | 98.8, 0.9 |
| `AFFECTED` | 0.85 | chance | 98.8, 1.7 | 98.6, 0.7 (at 1) |
| `SPOILT_SHARE` | 0.05 | of the series | 98.6, 0.9 | 98.8, 1.2 |
| `SPOILT_WORTH` | 20 | transients | 98.8, 1.0 | 98.8, 0.9 |
| `SPOILT_CHANCE` | 0.22 | chance | 99.0, 2.0 | 98.6, 0.6 |
| `FALSE_SHARE` | 0.05 | of those left out | 98.8, 0.6 | 98.8, 1.0 |
| `JITTER_HZ` | 10 | Hz | 99.0, 0.9 | 98.6, 1.0 |
"""

from __future__ import annotations

from typing import Final

import numpy as np

SOUND_SD: Final = np.array([1.5, np.radians(10), 0.05])
"""Standard deviations of sound transients about the course: frequency, phase, amplitude."""

SOUND_WORTH, SOUND_WORTH_SHARE = 6.0, 0.1
"""They count as so many transients, and at least as this share of the series."""

WATER_AMPLITUDE_SD, WATER_PHASE_SD = 0.3, float(np.radians(10))
"""Standard deviations of the residual water: its amplitude, its phase against that of the lines."""

UNSTEADY_FACTOR, UNSTEADY_CHANCE = 9.0, (0.1, 0.6)
"""Where the water is unsteady, the variance of its amplitude is so many times that in the series,
and its phase is as free; and the chance of it in a sound and in a spoilt transient."""

SPOILT_SD: Final = np.array([6.0, np.radians(55), 0.25])
"""Standard deviations of what motion affects: frequency, phase, amplitude."""

SPOILT_AMPLITUDE, SPOILT_FREEDOM = 0.6, 4.0
"""Mean amplitude of spoilt transients, and Student's degrees of freedom of their frequency and
phase: whatever is far from all is spoilt."""

AFFECTED = 0.85
"""Chance of each of amplitude, frequency and phase to be affected in a spoilt transient."""

SPOILT_SHARE, SPOILT_WORTH = 0.05, 20.0
"""Share of spoilt transients in a series, and how many transients that counts."""

SPOILT_CHANCE = 0.22
"""Chance of motion above which a transient is left out. A sound one that is lost costs little: of
those above, one in ten or twenty is sound."""

FALSE_SHARE = 0.05
"""Expected share of sound transients among those left out by the distribution of the series."""

JITTER_HZ = 10.0
"""Standard deviation of a frequency about the median where it is registered: it only has to keep
the search from peaks of noise."""
