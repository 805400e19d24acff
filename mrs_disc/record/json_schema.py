"""The JSON schema of ``results.json``, with the explanations of the code.

It is made from the dataclasses of the record, and brought to the form of the file: what `file`
unpacks into parts is spread out again.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mrs_disc.record import findings, level, parts
from mrs_disc.record.file import frame_adapter, results_adapter


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``results.json``, each field explained where it is not plain."""
    schema, frame = results_adapter().json_schema(), frame_adapter().json_schema()
    kinds: dict[str, dict[str, Any]] = schema["$defs"]
    kinds["Results"] = schema
    for module in (parts, level, findings):
        for name, texts in _explanations(module).items():
            if name in kinds:  # pydantic 2.10 and older leave the words out
                kinds[name].setdefault("description", inspect.getdoc(getattr(module, name)))
            for field, text in texts.items():
                if field in kinds.get(name, {}).get("properties", {}):
                    kinds[name]["properties"][field]["description"] = text
    del kinds["Results"], schema["properties"]["review"]
    schema["properties"]["schema_version"] = frame["properties"]["schema_version"]
    _spread(schema, "files", kinds.pop("Files")["properties"])
    schema["required"] = [*schema["required"], "schema_version", "inputs", "signals"]
    maker = kinds.pop("Scanner")["properties"]
    _spread(kinds["Protocol"], "scanner", maker | {"scanner": maker.pop("model")})
    ratio = kinds.pop("LikelihoodRatio")
    _spread(kinds["DiscScore"], "evidence", _flat_ratio(ratio))
    measured = kinds.pop("Measured")["properties"]
    measured["quantities"] = kinds["Quantities"]["properties"].pop("values")
    measured["quantification"] = {"$ref": "#/$defs/Quantities"}
    _spread(kinds["Quantities"], "sums", {})  # the file has them among the factors
    kinds["Quantities"]["required"] = []
    of_level = kinds["Level"]["properties"]
    del of_level["review"]
    null = {name: of_level[name] for name in ("concordance", "findings")} | measured
    null = {name: {"anyOf": [part, {"type": "null"}]} for name, part in null.items()}
    _spread(kinds["Level"], "measured", frame["$defs"]["_Entry"]["properties"] | null)
    for name in ("Act", "LevelReview", "Named", "Review", "Sum", "Sums", "Written"):
        kinds.pop(name, None)
    return schema


def _flat_ratio(ratio: Mapping[str, Any]) -> dict[str, Any]:
    """Return the likelihood ratio's fields under the names that the file has."""
    fields = {name: dict(part) for name, part in ratio["properties"].items()}
    value = fields["value"]
    words = {"description": value.pop("description", ratio.get("description", ""))}
    fields["value"] = {"anyOf": [value, {"type": "null"}]} | words
    return {
        "likelihood_ratio": fields["value"],
        "likelihood_ratio_low": fields["low"],
        "likelihood_ratio_high": fields["high"],
    }


def _spread(kind: dict[str, Any], name: str, properties: Mapping[str, Any]) -> None:
    """Put properties instead of the one that holds them in memory."""
    del kind["properties"][name]
    kind["properties"] |= properties
    kind["required"] = [field for field in kind.get("required", ()) if field != name]


def _explanations(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the text below each field of a module's classes: class to field to text."""
    by_class: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            texts = by_class.setdefault(node.name, {})
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    texts[ast.unparse(field.target)] = ast.literal_eval(text.value)
    return by_class
