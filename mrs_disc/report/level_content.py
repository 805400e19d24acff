"""What a report says about one level: facts, tables and figures in their final words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mrs_disc.constants import ROMAN
from mrs_disc.record.concordance import agreements, concordance
from mrs_disc.record.file import plain, quantification_json
from mrs_disc.record.level import Level, Measured, Results
from mrs_disc.record.parts import DiscScore, Metabolite, Morphology, Quantity
from mrs_disc.record.signals import LevelSignals, Signals
from mrs_disc.report import figures, quality_strip, voxel
from mrs_disc.report.curves import REGION_PPM, Place, Spectra
from mrs_disc.report.look import dropped
from mrs_disc.report.words import (
    COMPONENTS,
    LABEL_KIND,
    LABEL_SHAPE,
    SUMS,
    VERDICT_SHAPE,
    component_word,
    decimals,
    harmless,
    interval,
    likelihood_ratio,
    measured,
    number,
    probability,
    rounded,
    true_minus,
)

STRUCTURE_SHOWN = ("structure/water", "PG/water")
"""Structure in the table of levels: the first that the level has."""
NOTHING = "–"
NOT_STATED = "reason not stated"


def summary_row(level: Level, results: Results) -> dict[str, Any]:
    """Return a level's line in the table of levels."""
    runs = sum(1 for other in results.levels if other.level == level.level)
    base = {
        "level": level.level,
        "anchor": anchor(level),
        "run": f"run {level.run} of {runs}" if runs > 1 else "",
    }
    if level.measured is None:
        return base | {
            "label": "not measured",
            "shape": VERDICT_SHAPE["failed"],
            "kind": "failed",
            "probability": NOTHING,
            "evidence": NOTHING,
            "structure": NOTHING,
            "quality": f"{VERDICT_SHAPE['failed']} failed",
            "why": harmless(level.failure.message, 300),
            "concordance": NOTHING,
            "agreement": [],
        }
    score, verdict = level.measured.score, level.measured.quality.verdict
    _, structure = _structure(level)
    return base | {
        **_judgement(score),
        "structure": NOTHING if structure is None else _doubted(_cell(structure), verdict)[0],
        "quality": f"{VERDICT_SHAPE[verdict]} {verdict}",
        "why": "; ".join(_why(level)),
        "concordance": level.concordance or "no morphology given",
        "agreement": agreement(level) or [("", "no morphology given")],
    }


def _judgement(score: DiscScore) -> dict[str, str]:
    return {
        "label": score.label,
        "shape": LABEL_SHAPE[score.label],
        "kind": LABEL_KIND[score.label],
        "probability": score_words(score),
        "evidence": evidence_words(score),
    }


def agreement(level: Level) -> list[tuple[str, str]]:
    """Return how images and provocation agree with the score: the word, and what with.

    An earlier version may have judged otherwise: then the text of the record stands as it is.
    """
    if concordance(level) != level.concordance:
        return [("", level.concordance)] if level.concordance else []
    return [
        (compared(a.word), f"provocation {a.shown}" if a.of == "provocation" else a.shown)
        for a in agreements(level)
    ]


def agreement_words(level: Level) -> list[str]:
    """Return how images and provocation agree with the score, in a word each."""
    if concordance(level) != level.concordance:
        return [level.concordance] if level.concordance else []
    return [
        f"provocation {compared(a.word)}" if a.of == "provocation" else compared(a.word)
        for a in agreements(level)
    ]


def compared(word: str) -> str:
    """Return how score and images agree; what was not compared is not called "not assessable".

    Beside a Pfirrmann grade that word would be read as one on the images.
    """
    return "not compared" if word == "not assessable" else word


def _why(level: Level) -> list[str]:
    """Return what stands against a level: the review's word, why it is poor or has no score."""
    words = [level.review.words] if level.review is not None and level.review.words else []
    if level.quality is not None and level.quality.verdict == "poor":
        first, *others = level.quality.reasons or (NOT_STATED,)
        words.append(f"{first} (and {len(others)} more, below)" if others else first)
    elif reason := unscored(level):
        words.append(reason)
    return words


def unscored(level: Level) -> str:
    """Return why a level has no score though its quality is fair, or nothing if it was rejected."""
    if level.score is None or level.score.value is not None or level.rejected:
        return ""
    return true_minus(next(iter(level.score.reasons), NOT_STATED))


def anchor(level: Level) -> str:
    """Return the name of a level's section."""
    return f"level-{level.key}"


def score_words(score: DiscScore) -> str:
    """Return probability and interval, or a dash."""
    if score.value is None:
        return NOTHING
    text = probability(score.value)
    if score.low is None or score.high is None:
        return text
    return f"{text} ({probability(score.low)} to {probability(score.high)})"


def evidence_words(score: DiscScore) -> str:
    """Return the likelihood ratio and its interval, or a dash."""
    found = score.evidence
    if found is None:
        return NOTHING
    text = likelihood_ratio(found.value)
    if found.low is None or found.high is None:
        return text
    return f"{text} ({likelihood_ratio(found.low)} to {likelihood_ratio(found.high)})"


def _structure(level: Level) -> tuple[str, Quantity | None]:
    """Return the quantity that speaks for structure, with its name."""
    found = ((name, level.quantities.get(name)) for name in STRUCTURE_SHOWN)
    return next(((n, q) for n, q in found if q is not None and q.value is not None), ("", None))


def structure_unit(results: Results) -> str:
    """Return what the column of structure shows."""
    for name, quantity in map(_structure, results.levels):
        if quantity is not None:
            return f"{name}, {quantity.unit}" if quantity.unit else name
    return "not available in any level; it needs a water reference"


def level_content(
    level: Level,
    results: Results,
    signals: Signals | None,
    curves: Spectra | None,
    top: float,
) -> dict[str, Any]:
    """Return the section of one level."""
    found = level.measured
    base = {"title": level.title, "anchor": anchor(level), "measured": found is not None}
    if found is None:
        message = harmless(level.failure.message, 600)
        return base | {"stage": level.failure.stage, "message": message}
    return base | {
        **_judgement(found.score),
        "score_reasons": [true_minus(r) for r in found.score.reasons],
        "score_inputs": list(_flatten("", found.score.inputs)),
        "counts": results.best.get(level.level) is level,
        "verdict": found.quality.verdict,
        "verdict_shape": VERDICT_SHAPE[found.quality.verdict],
        "quality_reasons": [true_minus(r) for r in found.quality.reasons],
        "quality": quality_rows(found),
        "morphology": morphology_rows(level.morphology),
        "provocation": level.provocation.result if level.provocation is not None else "",
        "concordance": level.concordance,
        "agreement": agreement_words(level),
        "amounts": amounts(found, curves),
        "others": other_rows(found),
        "relative": relative_rows(level, results),
        "compared": results.comparison.quantity,
        "factors": factor_rows(found),
        "notes": list(found.notes),
        "review": _review(level),
        "merged": found.quantities.merged_laal,
        **_pictures(level, signals, curves, top),
    }


def _pictures(
    level: Level, signals: Signals | None, curves: Spectra | None, top: float
) -> dict[str, str]:
    """Return the figures of a level with their words; empty ones where nothing can be drawn."""
    if curves is None or signals is None:
        return {"svg": "", "quality_svg": "", "voxel_svg": ""}
    factor = figures.magnification(curves, top)
    of = signals.levels[level.key]
    return {
        "svg": _spectrum_svg(level, curves, top),
        "alt": figures.spectrum_alt(level, factor),
        "scale": figures.scale_words(factor),
        "voxel_svg": voxel.voxel_svg(level, of) if has_planes(of) else "",
        "voxel_alt": voxel.voxel_words(level),
        "quality_svg": quality_strip.quality_svg(level, of),
        "quality_alt": quality_strip.quality_alt(level, of),
    }


def _spectrum_svg(level: Level, curves: Spectra, top: float) -> str:
    with dropped():
        return figures.svg(figures.spectrum_figure(level, curves, top))


def has_planes(signals: LevelSignals) -> bool:
    """Say whether the image was cut through the voxel; earlier versions did not."""
    return signals.planes is not None and signals.voxel_affine is not None


def quality_rows(found: Measured) -> list[tuple[str, str]]:
    """Return what was measured of the spectrum's quality."""
    q, fit, mhz = found.quality, found.fit, found.protocol.spectrometer_mhz
    peak = component_word(fit.quality_peak) if fit.quality_peak else "quality peak"
    width = number(q.linewidth_hz, 2, "Hz")
    if q.linewidth_hz is not None and mhz:
        width += f" ({number(q.linewidth_hz / mhz, 2)} ppm)"
    kept = f"{q.n_transients - q.n_rejected} of {q.n_transients}"
    if q.n_transients <= 1:
        kept = "averaged on the scanner"
    drift = number(q.drift_hz, 2, "Hz")
    if q.n_transients == 1:
        drift = "not known: the file holds one transient"
    elif q.drift_hz is None:
        drift = "not followed: transients too weak"
    whiteness = fit.residual_whiteness_p
    chance = "< 0.001" if whiteness is not None and whiteness < 1e-3 else number(whiteness, 2)
    return [
        (f"SNR ({peak})", number(q.snr, 2)),
        (f"Linewidth ({peak})", width),
        ("Water linewidth", number(q.water_linewidth_hz, 2, "Hz")),
        ("Transients kept", kept),
        ("Frequency drift", drift),
        (f"Residual water / height of {peak}", number(q.residual_water, 2)),
        (f"Water before its removal / height of {peak}", number(q.water_before_removal, 2)),
        ("Fit residual / noise", number(fit.residual_ratio, 2)),
        ("Chance of such a residual from noise", chance),
        ("Fit converged", "yes" if fit.converged else f"no: {fit.reason or NOT_STATED}"),
    ]


_MORPHOLOGY: dict[str, tuple[str, Callable[[Any], str]]] = {
    "pfirrmann": ("Pfirrmann grade", lambda grade: ROMAN[grade]),
    "modic": ("Modic type", lambda kind: str(kind) if kind else "none"),
    "hiz": ("High-intensity zone", lambda seen: "yes" if seen else "no"),
    "herniation": ("Herniation", lambda kind: harmless(kind, 60)),
    "disc_height_loss": ("Loss of disc height", lambda loss: harmless(loss, 60)),
}


def morphology_rows(morphology: Morphology | None) -> list[tuple[str, str]]:
    """Return what the images show, as given."""
    found = {name: getattr(morphology, name, None) for name in _MORPHOLOGY}
    return [
        (title, say(found[name]))
        for name, (title, say) in _MORPHOLOGY.items()
        if found[name] is not None
    ]


# --------------------------------------------------------------------------- quantities

Cell = tuple[str, str]
"""Value, and its interval or what else is to be said of it."""
NONE: Cell = (NOTHING, "")
RATIO = "ratio of areas"
MAX_REASONS = 5
"""Reasons for missing quantities that a page names; the record has all."""


def _doubted(cell: Cell, verdict: str) -> Cell:
    """Return the cell, in brackets where the spectrum is poor: the number is not to be used."""
    return (f"[{cell[0]}]", cell[1]) if verdict == "poor" and cell != NONE else cell


def _lies(name: str, found: Mapping[str, Place]) -> Cell:
    """Return where a component is strongest in this spectrum, and where it lies in words."""
    words, at = COMPONENTS.get(name, ("", ""))[1], found.get(name)
    if at is None:
        return (NOTHING, words)
    if at.high - at.low > REGION_PPM:
        return (f"{rounded(at.low, 2)} to {rounded(at.high, 2)}", words)
    return (rounded(at.ppm, 2), words)


def amounts(found: Measured, curves: Spectra | None = None) -> dict[str, Any]:
    """Return the table of components and sums: amplitude, ratio, amount per tissue water.

    Large and small amplitudes share a power of ten; columns that no row could fill are left out.
    Amounts of a poor spectrum stand in brackets. Without curves no place can be told.
    """
    verdict = found.quality.verdict
    places = {} if curves is None else {p.name: p for p in curves.places(found.fit.first_lines)}
    metabolites, quantities = found.fit.metabolites, found.quantities.values
    largest = max((abs(m.amplitude) for m in metabolites.values()), default=1.0) or 1.0
    power = _power(largest, 1e-1, 1e5)
    ratio = _denominator(found)
    water = [q for n in metabolites if (q := quantities.get(f"{n}/water")) is not None]
    rows = [
        {
            "name": name,
            "word": COMPONENTS.get(name, (name, ""))[0],
            "amount": _doubted(_cell(m, power), verdict),
            "ratio": _doubted(_cell(quantities.get(f"{name}/{ratio}")), verdict),
            "water": _doubted(_cell(quantities.get(f"{name}/water")), verdict),
            "crlb": NOTHING if m.crlb_percent is None else _percent(m.crlb_percent),
            # What was not found has no place and no width of its own.
            "ppm": _lies(name, {} if m.limit else places),
            "width": NOTHING if m.limit else number(m.linewidth_hz, 2),
        }
        for name, m in metabolites.items()
    ] + [
        {
            "name": name,
            "word": SUMS.get(name) or COMPONENTS.get(name, (name, ""))[0],
            "amount": _doubted(_cell(quantity, power), verdict),
            "ratio": _doubted(_cell(quantities.get(f"{name}/{ratio}")), verdict),
            "water": NONE,
            **dict.fromkeys(("crlb", "width"), NOTHING),
            "ppm": NONE,
        }
        for name, quantity in quantities.items()
        if "/" not in name and name not in metabolites and quantity.value is not None
    ]
    return {
        "unit": f"{_ten(power)} signal units" if power else "signal units of the file",
        "rows": rows,
        "poor": verdict == "poor",
        "ratio": ratio if any(r["ratio"] != NONE for r in rows) else "",
        "water": next((q.unit for q in water if q.unit), "")
        if any(r["water"] != NONE for r in rows)
        else "",
    }


def other_rows(found: Measured) -> list[tuple[str, str]]:
    """Return the quantities that have no column in the table, and the reasons for missing ones."""
    ratio = _denominator(found)
    rows: list[tuple[str, str]] = []
    reasons: dict[str, list[str]] = {}
    for name, q in found.quantities.values.items():
        if q.value is None:
            reasons.setdefault(q.reason or NOT_STATED, []).append(name)
        elif not _has_column(name, found, ratio):
            power = _power(max(abs(q.value), q.sd or 0.0), 1e-3, 1e5)
            unit = f"× {_ten(power)} {q.unit}".strip() if power else q.unit
            shown, more = _doubted(_cell(q, power), found.quality.verdict)
            words = f"{shown} ({more})"
            rows.append((name, f"{words} {unit}" if unit not in ("", RATIO) else words))
    missing = [
        ("No value", f"{', '.join(names)}: {true_minus(why)}") for why, names in reasons.items()
    ]
    left = sum(len(names) for names in list(reasons.values())[MAX_REASONS:])
    if left:
        missing = [*missing[:MAX_REASONS], ("No value", f"{left} more; results.json says why")]
    return rows + missing


def _has_column(name: str, found: Measured, ratio: str) -> bool:
    """Say whether the table of components shows a quantity."""
    base, _, under = name.partition("/")
    if base in found.fit.metabolites:
        return under in ("", ratio, "water")
    return not under or (under == ratio and base in COMPONENTS)


def _denominator(found: Measured) -> str:
    """Return the component that ratios are made to."""
    under = (name.partition("/")[2] for name in found.quantities.values)
    return next((name for name in under if name in found.fit.metabolites), "")


def _power(size: float, low: float, high: float) -> int:
    """Return the power of ten that makes a number readable; 0 between `low` and `high`."""
    return 0 if size == 0 or low <= size < high else math.floor(math.log10(size))


def _ten(power: int) -> str:
    return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c.isdigit() else "⁻" for c in str(power))


def _percent(value: float) -> str:
    return "> 999 %" if value > 999 else number(value, 2, "%")


def _cell(quantity: Metabolite | Quantity | None, power: int = 0) -> Cell:
    """Return a quantity as value and interval; an upper limit with the estimate behind it."""
    if quantity is None:
        return NONE
    first = quantity.amplitude if isinstance(quantity, Metabolite) else quantity.value
    if first is None:
        return NONE
    value, sd, low, high = (
        None if x is None else x * 10.0**-power
        for x in (first, quantity.sd, quantity.low, quantity.high)
    )
    shown = measured(value, sd, quantity.limit, high)
    if quantity.limit == "upper":
        return shown, f"estimate {measured(value, sd, None, None)}"
    return shown, interval(low, high, decimals(sd, value))


def relative_rows(level: Level, results: Results) -> list[tuple[str, str]]:
    """Return the level against the other discs of this person; the run that counts alone."""
    if results.best.get(level.level) is not level:
        return []
    rows = []
    for reference in results.comparison.references:
        found = reference.levels.get(level.level)
        if found is None or reference.reference == level.level:
            continue
        words = f"{reference.reference} (best structure)"
        if reference.reference == "median":
            words = "their median"
        spread = None
        if found.low is not None and found.high is not None:
            spread = (found.high - found.low) / 4
        places = decimals(spread, found.difference)
        text = f"{rounded(found.difference, places)} ({interval(found.low, found.high, places)})"
        rows.append((f"Difference from {words}", text))
    return rows


# --------------------------------------------------------------------------- numbers behind


def factor_rows(found: Measured) -> list[tuple[str, str]]:
    """Return the factors behind the water-referenced amounts, flattened."""
    return list(_flatten("", plain(quantification_json(found.quantities)["factors"])))


UNIT_ENDINGS = {"_s": "s", "_hz": "Hz", "_ppm": "ppm", "_mm": "mm", "_ms": "ms", "_mhz": "MHz"}


def key_words(key: str) -> str:
    """Return a key of the record as a person writes it.

    >>> key_words("t1_s"), key_words("disc_alone_low"), key_words("log(acidity/structure)")
    ('T1 (s)', 'disc alone low', 'log(acidity/structure)')
    """
    for ending, unit in UNIT_ENDINGS.items():
        if key.endswith(ending):
            key = f"{key.removesuffix(ending)} ({unit})"
            break
    return re.sub(r"\bt([12])\b", r"T\1", key.replace("_", " "))


def _flatten(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(f"{prefix} {key_words(key)}".strip(), inner)
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(_scalar(v) for v in value)
    elif value is not None:
        yield prefix, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}".replace("-", "\u2212")
    return harmless(value, 300)


def _review(level: Level) -> str:
    """Return what the reviewer decided and remarked, or an empty text."""
    if level.review is None:
        return ""
    comment = f"comment: {level.review.comment}" if level.review.comment else ""
    return "; ".join(part for part in (level.review.words, comment) if part)
