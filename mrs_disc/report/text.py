"""The report as plain text: for dictation systems, mails and terminals.

The order is that of a radiologist's report: clinical information, technique, findings level by
level, impression, limitations. Lines are at most 78 characters long.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Results
from mrs_disc.report.bands import bands_note
from mrs_disc.report.content import View, clinical_rows, status_words
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.methods import LIMITS, ratios_assumed, technique
from mrs_disc.report.said import addenda, automatic_lines, edited_words, impression_lines
from mrs_disc.report.words import harmless

WIDTH = 78


def render(view: View) -> dict[str, bytes]:
    """Return ``report.txt``."""
    results = view.results
    levels = results.best.values()
    parts = {
        "CLINICAL INFORMATION": [
            f"{name}: {value.removesuffix('.')}{'' if value[-1:] in ('?', '!') else '.'}"
            for name, value in clinical_rows(results.clinical)
        ],
        "TECHNIQUE": [technique(results), *filter(None, [ratios_assumed(results)])],
        "FINDINGS": [finding_sentence(level, results) for level in levels],
        "IMPRESSION": [
            *impression_lines(results),
            *filter(None, [(words := edited_words(results)) and f"({words}.)"]),
        ],
        "ADDENDUM": [line for who, lines in addenda(results) for line in (f"{who}:", *lines)],
        "AUTOMATIC IMPRESSION": automatic_lines(results),
        "LIMITATIONS": [
            *filter(None, [bands_note(results)]),
            *LIMITS,
            *(n for n in results.notices if n != RESEARCH_USE),
        ],
    }
    lines = [
        f"Disc spectroscopy: {harmless(results.study_id, 200)}",
        f"{status_words(results)}. Written {view.written.isoformat()}.",
        RESEARCH_USE,
    ]
    text = "\n".join(line for words in lines for line in _wrapped(words))
    for title, said in parts.items():
        if said:
            text += f"\n\n{title}\n" + "\n".join(line for words in said for line in _wrapped(words))
    text += f"\n\n{_origin(results)}\n"
    return {"report.txt": text.encode()}


def _wrapped(words: str) -> Iterable[str]:
    """Return a paragraph as lines; the name of a level is never broken at its hyphen."""
    return wrap(harmless(words, 4000), WIDTH, break_on_hyphens=False, break_long_words=False)


def _origin(results: Results) -> str:
    software = f"{results.software.name} {results.software.version}"
    return f"{software}, recipe {results.recipe_sha256}"
