"""Whether the voxels lie where the names of their levels say: order, spacing, size, image.

A judgement about the wrong disc is worse than none. What a file says of its voxel's place is held
against the names of the levels, against the other discs of the patient and against the image. What
contradicts the names forbids a level; what is only unlikely is said.

Geometry alone cannot tell that *all* names are shifted by one level: a spine looks the same one
vertebra further on. That is why an unconfirmed name stays a finding until a person confirms it.

Patient coordinates, mm, RAS: x to the right, y to the front, z to the head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mrs_disc.record.findings import Finding, finding
from mrs_disc.record.levels import LEVELS, level_order
from mrs_disc.record.parts import InputFile
from mrs_disc.signal.noise_print import same_noise
from mrs_disc.typing import ComplexArray, FloatArray

if TYPE_CHECKING:
    from mrs_disc.data.study import DiscAcquisition

SAME_PLACE_MM = 6.0
"""Centres nearer than this are one place [P]: two discs of a small neck lie some 14 mm apart, a
voxel that was planned again within 3 mm of the first."""

ORDER_MM = 2.0
"""A lower disc may lie this much higher and still count as level [P]: a row or two of an image."""

NECK_STEP_MM, UPPER_CHEST_STEP_MM, LOWER_CHEST_STEP_MM, LOIN_STEP_MM = 18.0, 22.0, 29.0, 36.0
"""Distance from a disc to the next one above, adults, body and disc together [R]: neck 13 + 5 mm,
upper and lower chest 18 + 4 and 23 + 6 mm, loins 26 + 10 mm."""

_STEPS = (
    (("C2-C3", "C7-T1"), NECK_STEP_MM),
    (("T1-T2", "T5-T6"), UPPER_CHEST_STEP_MM),
    (("T6-T7", "T12-L1"), LOWER_CHEST_STEP_MM),
)

_OF_STEPS, _SHARE, _OWN_SHARE = 0.6, 0.3, 0.2
"""How far a distance, counted in steps, may be from the number that the names say [P]: never less
than 0.6 of a step, else 30 % against an average adult, or 20 % against the patient's own steps."""

MAX_HEIGHT_MM = 16.0
"""Smallest edge of a voxel beyond which no disc holds it [P]: discs are 4 to 14 mm high."""
MAX_EDGE_MM = 60.0
"""Largest edge beyond which no disc holds it [P]: lumbar discs are up to 55 mm wide."""

_OF_REGION, _FEW_GAPS = (0.6, 1.5), 2
"""Share of the usual distance that all discs of an adult lie within [P]: those of the loins lie at
twice the distance of those of the neck. Of a single pair nothing is said."""

_SIDEWAYS_MM, _SLOPE = 25.0, 1.5
"""Two neighbouring discs lie no farther apart across the body than this, or 1.5 times their
distance along it [P]: no spine runs flatter than 56 degrees, sacrum and scoliosis included."""

OTHER_SCANNER = 2e-4
"""Relative difference of frequency that only another scanner has (120 MHz: 24 kHz; a magnet's drift
stays below 1 kHz)."""

_MARGIN_MM = 5.0
"""A voxel's centre this far beyond the outermost voxels of an image still lies in it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """Where one run of a level was measured, and from what.

    Parameters
    ----------
    level, run : str, int
        As the study names them.
    affine : float array, shape (4, 4), or None
        Voxel to patient coordinates, its centre in the last column; `None`: the file is silent.
    file_sha256 : tuple of str
        Of the files that hold the metabolite signal, and of its samples.
    noise : complex array, or None
        What only one measurement has (`noise_print`).
    water_sha256 : str or None
        Digest of the samples of the water reference.
    named : str or None
        The level that the file's name or its header gives, where it is another one.
    subject, frequency_mhz
        Digest of the subject that the header names; spectrometer frequency. `None` where unknown.
    """

    level: str
    run: int = 1
    affine: FloatArray | None = None
    file_sha256: tuple[str, ...] = ()
    noise: ComplexArray | None = None
    water_sha256: str | None = None
    named: str | None = None
    subject: str | None = None
    frequency_mhz: float | None = None

    @property
    def name(self) -> str:
        """The level, with its run where it was measured again."""
        return self.level if self.run == 1 else f"{self.level} run {self.run}"

    @property
    def centre(self) -> FloatArray | None:
        """Centre of the voxel, mm, RAS; `None` where it is not known or no number."""
        if self.affine is None or not np.all(np.isfinite(self.affine)):
            return None
        centre: FloatArray = self.affine[:3, 3]
        return centre if self.size_mm is not None else None

    @property
    def size_mm(self) -> tuple[float, float, float] | None:
        """Edges of the voxel, mm; `None` for the placeholders of data without a place."""
        if self.affine is None or not np.all(np.isfinite(self.affine)):
            return None
        a, b, c = (float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))
        return (a, b, c) if min(a, b, c) > 0 and max(a, b, c) < 1000 else None


_PARAMETERS = (".spar", ".list", ".json")
"""Endings of files that hold no samples: those of two discs may well be the same."""


def samples_digest(signal: ComplexArray) -> str:
    """Return a digest of one FID: a copy under another name, packed or converted, has the same.

    Parameters
    ----------
    signal : complex array, shape (..., point)
        As read.
    """
    first = signal[(0,) * (signal.ndim - 1)]  # a reshape would copy what lies in another order
    return hashlib.sha256(first.astype(np.complex64).tobytes()).hexdigest()


def water_digest(acquisition: DiscAcquisition) -> str | None:
    """Return a digest of a level's water reference; `None` where it has none."""
    return None if acquisition.water is None else samples_digest(acquisition.water.signal)


def signal_digests(inputs: Iterable[InputFile]) -> tuple[str, ...]:
    """Return the SHA-256 of the files that hold a level's metabolite signal."""
    return tuple(
        file.sha256
        for file in inputs
        if file.role == "metabolite"
        and file.sha256 is not None
        and PurePosixPath(file.path).suffix.lower() not in _PARAMETERS
    )


def contradictions(sites: Sequence[Site]) -> tuple[Finding, ...]:
    """Return what contradicts the names of the levels: each finding forbids its subject.

    Parameters
    ----------
    sites : sequence of Site
        All runs of all levels of one examination.

    Returns
    -------
    tuple of Finding
        ``levels_exchanged``, ``levels_at_one_place``, ``same_file_twice``,
        ``same_measurement_twice``, ``other_person``, one for each run and each other that it
        contradicts; empty where names and places agree. Of these, what `is_repeat` tells has to be
        said, but leaves no doubt which disc it is.
    """
    noticed: list[Finding] = []
    doubled = set()
    for a, b in combinations(_ordered(sites), 2):
        if (kind := _twice(a, b)) is not None:
            doubled.add((a.name, b.name))
            # of two runs of one level the first stands: which of two levels it is nobody knows
            pair = [(b, a)] if a.level == b.level else [(a, b), (b, a)]
            noticed += [
                finding(kind, one.name, other=two.name, levels=[a.level, b.level])
                for one, two in pair
            ]
    for a, b in _placed_pairs(sites):
        if (a.name, b.name) in doubled:
            continue
        noticed += _order_of(a, b)
    return (*noticed, *_subjects(sites))


def _twice(a: Site, b: Site) -> str | None:
    """Return the finding for one measurement under two names; `None` for two measurements."""
    if set(a.file_sha256) & set(b.file_sha256):
        return "same_file_twice"
    return "same_measurement_twice" if _one_place(a, b) and same_noise(a.noise, b.noise) else None


def _one_place(a: Site, b: Site) -> bool:
    """Say whether two measurements may be of one place: also where a file does not say its own."""
    if a.centre is None or b.centre is None:
        return True
    return float(np.linalg.norm(a.centre - b.centre)) < SAME_PLACE_MM


def is_repeat(noticed: Finding) -> bool:
    """Say whether a file is only named again as a run of its own level: which disc it is stands."""
    return len(set(noticed.values.get("levels") or ())) == 1


def _order_of(a: Site, b: Site) -> list[Finding]:
    """Return what the places of two levels say against their names; `a` is named above `b`."""
    (x, z_a), (y, z_b) = ((_known(s.centre), float(_known(s.centre)[2])) for s in (a, b))
    apart = float(np.linalg.norm(x - y))
    if apart < SAME_PLACE_MM:
        kind = "levels_at_one_place"
        values: dict[str, Any] = {"apart_mm": apart, "levels": [a.level, b.level]}
    elif z_b > z_a + ORDER_MM:
        kind = "levels_exchanged"
        values = {"higher_mm": z_b - z_a}
    else:
        return []
    values |= {"upper": a.name, "upper_z_mm": z_a, "lower": b.name, "lower_z_mm": z_b}
    return [finding(kind, site.name, **values) for site in (a, b)]


def _subjects(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find levels whose header names another subject than most; where none leads, all of them."""
    named = [site for site in sites if site.subject]
    counts = {s: sum(site.subject == s for site in named) for s in {x.subject for x in named}}
    if len(counts) < 2:
        return
    most = max(counts.values())
    leading = [subject for subject, count in counts.items() if count == most]
    for site in named:
        if len(leading) > 1 or site.subject != leading[0]:
            others = sorted({s.name for s in named if s.subject != site.subject})
            yield finding("other_person", site.name, others=others)


def doubts(
    sites: Sequence[Site],
    image_affine: FloatArray | None = None,
    image_shape: Sequence[int] = (),
) -> tuple[Finding, ...]:
    """Return what is unlikely and has to be said: spacing, size, a place beside spine or image.

    Parameters
    ----------
    sites : sequence of Site
        All runs of all levels of one examination.
    image_affine : float array, shape (4, 4), optional
        Of the image that the voxels are drawn on.
    image_shape : sequence of int
        Its voxels along each axis.
    """
    noticed = [found for site in _ordered(sites) for found in _of_one(site)]
    if image_affine is not None:
        noticed += [
            finding("voxel_outside_image", site.name, beyond_mm=beyond)
            for site in _ordered(sites)
            if site.centre is not None
            and (beyond := _beyond(site.centre, image_affine, image_shape)) > _MARGIN_MM
        ]
    noticed += [*_misnamed(sites), *_shared_water(sites), *_shared_noise(sites)]
    noticed += _region(sites)
    return (*noticed, *_spacing(sites), *_sideways(sites), *_handedness(sites), *_scanners(sites))


def image_of_other(sites: Sequence[Site], subjects: Sequence[str]) -> Finding | None:
    """Return that an image is of another person than the spectra; `None` where nothing says so.

    Parameters
    ----------
    sites : sequence of Site
        All runs of all levels of one examination.
    subjects : sequence of str
        Digests of the name and the number of the person whom the image's header names.
    """
    named = {site.subject for site in sites if site.subject}
    other = bool(named and subjects) and not named & set(subjects)
    return finding("anatomy_of_other") if other else None


def _of_one(site: Site) -> Iterator[Finding]:
    size = site.size_mm
    if size is not None and (min(size) > MAX_HEIGHT_MM or max(size) > MAX_EDGE_MM):
        shown = " x ".join(f"{edge:.3g}" for edge in size)
        yield finding("voxel_larger_than_disc", site.name, size=shown, height_mm=MAX_HEIGHT_MM)


def _misnamed(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find levels of which the file itself says that it is another."""
    for site in _ordered(sites):
        if site.named is not None and site.named != site.level:
            yield finding("other_level_named", site.name, level=site.named)


def _shared_noise(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find one measurement at two places: one of the two is not where it was measured."""
    for a, b in combinations(_ordered(sites), 2):
        same_file = set(a.file_sha256) & set(b.file_sha256)
        if not same_file and not _one_place(a, b) and same_noise(a.noise, b.noise):
            yield finding("same_noise_elsewhere", b.name, other=a.name)


def _shared_water(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find levels that refer to the water of another: runs of one level may share it."""
    for a, b in combinations(_ordered(sites), 2):
        if a.level != b.level and a.water_sha256 and a.water_sha256 == b.water_sha256:
            yield finding("same_water_twice", b.name, other=a.name)


def _beyond(centre: FloatArray, affine: FloatArray, shape: Sequence[int]) -> float:
    """Return how far a point lies outside an image, mm; 0 where the image has no place."""
    try:
        index = np.linalg.solve(affine[:3, :3], centre - affine[:3, 3])
    except np.linalg.LinAlgError:
        return 0.0
    inside = np.clip(index, -0.5, np.asarray(shape[:3], dtype=np.float64) - 0.5)
    return float(np.linalg.norm(affine[:3, :3] @ (index - inside)))


def _spacing(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find neighbours whose distance does not fit the number of levels that their names say."""
    gaps = []
    for upper, lower in pairwise(_one_a_level(sites)):
        apart = float(np.linalg.norm(_known(upper.centre) - _known(lower.centre)))
        expected = expected_steps_mm(upper.level, lower.level)
        if apart >= SAME_PLACE_MM and expected:
            gaps.append((upper, lower, apart, expected))
    for k, (upper, lower, apart, expected) in enumerate(gaps):
        others = [a / sum(e) for j, (_, _, a, e) in enumerate(gaps) if j != k]
        # two or three distances know the patient's size no better than that of adults does
        scale = 0.5 + 0.5 * float(np.median(others)) if len(others) > 1 else 1.0
        share = _OWN_SHARE if len(others) > 1 else _SHARE
        n_steps = len(expected)
        steps = apart / (scale * sum(expected)) * n_steps
        if abs(steps - n_steps) > max(_OF_STEPS, share * n_steps):
            yield finding(
                "spacing_unlikely",
                lower.name,
                other=upper.name,
                apart_mm=apart,
                n_steps=n_steps,
                expected_mm=scale * sum(expected),
            )


def _region(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find a spine whose discs all lie as those of another region do."""
    placed = _one_a_level(sites)
    ratios = [
        float(np.linalg.norm(_known(upper.centre) - _known(lower.centre))) / sum(steps)
        for upper, lower in pairwise(placed)
        if (steps := expected_steps_mm(upper.level, lower.level))
    ]
    if len(ratios) < _FEW_GAPS:
        return
    low, high = _OF_REGION
    if max(ratios) < low or min(ratios) > high:
        ratio = float(np.median(ratios))
        yield finding("region_unlikely", placed[0].name, last=placed[-1].name, ratio=ratio)


def expected_steps_mm(upper: str, lower: str) -> list[float]:
    """Return the usual distance of each step from one level down to another, mm, adults.

    >>> expected_steps_mm("L3-L4", "L5-S1"), expected_steps_mm("L4-L5", "L5-L6")
    ([36.0, 36.0], [36.0])
    """
    steps = []
    for level in _chain(upper, lower)[1:]:
        order = level_order(level)
        mm = (d for (a, b), d in _STEPS if level_order(a) <= order <= level_order(b))
        steps.append(next(mm, LOIN_STEP_MM))
    return steps


def _chain(upper: str, lower: str) -> list[str]:
    """Return the levels from one to another; of a spine with a sixth lumbar vertebra or without."""
    between = list(LEVELS[level_order(upper) : level_order(lower) + 1])
    # L5 ends on the sacrum or on L6, never on both; who names neither end leaves it open
    if "L5-S1" in between and lower in ("L5-L6", "L6-S1") and upper != "L5-S1":
        between.remove("L5-S1")
    return between


def _sideways(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find discs that lie beside the line of the others: a voxel off the spine."""
    chain = _one_a_level(sites)
    for upper, lower in pairwise(chain):
        step = _known(upper.centre) - _known(lower.centre)
        across, along = float(np.hypot(step[0], step[1])), abs(float(step[2]))
        if across > _SIDEWAYS_MM and across > _SLOPE * along:
            yield finding(
                "beside_the_spine", lower.name, other=upper.name, across_mm=across, along_mm=along
            )


def _handedness(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find levels whose axes are mirrored against those of most others: left for right."""
    turned = [
        (site, bool(np.linalg.det(site.affine[:3, :3]) < 0))
        for site in _ordered(sites)
        if site.affine is not None and site.centre is not None
    ]
    mirrored = [site for site, sign in turned if sign]
    if mirrored and len(mirrored) < len(turned):
        odd = (
            mirrored if 2 * len(mirrored) <= len(turned) else [s for s, sign in turned if not sign]
        )
        yield from (finding("voxel_mirrored", site.name) for site in odd)


def _scanners(sites: Sequence[Site]) -> Iterator[Finding]:
    """Find levels that another scanner measured: its frequency differs by more than drift."""
    known = [(s, s.frequency_mhz) for s in _ordered(sites) if s.frequency_mhz]
    if not known:
        return
    middle = float(np.median([mhz for _, mhz in known]))
    nearest = min((mhz for _, mhz in known), key=lambda mhz: abs(mhz - middle))
    for site, mhz in known:
        if abs(mhz - nearest) > OTHER_SCANNER * nearest:
            yield finding("other_scanner", site.name, mhz=mhz, others_mhz=nearest)


# --------------------------------------------------------------------------- which pairs


def _ordered(sites: Iterable[Site]) -> list[Site]:
    return sorted(sites, key=lambda s: (level_order(s.level), s.run))


def _placed_pairs(sites: Sequence[Site]) -> Iterator[tuple[Site, Site]]:
    """Return all pairs of different levels with a place, the one named higher first."""
    placed = [site for site in _ordered(sites) if site.centre is not None]
    return ((a, b) for a, b in combinations(placed, 2) if a.level != b.level)


def _one_a_level(sites: Sequence[Site]) -> list[Site]:
    """Return the first run with a place of each level, from head to foot."""
    first: dict[str, Site] = {}
    for site in _ordered(sites):
        if site.centre is not None:
            first.setdefault(site.level, site)
    return list(first.values())


def _known(centre: FloatArray | None) -> FloatArray:
    assert centre is not None  # only sites with a place come here
    return centre
