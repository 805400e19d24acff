"""What a report says about one level: facts, tables and figures in their final words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mrs_disc.report import figures
from mrs_disc.report.schema import Level, MorphologyPart, Results
from mrs_disc.report.signals import Signals
from mrs_disc.report.words import (
    COMPONENTS,
    LABEL_SHAPE,
    VERDICT_SHAPE,
    component_word,
    decimals,
    harmless,
    interval,
    measured,
    number,
    probability,
    quantity_word,
    rounded,
)

ROMAN = ("", "I", "II", "III", "IV", "V")
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
        "why": "; ".join(level.quality.reasons) if verdict == "poor" else "",
        "concordance": level.concordance or "no morphology given",
    }


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
    return "no water reference"


def structure_unit(results: Results) -> str:
    """Return what the column of structure shows."""
    for level in results.levels:
        for name in STRUCTURE_SHOWN:
            quantity = (level.quantities or {}).get(name)
            if quantity is not None and quantity.value is not None:
                return f"{name}, {quantity.unit}" if quantity.unit else name
    return "needs a water reference"


def level_content(
    level: Level,
    results: Results,
    signals: Signals | None,
    curves: figures.Spectra | None,
    top: float,
) -> dict[str, Any]:
    """Return the section of one level."""
    base = {"title": level.title, "anchor": anchor(level), "measured": level.measured}
    if not level.measured:
        error = level.error
        return base | {
            "stage": error.stage if error is not None else "measure",
            "message": harmless(error.message if error is not None else "no result", 600),
        }
    assert level.score is not None
    assert level.quality is not None
    content = base | {
        "label": level.score.label,
        "shape": LABEL_SHAPE[level.score.label],
        "kind": level.score.label.split()[0],
        "probability": score_words(level),
        "score_reasons": list(level.score.reasons),
        "score_inputs": _inputs(level.score.inputs),
        "counts": results.best.get(level.level) is level,
        "verdict": level.quality.verdict,
        "verdict_shape": VERDICT_SHAPE[level.quality.verdict],
        "quality_reasons": list(level.quality.reasons),
        "quality": quality_rows(level),
        "morphology": morphology_rows(level.morphology),
        "provocation": level.provocation.result if level.provocation is not None else "",
        "concordance": level.concordance or "",
        "amounts": amounts(level),
        "quantities": quantity_rows(level),
        "relative": relative_rows(level, results),
        "factors": factor_rows(level),
        "notes": list(level.notes or ()),
        "merged": level.quantification is not None and level.quantification.merged_laal,
    }
    if curves is not None and signals is not None:
        factor = figures.magnification(curves, top)
        of = signals.levels[level.key]
        content |= {
            "svg": figures.svg(figures.spectrum_figure(level, curves, top)),
            "alt": figures.spectrum_alt(level, factor),
            "scale": figures.scale_words(factor),
            "quality_svg": figures.svg(figures.quality_figure(level, of)),
            "quality_alt": figures.quality_alt(level, of),
        }
    return content


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
    return [
        (f"SNR ({peak})", number(q.snr, 2)),
        (f"Linewidth ({peak})", width),
        ("Water linewidth", number(q.water_linewidth_hz, 2, "Hz")),
        ("Transients kept", kept),
        ("Frequency drift", number(q.drift_hz, 2, "Hz")),
        ("Residual water / quality peak", number(q.residual_water, 2)),
        ("Fit residual / noise", number(fit.residual_ratio, 3)),
        ("Chance of such a residual from noise", number(whiteness, 2)),
        ("Fit converged", converged),
    ]


def morphology_rows(morphology: MorphologyPart | None) -> list[tuple[str, str]]:
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


def amounts(level: Level) -> dict[str, Any]:
    """Return the table of amplitudes; large and small numbers share a power of ten."""
    assert level.fit is not None
    metabolites = level.fit.metabolites
    largest = max((abs(m.amplitude) for m in metabolites.values()), default=1.0) or 1.0
    power = math.floor(math.log10(largest))
    power = power if power > 4 or power < -1 else 0
    scale = 10.0**-power
    rows = []
    for name, m in metabolites.items():
        sd = m.sd * scale
        places = decimals(sd, m.amplitude * scale)
        low, high = _scaled(m.low, scale), _scaled(m.high, scale)
        shown = measured(m.amplitude * scale, sd, m.limit, high)
        if m.limit == "upper":
            bounds = f"estimate {measured(m.amplitude * scale, sd, None, None)}"
        else:
            bounds = interval(low, high, places)
        rows.append(
            {
                "name": name,
                "word": COMPONENTS.get(name, (name, ""))[0],
                "value": shown,
                "interval": bounds,
                "crlb": "–" if m.crlb_percent is None else number(m.crlb_percent, 2, "%"),
                "ppm": rounded(m.ppm, 2),
                "width": number(m.linewidth_hz, 2),
            }
        )
    unit = "signal units of the file" if power == 0 else f"10{_superscript(power)} signal units"
    return {"unit": unit, "rows": rows}


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _superscript(power: int) -> str:
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c.isdigit() else "⁻" for c in str(power))


def quantity_rows(level: Level) -> list[dict[str, str]]:
    """Return ratios, sums and water-referenced amounts; those without a value give the reason."""
    rows = []
    reasons: dict[str, list[str]] = {}
    for name, q in (level.quantities or {}).items():
        if q.value is None:
            reasons.setdefault(q.reason or "reason not stated", []).append(name)
            continue
        value, sd, low, high, unit = _in_power(q.value, q.sd, q.low, q.high, q.unit)
        places = decimals(sd, value)
        found = f"estimate {measured(value, sd, None, None)}"
        rows.append(
            {
                "name": name,
                "word": quantity_word(name),
                "value": measured(value, sd, q.limit, high),
                "interval": found if q.limit == "upper" else interval(low, high, places),
                "unit": unit,
            }
        )
    for reason, names in reasons.items():
        rows.append({"name": ", ".join(names), "word": "", "value": "–", "interval": reason,
                     "unit": ""})  # fmt: skip
    return rows


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
    """Return the level against the other discs of this person."""
    comparison = results.comparison
    rows = []
    for reference in comparison.references:
        found = reference.levels.get(level.level)
        if found is None:
            continue
        words = "this person's median" if reference.reference == "median" else reference.reference
        spread = None
        if found.low is not None and found.high is not None:
            spread = (found.high - found.low) / 4
        places = decimals(spread, found.difference)
        text = f"{rounded(found.difference, places)} ({interval(found.low, found.high, places)})"
        rows.append((f"{comparison.quantity}, difference from {words}", text))
    return rows


def factor_rows(level: Level) -> list[tuple[str, str]]:
    """Return the factors behind the water-referenced amounts, flattened."""
    if level.quantification is None:
        return []
    return list(_flatten("", level.quantification.factors))


def _flatten(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{prefix} {key}".strip(), inner)
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(_scalar(v) for v in value)
    elif value is not None:
        yield prefix, _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}".replace("-", "\u2212")
    return harmless(value, 300)


def _inputs(inputs: dict[str, Any]) -> list[tuple[str, str]]:
    return list(_flatten("", inputs))
