"""References of the methods used, as a reader needs them: list, BibTeX, CITATION.md."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from mrs_disc._version import __version__
from mrs_disc.record.level import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One paper.

    Parameters
    ----------
    key : str
        BibTeX key.
    authors, title, journal, place : str
        As cited; `place` is volume and pages.
    year : int
        Of publication.
    doi : str
        Without the resolver's address.
    why : str
        What of it is used here.
    """

    key: str
    authors: str
    title: str
    journal: str
    year: int
    place: str
    doi: str
    why: str

    @property
    def text(self) -> str:
        """One line for a list."""
        return f"{self.authors}. {self.title}. {self.journal} {self.year};{self.place}."

    @property
    def link(self) -> str:
        """Address of the paper."""
        return f"https://doi.org/{quote(self.doi, safe='/')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How the methods name a step of the processing, and the key of the paper behind it."""

    name: str
    words: str
    paper: str = ""


_IDLE = ("skipped", "none", "spectral registration by none")
"""Methods of steps that changed nothing."""


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    file = resources.files("mrs_disc.report") / "references.toml"
    return tomllib.loads(file.read_text("utf-8"))


def papers() -> dict[str, Reference]:
    """Return every paper by its key."""
    return {row["key"]: Reference(**row) for row in _table()["paper"]}


def steps_taken(results: Results) -> tuple[Step, ...]:
    """Return the steps that changed the signal of any level, in the order of processing."""
    taken = {
        step.step
        for level in results.levels
        for step in level.history or ()
        if step.method not in _IDLE
    }
    return tuple(Step(**row) for row in _table()["step"] if row["name"] in taken)


def references(results: Results) -> tuple[Reference, ...]:
    """Return the papers behind the methods that this study really used, in order of use."""
    used = [step.paper for step in steps_taken(results) if step.paper]
    if any(level.fit is not None for level in results.levels):
        used += ["Golub1973"]
        if results.options("fit").get("baseline") == "spline":
            used += ["Eilers1996"]
        if any(level.fit and "LAC" in level.fit.metabolites for level in results.levels):
            used += ["Govindaraju2000"]
            if any(v.protocol and v.protocol.refocusing_bandwidth_hz for v in results.levels):
                used += ["Slotboom1994"]
    quantities = (q for level in results.levels for q in (level.quantities or {}).items())
    if any(name.endswith("/water") and q.value is not None for name, q in quantities):
        used += ["Near2021"]
    known = papers()
    return tuple(known[key] for key in (*used, "Lin2021", "Kreis2021"))


def bibtex(cited: Iterable[Reference]) -> str:
    """Return the papers as BibTeX, ASCII alone."""
    entries = []
    for paper in cited:
        authors = " and ".join(_bibtex_name(a) for a in paper.authors.split(", "))
        volume, _, pages = paper.place.partition(":")
        entries.append(
            f"@article{{{paper.key},\n"
            f"  author = {{{authors}}},\n"
            f"  title = {{{{{paper.title}}}}},\n"
            f"  journal = {{{paper.journal}}},\n"
            f"  year = {{{paper.year}}},\n"
            f"  volume = {{{volume}}},\n"
            f"  pages = {{{pages.replace('-', '--')}}},\n"
            f"  doi = {{{paper.doi}}}\n"
            "}\n"
        )
    return "\n".join([*entries, _SOFTWARE])


_SOFTWARE = (
    "@software{mrs_disc,\n"
    "  author = {{mrs\\_disc contributors}},\n"
    "  title = {{mrs\\_disc: single-voxel MR spectroscopy of intervertebral discs}},\n"
    f"  version = {{{__version__}}}\n"
    "}\n"
)

_ACCENTS = {"ń": r"{\'n}", "Ö": r"{\"O}", "ö": r"{\"o}", "ü": r"{\"u}"}


def _bibtex_name(author: str) -> str:
    if author == "et al":
        return "others"
    family, _, initials = author.rpartition(" ")
    spaced = ". ".join(initials) + "."
    name = f"{family}, {spaced}"
    return "".join(_ACCENTS.get(c, c) for c in name)


def citation_markdown(results: Results, paragraph: str) -> str:
    """Return ``CITATION.md``: the methods paragraph and its references."""
    lines = [
        "# How to describe and cite this analysis",
        "",
        paragraph,
        "",
        "## References",
        "",
        *(f"{n}. {p.text} {p.link} ({p.why})" for n, p in enumerate(references(results), 1)),
        "",
    ]
    return "\n".join(lines)
