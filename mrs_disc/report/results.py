"""The record of an analysis: ``results.json`` as plain data, in one canonical spelling.

Decision: the file is built from plain dictionaries in the order of the contract, so that writing it
needs neither pydantic nor a plotting library; the schema that reads it back is in `schema`. Equal
reports give equal bytes: fixed order of keys, floats of 10 significant digits, no NaN, no clock.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np

from mrs_disc._version import __version__
from mrs_disc.constants import Z95_ONE_SIDED
from mrs_disc.data import (
    FitResult,
    InputFile,
    LevelReport,
    Quantities,
    Quantity,
    StudyReport,
)
from mrs_disc.recipe import resolved
from mrs_disc.report.anatomy import drawn
from mrs_disc.typing import FloatArray

SCHEMA_VERSION = "1"
SIGNALS_NAME = "signals.npz"
RESULTS_NAME = "results.json"
DEPENDENCIES = ("numpy", "scipy", "nibabel", "spec2nii", "pydantic", "threadpoolctl")
"""Packages whose version may change a number."""
_IN_EVERY_ANALYSIS = ("numpy", "scipy", "pydantic", "threadpoolctl")


_FLOAT, _INTEGER = (float, np.floating), (int, np.integer)
_PLAIN = (str, bool, type(None))


def results_from(report: StudyReport, signals_sha256: str | None = None) -> dict[str, Any]:
    """Return the content of ``results.json``.

    Parameters
    ----------
    report : StudyReport
        From `analyze`.
    signals_sha256 : str, optional
        SHA-256 of the ``signals.npz`` that is written beside it.
    """
    record = {
        "schema_version": SCHEMA_VERSION,
        "study_id": report.study_id,
        "software": {
            "name": "mrs_disc",
            "version": __version__,
            "dependencies": dict(dependency_versions()),
        },
        "recipe": resolved(report.recipe),
        "recipe_sha256": report.recipe_sha256,
        "models": dict(report.models),
        "inputs": _inputs(file for level in report.levels for file in level.inputs),
        "signals": {"file": SIGNALS_NAME, "sha256": signals_sha256},
        "completeness": report.completeness,
        "impression": report.impression,
        "notices": (*report.notices, *_anatomy_notices(report)),
        "clinical": report.clinical,
        "levels": [_level(level) for level in report.levels],
        "comparison": report.comparison,
        "score_model_card": report.score_model_card,
    }
    cleaned: dict[str, Any] = plain(record)
    return cleaned


@lru_cache(maxsize=1)
def dependency_versions() -> tuple[tuple[str, str], ...]:
    """Return Python and the packages that an analysis rests on, with their versions."""
    # every analysis has loaded these; to look up and parse their metadata takes 5 ms
    loaded = {n: sys.modules[n].__version__ for n in _IN_EVERY_ANALYSIS if n in sys.modules}
    found = [("python", ".".join(str(n) for n in sys.version_info[:3]))]
    for name in DEPENDENCIES:
        try:
            found.append((name, loaded.get(name) or metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def level_key(level: str, run: int) -> str:
    """Return the name of a level's files and arrays.

    >>> level_key("L4-L5", 1), level_key("L4-L5", 2)
    ('L4-L5', 'L4-L5_run-2')
    """
    return level if run == 1 else f"{level}_run-{run}"


def voxel_affines(report: StudyReport) -> dict[str, FloatArray]:
    """Return where the measured voxels lie, by the level's key; without those not known."""
    found = {}
    for level in report.levels:
        if level.measurement is None:
            continue
        affine = level.measurement.preprocessed.protocol.voxel_affine
        if affine is not None and affine.shape == (4, 4) and np.all(np.isfinite(affine)):
            found[level_key(level.level, level.run)] = affine
    return found


def _anatomy_notices(report: StudyReport) -> tuple[str, ...]:
    """Say where the anatomy image, or a voxel in it, is not shown; a figure only leaves it out."""
    if all(level.measurement is None for level in report.levels):
        return ()
    _, _, notice = drawn(report.anatomy, voxel_affines(report))
    return (notice,) if notice else ()


def canonical_json(record: Mapping[str, Any]) -> bytes:
    """Return a record in its one spelling: a line for each top-level key and each level."""
    lines = []
    for key, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n  ".join(_compact(row) for row in value)
            lines.append(f"{_compact(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f"{_compact(key)}: {_compact(value)}")
    return ("{\n " + ",\n ".join(lines) + "\n}\n").encode()


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; floats of 10 significant digits, what is not finite null."""
    if isinstance(value, _FLOAT):  # most are
        return (float(f"{value:.10g}") + 0.0) if math.isfinite(value) else None
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, _INTEGER):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    return str(value)


def _inputs(files: Iterable[InputFile]) -> list[dict[str, Any]]:
    unique = {(f.path, f.sha256): f for f in files}
    return [{"path": f.path, "sha256": f.sha256, "reader": f.reader} for f in unique.values()]


_NULL_LEVEL = (
    "protocol",
    "quality",
    "fit",
    "quantities",
    "score",
    "morphology",
    "provocation",
    "concordance",
    "history",
    "water_protocol",
    "quantification",
    "notes",
)


def _level(level: LevelReport) -> dict[str, Any]:
    head = {"level": level.level, "run": level.run}
    if level.measurement is None:
        error = level.failure or {"stage": "measure", "message": "no result"}
        return head | {"status": "failed", "error": error} | dict.fromkeys(_NULL_LEVEL)
    measurement = level.measurement
    pre = measurement.preprocessed
    return head | {
        "status": "ok",
        "error": None,
        "protocol": _protocol(pre.protocol),
        "quality": measurement.quality,
        "fit": _fit(measurement.fit),
        "quantities": {n: _quantity(q) for n, q in measurement.quantities.values.items()},
        "score": level.score,
        "morphology": level.morphology,
        "provocation": level.provocation,
        "concordance": level.concordance,
        "history": pre.fid.history,
        "water_protocol": None if pre.water_protocol is None else _protocol(pre.water_protocol),
        "quantification": _quantification(measurement.quantities),
        "notes": pre.notes,
    }


def _protocol(protocol: Any) -> dict[str, Any]:
    return {f.name: getattr(protocol, f.name) for f in fields(protocol) if f.name != "voxel_affine"}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    if quantity.value is None or not math.isfinite(quantity.value):
        none = {"value": None, "reason": quantity.reason or "reason not stated"}
        bounded = {"high": quantity.high, "limit": quantity.limit}
        return none if quantity.high is None else none | bounded
    names = ("value", "sd", "low", "high", "limit", "unit", "how")
    return {name: getattr(quantity, name) for name in names}


def _quantification(quantities: Quantities) -> dict[str, Any]:
    return {
        "merged_laal": quantities.merged_laal,
        "factors": quantities.factors,
        "names": quantities.names,
        "covariance": quantities.covariance,
    }


def _fit(fit: FitResult) -> dict[str, Any]:
    sd, percent = fit.sd, fit.crlb_percent
    metabolites = {
        name: {
            "amplitude": fit.amplitude[k],
            "sd": sd[k],
            **_interval(fit, k, float(sd[k])),
            "crlb_percent": percent[k],
            "ppm": fit.ppm[k],
            "linewidth_hz": fit.linewidth_hz[k],
        }
        for k, name in enumerate(fit.names)
    }
    scale = np.where(sd > 0, sd, 1.0)
    return {
        "model": fit.model,
        "converged": fit.converged,
        "metabolites": metabolites,
        "correlation": {"names": fit.names, "matrix": fit.covariance / np.outer(scale, scale)},
        "residual_ratio": fit.residual_ratio,
        "residual_whiteness_p": fit.residual_whiteness_p,
        "reason": fit.reason,
        "window_ppm": fit.window_ppm,
        "quality_peak": fit.quality_peak,
        "noise_sd": fit.noise_sd,
        "spectrum_noise_sd": fit.spectrum_noise_sd,
        "phase_rad": fit.phase_rad,
        "delay_s": fit.delay_s,
        "reference_shift_ppm": fit.reference_shift_ppm,
    }


def _interval(fit: FitResult, k: int, sd: float) -> dict[str, Any]:
    """Return the 95 % interval; one-sided from zero where the amplitude is below two sd."""
    if fit.amplitude[k] >= 2 * sd:
        return {"low": fit.low[k], "high": fit.high[k], "limit": None}
    one_sided = max(float(fit.amplitude[k]), 0.0) + Z95_ONE_SIDED * sd
    return {"low": 0.0, "high": fit.high[k] if fit.low[k] >= 0 else one_sided, "limit": "upper"}
