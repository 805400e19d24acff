"""`mrs-disc info`: what is there, what is missing, what would go wrong; never writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mrs_disc.words import counted


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def command(path: Path, as_json: bool) -> int:
    """Describe PATH: a scanner file, a study or a dataset.

    Exit status 3: of a study, a dataset or a folder something cannot be analysed, as it is said.

    Example: mrs-disc info sample_data/lumbar_sdat
    """
    from mrs_disc.io.describe import describe

    found = describe(path)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        for line in lines(found):
            click.echo(line)
    return 0 if all_can_be_analysed(found) else 3


def all_can_be_analysed(found: dict[str, Any]) -> bool:
    """Say whether nothing of a study, dataset or folder would be refused; a file is described."""
    if "files" in found:
        return all(entry["format"] is not None for entry in found["files"])
    return all(part["analysable"] for part in found.get("studies", found.get("levels", [])))


def lines(found: dict[str, Any]) -> list[str]:
    """Return a description in words, one fact a line, the summary first."""
    if "studies" in found:
        return _dataset(found)
    if "files" in found:
        return _folder(found)
    if "levels" not in found:
        return [found["path"], *(f"  {line}" for line in _entry(found))]
    return _study(found)


def _dataset(found: dict[str, Any]) -> list[str]:
    unread = sum(not study["analysable"] for study in found["studies"])
    rest = f"; {unread} of them cannot be read" if unread else ""
    result = [f"{found['dataset']}: dataset of {counted(found['n_studies'], 'study')}{rest}"]
    for study in found["studies"]:
        result.append(f"  {study['path']}: {', '.join(study['levels']) or 'nothing to read'}")
        result += [f"    problem: {problem}" for problem in study["problems"]]
    return result


def _folder(found: dict[str, Any]) -> list[str]:
    files, images = found["files"], found["images"]
    of_images = f", {counted(len(images), 'image')} ({_few(images)})" if images else ", no image"
    result = [f"{found['folder']}: {counted(len(files), 'spectroscopy file')}{of_images}"]
    result += [f"  {_series(one)}" for one in found["series"]]
    shared, own = _without_repeats([_entry(entry) for entry in files])
    result += [f"  in each: {line}" for line in shared]
    groups: dict[tuple[str, ...], list[str]] = {}
    for entry, left in zip(files, own, strict=True):
        groups.setdefault(tuple(left), []).append(entry["path"])
    for left_of_all, names in groups.items():
        result += [f"  {_few(names)}", *(f"    {line}" for line in left_of_all)]
    return result


def _series(one: dict[str, Any]) -> str:
    number = "without a number" if one["number"] is None else one["number"]
    named = f", {one['description']}" if one["description"] else ""
    kind = {"spectroscopy": "spectroscopy file", "image": "image", "other": "other object"}
    return f"series {number}{named}: {counted(one['n_files'], kind[one['holds']])}"


def _study(found: dict[str, Any]) -> list[str]:
    levels = found["levels"]
    ready = [entry for entry in levels if entry["analysable"]]
    of = "all of them" if len(ready) == len(levels) else f"{len(ready)} of them"
    n_water = sum(bool(e["water"] or e.get("n_water_transients")) for e in levels)
    water = {0: "no water reference", len(levels): "each with water"}.get(
        n_water, f"{n_water} with water"
    )
    enough = "enough for CPT 0609T" if found["enough_levels"] else "CPT 0609T asks for three"
    result = [
        f"{found['study_id']}: study of {counted(len(levels), 'disc')}, {water}, "
        f"{'with an image' if found['anatomy'] else 'no image'}",
        f"  can be analysed: {of} ({enough})",
    ]
    shared, own = _without_repeats([_entry(entry) for entry in levels])
    result += [f"  in each: {line}" for line in shared]
    for entry, left in zip(levels, own, strict=True):
        run = f" run {entry['run']}" if entry["run"] > 1 else ""
        beside = f", water {_names(entry['water'])}" if entry["water"] else ""
        result.append(f"  {entry['level']}{run}: {_names(entry['path'])}{beside}")
        result += [f"    {line}" for line in left]
    told = {f"{e['level']}: {problem}" for e in levels for problem in e["problems"]}
    return result + [f"  problem: {p}" for p in found["problems"] if p not in told]


def _without_repeats(entries: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the lines that all entries share, in their order, and what each has of its own.

    One that cannot be read has nothing to share, and is not asked.
    """
    read = [entry for entry in entries if not all(x.startswith("problem: ") for x in entry)]
    if len(read) < 2:
        return [], entries
    shared = [line for line in read[0] if all(line in entry for entry in read)]
    return shared, [[line for line in entry if line not in shared] for entry in entries]


def _few(names: list[str], most: int = 6) -> str:
    """Return names on one line, of many the first and the last."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{names[0]}, {names[1]} … {names[-1]} ({len(names)} alike)"


def _names(path: str | list[str]) -> str:
    return path if isinstance(path, str) else f"{path[0]} and {len(path) - 1} more"


def _entry(entry: dict[str, Any]) -> list[str]:
    if entry.get("format") is None:
        return [f"problem: {problem}" for problem in entry["problems"]]
    size, n_water = entry["voxel_size_mm"], entry.get("n_water_transients")
    voxel = " x ".join(f"{v:.3g}" for v in size) + " mm" if size else "voxel not stated"
    kind = {True: "unsuppressed water", False: "metabolites", None: "water or metabolites"}
    return [
        f"{entry['format']} (read by {entry['reader']}), {kind[entry['is_water']]}",
        f"{entry['nucleus'] or 'nucleus not stated'}, "
        f"{_value(entry['spectrometer_mhz'], 'MHz', 'frequency ')}, "
        f"dwell time {_value(entry['dwell_time_s'], 's')}",
        f"{entry['n_points']} points x {counted(entry['n_coils'], 'coil')} x "
        f"{counted(entry['n_transients'], 'transient')}"
        + (f", with its own water reference of {n_water}" if n_water else ""),
        f"{entry['sequence'] or 'sequence not stated'}, TE {_value(entry['echo_time_s'], 's')}, "
        f"TR {_value(entry['repetition_time_s'], 's')}, {voxel}, "
        f"{entry['manufacturer'] or 'maker not stated'}",
        *(f"note: {note}" for note in entry.get("notes", [])),
        *(f"problem: {problem}" for problem in entry["problems"]),
    ]


def _value(value: float | None, unit: str, name: str = "") -> str:
    """Return a value with its unit; a `name` stands where it has to be said what is missing."""
    return f"{name}not stated" if value is None else f"{value:.7g} {unit}"
