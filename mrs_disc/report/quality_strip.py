"""The strip that tells a spectrum's quality: its transients, and water before and after removal.

As SVG (`panels`): by matplotlib it took a third of the time of a report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import PICTURE_PPM
from mrs_disc.record.level import Level
from mrs_disc.record.signals import LevelSignals
from mrs_disc.report.curves import WATER_RANGE, water_line
from mrs_disc.report.marks import nice
from mrs_disc.report.panels import (
    EDGE,
    LABEL,
    TITLE,
    Panel,
    grey_png,
    picture,
    stroke,
    text,
)
from mrs_disc.report.words import number
from mrs_disc.typing import FloatArray

WIDTH, HEIGHT = 820, 175
_TOP, _TALL = 24, 107
_KEPT, _REJECTED = "#1b4f8f", "#9a1b1b"
_BEFORE, _AFTER = stroke(EDGE, 1.4, "4 1.5"), stroke("#b3261e", 1.5)


def quality_svg(level: Level, signals: LevelSignals) -> str:
    """Return the transients' frequency (rejected ones marked), their alignment, the water band."""
    assert level.quality is not None
    n = signals.frequency_hz.size
    shown = signals.transients if n > 1 else None
    parts = []
    if n > 1:
        rejected = [r for r in level.quality.rejected if r < n]
        wide = 410.0 if shown is None else 279.0
        parts += _transients(signals.frequency_hz, rejected, is_followed(level), wide)
    if shown is not None:
        parts += _alignment(shown, signals.transients_ppm)
    left, wide = (550.0, 262.0) if n > 1 else (70.0, 328.0)
    if shown is not None:
        left, wide = 635.0, 176.0
    parts += _water(level, signals, left, wide)
    return picture(WIDTH, HEIGHT, parts)


def _alignment(pictures: NDArray[np.uint8], middle: float) -> list[str]:
    """Return the transients as rows, before and after alignment, around their strongest line."""
    parts = [
        text(381, _TOP - 6, f"before | after alignment, {middle:.1f} ± {PICTURE_PPM:g} ppm",
             size=TITLE)
    ]  # fmt: skip
    for left, image in zip((381, 488), pictures, strict=True):
        parts.append(
            f'<image xlink:href="{grey_png(image)}" x="{left}" y="{_TOP}" width="98" '
            f'height="{_TALL + 8}" preserveAspectRatio="none" style="image-rendering:pixelated"/>'
        )
    return parts


def is_followed(level: Level) -> bool:
    """Say whether the transients were strong enough to follow their frequency."""
    return level.quality is not None and level.quality.drift_hz is not None


def _transients(
    values: FloatArray, rejected: Sequence[int], followed: bool, wide: float
) -> list[str]:
    index = np.arange(1, values.size + 1)
    kept = np.ones(values.size, bool)
    kept[list(rejected)] = False
    centred = values - np.median(values[kept] if kept.any() else values)
    low, high = float(centred.min()), float(centred.max())
    room = max(0.2 * (high - low), 0.5)
    panel = Panel(
        left=57, top=_TOP, width=wide, height=_TALL,
        x=(0, values.size + 1), y=(low - room, high + room),
    )  # fmt: skip
    # Dots are short strokes of one path, crosses two strokes each.
    dots = "".join(f"M{x:.1f} {y:.1f}h.1" for x, y in panel.places(index[kept], centred[kept]))
    crosses = panel.places(index[~kept], centred[~kept])
    words = "(Hz from median)" if followed else "could not be followed"
    parts = [
        panel.frame(
            [t for t in nice(1, values.size, 6) if t >= 1],
            nice(low - room, high + room, 4) if followed else [],
            f"frequency {words}",
            "transient",
        ),
        f'<path d="{dots}" {stroke(_KEPT, 3.3)} stroke-linecap="round"/>',
    ]
    if rejected:
        end = panel.left + wide
        crosses.append((end - 96, _TOP - 10))
        parts.append(text(end, _TOP - 6, f"rejected: {len(rejected)}", anchor="end"))
        marks = "".join(f"M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7" for x, y in crosses)
        parts.append(f'<path class="rejected" d="{marks}" {stroke(_REJECTED, 1.8)}/>')
    return parts


def _water(level: Level, signals: LevelSignals, left: float, wide: float) -> list[str]:
    assert level.fit is not None
    noise = level.fit.spectrum_noise_sd or 1.0
    ppm, before, after = water_line(signals)
    before, after = before / noise, after / noise
    highest = 1.25 * float(max(before.max(), after.max(), 1.0))
    panel = Panel(
        left=left, top=_TOP, width=wide, height=_TALL, x=WATER_RANGE[::-1], y=(0, highest)
    )
    parts = [
        panel.frame([5, 4.5, 4], nice(0, highest, 4), "water line (× noise)", "ppm"),
        panel.line(ppm, before, _BEFORE),
        panel.line(ppm, after, _AFTER),
    ]
    for row, (word, look) in enumerate((("before", _BEFORE), ("after", _AFTER))):
        at = _TOP + 9 + 15 * row
        parts += [
            f'<path d="M{left + wide - 66:.1f} {at}h20" {look}/>',
            text(left + wide - 40, at + 4, word, size=LABEL - 0.6),
        ]
    return parts


def quality_alt(level: Level, signals: LevelSignals) -> str:
    """Return the alternative text of a level's quality strip."""
    assert level.quality is not None
    q = level.quality
    if signals.frequency_hz.size > 1:
        first = f"{q.n_transients} transients, {q.n_rejected} rejected; {drift_words(level)}"
        if signals.transients is not None:
            first += "; rows of grey: their strongest line before and after alignment"
    else:
        first = "Averaged on the scanner: no single transients"
    return f"{first}; residual water {number(q.residual_water, 2)} times the quality peak."


def drift_words(level: Level) -> str:
    """Return the frequency drift in words; zero is not claimed where nothing was followed."""
    assert level.quality is not None
    if not is_followed(level):
        return "transients too weak to follow their frequency"
    return f"frequency drift {number(level.quality.drift_hz, 2, 'Hz')}"
