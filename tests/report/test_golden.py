"""The figures against pictures that a person looked at.

They hold for the one matplotlib they were made with. After a change that was looked at and is
wanted: ``MRS_DISC_GOLDEN=write pytest tests/report/test_golden.py``.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import matplotlib as mpl
import pytest
import typst

from mrs_disc.record.file import as_json, results_of
from mrs_disc.report import curves, figures, quality_strip
from mrs_disc.report.content import View
from mrs_disc.report.overview import overview_figure
from mrs_disc.report.pdf import _fonts
from mrs_disc.report.results import results_from, signals_from

GOLDEN = Path(__file__).parent.parent / "golden"
MADE_WITH = "3.11.2"
TOLERANCE = 4.0
"""Root mean square of grey values: other anti-aliasing passes, a moved label does not."""

pytestmark = pytest.mark.skipif(
    mpl.__version__ != MADE_WITH, reason=f"made with matplotlib {MADE_WITH}"
)


@pytest.fixture(scope="module")
def view(report):
    return View(
        results=results_of(as_json(results_from(report)), Path("results.json")),
        signals=signals_from(report),
        written=date(2026, 1, 1),
    )


def drawn(view, name):
    if name == "overview":
        return figures.png(overview_figure(view.results, view.signals), dpi=72)
    key, _, kind = name.partition("_")
    level = next(v for v in view.results.levels if v.key == key)
    signals = view.signals.levels[key]
    if kind == "quality":
        return seen_svg(quality_strip.quality_svg(level, signals))
    shown = curves.spectra(level, signals)
    top = curves.spectra(view.results.levels[0], view.signals.levels["L1-L2"]).top
    return figures.png(figures.spectrum_figure(level, shown, top), dpi=72)


def seen_svg(svg):
    """Return a picture of an SVG, as the PDF shows it."""
    page = '#set page(width: auto, height: auto, margin: 0pt)\n#image("a.svg")'
    files = {"main.typ": page.encode(), "a.svg": svg.encode()}
    return typst.Compiler(files, font_paths=_fonts()).compile(format="png", ppi=72.0)


@pytest.mark.parametrize("name", ["overview", "L1-L2_spectrum", "L3-L4_spectrum", "L1-L2_quality"])
def test_figure_looks_as_it_was_seen(view, name, tmp_path):
    from matplotlib.testing.compare import compare_images

    golden = GOLDEN / f"{name}.png"
    content = drawn(view, name)
    if os.environ.get("MRS_DISC_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_bytes(content)
    found = tmp_path / f"{name}.png"
    found.write_bytes(content)
    difference = compare_images(str(golden), str(found), tol=TOLERANCE)
    assert difference is None, difference
