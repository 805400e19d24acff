"""``results.json``: the record of a study in its one spelling, written and read back.

Equal records give equal bytes: fixed order of keys, floats of 10 significant digits, no NaN, no
clock. A file is checked against the dataclasses of the record themselves, before anything is drawn
from it; unknown keys and kinds of findings are passed over, so that an older version reads what a
newer one wrote.

Decision: the file is flat where its readers expect it so (a level's parts side by side, the sums
among the factors); `_packed` and `_unpacked` are the only two places that know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import read_bytes
from mrs_disc.record.findings import Finding
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import NOT_SCORED, DiscScore, Protocol, Quantities, Quantity
from mrs_disc.record.wording import KINDS
from mrs_disc.schema import explain

SCHEMA_VERSION: Literal["1"] = "1"
RESULTS_NAME = "results.json"

# --------------------------------------------------------------------------- writing


def canonical_json(results: Results | Mapping[str, Any]) -> bytes:
    """Return a record in its one spelling: a line for each top-level key and each level."""
    record = as_json(results) if isinstance(results, Results) else results
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


def as_json(results: Results) -> dict[str, Any]:
    """Return the content of ``results.json``, in the order of the file; not what a review says."""
    files = {
        "inputs": [_fields(file, but=("role",)) for file in results.files.inputs],
        "signals": results.files.signals,
    }
    record: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    record |= _spread(_fields(results, but=("review",)), "files", files)
    record["levels"] = [_packed(one) for one in results.levels]
    cleaned: dict[str, Any] = plain(record)
    return cleaned


def _fields(part: Any, but: Iterable[str] = ()) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in fields(part) if f.name not in but}


def _spread(content: dict[str, Any], name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with parts instead of the one that holds them."""
    spread: dict[str, Any] = {}
    for key, value in content.items():
        spread |= parts if key == name else {key: value}
    return spread


def _protocol(protocol: Protocol | None) -> dict[str, Any] | None:
    if protocol is None:
        return None
    maker = protocol.scanner
    names = {
        "manufacturer": maker.manufacturer,
        "scanner": maker.model,
        "software": maker.software,
    }
    return _spread(_fields(protocol), "scanner", names)


_NOTICED = ("findings",)
"""What a part notices on the way; the file has it among the findings of the level."""
_MEASURED = ("protocol", "quality", "fit", "quantities", "score", "history", "water_protocol")


def _packed(level: Level) -> dict[str, Any]:
    """Return a level as the file has it: of a failed one all but its error is null."""
    measured = level.measured
    head = {
        "level": level.level,
        "run": level.run,
        "status": "failed" if measured is None else "ok",
        "error": _fields(level.failure, _NOTICED) if measured is None else None,
    }
    if measured is None:
        names = ("protocol", "quality", "fit", "quantities", "score", "morphology", "provocation")
        more = ("concordance", "tissue", "history", "water_protocol", "quantification", "notes")
        noticed = (*level.findings, *level.failure.findings)
        return head | dict.fromkeys((*names, *more)) | {"findings": noticed or None}
    score = None if measured.score is NOT_SCORED else _score(measured.score)
    return head | {
        "protocol": _protocol(measured.protocol),
        "quality": _fields(measured.quality, _NOTICED),
        "fit": measured.fit,
        "quantities": {n: _quantity(q) for n, q in measured.quantities.values.items()},
        "score": score,
        "morphology": level.morphology,
        "provocation": level.provocation,
        "concordance": level.concordance,
        "tissue": level.tissue,
        "history": measured.history,
        "water_protocol": _protocol(measured.water_protocol),
        "quantification": quantification_json(measured.quantities),
        "notes": measured.notes,
        "findings": (
            *level.findings,
            *measured.quality.findings,
            *measured.score.findings,
        ),
    }


_RATIO = "likelihood_ratio"


def _score(score: DiscScore) -> dict[str, Any]:
    """Return a score as the file has it: its likelihood ratio and interval side by side."""
    ratio = score.evidence
    flat = {
        _RATIO: ratio and ratio.value,
        f"{_RATIO}_low": ratio and ratio.low,
        f"{_RATIO}_high": ratio and ratio.high,
    }
    return _spread(_fields(score, _NOTICED), "evidence", flat)


def _unpacked_score(entry: Any) -> Any:
    """Return a score in the form of `DiscScore`; of a first version too, which had `evidence`."""
    if not isinstance(entry, Mapping) or _RATIO not in entry:
        return entry
    names = {_RATIO: "value", f"{_RATIO}_low": "low", f"{_RATIO}_high": "high"}
    ratio = {own: entry.get(name) for name, own in names.items()}
    content = {n: v for n, v in entry.items() if n not in names}
    return content if ratio["value"] is None else content | {"evidence": ratio}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    if quantity.value is None or not math.isfinite(quantity.value):
        none = {"value": None, "reason": quantity.reason or "reason not stated"}
        bounded = {"high": quantity.high, "limit": quantity.limit}
        return none if quantity.high is None else none | bounded
    return _fields(quantity, but=("reason",))


def quantification_json(quantities: Quantities) -> dict[str, Any]:
    """Return how amplitudes became quantities, as the file has it."""
    sums = {}
    if quantities.sums is not None:
        covariance = quantities.sums.covariance_acidity_structure
        known = {} if covariance is None else {"covariance_acidity_structure": covariance}
        sums = {"sums": {**quantities.sums.of, **known}}
    return {
        "merged_laal": quantities.merged_laal,
        "factors": {**sums, **quantities.factors},
        "names": quantities.names,
        "covariance": quantities.covariance,
    }


_FLOAT, _INTEGER = (float, np.floating), (int, np.integer)
_PLAIN = (str, bool, type(None))


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; floats of 10 significant digits, what is not finite null."""
    kind = type(value)  # most are one of few; the rest goes the slow way
    if kind is float or isinstance(value, _FLOAT):
        return (float(f"{value:.10g}") + 0.0) if math.isfinite(value) else None
    if kind is dict:
        return {str(k): plain(v) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [plain(v) for v in value]
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
    if isinstance(value, PurePath):
        return value.name  # a folder may bear a person's name
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    return str(value)


# --------------------------------------------------------------------------- reading


def read_results(path: Path) -> Results:
    """Read and check ``results.json``.

    Raises
    ------
    ReadError
        If it is absent, not JSON, or not a record of this kind.
    """
    return results_of(read_record(path), path)


def results_of(record: Mapping[str, Any], path: Path) -> Results:
    """Return a checked record from the content of a file; `path` names it in messages."""
    if record.get("schema_version") not in (SCHEMA_VERSION, None):
        raise ReadError(
            path,
            f"has schema_version {record['schema_version']!r}, this version of mrs-disc reads "
            f"'{SCHEMA_VERSION}': analyse the study again, or use the version that wrote it",
        )
    try:
        frame_adapter().validate_python(record)
        return results_adapter().validate_python(_unpacked(record))
    except ValidationError as error:
        words = explain(
            error, None, RESULTS_NAME, hidden=("measured", "values", "of", "files", "model")
        )
        raise ReadError(path, words.partition(": ")[2]) from None


@dataclass(frozen=True)
class _Entry:
    """What a file says of a level beside its parts."""

    status: Literal["ok", "failed"]
    """Whether it could be measured."""


@dataclass(frozen=True)
class _Frame:
    """What a file says beside the record."""

    schema_version: Literal["1"]
    levels: Annotated[tuple[_Entry, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def results_adapter() -> TypeAdapter[Results]:
    """Return what checks a record in the form of `Results`."""
    return TypeAdapter(Results)


@lru_cache(maxsize=1)
def frame_adapter() -> TypeAdapter[_Frame]:
    """Return what checks the rest of a file."""
    return TypeAdapter(_Frame)


def _unpacked(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a file in the form of `Results`."""
    content = {name: value for name, value in record.items() if name != "review"}
    content["files"] = {n: record[n] for n in ("inputs", "signals") if n in record}
    content["levels"] = [_unpacked_level(entry) for entry in record["levels"]]
    return content | _known_findings(record)


def _unpacked_level(entry: Mapping[str, Any]) -> dict[str, Any]:
    taken = ("review", "error", "morphology", "provocation", "concordance", *_MEASURED, "notes")
    content = {n: v for n, v in entry.items() if n not in taken} | _known_findings(entry)
    content |= {n: entry[n] for n in taken[1:5] if entry.get(n) is not None}
    if entry["status"] == "ok" and all(entry.get(name) is not None for name in _MEASURED[:4]):
        measured = {n: entry[n] for n in (*_MEASURED, "notes") if entry.get(n) is not None}
        for name in ("protocol", "water_protocol"):
            if isinstance(measured.get(name), Mapping):
                measured[name] = _unpacked_protocol(measured[name])
        if "score" in measured:
            measured["score"] = _unpacked_score(measured["score"])
        content["measured"] = measured | {"quantities": _unpacked_quantities(entry)}
    return content


def _unpacked_protocol(entry: Mapping[str, Any]) -> dict[str, Any]:
    scanner = {"manufacturer": "manufacturer", "scanner": "model", "software": "software"}
    return {n: v for n, v in entry.items() if n not in scanner} | {
        "scanner": {own: entry.get(name) for name, own in scanner.items()}
    }


def _unpacked_quantities(entry: Mapping[str, Any]) -> dict[str, Any]:
    content = dict(entry.get("quantification") or {}) | {"values": entry["quantities"]}
    factors = content.get("factors")
    if isinstance(factors, Mapping) and isinstance(factors.get("sums"), Mapping):
        content["factors"] = {n: v for n, v in factors.items() if n != "sums"}
        sums = dict(factors["sums"])
        covariance = sums.pop("covariance_acidity_structure", None)
        content["sums"] = {"of": sums, "covariance_acidity_structure": covariance}
    return content


def _known_findings(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the findings whose kinds this version knows; a file may be newer, or older."""
    noticed = part.get("findings") or ()
    known = [n for n in noticed if not isinstance(n, Mapping) or n.get("kind") in KINDS]
    return {"findings": [_restored(n) for n in known]}


def _restored(noticed: Any) -> Any:
    """Return a finding with those among its values, of which its sentence is made."""
    if not isinstance(noticed, Mapping) or not isinstance(noticed.get("values"), Mapping):
        return noticed
    return dict(noticed) | {"values": {n: _inner(v) for n, v in noticed["values"].items()}}


def _inner(value: Any) -> Any:
    """Return a value of a finding, which may be a finding, or hold some in a list."""
    if isinstance(value, list):
        return [_inner(one) for one in value]
    if isinstance(value, Mapping) and set(value) == {"kind", "subject", "values"}:
        return Finding(**_restored(value)) if value["kind"] in KINDS else value
    return value


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON object of bounded size, without NaN or infinity."""
    try:
        content = read_bytes(path, RESULTS_NAME)
    except NoSuchPathError as error:
        if path.suffix != ".json":  # a name as it was typed, not one that was put together
            raise
        where = path.parent.name or "this folder"
        raise ReadError(path, f"is not in {where}; 'mrs-disc analyze' writes it") from error
    try:
        record = parsed(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(path, f"is not a valid results.json ({str(error)[:100]})") from None
    if not isinstance(record, dict):
        raise ReadError(path, "is not a results.json: an object is expected at its top")
    return record


def parsed(content: bytes) -> Any:
    """Return JSON; `ValueError` where it is none, or holds what is not finite."""
    text = content.decode("utf-8")
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)
