"""`mrs-disc info`: what is there, what is missing, what would go wrong; never writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def command(path: Path, as_json: bool) -> None:
    """Describe PATH: a scanner file, a study or a dataset.

    Example: mrs-disc info sample_data/lumbar_sdat
    """
    from mrs_disc.io.describe import describe

    found = describe(path)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return
    for line in lines(found):
        click.echo(line)


def lines(found: dict[str, Any]) -> list[str]:
    """Return a description in words, one fact a line."""
    if "studies" in found:
        result = [f"{found['dataset']}: dataset of {found['n_studies']} studies"]
        for study in found["studies"]:
            result.append(f"  {study['path']}: {', '.join(study['levels']) or 'nothing to read'}")
            result += [f"    problem: {problem}" for problem in study["problems"]]
        return result
    if "files" in found:
        result = [f"{found['folder']}: {_count(len(found['files']), 'spectroscopy file')}"]
        for entry in found["files"]:
            result += [f"  {entry['path']}", *(f"    {line}" for line in _entry(entry))]
        return result
    if "levels" not in found:
        return [found["path"], *(f"  {line}" for line in _entry(found))]
    result = [f"{found['study_id']}: study of {_count(len(found['levels']), 'disc')}"]
    for entry in found["levels"]:
        run = f" run {entry['run']}" if entry["run"] > 1 else ""
        result.append(f"  {entry['level']}{run}: {_names(entry['path'])}")
        if entry["water"]:
            result.append(f"    water: {_names(entry['water'])}")
        result += [f"    {line}" for line in _entry(entry)]
    told = {f"{e['level']}: {problem}" for e in found["levels"] for problem in e["problems"]}
    return result + [f"  problem: {p}" for p in found["problems"] if p not in told]


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
        f"{entry['n_points']} points x {_count(entry['n_coils'], 'coil')} x "
        f"{_count(entry['n_transients'], 'transient')}"
        + (f", with its own water reference of {n_water}" if n_water else ""),
        f"{entry['sequence'] or 'sequence not stated'}, TE {_value(entry['echo_time_s'], 's')}, "
        f"TR {_value(entry['repetition_time_s'], 's')}, {voxel}, "
        f"{entry['manufacturer'] or 'maker not stated'}",
        *(f"note: {note}" for note in entry.get("notes", [])),
        *(f"problem: {problem}" for problem in entry["problems"]),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _value(value: float | None, unit: str, name: str = "") -> str:
    """Return a value with its unit; a `name` stands where it has to be said what is missing."""
    return f"{name}not stated" if value is None else f"{value:.7g} {unit}"
