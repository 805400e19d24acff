"""What a report says, in its order, as plain data: HTML and PDF only lay it out.

Everything here is final wording; texts from files and people have passed `harmless`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Results
from mrs_disc.record.signals import Signals
from mrs_disc.report.bands import bands_note, bands_order
from mrs_disc.report.citations import bibtex, references
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.methods import (
    LIMITS,
    methods_table,
    model_card,
    paragraph,
    prevalence,
    technique,
)
from mrs_disc.report.said import addenda, automatic_lines, edited_words, impression_lines
from mrs_disc.report.words import CODES, COMPONENTS, clean, harmless

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_REVIEWED = "Preliminary, not reviewed"

CLINICAL = {
    "examination_date": "Examined",
    "accession_number": "Accession number",
    "age": "Age",
    "sex": "Sex",
    "referring_question": "Referring question",
    "indication": "Indication",
    "comparison": "Comparison",
    "conservative_care": "Conservative care so far",
    "mri_safety_screening": "MRI safety screening",
    "consent": "Consent",
    "preauthorization": "Preauthorization",
}
"""What may be told of patient and examination, in the order in which a report says it."""


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
    predecessor : Path or None
        The SR that this one amends.
    transmission : tuple of (str, str)
        How the data came and where reports went, for the provenance.
    beside : tuple of str
        Files and folders (which end in ``/``) that are written with this one.
    """

    results: Results
    signals: Signals | None
    written: date
    dicom_reference: Path | None = None
    paper: Literal["a4", "letter"] = "a4"
    record_sha256: str = ""
    secondary_capture: bool = False
    predecessor: Path | None = None
    transmission: tuple[tuple[str, str], ...] = ()
    beside: tuple[str, ...] = ()

    @cached_property
    def content(self) -> dict[str, Any]:
        """Words, tables and figures, made once for all formats that lay them out."""
        return report_content(self)


def first_screen(results: Results, signals: Signals | None) -> dict[str, Any]:
    """Return what a report says first: status, impression, levels and their overview (SVG).

    Parameters
    ----------
    results : Results
        The record.
    signals : Signals or None
        The arrays, for the anatomy slice.
    """
    # Here, so that tables and records alone load no plotting library.
    from mrs_disc.report.level_content import structure_unit, summary_row
    from mrs_disc.report.overview import overview_alt, overview_figure

    content = {
        "study_id": results.study_id,
        "study_short": harmless(results.study_id, 60),
        "status": status_words(results),
        "signed": results.signed,
        "notice": RESEARCH_USE,
        "notices": [sentence(n) for n in results.notices if n != RESEARCH_USE],
        "impression": impression_lines(results),
        "edited": edited_words(results),
        "automatic": automatic_lines(results),
        "addenda": [list(one) for one in addenda(results)],
        "completeness": _completeness(results),
        "summary": [summary_row(level, results) for level in results.best.values()],
        "overview_alt": overview_alt(results),
        "overview_note": _overview_note(signals),
        "errors_note": _errors_note(results),
        "structure_unit": structure_unit(results),
    }
    cleaned: dict[str, Any] = clean(content, 4000)
    svg, width, height = _drawn(lambda: overview_figure(results, signals))
    return cleaned | {"overview_svg": svg, "overview_width": width, "overview_height": height}


def _drawn(figure: Callable[[], Figure]) -> tuple[str, int, int]:
    """Return a picture as SVG, with its width and height in hundredths of an inch."""
    from mrs_disc.report.look import dropped, svg

    with dropped():
        made = figure()
        width, height = (round(100 * float(inches)) for inches in made.get_size_inches())
        words = svg(made)
        del made
    return words, width, height


def report_content(view: View) -> dict[str, Any]:
    """Return the whole report: words, tables and figures (SVG with alternative text)."""
    from mrs_disc.report.curves import study_spectra
    from mrs_disc.report.level_content import level_content
    from mrs_disc.report.stack import stacked_alt, stacked_figure

    results, signals = view.results, view.signals
    drawn, top = study_spectra(results, signals)
    content = {
        "title": f"Disc spectroscopy report: {results.study_id}",
        "written": view.written.isoformat(),
        "technique": technique(results),
        "codes": [list(pair) for pair in CODES],
        "clinical": clinical_rows(results.clinical),
        "findings": [finding_sentence(level, results) for level in results.best.values()],
        "bands": bands_note(results),
        "band_order": bands_order(results),
        "stack_alt": stacked_alt(results, drawn),
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
        "provenance": [*_provenance(results), *view.transmission],
        "beside": list(view.beside),
        "inputs": [_input(i.path, i.sha256, i.reader) for i in results.files.inputs],
        "recipe": _flat(results.recipe),
    }
    cleaned: dict[str, Any] = first_screen(results, signals) | clean(content, 4000)
    cleaned["bibtex"] = bibtex(references(results))
    cleaned["stack_svg"], cleaned["stack_height"] = "", 0
    if drawn:
        svg, _, height = _drawn(lambda: stacked_figure(results, drawn, top))
        cleaned |= {"stack_svg": svg, "stack_height": height}
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


def sentence(text: str) -> str:
    """Return a notice as a sentence.

    >>> sentence("the voxel of L4-L5 is larger than a disc")
    'The voxel of L4-L5 is larger than a disc.'
    """
    return text[:1].upper() + text[1:].rstrip(". ") + "."


def _errors_note(results: Results) -> str:
    """Return what the columns of the score are, what they assume, and what is in their errors."""
    assumed = prevalence(results)
    share = "" if assumed is None else f" of {100 * assumed:.0f} % before the measurement"
    return (
        "Likelihood ratio: how many times as likely the measurement is of a painful disc as of a "
        "painless one; its interval is what the other discs of this person leave open. "
        f"Probability: the ratio at a share of painful discs{share}; its interval is the error of "
        "measurement alone, not what is uncertain of the model."
    )


def _completeness(results: Results) -> str:
    c = results.completeness
    text = (
        f"{c.n_levels} of {len(results.best)} levels gave a usable spectrum; "
        f"CPT 0609T asks for at least {c.min_levels}: {'met' if c.met else 'not met'}."
    )
    return text + (f" Without a usable spectrum: {', '.join(c.missing)}." if c.missing else "")


def clinical_rows(clinical: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was given of the patient's history, as names and values."""
    rows = []
    order = {key: n for n, key in enumerate(CLINICAL)}
    for key in sorted(clinical, key=lambda key: order.get(key, len(order))):
        value = clinical[key]
        name = CLINICAL.get(key, str(key).replace("_", " "))
        shown = ", ".join(str(v) for v in value) if isinstance(value, list | tuple) else str(value)
        if key == "age" and shown.isdecimal():
            shown += " years"
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
        (
            "likelihood ratio",
            "how many times as likely the measurement is of a painful disc as of a painless one; "
            "its interval is what the patient's common offset leaves open",
        ),
        ("probability", "of a painful disc by the score model, measurement error included"),
        (
            "[V] [R] [D] [P]",
            "value read in its source, recalled, derived, proposed by this project",
        ),
        (
            "concordant",
            "score and images (or provocation) point the same way; grade and score both follow "
            "structure, so that they agree in part by construction",
        ),
    ]


_KERNELS = {"c": "compiled", "numpy": "NumPy", None: "not reported"}


def _provenance(results: Results) -> list[tuple[str, str]]:
    dependencies = ", ".join(f"{n} {v}" for n, v in results.software.dependencies.items())
    return [
        ("Software", f"{results.software.name} {results.software.version}"),
        ("Libraries", dependencies or "not reported"),
        ("Sampler of the fit", _KERNELS[results.software.kernel]),
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
