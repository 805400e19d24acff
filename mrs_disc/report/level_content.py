"""What a report says about one level: facts, tables and figures in their final words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mrs_disc.constants import ROMAN
from mrs_disc.record.concordance import agreements, concordance
from mrs_disc.record.file import plain, quantification_json
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import Metabolite, Morphology, Quantity
from mrs_disc.record.signals import Signals
from mrs_disc.report import figures, quality_strip
from mrs_disc.report.words import (
    COMPONENTS,
    LABEL_SHAPE,
    SUMS,
    VERDICT_SHAPE,
    component_word,
    decimals,
    harmless,
    interval,
    measured,
    number,
    probability,
    rounded,
    true_minus,
)

STRUCTURE_SHOWN = ("structure/water", "PG/water")
"""Structure in the table of levels: the first that the level has."""


def summary_row(level: Level, results: Results) -> dict[str, Any]:
    """Return a level's line in the table of levels."""
    runs = sum(1 for other in results.levels if other.level == level.level)
    base = {
        "level": level.level,
        "anchor": anchor(level),
        "run": f"run {level.run} of {runs}" if runs > 1 else "",
    }
    if not level.measured:
        message = level.error.message if level.error is not None else "no result"
        return base | {
            "label": "not measured",
            "shape": VERDICT_SHAPE["failed"],
            "kind": "failed",
            "probability": "–",
            "structure": "–",
            "quality": f"{VERDICT_SHAPE['failed']} failed",
            "why": harmless(message, 300),
            "concordance": "–",
            "agreement": [],
        }
    assert level.score is not None
    assert level.quality is not None
    score, verdict = level.score, level.quality.verdict
    return base | {
        "label": score.label,
        "shape": LABEL_SHAPE[score.label],
        "kind": score.label.split()[0],
        "probability": score_words(level),
        "structure": _structure(level),
        "quality": f"{VERDICT_SHAPE[verdict]} {verdict}",
        "why": "; ".join(_why(level)),
        "concordance": level.concordance or "no morphology given",
        "agreement": agreement(level) or [("", "no morphology given")],
    }


def agreement(level: Level) -> list[tuple[str, str]]:
    """Return how images and provocation agree with the score: the word, and what with.

    An earlier version may have judged otherwise: then the words of the record stand as they are.
    """
    if concordance(level) != level.concordance:
        return [("", level.concordance)] if level.concordance else []
    return [
        (a.word, f"provocation {a.shown}" if a.of == "provocation" else a.shown)
        for a in agreements(level)
    ]


def agreement_words(level: Level) -> list[str]:
    """Return how images and provocation agree with the score, in a word each."""
    if concordance(level) != level.concordance:
        return []
    return [f"provocation {a.word}" if a.of == "provocation" else a.word for a in agreements(level)]


def _why(level: Level) -> list[str]:
    """Return what stands against a level: the review's word, why it is poor or has no score."""
    words = [level.review.words] if level.review is not None and level.review.words else []
    if level.quality is not None and level.quality.verdict == "poor":
        first, *others = level.quality.reasons or ("reason not stated",)
        words.append(f"{first} (and {len(others)} more, below)" if others else first)
    elif reason := unscored(level):
        words.append(reason)
    return words


def unscored(level: Level) -> str:
    """Return why a level has no score though its quality is fair, or nothing if it was rejected."""
    rejected = level.review is not None and level.review.decision == "reject"
    if level.score is None or level.score.value is not None or rejected:
        return ""
    return true_minus(next(iter(level.score.reasons), "reason not stated"))


def anchor(level: Level) -> str:
    """Return the name of a level's section."""
    return f"level-{level.key}"


def score_words(level: Level) -> str:
    """Return probability and interval, or a dash."""
    score = level.score
    if score is None or score.value is None:
        return "–"
    text = probability(score.value)
    if score.low is None or score.high is None:
        return text
    return f"{text} ({probability(score.low)} to {probability(score.high)})"


def _structure(level: Level) -> str:
    for name in STRUCTURE_SHOWN:
        quantity = (level.quantities or {}).get(name)
        if quantity is not None and quantity.value is not None:
            return measured(quantity.value, quantity.sd, quantity.limit, quantity.high)
    return "–"


def structure_unit(results: Results) -> str:
    """Return what the column of structure shows."""
    for level in results.levels:
        for name in STRUCTURE_SHOWN:
            quantity = (level.quantities or {}).get(name)
            if quantity is not None and quantity.value is not None:
                return f"{name}, {quantity.unit}" if quantity.unit else name
    return "not available in any level; it needs a water reference"


def level_content(
    level: Level,
    results: Results,
    signals: Signals | None,
    curves: figures.Spectra | None,
    top: float,
) -> dict[str, Any]:
    """Return the section of one level."""
    base = {"title": level.title, "anchor": anchor(level), "measured": level.measured is not None}
    if not level.measured:
        error = level.error
        return base | {
            "stage": error.stage if error is not None else "measure",
            "message": harmless(error.message if error is not None else "no result", 600),
        }
    assert level.measured is not None
    assert level.score is not None
    assert level.quality is not None
    return base | {
        "label": level.score.label,
        "shape": LABEL_SHAPE[level.score.label],
        "kind": level.score.label.split()[0],
        "probability": score_words(level),
        "score_reasons": [true_minus(r) for r in level.score.reasons],
        "score_inputs": list(_flatten("", level.score.inputs)),
        "counts": results.best.get(level.level) is level,
        "verdict": level.quality.verdict,
        "verdict_shape": VERDICT_SHAPE[level.quality.verdict],
        "quality_reasons": [true_minus(r) for r in level.quality.reasons],
        "quality": quality_rows(level),
        "morphology": morphology_rows(level.morphology),
        "provocation": level.provocation.result if level.provocation is not None else "",
        "concordance": level.concordance or "",
        "agreement": agreement_words(level),
        "amounts": amounts(level),
        "others": other_rows(level),
        "relative": relative_rows(level, results),
        "compared": results.comparison.quantity,
        "factors": factor_rows(level),
        "notes": list(level.notes or ()),
        "review": _review(level),
        "merged": level.measured.quantities.merged_laal,
        **_pictures(level, signals, curves, top),
    }


def _pictures(
    level: Level, signals: Signals | None, curves: figures.Spectra | None, top: float
) -> dict[str, str]:
    """Return the figures of a level with their words; empty ones where nothing can be drawn."""
    if curves is None or signals is None:
        return {"svg": "", "quality_svg": ""}
    factor = figures.magnification(curves, top)
    of = signals.levels[level.key]
    return {
        "svg": figures.svg(figures.spectrum_figure(level, curves, top)),
        "alt": figures.spectrum_alt(level, factor),
        "scale": figures.scale_words(factor),
        "quality_svg": figures.svg(quality_strip.quality_figure(level, of)),
        "quality_alt": quality_strip.quality_alt(level, of),
    }


def quality_rows(level: Level) -> list[tuple[str, str]]:
    """Return what was measured of the spectrum's quality."""
    assert level.quality is not None
    assert level.fit is not None
    q, fit = level.quality, level.fit
    peak = component_word(fit.quality_peak) if fit.quality_peak else "quality peak"
    mhz = level.protocol.spectrometer_mhz if level.protocol is not None else None
    width = number(q.linewidth_hz, 2, "Hz")
    if q.linewidth_hz is not None and mhz:
        width += f" ({number(q.linewidth_hz / mhz, 2)} ppm)"
    kept = f"{q.n_transients - q.n_rejected} of {q.n_transients}"
    if q.n_transients <= 1:
        kept = "averaged on the scanner"
    converged = "yes" if fit.converged else f"no: {fit.reason or 'reason not stated'}"
    whiteness = fit.residual_whiteness_p
    chance = "< 0.001" if whiteness is not None and whiteness < 1e-3 else number(whiteness, 2)
    return [
        (f"SNR ({peak})", number(q.snr, 2)),
        (f"Linewidth ({peak})", width),
        ("Water linewidth", number(q.water_linewidth_hz, 2, "Hz")),
        ("Transients kept", kept),
        ("Frequency drift", _drift(level)),
        ("Residual water / quality peak", number(q.residual_water, 2)),
        ("Fit residual / noise", number(fit.residual_ratio, 2)),
        ("Chance of such a residual from noise", chance),
        ("Fit converged", converged),
    ]


def _drift(level: Level) -> str:
    assert level.quality is not None
    if level.quality.n_transients == 1:
        return "not known: the file holds one transient"
    if not quality_strip.is_followed(level):
        return "not followed: transients too weak"
    return number(level.quality.drift_hz, 2, "Hz")


def morphology_rows(morphology: Morphology | None) -> list[tuple[str, str]]:
    """Return what the images show, as given."""
    if morphology is None:
        return []
    rows = []
    if morphology.pfirrmann is not None:
        rows.append(("Pfirrmann grade", ROMAN[morphology.pfirrmann]))
    if morphology.modic is not None:
        rows.append(("Modic type", str(morphology.modic) if morphology.modic else "none"))
    if morphology.hiz is not None:
        rows.append(("High-intensity zone", "yes" if morphology.hiz else "no"))
    if morphology.herniation is not None:
        rows.append(("Herniation", harmless(morphology.herniation, 60)))
    if morphology.disc_height_loss is not None:
        rows.append(("Loss of disc height", harmless(morphology.disc_height_loss, 60)))
    return rows


Cell = tuple[str, str]
"""Value, and its interval or what else is to be said of it."""


def amounts(level: Level) -> dict[str, Any]:
    """Return the table of components and sums: amplitude, ratio, amount per tissue water.

    Large and small amplitudes share a power of ten; columns that no row could fill are left out.
    """
    assert level.fit is not None
    fit, quantities = level.fit, level.quantities or {}
    sums = [
        name
        for name, q in quantities.items()
        if "/" not in name and name not in fit.metabolites and q.value is not None
    ]
    power = _shared_power([m.amplitude for m in fit.metabolites.values()])
    ratio = _denominator(level)
    rows = []
    for name in (*fit.metabolites, *sums):
        m = fit.metabolites.get(name)
        amount: Metabolite | Quantity = m if m is not None else quantities[name]
        rows.append(
            {
                "name": name,
                "word": SUMS.get(name) or COMPONENTS.get(name, (name, ""))[0],
                "amount": _cell(amount, power),
                "ratio": _cell(quantities.get(f"{name}/{ratio}")),
                "water": NONE if m is None else _cell(quantities.get(f"{name}/water")),
                "crlb": "–" if m is None or m.crlb_percent is None else _percent(m.crlb_percent),
                # What was not found has no place and no width of its own.
                "ppm": "–" if m is None or m.limit == "upper" else rounded(m.ppm, 2),
                "width": "–" if m is None or m.limit == "upper" else number(m.linewidth_hz, 2),
            }
        )
    unit = "signal units of the file" if power == 0 else f"10{_superscript(power)} signal units"
    water = next(
        (q.unit for n in fit.metabolites if (q := quantities.get(f"{n}/water")) and q.unit), ""
    )
    return {
        "unit": unit,
        "rows": rows,
        "ratio": ratio if any(r["ratio"] != NONE for r in rows) else "",
        "water": water if any(r["water"] != NONE for r in rows) else "",
    }


NONE: Cell = ("–", "")
RATIO = "ratio of areas"
MAX_REASONS = 5
"""Reasons for missing quantities that a page names; the record has all."""


def _shared_power(values: list[float]) -> int:
    """Return the power of ten that makes a column of amplitudes readable; zero where it is."""
    largest = max((abs(v) for v in values), default=1.0) or 1.0
    power = math.floor(math.log10(largest))
    return power if power > 4 or power < -1 else 0


def _denominator(level: Level) -> str:
    """Return the component that ratios are made to."""
    found = [n.partition("/")[2] for n in level.quantities or {} if n.partition("/")[2]]
    names = level.fit.metabolites if level.fit is not None else {}
    return next((n for n in found if n in names), "")


def _percent(value: float) -> str:
    return "> 999 %" if value > 999 else number(value, 2, "%")


def _cell(quantity: Metabolite | Quantity | None, power: int = 0) -> Cell:
    """Return a quantity as value and interval; an upper limit with the estimate behind it."""
    if quantity is None:
        return NONE
    value = quantity.amplitude if isinstance(quantity, Metabolite) else quantity.value
    if value is None:
        return NONE
    scale = 10.0**-power
    sd, high = _scaled(quantity.sd, scale), _scaled(quantity.high, scale)
    value *= scale
    shown = measured(value, sd, quantity.limit, high)
    if quantity.limit == "upper":
        return shown, f"estimate {measured(value, sd, None, None)}"
    return shown, interval(_scaled(quantity.low, scale), high, decimals(sd, value))


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _superscript(power: int) -> str:
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c.isdigit() else "⁻" for c in str(power))


def other_rows(level: Level) -> list[tuple[str, str]]:
    """Return the quantities that have no column in the table, and the reasons for missing ones."""
    assert level.fit is not None
    ratio = _denominator(level)
    rows: list[tuple[str, str]] = []
    reasons: dict[str, list[str]] = {}
    for name, q in (level.quantities or {}).items():
        base, _, under = name.partition("/")
        tabled = not under or (under in (ratio, "water") and base in level.fit.metabolites)
        if q.value is None:
            reasons.setdefault(q.reason or "reason not stated", []).append(name)
        elif not tabled and not (under == ratio and base in COMPONENTS):
            value, sd, low, high, unit = _in_power(q.value, q.sd, q.low, q.high, q.unit)
            shown, more = _cell(replace(q, value=value, sd=sd, low=low, high=high))
            rows.append(
                (name, f"{shown} ({more})" + (f" {unit}" if unit and unit != RATIO else ""))
            )
    missing = [
        ("No value", f"{', '.join(names)}: {true_minus(why)}") for why, names in reasons.items()
    ]
    left = sum(len(names) for names in list(reasons.values())[MAX_REASONS:])
    if left:
        missing = [*missing[:MAX_REASONS], ("No value", f"{left} more; results.json says why")]
    return rows + missing


def _in_power(
    value: float, sd: float | None, low: float | None, high: float | None, unit: str
) -> tuple[float, float | None, float | None, float | None, str]:
    """Return a very large or small quantity in a power of ten, named in its unit."""
    size = max(abs(value), sd or 0.0)
    if size == 0 or 1e-3 <= size < 1e5:
        return value, sd, low, high, unit
    power = math.floor(math.log10(size))
    scale = 10.0**-power
    words = f"× 10{_superscript(power)} {unit}".strip()
    return (
        value * scale,
        _scaled(sd, scale),
        _scaled(low, scale),
        _scaled(high, scale),
        words,
    )


def relative_rows(level: Level, results: Results) -> list[tuple[str, str]]:
    """Return the level against the other discs of this person; the run that counts alone."""
    comparison = results.comparison
    if results.best.get(level.level) is not level:
        return []
    rows = []
    for reference in comparison.references:
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


def factor_rows(level: Level) -> list[tuple[str, str]]:
    """Return the factors behind the water-referenced amounts, flattened."""
    if level.measured is None:
        return []
    factors = quantification_json(level.measured.quantities)["factors"]
    return list(_flatten("", plain(factors)))


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
    if isinstance(value, dict):
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
