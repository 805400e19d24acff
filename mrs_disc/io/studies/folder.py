"""A folder whose scanner files name their level, for example ``L4-L5_press.dat``."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from mrs_disc.data import LEVELS, Study
from mrs_disc.errors import InputError
from mrs_disc.io.formats.readers import is_spectroscopy
from mrs_disc.io.names import COMPANIONS, level_in, names_water, run_in
from mrs_disc.io.studies.disc_files import DiscFiles, spectra
from mrs_disc.io.studies.neutral import neutral_id
from mrs_disc.record.findings import finding

_SKIPPED = {".json", ".toml", ".tsv", ".txt", ".md", ".shf", ".html", ".csv", *COMPANIONS}


def discs(folder: Path) -> list[DiscFiles]:
    """Return the discs of a folder by the names of its files and folders.

    Raises
    ------
    InputError
        If a level has several files that the names do not tell apart.
    """
    found: dict[tuple[str, int], dict[bool, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.iterdir()):
        level = level_in(path.name if path.is_dir() else path.stem)
        if level is None or path.name.startswith(".") or path.suffix.lower() in _SKIPPED:
            continue
        # A file that may not be opened counts: left out in silence, its water would stand for it.
        if path.is_dir() or is_spectroscopy(path) or not os.access(path, os.R_OK):
            found[level, run_in(path.stem)][names_water(path.stem)].append(path.name)
    runs = [level for level, _ in found]
    result = []
    for (level, run), files in found.items():
        metabolite, water = files.get(False, []), files.get(True, [])
        if not metabolite:
            metabolite, water = water, []
        if len(metabolite) > 1 or len(water) > 1:
            several = ", ".join(metabolite if len(metabolite) > 1 else water)
            raise InputError(
                f"{level} run {run}: several files ({several}). Put a series of one file per "
                "transient into a folder of its own, or write study.toml with 'mrs-disc init'."
            )
        result.append(
            DiscFiles(
                level=level,
                run=run,
                many_runs=runs.count(level) > 1,
                folder=folder,
                metabolite=tuple(metabolite),
                water=tuple(water),
                findings=(
                    finding("level_by_name", level),
                    *([finding("water_by_name", "water")] if water else []),
                ),
            )
        )
    return sorted(result, key=lambda d: (LEVELS.index(d.level), d.run))


def image(folder: Path) -> None:
    """Return nothing: a folder alone names no image."""


def read(folder: Path) -> Study:
    """Return the study of a folder; no signal is read.

    Nobody gave it an id, and the folder may bear the patient's name: its id is made of its content.

    Raises
    ------
    InputError
        If no file or folder in it names a level.
    """
    found = discs(folder)
    if not found and (folder / "results.json").is_file():
        raise InputError(
            f"{folder.name or folder}: holds results, not scanner files: 'mrs-disc report' renders "
            "them again, 'mrs-disc review' opens them"
        )
    if not found:
        raise InputError(
            f"{folder.name or folder}: no study. Expected study.toml, a BIDS folder (sub-01), or "
            "scanner files that name their level (L4-L5_press.dat). "
            "'mrs-disc init' drafts study.toml for a folder of scanner files."
        )
    return Study(study_id=neutral_id(spectra(found)), discs=tuple(d.entry() for d in found))
