"""The coded concepts of the DICOM output, in one table.

Standard concepts are named by code, scheme and meaning as the DICOM standard lists them (CID 7604
disc levels, CID 4033 metabolites, DCM, UCUM); a test looks each one up in pydicom's dictionary.
What has no standard code stands under the private scheme 99MRSDISC, published here.
"""

from __future__ import annotations

from typing import NamedTuple

PRIVATE = "99MRSDISC"
PRIVATE_NAME = "mrs_disc concepts of disc spectroscopy"


class Concept(NamedTuple):
    """Code, scheme and meaning."""

    value: str
    scheme: str
    meaning: str


def _private(value: str, meaning: str) -> Concept:
    return Concept(value, PRIVATE, meaning)


LEVELS: dict[str, Concept] = {
    "C2-C3": Concept("1078209008", "SCT", "C2/C3 disc"),
    "C3-C4": Concept("58820006", "SCT", "C3/C4 disc"),
    "C4-C5": Concept("49400002", "SCT", "C4/C5 disc"),
    "C5-C6": Concept("73959003", "SCT", "C5/C6 disc"),
    "C6-C7": Concept("75095006", "SCT", "C6/C7 disc"),
    "C7-T1": Concept("37414007", "SCT", "C7/T1 disc"),
    "T1-T2": Concept("40908007", "SCT", "T1/T2 disc"),
    "T2-T3": Concept("6004007", "SCT", "T2/T3 disc"),
    "T3-T4": Concept("2620004", "SCT", "T3/T4 disc"),
    "T4-T5": Concept("82965004", "SCT", "T4/T5 disc"),
    "T5-T6": Concept("72692000", "SCT", "T5/T6 disc"),
    "T6-T7": Concept("74401007", "SCT", "T6/T7 disc"),
    "T7-T8": Concept("28693002", "SCT", "T7/T8 disc"),
    "T8-T9": Concept("9188009", "SCT", "T8/T9 disc"),
    "T9-T10": Concept("113209001", "SCT", "T9/T10 disc"),
    "T10-T11": Concept("34959001", "SCT", "T10/T11 disc"),
    "T11-T12": Concept("1537001", "SCT", "T11/T12 disc"),
    "T12-L1": Concept("76206002", "SCT", "T12/L1 disc"),
    "L1-L2": Concept("80064006", "SCT", "L1/L2 disc"),
    "L2-L3": Concept("67459009", "SCT", "L2/L3 disc"),
    "L3-L4": Concept("62551000", "SCT", "L3/L4 disc"),
    "L4-L5": Concept("84020006", "SCT", "L4/L5 disc"),
    "L5-S1": Concept("715056000", "SCT", "L5/S1 disc"),
    "L5-L6": _private("L5L6", "L5/L6 disc"),
    "L6-S1": _private("L6S1", "L6/S1 disc"),
}
"""CID 7604; L5-L6 and L6-S1 have no code there and are private."""

COMPONENTS: dict[str, Concept] = {
    "LAC": Concept("83036002", "SCT", "Lactate"),
    "CHO": Concept("65123005", "SCT", "Choline"),
    "LIP": Concept("70106000", "SCT", "Lipid"),
    "PG": _private("PG", "Proteoglycan N-acetyl"),
    "ALA": _private("ALA", "Alanine"),
    "LAAL": _private("LAAL", "Lactate and alanine"),
    "PA": _private("PA", "Propionate"),
    "CARB": _private("CARB", "Carbohydrate"),
    "COL": _private("COL", "Collagen residues"),
}
"""CID 4033 where it has them; the rest private."""

QUANTITIES: dict[str, Concept] = {
    "acidity": _private("ACIDITY", "Acidity: LAC + ALA + 3/5 PA"),
    "structure": _private("STRUCTURE", "Structure: PG + COL"),
    "log(acidity/structure)": _private("LOGACSTR", "Log of acidity / structure"),
    "structure/water": _private("STRWATER", "Structure per tissue water"),
    "log(structure/water)": _private("LOGSTRWATER", "Log of structure per tissue water"),
}
LABELS: dict[str, Concept] = {
    "likely painful": _private("LIKELY", "likely painful"),
    "indeterminate": _private("INDET", "indeterminate"),
    "unlikely painful": _private("UNLIKELY", "unlikely painful"),
}
VERDICTS: dict[str, Concept] = {
    "good": _private("QGOOD", "good"),
    "acceptable": _private("QACCEPT", "acceptable"),
    "poor": _private("QPOOR", "poor"),
}
FAILED = _private("FAILED", "not measured")

PAIN_SCORE = _private("PAINSCORE", "Pain score")
PAIN_PROBABILITY = _private("PAINPROB", "Probability of a painful disc")
LIKELIHOOD_RATIO = _private("LR", "Likelihood ratio of a painful disc")
QUALITY = Concept("111050", "DCM", "Quality Assessment")
SNR = Concept("111787", "DCM", "Signal to Noise Ratio")
LINEWIDTH = _private("LINEWIDTH", "Linewidth (FWHM)")
COMMENT = Concept("121106", "DCM", "Comment")
HISTORY = Concept("121060", "DCM", "History")
IMPRESSION = Concept("121073", "DCM", "Impression")
PROCEDURE = Concept("MS", "DCM", "Magnetic resonance spectroscopy")
REPORT = Concept("126000", "DCM", "Imaging Measurement Report")
DOCUMENT = _private("DISCMRS", "Disc spectroscopy report")

NO_UNITS = Concept("1", "UCUM", "no units")
HERTZ = Concept("Hz", "UCUM", "Hz")
MOLAL = Concept("mmol/kg", "UCUM", "mmol/kg")
ARBITRARY = Concept("[arb'U]", "UCUM", "arbitrary unit")
UPPER_LIMIT = _private("UPPER95", "Upper limit, one-sided 95 %")
"""How a number came about that bounds a quantity too small to be measured."""


def quantity_concept(name: str) -> Concept | None:
    """Return the concept of a quantity; ratios of components are made from theirs."""
    if name in QUANTITIES:
        return QUANTITIES[name]
    top, _, bottom = name.partition("/")
    if top not in COMPONENTS:
        return None
    if bottom == "water":
        meaning = f"{COMPONENTS[top].meaning} per tissue water"
    elif bottom in COMPONENTS:
        meaning = f"{COMPONENTS[top].meaning} / {COMPONENTS[bottom].meaning}"
    elif not bottom:
        return COMPONENTS[top]
    else:
        return None
    return _private(name.replace("/", "_")[:16], meaning[:64])


def amplitude_concept(name: str) -> Concept:
    """Return the concept of a component's amplitude."""
    return COMPONENTS.get(name) or _private(f"C_{name}"[:16].upper(), name[:64])


def unit_concept(unit: str) -> Concept:
    """Return the UCUM unit of a quantity."""
    if unit.startswith("mmol"):
        return MOLAL
    return ARBITRARY if unit.startswith("signal") else NO_UNITS
