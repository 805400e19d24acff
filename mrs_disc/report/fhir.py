"""The report as a FHIR R4 bundle: a diagnostic report, and an observation for each level.

Codes are those of the DICOM output (`dicom_codes`): SNOMED CT and DCM by their FHIR addresses.
What has no standard code is named by its text alone, as FHIR asks where no code system is
published. The bundle names no patient: who stores it adds the subject.

Source: HL7 FHIR R4 (4.0.1), resources DiagnosticReport and Observation, https://hl7.org/fhir/R4.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import escape
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import Metabolite, Quantity
from mrs_disc.report import dicom_codes as codes
from mrs_disc.report.bands import bands_note
from mrs_disc.report.content import View, clinical_rows
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.methods import technique
from mrs_disc.report.said import addenda, automatic_lines, edited_words, impression_lines
from mrs_disc.report.words import harmless

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
}
_KINDS_OF_IDENTIFIER = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


def render(view: View) -> dict[str, bytes]:
    """Return ``report.fhir.json``."""
    results = view.results
    observed = {
        _address(view, level.key): _observation(view, level) for level in results.best.values()
    }
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final" if results.signed else "preliminary",
        "code": _concept(codes.DOCUMENT),
        "text": {"status": "generated", "div": _narrative(view)},
        **_examination(view),
        "result": [{"reference": address} for address in observed],
        "conclusion": " ".join([*impression_lines(results), *_added(results), RESEARCH_USE]),
    }
    entries = {_address(view, "report"): report, **observed}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries.items()],
    }
    text = json.dumps(bundle, indent=1, ensure_ascii=False, default=_marked)
    return {"report.fhir.json": (_MARKED.sub(r"\1", text) + "\n").encode()}


_MARK = "\u2063"
"""Invisible, and never in a text that is written here: `harmless` takes it out of the user's."""
_MARKED = re.compile(f'"{_MARK}([^"{_MARK}]*){_MARK}"')


def _marked(value: Decimal) -> str:
    """Return a decimal as `render` finds it again: json writes floats only, and drops zeros."""
    return f"{_MARK}{value}{_MARK}"


def _examination(view: View) -> dict[str, Any]:
    """Return day and accession number, where the user gave them."""
    given = view.results.clinical
    found: dict[str, Any] = {}
    if number := given.get("accession_number"):
        kind = {"system": _KINDS_OF_IDENTIFIER, "code": "ACSN", "display": "Accession ID"}
        found["identifier"] = [{"type": {"coding": [kind]}, "value": harmless(number, 64)}]
    if day := given.get("examination_date"):
        found["effectiveDateTime"] = harmless(day, 10)
    return found


def _added(results: Results) -> list[str]:
    return [f"{who}: {' '.join(lines)}" for who, lines in addenda(results)]


def _narrative(view: View) -> str:
    """Return the report in words, as XHTML: what was given, technique, findings, impression."""
    results = view.results
    findings = [finding_sentence(level, results) for level in results.best.values()]
    parts = {
        "Clinical information": [
            f"{name}: {said}" for name, said in clinical_rows(results.clinical)
        ],
        "Technique": [technique(results)],
        "Findings": [*findings, *filter(None, [bands_note(results)])],
        "Impression": [*impression_lines(results), *filter(None, [edited_words(results)])],
        "Addendum": _added(results),
        "Automatic impression": automatic_lines(results),
        "Limits": [RESEARCH_USE],
    }
    body = "".join(
        f"<p><b>{title}</b></p>" + "".join(f"<p>{escape(harmless(one, 4000))}</p>" for one in said)
        for title, said in parts.items()
        if said
    )
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'


def _address(view: View, what: str) -> str:
    """Return the address of a resource: of the record, its review and what it is."""
    review = view.results.review
    head = (review.head or "") if review is not None else ""
    origin = view.record_sha256 or view.results.recipe_sha256
    return f"urn:uuid:{uuid5(NAMESPACE_OID, '/'.join((origin, head, what)))}"


def _concept(concept: codes.Concept) -> dict[str, Any]:
    text = {"text": concept.meaning}
    if concept.scheme not in SYSTEMS:
        return text
    coding = {
        "system": SYSTEMS[concept.scheme], "code": concept.value, "display": concept.meaning,
    }  # fmt: skip
    return {"coding": [coding]} | text


def _observation(view: View, level: Level) -> dict[str, Any]:
    """Return what was measured and judged of one level."""
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final" if view.results.signed else "preliminary",
        "code": _concept(codes.PAIN_SCORE),
        "bodySite": _concept(codes.LEVELS[level.level]),
    }
    if level.measured is None:
        reason = {"system": _ABSENT, "code": "error"}
        told = harmless(level.failure.message, 600)
        return observation | {
            "dataAbsentReason": {"coding": [reason], "text": "not measured"},
            "note": [{"text": f"Not measured: {told}"}],
        }
    found = level.measured
    label = codes.LABELS[found.score.label]
    notes = [finding_sentence(level, view.results), *found.quality.reasons, *found.score.reasons]
    notes += [level.review.words] if level.review is not None and level.review.words else []
    observation["valueCodeableConcept"] = _concept(label)
    observation["note"] = [{"text": harmless(note, 1000)} for note in (*notes, RESEARCH_USE)]
    observation["component"] = [
        {
            "code": _concept(codes.QUALITY),
            "valueCodeableConcept": _concept(codes.VERDICTS[found.quality.verdict]),
        },
        *_numbers(level),
    ]
    return observation


def _numbers(level: Level) -> list[dict[str, Any]]:
    """Return a level's numbers; none of a poor spectrum, which are not to be used."""
    assert level.measured is not None
    found = level.measured
    numbers: list[dict[str, Any]] = []
    for concept, value, unit in (
        (codes.SNR, found.quality.snr, codes.NO_UNITS),
        (codes.LINEWIDTH, found.quality.linewidth_hz, codes.HERTZ),
    ):
        if value is not None:
            numbers.append(_component(concept, _amount(value, unit)))
    if found.quality.verdict == "poor":
        return numbers
    score = found.score
    if (evidence := score.evidence) is not None:
        concept = codes.LIKELIHOOD_RATIO
        numbers.append(_component(concept, _amount(evidence.value, codes.NO_UNITS)))
        numbers += _between(concept, evidence.low, evidence.high, codes.NO_UNITS)
    if score.value is not None:
        numbers.append(_component(codes.PAIN_PROBABILITY, _amount(score.value, codes.NO_UNITS)))
        numbers += _between(codes.PAIN_PROBABILITY, score.low, score.high, codes.NO_UNITS)
    for name, metabolite in found.fit.metabolites.items():
        concept = codes.amplitude_concept(name)
        numbers += _bounded(concept, metabolite.amplitude, metabolite, codes.ARBITRARY)
    for name, quantity in found.quantities.values.items():
        known = codes.quantity_concept(name)
        if known is not None and "/" in name and quantity.value is not None:
            unit = codes.unit_concept(quantity.unit)
            numbers += _bounded(known, quantity.value, quantity, unit)
    return numbers


def _bounded(
    concept: codes.Concept, value: float, found: Metabolite | Quantity, unit: codes.Concept
) -> list[dict[str, Any]]:
    """Return a value with its interval; an upper limit as such, never the estimate behind it."""
    if found.limit == "upper" and found.high is not None:
        return [_component(concept, _amount(found.high, unit) | {"comparator": "<"})]
    return [
        _component(concept, _amount(value, unit)),
        *_between(concept, found.low, found.high, unit),
    ]


def _component(concept: codes.Concept, amount: dict[str, Any]) -> dict[str, Any]:
    return {"code": _concept(concept), "valueQuantity": amount}


def _between(
    concept: codes.Concept, low: float | None, high: float | None, unit: codes.Concept
) -> list[dict[str, Any]]:
    """Return a 95 % interval."""
    if low is None or high is None:
        return []
    text = {"text": f"{concept.meaning}, 95 % interval"}
    ends = {"low": _amount(low, unit), "high": _amount(high, unit)}
    return [{"code": text, "valueRange": ends}]


def _amount(value: float, unit: codes.Concept) -> dict[str, Any]:
    """Return a number of four digits, which is more than any spectrum tells, with its unit.

    FHIR gives digits a meaning, zeros at the end among them (data type decimal).
    """
    return {
        "value": Decimal(f"{value:.3e}"),
        "unit": unit.meaning,
        "system": SYSTEMS["UCUM"],
        "code": unit.value,
    }
