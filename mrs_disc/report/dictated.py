"""What was found in each disc, in a sentence or two that a radiologist could dictate."""

from __future__ import annotations

from mrs_disc.record.concordance import agreements, concordance
from mrs_disc.record.level import Level, Results
from mrs_disc.report.bands import acidity_word, structure_word
from mrs_disc.report.words import (
    decimals,
    harmless,
    interval,
    likelihood_ratio,
    measured,
    number,
    probability,
    quantity_word,
    true_minus,
)
from mrs_disc.scoring.propionate import NAME

_DETECTED = {
    "propionate_found": "detected",
    "propionate_open": "neither detected nor excluded",
    "propionate_absent": "not found",
}


def finding_sentence(level: Level, results: Results) -> str:
    """Return what was found in one disc; numbers of a poor spectrum are not said."""
    if level.measured is None:
        return f"{level.title}: not measured: {harmless(level.failure.message, 300)}."
    quality = level.measured.quality
    if level.rejected:
        return f"{level.title}: taken out in review."
    if quality.verdict == "poor":
        why = true_minus("; ".join(quality.reasons[:2])) or "reason not stated"
        return f"{level.title}: not assessable, as the spectrum is poor ({why})."
    width = number(quality.linewidth_hz, 2, "Hz")
    spectrum = f"spectrum {quality.verdict} (SNR {number(quality.snr, 2)}, linewidth {width})"
    said = [*_acids(level, results), *_structure(level, results), spectrum, *_voxel(level)]
    return f"{level.title}: {'; '.join(said)}. {_judged(level)}.{_agreed(level)}"


def _agreed(level: Level) -> str:
    """Return what the images show and how that agrees with the score."""
    if concordance(level) != level.concordance:  # as an earlier version judged
        return f" Score and images: {level.concordance}." if level.concordance else ""
    said = []
    for one in agreements(level):
        of = "Images" if one.of == "images" else "Provocation"
        word = f"{one.word} with the score"
        if one.word == "not assessable":
            word = "not compared, as the score gives no label"
        said.append(f" {of}: {one.shown}: {word}.")
    return "".join(said)


def _acids(level: Level, results: Results) -> list[str]:
    """Return lactate and propionate, and how acid that is against the reference band."""
    assert level.measured is not None
    lactate = "LAAL/PG" if level.measured.quantities.merged_laal else "LAC/PG"
    said = [words for name in (lactate, NAME) if (words := _amount(level, name))]
    if word := acidity_word(level, results):
        said.append(f"acidity over structure {word} against the reference band")
    return said


def _structure(level: Level, results: Results) -> list[str]:
    amount, word = _amount(level, "structure/water"), structure_word(level, results)
    if word:
        amount = amount.replace("structure/water", f"structure {word},", 1)
    return [amount] if amount else []


TELLING_PERCENT = 10.0
"""Share of bone, or of fat or fluid, in a voxel that is told with its findings [P]."""


def _voxel(level: Level) -> list[str]:
    """Return what a voxel holds beside disc, where that is much."""
    if level.tissue is None:
        return []
    parts = (
        ("bone marrow", level.tissue.bone_percent),
        ("fat or fluid", level.tissue.fat_percent),
    )
    much = [f"{share:.0f} % {n}" for n, share in parts if share and share >= TELLING_PERCENT]
    return [f"the voxel holds some {' and '.join(much)} by the image"] if much else []


def _judged(level: Level) -> str:
    assert level.measured is not None
    score = level.measured.score
    text = f"{score.label[:1].upper()}{score.label[1:]}"
    if score.value is None:
        return text
    if score.evidence is not None:
        text += f", likelihood ratio {likelihood_ratio(score.evidence.value)}"
    text += f", probability {probability(score.value)}"
    if score.low is not None and score.high is not None:
        text += f" ({probability(score.low)} to {probability(score.high)})"
    return text


def _amount(level: Level, name: str) -> str:
    """Return a quantity with its 95 % interval in words; nothing where the level has none."""
    found = level.quantities.get(name)
    if found is None or found.value is None:
        return ""
    unit = " mmol/kg" if found.unit.startswith("mmol") else ""
    named = quantity_word(name).replace(" / proteoglycan", "/PG")
    shown = measured(found.value, found.sd, found.limit, found.high)
    said = f", {detected}" if name == NAME and (detected := _detected(level)) else ""
    if found.limit == "upper":
        return f"{named} {shown}{unit}{said}"
    between = interval(found.low, found.high, decimals(found.sd, found.value))
    return f"{named} {shown.partition(' ±')[0]}{unit} ({between}){said}"


def _detected(level: Level) -> str:
    """Return whether propionate is there, with the likelihood ratio of present against absent."""
    for one in level.findings:
        if one.kind in _DETECTED:
            ratio = likelihood_ratio(one.values["ratio"])
            return f"{_DETECTED[one.kind]} (likelihood ratio of present against absent {ratio})"
    return ""
