"""``CITATION.md`` and ``references.bib``: how to describe and cite an analysis."""

from __future__ import annotations

from mrs_disc.report.citations import bibtex, citation_markdown, references
from mrs_disc.report.content import View
from mrs_disc.report.methods import paragraph


def render(view: View) -> dict[str, bytes]:
    """Return the methods paragraph with references, and the same as BibTeX."""
    results = view.results
    return {
        "CITATION.md": citation_markdown(results, paragraph(results)).encode(),
        "references.bib": bibtex(references(results)).encode(),
    }
