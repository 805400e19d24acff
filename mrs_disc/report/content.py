"""What a report says, in its order, as plain data: HTML and PDF only lay it out.

Everything here is final wording; texts from files and people have passed `harmless`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Results
from mrs_disc.record.signals import Signals
from mrs_disc.report.citations import bibtex, references
from mrs_disc.report.methods import LIMITS, methods_table, model_card, paragraph
from mrs_disc.report.words import CODES, COMPONENTS, clean, harmless

NOT_REVIEWED = "Preliminary, not reviewed"

CLINICAL = {
    "indication": "Indication",
    "conservative_care": "Conservative care so far",
    "mri_safety_screening": "MRI safety screening",
    "consent": "Consent",
    "preauthorization": "Preauthorization",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A report as every format sees it.

    Parameters
    ----------
    results : Results
        The record.
    signals : Signals or None
        The arrays; `None` where a format that draws nothing was asked for.
    written : date
        Day of writing; it stands in HTML, PDF and DICOM, never in the record.
    dicom_reference : Path or None
        A DICOM file of the patient, for DICOM output alone.
    paper : {"a4", "letter"}
        Page of the PDF.
    record_sha256 : str
        SHA-256 of ``results.json``: DICOM identifiers rest on it.
    secondary_capture : bool
        Whether DICOM output holds the first page as an image too.
    """

    results: Results
    signals: Signals | None
    written: date
    dicom_reference: Path | None = None
    paper: Literal["a4", "letter"] = "a4"
    record_sha256: str = ""
    secondary_capture: bool = False

    @cached_property
    def content(self) -> dict[str, Any]:
        """Words, tables and figures, made once for all formats that lay them out."""
        return report_content(self)


def report_content(view: View) -> dict[str, Any]:
    """Return the whole report: words, tables and figures (SVG with alternative text)."""
    # Here, so that tables and records alone load no plotting library.
    from mrs_disc.report import figures
    from mrs_disc.report.curves import study_spectra
    from mrs_disc.report.level_content import level_content, structure_unit, summary_row
    from mrs_disc.report.overview import overview_alt, overview_figure

    results, signals = view.results, view.signals
    drawn, top = study_spectra(results, signals)
    content = {
        "title": f"Disc spectroscopy report: {results.study_id}",
        "study_id": results.study_id,
        "study_short": harmless(results.study_id, 60),
        "written": view.written.isoformat(),
        "status": status_words(results),
        "signed": results.signed,
        "notice": RESEARCH_USE,
        "notices": [n for n in results.notices if n != RESEARCH_USE],
        "impression": sentences(results.impression),
        "completeness": _completeness(results),
        "codes": [list(pair) for pair in CODES],
        "clinical": _clinical(results.clinical),
        "summary": [summary_row(level, results) for level in results.best.values()],
        "overview_alt": overview_alt(results),
        "overview_note": _overview_note(signals),
        "structure_unit": structure_unit(results),
        "levels": [
            level_content(level, results, signals, drawn.get(level.key), top)
            for level in results.levels
        ],
        "methods": methods_table(results),
        "paragraph": paragraph(results),
        "references": [{"text": p.text, "link": p.link, "doi": p.doi} for p in references(results)],
        "limits": LIMITS,
        "card": model_card(results),
        "glossary": _glossary(results),
        "provenance": _provenance(results),
        "inputs": [_input(i.path, i.sha256, i.reader) for i in results.files.inputs],
        "recipe": _flat(results.recipe),
    }
    cleaned: dict[str, Any] = clean(content, 4000)
    cleaned["bibtex"] = bibtex(references(results))
    picture = overview_figure(results, signals)
    cleaned["overview_svg"] = figures.svg(picture)
    cleaned["overview_height"] = round(100 * float(picture.get_size_inches()[1]))
    return cleaned


def status_words(results: Results) -> str:
    """Return whether the report was reviewed, and by whom.

    The log's own words follow "Preliminary" wherever no signature covers the result.
    """
    review = results.review
    if review is None or review.status == "not reviewed":
        return NOT_REVIEWED
    words = harmless(review.words, 300)
    if results.signed:
        return words[:1].upper() + words[1:]
    return f"Preliminary; {words}"


def _overview_note(signals: Signals | None) -> str:
    if signals is None or all(level.outline is None for level in signals.levels.values()):
        return "The spine is drawn, not imaged."
    return "Left: the sagittal image with the voxels."


def sentences(text: str) -> list[str]:
    """Return a text as its sentences.

    A full stop after fewer than three letters is that of a name: it ends none.

    >>> sentences("Likely painful: L4-L5. Reviewed by Dr. A. Reader.")
    ['Likely painful: L4-L5.', 'Reviewed by Dr. A. Reader.']
    >>> sentences("L1-L2 indeterminate (SNR 2.5, below 5). Structure: not compared.")
    ['L1-L2 indeterminate (SNR 2.5, below 5).', 'Structure: not compared.']
    """
    ends = r"(?:(?<=[\w%-]{3}\.)|(?<=\)\.))(?<!Prof\.)\s+(?=[A-Z])"
    return [s for s in re.split(ends, text.strip()) if s]


def _completeness(results: Results) -> str:
    c = results.completeness
    text = (
        f"{c.n_levels} of {len(results.best)} levels gave a usable spectrum; "
        f"CPT 0609T asks for at least {c.min_levels}: {'met' if c.met else 'not met'}."
    )
    return text + (f" Without a usable spectrum: {', '.join(c.missing)}." if c.missing else "")


def _clinical(clinical: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for key, value in clinical.items():
        name = CLINICAL.get(key, str(key).replace("_", " "))
        shown = ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
        rows.append((harmless(name, 40), harmless(shown, 400)))
    return rows


def _glossary(results: Results) -> list[tuple[str, str]]:
    names = dict.fromkeys(n for v in results.levels if v.fit for n in v.fit.metabolites)
    rows = [(n, f"{COMPONENTS[n][0]}: {COMPONENTS[n][1]}") for n in names if n in COMPONENTS]
    if {"LAC", "ALA"} <= set(names):
        rows.append(("LAAL", f"{COMPONENTS['LAAL'][0]}: {COMPONENTS['LAAL'][1]}"))
    if "PG" in names:
        rows += [
            ("acidity", "lactate + alanine + 3/5 propionate (acid side of the score)"),
            ("structure", "proteoglycan + collagen (matrix side; a sign of degeneration)"),
        ]
    return [
        *rows,
        ("SNR", "height of the quality peak / standard deviation of the noise"),
        (
            "CRLB",
            "Cramér-Rao lower bound: the least uncertainty from noise alone, the baseline known",
        ),
        ("interval", "95 %: of a hundred such intervals, about 95 hold the true value"),
        ("probability", "of a painful disc by the score model, measurement error included"),
        (
            "[V] [R] [D] [P]",
            "value read in its source, recalled, derived, proposed by this project",
        ),
        ("concordant", "score and images (or provocation) point the same way"),
    ]


def _provenance(results: Results) -> list[tuple[str, str]]:
    dependencies = ", ".join(f"{n} {v}" for n, v in results.software.dependencies.items())
    return [
        ("Software", f"{results.software.name} {results.software.version}"),
        ("Libraries", dependencies or "not reported"),
        ("Recipe", str(results.recipe.get("name", "not reported"))),
        ("Recipe, SHA-256", results.recipe_sha256),
        ("Models", ", ".join(f"{k}: {v}" for k, v in results.models.items())),
        ("Signals, SHA-256", results.files.signals.sha256 or "not reported"),
        *_review_rows(results),
    ]


def _review_rows(results: Results) -> list[tuple[str, str]]:
    review = results.review
    if review is None or not review.n_acts:
        return []
    return [
        ("Review", f"{review.words}; {review.n_acts} acts in the log"),
        ("Head of the review log, SHA-256", review.head or "not reported"),
    ]


def _input(path: str, sha256: str | None, reader: str | None) -> tuple[str, str, str]:
    return harmless(path, 200), reader or "not reported", sha256 or "not reported"


def _flat(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options of a recipe as ``group.option`` and value."""
    rows = []
    for group, options in recipe.items():
        if isinstance(options, Mapping):
            rows += [(f"{group}.{name}", _option(value)) for name, value in options.items()]
        else:
            rows.append((group, _option(options)))
    return rows


def _option(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return "none" if value is None else harmless(value, 200)
