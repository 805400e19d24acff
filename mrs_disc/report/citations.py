"""References of the methods used, as a reader needs them: list, BibTeX, CITATION.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


RODGERS = Reference(
    key="Rodgers2010",
    authors="Rodgers CT, Robson MD",
    title="Receive array magnetic resonance spectroscopy: whitened singular value decomposition "
    "(WSVD) gives optimal Bayesian solution",
    journal="Magn Reson Med",
    year=2010,
    place="63:881-891",
    doi="10.1002/mrm.22230",
    why="coil combination",
)
NEAR_2015 = Reference(
    key="Near2015",
    authors="Near J, Edden R, Evans CJ, Paquin R, Harris A, Jezzard P",
    title="Frequency and phase drift correction of magnetic resonance spectroscopy data by "
    "spectral registration in the time domain",
    journal="Magn Reson Med",
    year=2015,
    place="73:44-50",
    doi="10.1002/mrm.25094",
    why="alignment of the transients",
)
KLOSE = Reference(
    key="Klose1990",
    authors="Klose U",
    title="In vivo proton spectroscopy in presence of eddy currents",
    journal="Magn Reson Med",
    year=1990,
    place="14:26-30",
    doi="10.1002/mrm.1910140104",
    why="eddy-current correction",
)
PIJNAPPEL = Reference(
    key="Pijnappel1992",
    authors="Pijnappel WWF, van den Boogaart A, de Beer R, van Ormondt D",
    title="SVD-based quantification of magnetic resonance signals",
    journal="J Magn Reson",
    year=1992,
    place="97:122-134",
    doi="10.1016/0022-2364(92)90241-X",
    why="removal of residual water",
)
GOLUB = Reference(
    key="Golub1973",
    authors="Golub GH, Pereyra V",
    title="The differentiation of pseudo-inverses and nonlinear least squares problems whose "
    "variables separate",
    journal="SIAM J Numer Anal",
    year=1973,
    place="10:413-432",
    doi="10.1137/0710036",
    why="separable least squares of the fit",
)
GOVINDARAJU = Reference(
    key="Govindaraju2000",
    authors="Govindaraju V, Young K, Maudsley AA",
    title="Proton NMR chemical shifts and coupling constants for brain metabolites",
    journal="NMR Biomed",
    year=2000,
    place="13:129-153",
    doi="10.1002/1099-1492(200005)13:3<129::AID-NBM619>3.0.CO;2-V",
    why="chemical shifts and couplings",
)
SLOTBOOM = Reference(
    key="Slotboom1994",
    authors="Slotboom J, Mehlkopf AF, Bovee WMMJ",
    title="The effects of frequency-selective RF pulses on J-coupled spin-1/2 systems",
    journal="J Magn Reson A",
    year=1994,
    place="108:38-50",
    doi="10.1006/jmra.1994.1089",
    why="J evolution under displaced refocusing",
)
NEAR_2021 = Reference(
    key="Near2021",
    authors="Near J, Harris AD, Juchem C, Kreis R, Marjańska M, Öz G, et al",
    title="Preprocessing, analysis and quantification in single-voxel magnetic resonance "
    "spectroscopy: experts' consensus recommendations",
    journal="NMR Biomed",
    year=2021,
    place="34:e4257",
    doi="10.1002/nbm.4257",
    why="form of the water reference; order of processing",
)
LIN = Reference(
    key="Lin2021",
    authors="Lin A, Andronesi O, Bogner W, Choi IY, Coello E, Cudalbu C, et al",
    title="Minimum reporting standards for in vivo magnetic resonance spectroscopy (MRSinMRS): "
    "experts' consensus recommendations",
    journal="NMR Biomed",
    year=2021,
    place="34:e4484",
    doi="10.1002/nbm.4484",
    why="the table of methods",
)
KREIS = Reference(
    key="Kreis2021",
    authors="Kreis R, Boer V, Choi IY, Cudalbu C, de Graaf RA, Gasparovic C, et al",
    title="Terminology and concepts for the characterization of in vivo MR spectroscopy methods "
    "and MR spectra: background and experts' consensus recommendations",
    journal="NMR Biomed",
    year=2021,
    place="34:e4347",
    doi="10.1002/nbm.4347",
    why="terms and definitions",
)

BY_STEP: dict[str, Reference] = {
    "coil": RODGERS,
    "align": NEAR_2015,
    "eddy": KLOSE,
    "water": PIJNAPPEL,
}
"""A word in the name of a step to the paper behind it."""


def steps_taken(results: Results) -> str:
    """Return the names of all steps that did something, as one text to look words up in."""
    return " ".join(
        step.step
        for level in results.levels
        for step in level.history or ()
        if step.method not in ("skipped", "none") and not step.method.endswith("by none")
    )


def references(results: Results) -> tuple[Reference, ...]:
    """Return the papers behind the methods that this study really used, in order of use."""
    steps = steps_taken(results)
    used = [paper for word, paper in BY_STEP.items() if word in steps]
    if any(level.fit is not None for level in results.levels):
        used += [GOLUB]
        if any(level.fit and "LAC" in level.fit.metabolites for level in results.levels):
            used += [GOVINDARAJU]
            if any(v.protocol and v.protocol.refocusing_bandwidth_hz for v in results.levels):
                used += [SLOTBOOM]
    quantities = (q for level in results.levels for q in (level.quantities or {}).items())
    if any(name.endswith("/water") and q.value is not None for name, q in quantities):
        used += [NEAR_2021]
    return (*used, LIN, KREIS)


def bibtex(papers: Iterable[Reference]) -> str:
    """Return the papers as BibTeX, ASCII alone."""
    entries = []
    for paper in papers:
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
    papers = references(results)
    lines = [
        "# How to describe and cite this analysis",
        "",
        paragraph,
        "",
        "## References",
        "",
        *(f"{n}. {p.text} {p.link} ({p.why})" for n, p in enumerate(papers, 1)),
        "",
    ]
    return "\n".join(lines)
