"""What the templates show, as plain data; wording and digits are those of the report."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Level, Measured, Results
from mrs_disc.record.levels import LEVELS
from mrs_disc.record.overlay import renamed_signals
from mrs_disc.record.review import DECISION_SHAPE, STATUS_SHAPE, Act, LevelReview, Review
from mrs_disc.record.signals import AnatomySlice, LevelSignals, Signals
from mrs_disc.report.anatomy import slices_of
from mrs_disc.report.bands import bands_note
from mrs_disc.report.content import clinical_rows
from mrs_disc.report.curves import in_words, spectra
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.level_content import (
    agreement_words,
    amounts,
    other_rows,
    quality_rows,
    relative_rows,
    summary_row,
    unscored,
)
from mrs_disc.report.marks import Scale, points
from mrs_disc.report.said import addenda, automatic_lines, edited_words, impression_lines
from mrs_disc.report.words import (
    LABEL_KIND,
    LABEL_SHAPE,
    VERDICT_SHAPE,
    clean,
    component_word,
    harmless,
    rounded,
    true_minus,
)
from mrs_disc.review.acts import (
    HEIGHT_LOSSES,
    HERNIATIONS,
    REASONS,
    analysed_key,
    unconfirmed,
)
from mrs_disc.review.studies import LoadedStudy

ACT_WORDS = {
    "level": "decision",
    "morphology": "morphology",
    "rename": "name corrected",
    "impression": "impression written",
    "addendum": "addendum",
    "sign": "signature",
    "final": "final report made",
}


def study_context(study: LoadedStudy, review: Review) -> dict[str, Any]:
    """Return the whole study page."""
    results = study.reviewed(review)
    signals = renamed_signals(study.signals, review)
    originals = {level.key: level for level in study.results.levels}
    return summary_context(study, review, results) | {
        "panels": [
            panel(level, originals[analysed_key(level)], results, signals, study.height)
            for level in results.levels
        ],
        "anatomy": anatomy(results, signals),
        "signals_problem": study.signals_problem,
        "components": _components(results),
        "reasons": REASONS,
        "herniations": HERNIATIONS,
        "height_losses": HEIGHT_LOSSES,
        "clinical": clinical_rows(results.clinical),
        "level_names": LEVELS,
    }


def summary_context(
    study: LoadedStudy, review: Review, results: Results | None = None
) -> dict[str, Any]:
    """Return the part of the study page that an act changes."""
    results = study.reviewed(review) if results is None else results
    rows = [_row(level, results) for level in results.levels]
    return {
        "study": study.row.study,
        "review": review,
        "status_shape": STATUS_SHAPE[review.status],
        "results_sha256": study.sha256,
        "impression": impression_lines(results),
        "edited": edited_words(results),
        "automatic": automatic_lines(results),
        "addenda": addenda(results),
        "findings": [
            finding_sentence(level, results).partition(": ") for level in results.best.values()
        ],
        "bands": bands_note(results),
        "completeness": results.completeness,
        "notices": clean([note for note in results.notices if note != RESEARCH_USE], 600),
        "rows": rows,
        "unconfirmed": unconfirmed(results.findings),
        "undecided": [row["title"] for row in rows if row["measured"] and not row["decision"]],
        "history": [_act(act, study.sha256) for act in reversed(review.history)],
    }


def _row(level: Level, results: Results) -> dict[str, Any]:
    """Return a level's line in the overview."""
    decided = level.review or LevelReview()
    row: dict[str, Any] = clean(summary_row(level, results), 400)
    runs = [other for other in results.levels if other.level == level.level]
    return row | {
        "counts": len(runs) > 1 and results.best[level.level].key == level.key,
        "key": analysed_key(level),
        "title": level.title,
        "corrected": f"analysed as {decided.analysed_as}" if decided.analysed_as else "",
        "measured": level.measured is not None,
        "axis": _score_axis(level),
        "agreement": "; ".join(agreement_words(level))
        or ("no morphology given" if level.measured else "–"),
        "why": _why(level),
        **_decision(decided),
        **(_judged(level.measured, row) if level.measured else {}),
    }


def _judged(found: Measured, summary: dict[str, Any]) -> dict[str, Any]:
    """Return quality and score with their reasons, which an act may change."""
    scored = found.score.value is not None
    return {
        "quality_words": summary["quality"],
        "quality_reasons": [harmless(true_minus(r), 300) for r in found.quality.reasons],
        "score_words": f"{summary['label']}, {summary['probability']}"
        if scored
        else summary["label"],
        "score_reasons": [harmless(true_minus(r), 300) for r in found.score.reasons],
    }


def _why(level: Level) -> str:
    """Return why a level is unusable or unscored; the reviewer's words have their own column."""
    if level.error is not None:
        return harmless(level.error.message, 300)
    if level.quality is None or level.quality.verdict != "poor":
        return harmless(unscored(level), 400)
    return true_minus(harmless("; ".join(level.quality.reasons), 400))


def _decision(decided: LevelReview) -> dict[str, str]:
    return {
        "decision": decided.decision or "",
        "decision_shape": DECISION_SHAPE[decided.decision] if decided.decision else "",
        "decision_words": decided.decided,
    }


def _score_axis(level: Level) -> dict[str, float] | None:
    """Return value and interval as places on an axis from 4 to 104."""
    score = level.score
    if score is None or score.value is None:
        return None
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    place = Scale(0, 1, 4, 104)
    return {"value": place(score.value), "low": place(low), "high": place(high)}


def _act(act: Act, results_sha256: str) -> dict[str, Any]:
    words = ACT_WORDS[act.act]
    if act.act == "level":
        words = " ".join(filter(None, (act.decision, f"({act.reason})" if act.reason else "")))
        words += f", quality set to {act.verdict}" if act.verdict else ""
    if act.act == "morphology" and act.morphology:
        given = {k: v for k, v in asdict(act.morphology).items() if v is not None}
        words = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in given.items()) or "none given"
    if act.act == "rename":
        words += ": " + ", ".join(f"{a} to {now}" for a, now in act.renamed.items())
        words += f" ({act.reason})"
    if act.act == "impression" and not act.text:
        words = "automatic impression taken back"
    if act.levels_confirmed:
        words += f", levels confirmed: {', '.join(act.levels_confirmed)}"
    return {
        "n": act.n,
        "time": act.time.replace("T", " ").replace("Z", " UTC"),
        "reviewer": harmless(act.reviewer),
        "level": act.key.replace("_run-", " run "),
        "words": harmless(words),
        "comment": harmless(act.comment or act.text),
        "earlier": act.results_sha256 != results_sha256,
    }


# --------------------------------------------------------------------------- one level


def panel(
    level: Level,
    original: Level,
    results: Results,
    signals: Signals,
    height: float,
) -> dict[str, Any]:
    """Return forms and tables of one level; `original` has the automatic verdict."""
    decided = level.review or LevelReview()
    arrays = signals.levels.get(level.key)
    base: dict[str, Any] = {
        "key": original.key,
        "level": level.level,
        "title": level.title,
        "measured": level.measured is not None,
        "drawn": level.measured is not None and arrays is not None,
        "review": decided,
        "corrected": decided.words if decided.analysed_as else "",
        "comment": decided.comment,
        "message": harmless(level.error.message, 600) if level.error else "",
        "morphology": asdict(level.morphology) if level.morphology else {},
        "provocation": harmless(level.provocation.result) if level.provocation else "",
        "concordance": harmless(level.concordance or "no morphology given", 400),
        **_decision(decided),
    }
    if level.measured is None or original.quality is None:
        return base
    quality = level.measured.quality
    shown = spectra(level, arrays) if arrays is not None else None
    return base | {
        **_judged(level.measured, clean(summary_row(level, results), 400)),
        "verdict": quality.verdict,
        "automatic_verdict": original.quality.verdict,
        "amounts": clean(amounts(level.measured, shown), 300),
        "others": clean(other_rows(level.measured), 300),
        "quality": clean(quality_rows(level.measured), 300),
        "relative": clean(relative_rows(level, results), 300),
        "notes": clean(list(level.measured.notes), 600),
        "words": _spectrum_rows(level, arrays, height) if arrays is not None else [],
        "strip": transient_strip(arrays, quality.rejected) if arrays is not None else None,
    }


def _spectrum_rows(level: Level, arrays: LevelSignals, height: float) -> list[dict[str, str]]:
    return [
        {
            "name": row["name"],
            "word": component_word(row["name"]),
            "ppm": rounded(row["ppm"], 2),
            **{k: rounded(row[k], 1) for k in ("data", "fit", "component", "residual")},
            "residual_noise": rounded(row["residual_noise"], 1),
        }
        for row in in_words(level, arrays, height)
    ]


def transient_strip(arrays: LevelSignals, rejected: tuple[int, ...]) -> dict[str, Any] | None:
    """Return frequencies of the transients as places in a picture of 420 by 84."""
    values = arrays.frequency_hz
    if values.size < 2:
        return None
    low, high = float(values.min()), float(values.max())
    half, middle = max(high - low, 1.0) / 2, (low + high) / 2
    x, y = Scale(0, values.size - 1, 40, 408), Scale(middle - half, middle + half, 66, 14)
    marks = [
        {"x": round(x(n), 1), "y": round(y(float(hz)), 1), "rejected": n in rejected}
        for n, hz in enumerate(values)
    ]
    words = f"{values.size} transients, frequencies from {low:.1f} to {high:.1f} Hz"
    if rejected:
        numbers = ", ".join(str(n + 1) for n in rejected[:20])
        words += f"; rejected: {numbers}" + (" and more" if len(rejected) > 20 else "")
    return {
        "points": marks,
        "words": words.replace("-", "\u2212"),
        "low": rounded(low, 1),
        "high": rounded(high, 1),
        "n": values.size,
        "n_rejected": len(rejected),
    }


def _components(results: Results) -> list[dict[str, str]]:
    names = dict.fromkeys(n for level in results.levels if level.fit for n in level.fit.metabolites)
    return [{"name": name, "word": component_word(name)} for name in names]


# --------------------------------------------------------------------------- anatomy


def anatomy(results: Results, signals: Signals) -> dict[str, Any] | None:
    """Return the slice's size in mm and the voxels' outlines in it."""
    if signals.anatomy is None:
        return None
    tall, wide = signals.anatomy.pixel_mm
    n_rows, n_columns = signals.anatomy.image.shape
    outlines = []
    for level in results.best.values():
        arrays = signals.levels.get(level.key)
        if arrays is None or arrays.outline is None:
            continue
        corners = (arrays.outline + 0.5) * np.array([wide, tall])
        outlines.append(
            {
                "key": analysed_key(level),
                "title": level.level,
                "kind": LABEL_KIND[level.score.label] if level.score else "failed",
                "rejected": level.review is not None and level.review.decision == "reject",
                "label": level.score.label if level.score else "not measured",
                "shape": LABEL_SHAPE[level.score.label] if level.score else VERDICT_SHAPE["failed"],
                "points": points((float(a), float(b)) for a, b in corners),
                **_reach(signals.anatomy, arrays),
                "x": round(float(corners[:, 0].max()) + 3, 1),
                "y": round(float(corners[:, 1].mean()) + 3, 1),
            }
        )
    return {
        "width": round(n_columns * wide, 1),
        "height": round(n_rows * tall, 1),
        "outlines": outlines,
        "n_slices": 1 if signals.anatomy.slices is None else len(signals.anatomy.slices),
        "at": signals.anatomy.at,
    }


def _reach(anatomy_slice: AnatomySlice, arrays: LevelSignals) -> dict[str, int]:
    """Return the slices that a voxel reaches into; all, where they are not known."""
    if anatomy_slice.slices is None or arrays.voxel_affine is None:
        return {"first": 0, "last": 0}
    first, last = slices_of(anatomy_slice, arrays.voxel_affine)
    return {"first": first, "last": last}


def anatomy_png(anatomy_slice: AnatomySlice, number: int | None = None) -> bytes:
    """Return the slice, or one of its neighbours, as a grey PNG."""
    slices, image = anatomy_slice.slices, anatomy_slice.image
    if number is not None and slices is not None:
        image = slices[number]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()
