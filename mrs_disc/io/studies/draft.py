"""A commented draft of study.toml for a folder as it comes from a scanner or a PACS.

Spectra are told from images by content, series of one file per transient are kept together, water
references are paired by voxel, day and subject, repeats are numbered. What is not certain is
marked GUESS in the draft; nothing is decided in silence, nothing is overwritten.
"""

from __future__ import annotations

import math
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs_disc.data import LEVELS, level_order
from mrs_disc.data.places import (
    LOIN_STEP_MM,
    LOWER_CHEST_STEP_MM,
    SAME_PLACE_MM,
    UPPER_CHEST_STEP_MM,
    Site,
    contradictions,
    doubts,
)
from mrs_disc.errors import InputError, NoSuchPathError, OutputError, ReadError
from mrs_disc.files import write_whole
from mrs_disc.io import gate
from mrs_disc.io.formats import dicom
from mrs_disc.io.formats.readers import is_spectroscopy, read_scan, read_series
from mrs_disc.io.formats.scan import Scan
from mrs_disc.io.images import dicom_header
from mrs_disc.io.names import COMPANIONS, level_in, names_water, run_in
from mrs_disc.io.series import files_below
from mrs_disc.io.studies.disc_files import sha256
from mrs_disc.io.studies.draft_images import Proposed, propose_anatomy
from mrs_disc.io.studies.study_toml import DRAFT_ID, FILE_NAME, StudyFile
from mrs_disc.record.findings import Finding, finding, finding_of, sentences, words
from mrs_disc.schema import validate
from mrs_disc.signal.noise_print import noise_print
from mrs_disc.toml_text import toml_value

STRONGER = 3.0
"""Water of a reference over what is left of it in a metabolite measurement, at the least."""
_REGIONS = (
    (UPPER_CHEST_STEP_MM, "cervical", "C6-C7"),
    (LOWER_CHEST_STEP_MM, "thoracic", "T11-T12"),
    (math.inf, "lumbar", "L5-S1"),
)
"""Distance of neighbouring discs below which a region is guessed, and its lowest disc.

A heuristic, as no header names a vertebra: vertebral bodies grow from neck to loin, so that discs
that lie nearer than is usual in the chest are taken for the neck's. Tall, small and transitional
spines are taken for another region. Hence it is a guess, which is marked and has to be confirmed.
"""


@dataclass(frozen=True, slots=True)
class Naming:
    """The level of an acquisition, and how it is known."""

    level: str
    how: Finding


@dataclass(slots=True)
class Found:
    """One acquisition in the folder."""

    name: str
    files: list[Path]
    scan: Scan
    is_water: bool
    unsure: bool
    refused: Finding | None
    missing: Sequence[Finding] = ()
    naming: Naming | None = None
    run: int = 1
    water: Found | None = None

    @property
    def level(self) -> str | None:
        """Disc level, once it is named."""
        return None if self.naming is None else self.naming.level

    @property
    def centre(self) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        """Centre of the voxel, mm, RAS."""
        affine = self.scan.voxel_affine
        return None if affine is None else np.asarray(affine[:3, 3], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The text of a study.toml, what was found on the way, and how much of it is guessed."""

    text: str
    n_discs: int
    n_guesses: int
    remarks: tuple[str, ...]


def write_draft(folder: Path) -> tuple[Path, Draft]:
    """Write the draft as ``study.toml`` into the folder, unless one is there.

    Raises
    ------
    ReadError
        If there is no such folder, or no spectrum in it.
    OutputError
        If the folder holds a study.toml already, or cannot be written to.
    """
    path = folder / FILE_NAME
    if path.exists():
        raise OutputError(
            f"{path} is there already: 'mrs-disc info {folder}' checks it; "
            "take it away to have it drafted anew"
        )
    draft = draft_study(folder)
    return write_whole(path, draft.text.encode("utf-8")), draft


def draft_study(folder: Path, study_id: str | None = None) -> Draft:
    """Return the draft for a folder; its study is called `study_id`, which else is a guess.

    Raises
    ------
    ReadError
        If there is no such folder, or no spectrum of one voxel in it.
    """
    if not folder.exists():
        raise NoSuchPathError(folder, "folder")
    if not folder.is_dir():
        raise ReadError(folder, "is a file; name the folder that holds it")
    spectra, images, broken = _search(folder)
    discs, waters = _metabolites_and_waters(spectra)
    if not discs:
        raise _no_spectrum(folder, spectra, broken)
    region = _name_levels(discs)
    _number_runs(discs)
    for disc in discs:
        disc.water = _pair(disc, waters)
    discs.sort(key=lambda f: (level_order(f.level or "L5-S1"), f.run))
    used = [*discs, *(disc.water for disc in discs)]
    unused = [
        f"{_comment(f.name)}: {_comment(words(f.refused or _role(f)))}"
        for f in spectra
        if f not in used
    ]
    unused += [_comment(text) for text in broken]
    lines = _lines(discs, unused, propose_anatomy(folder, images), region, study_id)
    text = "".join(f"{line}\n" for line in lines)
    validate(tomllib.loads(text), StudyFile, FILE_NAME)
    remarks = [
        f"{f.level} run {f.run}: {f.name}, {_marked(f.naming.how)}" for f in discs if f.naming
    ]
    sites = [_site(f) for f in discs]
    remarks += sentences((*contradictions(sites), *doubts(sites)))
    remarks += [f"not used: {line}" for line in unused]
    n_guesses = sum(line.is_guess for line in lines)
    return Draft(text=text, n_discs=len(discs), n_guesses=n_guesses, remarks=tuple(remarks))


def _site(found: Found) -> Site:
    digests = tuple(digest for file in found.files if (digest := sha256(file)) is not None)
    return Site(
        level=found.level or "",
        run=found.run,
        affine=found.scan.voxel_affine,
        file_sha256=digests,
        noise=noise_print(found.scan.signal),
        named=found.scan.level_hint,
        subject=found.scan.identity.subject,
        frequency_mhz=found.scan.spectrometer_mhz,
    )


def _metabolites_and_waters(spectra: list[Found]) -> tuple[list[Found], list[Found]]:
    """Return the usable spectra of metabolites and of water.

    Of two at one place that both look like water, the far weaker one was suppressed, if weakly.
    """
    usable = [f for f in spectra if f.refused is None]
    metabolites = [f for f in usable if not f.is_water]
    for one in usable:
        others = [f for f in usable if f is not one and (_near(f, one) or _same_level(f, one))]
        least = STRONGER * gate.water_height(one.scan)
        weaker = any(f.is_water and gate.water_height(f.scan) > least for f in others)
        if one.is_water and weaker and not any(f in metabolites for f in others):
            one.is_water, one.unsure = False, True
            metabolites.append(one)
    if not metabolites:  # every file looks like water: let the names decide
        metabolites = [f for f in usable if not names_water(f.name)] or usable
    return metabolites, [f for f in usable if f not in metabolites]


def _same_level(a: Found, b: Found) -> bool:
    return a.centre is None and b.centre is None and a.level is not None and a.level == b.level


def _no_spectrum(folder: Path, spectra: list[Found], broken: list[str]) -> ReadError:
    why = [f"{f.name}: {words(f.refused)}" for f in spectra if f.refused] + broken
    more = f"; {len(why) - 1} more" if len(why) > 1 else ""
    return ReadError(
        folder,
        "holds no spectrum that can be analysed"
        + (f" ({why[0]}{more})" if why else "")
        + "; 'mrs-disc info FILE' tells what a file is",
    )


# --------------------------------------------------------------------------- what is there


def _search(folder: Path) -> tuple[list[Found], list[Path], list[str]]:
    """Return the acquisitions, the image files, and what could not be read."""
    series: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    images: list[Path] = []
    broken: list[str] = []
    for path in files_below(folder):
        try:
            if path.suffix.lower() in (*COMPANIONS, ".json", ".toml"):
                continue
            uid = dicom.sop_class(path)
            if is_spectroscopy(path):
                key = _series_key(path) if uid is not None else path.name
                series[path.parent, key].append(path)
            elif uid is not None or path.name.lower().endswith((".nii", ".nii.gz")):
                images.append(path)
        except ReadError as error:
            broken.append(str(error))
    found: list[Found] = []
    for (parent, _), files in series.items():
        try:
            made = _describe(folder, parent, files, series)
        except InputError as error:
            if finding_of(error).kind == "image":
                images.append(files[0])
            else:
                broken.append(str(error))
            continue
        found.append(made)
    return found, images, broken


def _series_key(path: Path) -> str:
    """Return what the files of one DICOM series have in common."""
    header = dicom_header(path, "SeriesInstanceUID")  # a broken file stands alone
    return str((header and header.get("SeriesInstanceUID")) or path.name)


def _describe(
    folder: Path, parent: Path, files: list[Path], series: dict[tuple[Path, str], list[Path]]
) -> Found:
    scan = read_series(files) if len(files) > 1 else read_scan(files[0])
    examined = gate.examine(scan)
    alone = sum(1 for place, _ in series if place == parent) == 1
    name = files[0].relative_to(folder).as_posix()
    if len(files) > 1 and alone and parent != folder:
        name = parent.relative_to(folder).as_posix()
    is_water = examined.is_water
    if is_water is None:
        is_water = names_water(files[0].stem) or names_water(parent.name)
    return Found(
        name=name,
        files=files,
        scan=scan,
        is_water=is_water,
        unsure=examined.is_water is None,
        refused=examined.first,
        missing=gate.missing(scan),
        naming=_named(folder, files[0], scan),
        run=run_in(files[0].stem),
    )


def _named(folder: Path, file: Path, scan: Scan) -> Naming | None:
    """Return the level that a file's name tells, or its folder's, or its series'."""
    for text in (file.stem, *(p.name for p in file.relative_to(folder).parents)):
        if (level := level_in(text)) is not None:
            return Naming(level, finding("level_by_name"))
    if scan.level_hint is not None:
        return Naming(scan.level_hint, finding("level_by_series"))
    return None


# --------------------------------------------------------------------------- levels by place


def _name_levels(found: list[Found]) -> str | None:
    """Give each disc without a name a level by its place; return the region that was guessed.

    Heuristic: files say where a voxel lies in the scanner, not beside which vertebra. Those at the
    place of a named disc take its level; the others are counted from a named disc, or else from
    the lowest disc of the region that their distance suggests.
    """
    for item in found:
        if item.naming is None:
            near = next((f for f in found if f.naming and _near(f, item)), None)
            if near is not None and near.naming is not None:
                item.naming = Naming(near.naming.level, finding("level_by_voxel"))
    unnamed = [f for f in found if f.naming is None]
    if not unnamed:
        return None
    anchor = next((f for f in found if f.naming is not None and f.centre is not None), None)
    places = _places(unnamed)
    spacing_mm, n_placed = _spacing(places)
    region, lowest = next((r, low) for limit, r, low in _REGIONS if spacing_mm < limit)
    taken = {f.level for f in found if f.level}
    levels = _levels_along(places, anchor, spacing_mm, lowest, taken)
    compared = anchor is not None or n_placed > 1
    how = finding("level_by_order" if compared else "level_lowest")
    for place, level in zip(places, levels, strict=True):
        for item in place:
            item.naming = Naming(level, how)
    return region if anchor is None else None


def _levels_along(
    places: list[list[Found]],
    anchor: Found | None,
    spacing_mm: float,
    lowest: str,
    taken: set[str],
) -> list[str]:
    """Return a level for each place, from foot to head, none twice.

    Steps are counted from the named `anchor`, or from the `lowest` disc at the lowest place.
    """
    heights = [float(p[0].centre[2]) for p in places if p[0].centre is not None]
    start, base = level_order(lowest), min(heights, default=0.0)
    if anchor is not None and anchor.level is not None and anchor.centre is not None:
        start, base = level_order(anchor.level), float(anchor.centre[2])
    levels: list[str] = []
    for rank, place in enumerate(places):
        centre = place[0].centre
        steps = rank if centre is None else round((float(centre[2]) - base) / max(spacing_mm, 8.0))
        order = min(max(start - steps, 0), level_order("L5-S1"))
        while LEVELS[order] in (*taken, *levels) and order > 0:
            order -= 1
        levels.append(LEVELS[order])
    return levels


def _spacing(places: list[list[Found]]) -> tuple[float, int]:
    """Return the median distance of neighbouring places, mm, and how many places are known.

    Of one place alone that of lumbar discs, which are measured most.
    """
    heights = sorted(float(p[0].centre[2]) for p in places if p[0].centre is not None)
    steps = np.diff(heights)
    return float(np.median(steps)) if len(steps) else LOIN_STEP_MM, len(heights)


def _places(found: list[Found]) -> list[list[Found]]:
    """Return acquisitions of one place together, from foot to head; unplaced ones alone, first."""
    places: list[list[Found]] = []
    for item in found:
        home = next((place for place in places if _near(place[0], item)), None)
        if home is None:
            places.append([item])
        else:
            home.append(item)

    def from_head(place: list[Found]) -> tuple[bool, float]:
        centre = place[0].centre
        return centre is None, 0.0 if centre is None else -float(centre[2])

    return sorted(places, key=from_head)[::-1]


def _near(a: Found, b: Found) -> bool:
    p, q = a.centre, b.centre
    return p is not None and q is not None and float(np.linalg.norm(p - q)) < SAME_PLACE_MM


def _number_runs(found: list[Found]) -> None:
    """Give the repeats of a level their run, in the order in which they were measured."""
    by_level: dict[str, list[Found]] = defaultdict(list)
    for item in sorted(found, key=lambda f: (f.scan.order, f.run, f.name)):
        by_level[item.level or ""].append(item)
    for items in by_level.values():
        for run, item in enumerate(items, start=1):
            item.run = run


def _pair(found: Found, waters: list[Found]) -> Found | None:
    """Return the water reference that fits best: same voxel and day, then near in name and time."""
    if found.scan.water is not None:
        return None
    fits = []
    for water in waters:
        dwell, other = found.scan.dwell_time_s, water.scan.dwell_time_s
        if dwell and other and abs(dwell - other) > 2e-3 * dwell:
            continue
        if gate.false_pair(found.scan, water.scan) is not None:
            continue
        if water.level is not None and water.level != found.level and not _near(found, water):
            continue
        if water.level is None and found.centre is None and len(waters) > 1:
            continue
        order = (found.scan.order or (0, 0))[0], (water.scan.order or (0, 0))[0]
        shared = sum(a == b for a, b in zip(found.name, water.name, strict=False))
        same_echo = found.scan.echo_time_s == water.scan.echo_time_s
        fits.append((not same_echo, abs(order[0] - order[1]), -shared, water.name, water))
    return min(fits, key=lambda f: f[:4])[4] if fits else None


# --------------------------------------------------------------------------- text


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the draft, with the finding or the plain remark that explains it."""

    text: str = ""
    why: Finding | str = ""

    @property
    def is_guess(self) -> bool:
        """Whether it has to be confirmed."""
        return isinstance(self.why, Finding) and self.why.about.role == "guess"

    def __str__(self) -> str:
        return f"{self.text:<38} # {_marked(self.why)}" if self.why else self.text


def _lines(
    discs: list[Found],
    unused: list[str],
    anatomy: Proposed | None,
    region: str | None,
    study_id: str | None,
) -> list[Line]:
    lines = [
        Line("# Draft by 'mrs-disc init'. Check every line marked GUESS, then: mrs-disc info ."),
        Line("# Take the names of persons out of file names before you share results."),
        Line("schema_version = 1"),
        Line(f"study_id = {toml_value(study_id)}")
        if study_id is not None
        else Line(f'study_id = "{DRAFT_ID}"', finding("study_unnamed")),
    ]
    if region:
        lines.append(Line(f"region = {toml_value(region)}", finding("region_by_spacing")))
    if anatomy:
        lines.append(Line(f"anatomy = {toml_value(anatomy.path)}", anatomy.finding))
    else:
        lines.append(Line('# anatomy = "t2_sagittal"', "no sagittal image was found"))
    for disc in discs:
        lines += _disc_lines(disc)
    lines += [
        Line(),
        Line("# [clinical]", "optional, free of names; shown, never scored"),
        Line('# referring_question = ""'),
        Line('# indication = ""'),
    ]
    if unused:
        lines += [Line(), Line("# Found and not used:"), *(Line(f"#   {u}") for u in unused)]
    return lines


def _disc_lines(disc: Found) -> list[Line]:
    assert disc.naming is not None
    lines = [
        Line(),
        Line("[[disc]]"),
        Line(f"level = {toml_value(disc.naming.level)}", disc.naming.how),
    ]
    if disc.naming.how.about.role == "guess":
        lines.append(Line("confirmed = false", "true, once level and image were compared"))
    if disc.run > 1:
        lines.append(Line(f"run = {disc.run}", finding("repeated")))
    unclear = disc.unsure and disc.water is None
    lines.append(Line(f"metabolite = {_files(disc)}", finding("role_unclear") if unclear else ""))
    if disc.water is not None:
        lines.append(Line(f"water = {_files(disc.water)}", finding("water_paired")))
    elif disc.scan.water is not None:
        lines.append(Line("# water: the file holds its own"))
    else:
        lines.append(Line('# water = ""', "no reference was found"))
    if disc.missing:
        lines.append(Line("[disc.acquisition]", "the file does not say:"))
        lines += [Line(f"# {absent.subject} = ") for absent in disc.missing]
    lines.append(Line("# [disc.morphology]"))
    lines.append(Line("# pfirrmann = 1", "1 to 5, as seen on the images"))
    return lines


def _marked(why: Finding | str) -> str:
    """Return what explains a line in words, a guess marked as one."""
    if isinstance(why, str):
        return why
    return f"GUESS: {words(why)}" if why.about.role == "guess" else words(why)


def _files(found: Found) -> str:
    if len(found.files) == 1 or found.name != _relative(found, 0):
        return toml_value(found.name)
    return toml_value([_relative(found, i) for i in range(len(found.files))])


def _relative(found: Found, index: int) -> str:
    folder = Path(found.name).parent
    return (folder / found.files[index].name).as_posix()


def _role(found: Found) -> Finding:
    return finding("spare_water" if found.is_water else "not_placed")


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
