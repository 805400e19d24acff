"""The voxel of a level in three planes of the image, each through the voxel's centre.

Where the bandwidth of the refocusing pulses is known, a dashed outline holds all places that lipid
at 1.3 ppm may come from: its voxel lies displaced against that of water, by its shift over the
bandwidth. Neither the directions that are refocused nor the sign of the gradients are in the files,
so the outline grows to all sides.

Written as SVG without matplotlib, which takes a second for the axes of five levels.
"""

from __future__ import annotations

from collections.abc import Iterator

from mrs_disc.constants import LIPID_TO_WATER_PPM
from mrs_disc.record.findings import words
from mrs_disc.record.level import Level
from mrs_disc.record.signals import LevelSignals
from mrs_disc.report.anatomy import FIELD_MM, PLANES, section
from mrs_disc.report.marks import points
from mrs_disc.report.panels import grey_png
from mrs_disc.report.words import number
from mrs_disc.typing import FloatArray

WIDTH, HEIGHT = 820, 245
_SIDE, _HEAD = 215, 24
_GAP = (WIDTH - 3 * _SIDE) / 4
_LETTERS = {0: ("R", "L"), 1: ("A", "P"), 2: ("H", "F")}
"""Directions of a patient axis: positive and negative."""
_RULER_MM = 20.0
_VOXEL, _LIPID = "#ffd23f", "#4dd0e1"


def voxel_svg(level: Level, signals: LevelSignals) -> str:
    """Return the three planes with the voxel's outline, its displacement and a ruler."""
    assert signals.planes is not None
    assert signals.voxel_affine is not None
    share = displacement(level)
    parts = []
    for n, (name, image) in enumerate(zip(PLANES, signals.planes, strict=True)):
        left = _GAP + n * (_SIDE + _GAP)
        inside = [
            f'<image xlink:href="{grey_png(image)}" width="{_SIDE}" height="{_SIDE}" '
            'style="image-rendering:pixelated"/>'
        ]
        if share:
            grown = section(signals.voxel_affine, name, share)
            inside += _outline(grown, _LIPID, ' stroke-dasharray="5 3"')
        inside += _outline(section(signals.voxel_affine, name), _VOXEL)
        inside += _letters(name)
        parts.append(
            f'<text x="{left + _SIDE / 2:g}" y="{_HEAD - 8}" text-anchor="middle">{name}</text>'
            f'<svg x="{left:g}" y="{_HEAD}" width="{_SIDE}" height="{_SIDE}">'
            f"{''.join(inside)}</svg>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="DejaVu Sans" font-size="11.5" fill="#1c1c1c">{"".join(parts)}</svg>'
    )


def _at(mm: float) -> float:
    """Return the place of a distance from the middle in a picture."""
    return round((mm / FIELD_MM + 0.5) * _SIDE, 1)


def _outline(corners: FloatArray, colour: str, dashes: str = "") -> Iterator[str]:
    """Yield an outline with a dark edge, so that it is seen on bright and dark alike."""
    places = points((_at(float(x)), _at(float(y))) for x, y in corners)
    for edge, width in (("#000000", 3.2), (colour, 1.6)):
        yield (
            f'<polygon points="{places}" fill="none" stroke="{edge}" stroke-width="{width}"'
            f"{dashes}/>"
        )


def _letters(name: str) -> Iterator[str]:
    """Yield the patient's directions at the edges, and a ruler in the first picture."""
    up, left = PLANES[name]
    words, half = (*_LETTERS[up], *_LETTERS[left]), _SIDE / 2
    for word, (x, y) in zip(
        words, ((half, 14), (half, _SIDE - 6), (9, half + 4), (_SIDE - 9, half + 4)), strict=True
    ):
        yield _white(word, x, y, "middle")
    if name == "sagittal":
        long = _RULER_MM / FIELD_MM * _SIDE
        for colour, width in (("#000000", 5), ("#ffffff", 2.5)):
            yield (f'<path d="M8 {_SIDE - 8}h{long:g}" stroke="{colour}" stroke-width="{width}"/>')
        yield _white(f"{_RULER_MM:g} mm", 8, _SIDE - 14, "start")


def _white(word: str, x: float, y: float, anchor: str) -> str:
    """Return a word in white on a black edge."""
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return (
        f'<text {place} stroke="#000000" stroke-width="3" stroke-opacity="0.7">{word}</text>'
        f'<text {place} fill="#ffffff">{word}</text>'
    )


def displacement(level: Level) -> float | None:
    """Return by how much of a side the voxel of lipid is displaced; `None` where not known."""
    protocol = level.protocol
    if protocol is None or protocol.spectrometer_mhz is None:
        return None
    bandwidth = protocol.refocusing_bandwidth_hz
    return LIPID_TO_WATER_PPM * protocol.spectrometer_mhz / bandwidth if bandwidth else None


def tissue_words(level: Level) -> str:
    """Return what the voxel holds, with its method and how sure it is; nothing without an image."""
    tissue = level.tissue
    if tissue is None:
        return ""
    parts = (
        ("disc", tissue.disc_percent),
        ("bone marrow", tissue.bone_percent),
        ("fat or fluid", tissue.fat_percent),
    )
    said = [f"{name} {share:.0f} %" for name, share in parts if share is not None]
    if not said:
        return f" What share of it is disc, bone or fat is not stated: {tissue.reason}."
    more = f"; {tissue.reason}" if tissue.reason else ""
    diluted = [words(one) for one in level.findings if one.kind == "water_of_others"]
    return " ".join(
        [
            f" It holds {', '.join(said)} by the image's grey values (thresholds halfway between "
            f"tissues, tested on simulated images alone{more}).",
            *(f"{one[0].upper()}{one[1:]}." for one in diluted),
        ]
    )


def voxel_words(level: Level) -> str:
    """Return what the picture shows, for its caption and for who cannot see it."""
    size = level.protocol.voxel_size_mm if level.protocol is not None else None
    of = f" of {' × '.join(number(side, 2) for side in size)} mm" if size else ""
    text = f"The voxel{of} on the image, in three planes through its centre.{tissue_words(level)}"
    share = displacement(level)
    if share is None:
        return f"{text} Where lipid comes from is not drawn: the bandwidth is not known."
    far = f", {number(share * max(size), 2)} mm along the longest" if size else ""
    return (
        f"{text} Dashed: from within it lipid at 1.3 ppm may come, displaced against water by "
        f"{number(100 * share, 2)} % of a side{far}; to which side is not in the files."
    )
