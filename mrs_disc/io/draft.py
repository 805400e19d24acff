"""A commented draft of study.toml for a folder as it comes from a scanner or a PACS.

Spectra are told from images by content, series of one file per transient are kept together, water
references are paired by voxel, day and subject, repeats are numbered. What is not certain is
marked GUESS in the draft; nothing is decided in silence, nothing is overwritten.
"""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mrs_disc.data import LEVELS, level_order
from mrs_disc.errors import InputError, NoSuchPathError, OutputError, ReadError
from mrs_disc.files import write_whole
from mrs_disc.io import dicom, gate
from mrs_disc.io.acquire import false_pair
from mrs_disc.io.draft_images import propose_anatomy
from mrs_disc.io.names import COMPANIONS, level_in, names_water, run_in
from mrs_disc.io.readers import is_spectroscopy, read_scan, read_series
from mrs_disc.io.scan import Scan
from mrs_disc.io.study_toml import FILE_NAME, StudyFile
from mrs_disc.schema import validate
from mrs_disc.toml_text import toml_value

MAX_FILES = 50_000
_SAME_PLACE_MM = 6.0
_SPACING_MM = ((22.0, "cervical", "C6-C7"), (29.0, "thoracic", "T11-T12"), (1e9, "lumbar", "L5-S1"))
"""Distance of neighbouring discs below which a region is guessed, and its lowest disc."""


@dataclass(slots=True)
class Found:
    """One acquisition in the folder."""

    name: str
    files: list[Path]
    scan: Scan
    is_water: bool
    unsure: bool
    refused: str | None
    level: str | None = None
    level_from: str = ""
    run: int = 1
    water: Found | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def centre(self) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        """Centre of the voxel, mm, RAS."""
        affine = self.scan.voxel_affine
        return None if affine is None else np.asarray(affine[:3, 3], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The text of a study.toml, and what was found on the way."""

    text: str
    n_discs: int
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


def draft_study(folder: Path) -> Draft:
    """Return the draft for a folder.

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
    usable = [f for f in spectra if f.refused is None]
    metabolites = [f for f in usable if not f.is_water]
    if not metabolites and usable:  # every file looks like water: let the names decide
        metabolites = [f for f in usable if not names_water(f.name)] or usable
    if not metabolites:
        why = [f"{f.name}: {f.refused}" for f in spectra if f.refused] + broken
        raise ReadError(
            folder,
            "holds no spectrum that can be analysed"
            + (f" ({why[0]}{f'; {len(why) - 1} more' if len(why) > 1 else ''})" if why else "")
            + "; 'mrs-disc info FILE' tells what a file is",
        )
    waters = [f for f in usable if f not in metabolites]
    region = _name_levels(metabolites)
    _number_runs(metabolites)
    for found in metabolites:
        found.water = _pair(found, waters)
    metabolites.sort(key=lambda f: (level_order(f.level or "L5-S1"), f.run))
    left = [f for f in spectra if f not in metabolites and f not in [m.water for m in metabolites]]
    anatomy = propose_anatomy(folder, images)
    unused = [f"{_comment(f.name)}: {_comment(f.refused or _role(f))}" for f in left]
    unused += [_comment(text) for text in broken]
    text = _toml(metabolites, unused, anatomy, region)
    validate(tomllib.loads(text), StudyFile, FILE_NAME)
    remarks = [f"{f.level} run {f.run}: {f.name}, {f.level_from}" for f in metabolites]
    remarks += [f"not used: {line}" for line in unused]
    return Draft(text=text, n_discs=len(metabolites), remarks=tuple(remarks))


# --------------------------------------------------------------------------- what is there


def _search(folder: Path) -> tuple[list[Found], list[Path], list[str]]:
    """Return the acquisitions, the image files, and what could not be read."""
    series: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    images: list[Path] = []
    broken: list[str] = []
    for number, path in enumerate(_walk(folder)):
        if number >= MAX_FILES:
            raise InputError(f"{folder.name}: more than {MAX_FILES} files; name a smaller folder")
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
            if "is an image" in str(error):
                images.append(files[0])
            else:
                broken.append(str(error))
            continue
        found.append(made)
    return found, images, broken


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = Path(place) / name
            if not name.startswith(".") and name.isprintable() and path.is_file():
                yield path


def _series_key(path: Path) -> str:
    """Return what the files of one DICOM series have in common."""
    import pydicom

    try:
        found = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True)
        return str(found.get("SeriesInstanceUID") or path.name)
    except Exception:  # a broken file stands alone; reading it will say why
        return path.name


def _describe(
    folder: Path, parent: Path, files: list[Path], series: dict[tuple[Path, str], list[Path]]
) -> Found:
    scan = read_series(files) if len(files) > 1 else read_scan(files[0])
    findings = gate.examine(scan)
    alone = sum(1 for place, _ in series if place == parent) == 1
    name = files[0].relative_to(folder).as_posix()
    if len(files) > 1 and alone and parent != folder:
        name = parent.relative_to(folder).as_posix()
    is_water = findings.is_water
    unsure = is_water is None
    if is_water is None:
        is_water = names_water(files[0].stem) or names_water(parent.name)
    found = Found(
        name=name,
        files=files,
        scan=scan,
        is_water=bool(is_water),
        unsure=unsure,
        refused=findings.first,
        missing=gate.missing(scan),
    )
    stems = [files[0].stem] + [p.name for p in files[0].relative_to(folder).parents]
    for text in stems:
        if (level := level_in(text)) is not None:
            found.level, found.level_from = level, "level from the file's name"
            break
    else:
        if scan.level_hint is not None:
            found.level, found.level_from = scan.level_hint, "level from the series' name"
    found.run = run_in(files[0].stem)
    return found


# --------------------------------------------------------------------------- guesses


def _name_levels(found: list[Found]) -> str | None:
    """Give each disc without a name a level by its place; return the region that was guessed."""
    for other in found:
        if other.level is None:
            near = [f for f in found if f.level and _near(f, other)]
            if near:
                other.level, other.level_from = near[0].level, "level from the voxel's place"
    unnamed = [f for f in found if f.level is None]
    if not unnamed:
        return None
    named = [f for f in found if f.level is not None and f.centre is not None]
    groups = _places(unnamed)
    heights = sorted(float(g[0].centre[2]) for g in groups if g[0].centre is not None)
    steps = np.diff(heights)
    spacing = float(np.median(steps)) if len(steps) else 35.0
    region, lowest = next((r, low) for limit, r, low in _SPACING_MM if spacing < limit)
    start, base = level_order(lowest), min(heights, default=0.0)
    if named:
        anchor = named[0]
        assert anchor.level is not None and anchor.centre is not None  # noqa: PT018
        start, base = level_order(anchor.level), float(anchor.centre[2])
    taken = {f.level for f in found if f.level}
    compared = named or len(heights) > 1
    place_tells = "GUESS: level by the voxel's place, no name says it"
    nothing_tells = "GUESS: taken for the lowest disc, as neither name nor neighbour says it"
    for rank, group in enumerate(reversed(groups)):  # from foot to head
        centre = group[0].centre
        steps_up = rank if centre is None else round((float(centre[2]) - base) / max(spacing, 8.0))
        place = min(max(start - steps_up, 0), level_order("L5-S1"))
        while LEVELS[place] in taken and place > 0:
            place -= 1
        taken.add(LEVELS[place])
        for member in group:
            member.level = LEVELS[place]
            member.level_from = place_tells if compared else nothing_tells
    return None if named else region


def _places(found: list[Found]) -> list[list[Found]]:
    """Return acquisitions of one place together, from head to foot; unplaced ones alone, last."""
    groups: list[list[Found]] = []
    for item in found:
        home = next((g for g in groups if _near(g[0], item)), None)
        if home is None:
            groups.append([item])
        else:
            home.append(item)
    return sorted(
        groups,
        key=lambda g: (
            g[0].centre is None,
            -float(g[0].centre[2]) if g[0].centre is not None else 0,
        ),
    )


def _near(a: Found, b: Found) -> bool:
    p, q = a.centre, b.centre
    return p is not None and q is not None and float(np.linalg.norm(p - q)) < _SAME_PLACE_MM


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
        if false_pair(found.scan, water.scan) is not None:
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


def _toml(
    discs: list[Found],
    unused: list[str],
    anatomy: tuple[str, str] | None,
    region: str | None,
) -> str:
    lines = [
        "# Draft by 'mrs-disc init'. Check every line marked GUESS, then: mrs-disc info .",
        "# Take the names of persons out of file names before you share results.",
        "schema_version = 1",
        'study_id = "study-01"                  # GUESS: your identifier, free of names',
    ]
    if region:
        why = "by the voxels' distance, lumbar where there is none"
        lines.append(f"region = {toml_value(region)}                    # GUESS: {why}")
    if anatomy:
        lines.append(f"anatomy = {toml_value(anatomy[0])}   # GUESS: {anatomy[1]}")
    else:
        lines.append('# anatomy = "t2_sagittal"            # no sagittal image was found')
    for disc in discs:
        lines += _disc_lines(disc)
    lines += [
        "",
        "# [clinical]                             # optional, free of names; shown, never scored",
        '# indication = ""',
    ]
    if unused:
        lines += ["", "# Found and not used:", *(f"#   {line}" for line in unused)]
    return "\n".join(lines) + "\n"


def _disc_lines(disc: Found) -> list[str]:
    lines = ["", "[[disc]]", f"level = {toml_value(disc.level or '')}   # {disc.level_from}"]
    if disc.run > 1:
        lines.append(f"run = {disc.run}   # GUESS: measured again")
    unclear = disc.unsure and disc.water is None
    unsure = "   # GUESS: metabolites or water is not clear" if unclear else ""
    lines.append(f"metabolite = {_files(disc)}{unsure}")
    if disc.water is not None:
        lines.append(f"water = {_files(disc.water)}   # GUESS: same voxel, day and subject")
    elif disc.scan.water is not None:
        lines.append("# water: the file holds its own")
    else:
        lines.append('# water = ""                          # no reference was found')
    if disc.missing:
        lines.append("[disc.acquisition]                    # the file does not say:")
        lines += [f"# {sentence.split('give ')[-1].split(' ')[0]} = " for sentence in disc.missing]
    lines += [
        "# [disc.morphology]",
        "# pfirrmann = 1                       # 1 to 5, as seen on the images",
    ]
    return lines


def _files(found: Found) -> str:
    if len(found.files) == 1 or found.name != _relative(found, 0):
        return toml_value(found.name)
    return toml_value([_relative(found, i) for i in range(len(found.files))])


def _relative(found: Found, index: int) -> str:
    folder = Path(found.name).parent
    return (folder / found.files[index].name).as_posix()


def _role(found: Found) -> str:
    return "water reference of no disc found" if found.is_water else "not placed"


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
