"""The figures: scales that tell the truth, names that do not overlap, words beside them."""

from __future__ import annotations

import gc
import io
import itertools
import re
import weakref
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon

from mrs_disc.record.file import as_json, results_of
from mrs_disc.report import curves, figures, quality_strip
from mrs_disc.report.content import View
from mrs_disc.report.level_content import NONE, amounts
from mrs_disc.report.look import _Renderer, dropped
from mrs_disc.report.overview import overview_alt, overview_figure
from mrs_disc.report.results import results_from, signals_from
from mrs_disc.report.stack import stacked_alt, stacked_figure
from mrs_disc.report.words import component_word


def view_of(report):
    return View(
        results=results_of(as_json(results_from(report)), Path("results.json")),
        signals=signals_from(report),
        written=date(2026, 1, 1),
    )


@pytest.fixture(scope="module")
def view(report):
    return view_of(report)


def curves_of(view, key):
    level = next(v for v in view.results.levels if v.key == key)
    return level, curves.spectra(level, view.signals.levels[key])


def test_lines_stand_at_their_shift(view):
    _, curves = curves_of(view, "L1-L2")
    tallest = curves.ppm[np.argmax(curves.fit)]
    assert tallest == pytest.approx(2.04, abs=0.02)


def test_the_residual_has_the_noise_that_the_fit_states(view):
    _, curves = curves_of(view, "L1-L2")
    residual = (curves.data - curves.fit)[curves.inside]
    assert residual.std() == pytest.approx(curves.noise_sd, rel=0.15)


def test_the_axis_runs_from_right_to_left(view):
    level, curves = curves_of(view, "L1-L2")
    axes = figures.spectrum_figure(level, curves, curves.top).axes[0]
    assert axes.get_xlim() == (4.5, 0.5)


@pytest.mark.parametrize("share", [1e-6, 0.01, 0.015, 0.1, 0.4, 1.0, 3.0, 30.0, 1e5])
def test_every_level_fits_its_panel_and_uses_it(view, share):
    _, curves = curves_of(view, "L1-L2")
    factor = figures.magnification(curves, curves.top / share)
    height = 100 * factor * share
    assert height <= 105
    assert height >= 20


def test_other_units_get_a_scale_of_their_own_that_is_said(view):
    level, curves = curves_of(view, "L1-L2")
    factor = figures.magnification(curves, 1e4 * curves.top)
    assert factor == pytest.approx(1e4)
    assert "scale of its own" in figures.scale_words(factor)
    axes = figures.spectrum_figure(level, curves, 1e4 * curves.top).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "50", "100"]


@pytest.mark.parametrize("top", [1.0, 1e5])
def test_a_fit_gone_astray_keeps_to_its_room_on_any_scale(view, top):
    """Water's wrong phase and a fit that fails run deep below zero: not into the components."""
    level, curves = curves_of(view, "L1-L2")
    deep = -5 * curves.top * np.exp(-(((curves.ppm - 1.2) / 0.3) ** 2))
    curves = replace(curves, data=curves.data + deep, fit=curves.fit + 3 * deep)
    axes = figures.spectrum_figure(level, curves, top * curves.top).axes[0]
    data = next(line for line in axes.lines if line.get_label() == "data")
    assert np.mean(data.get_ydata()[curves.inside] < figures._LOWEST) <= 0.01
    for name in ("data", "fit", "baseline"):
        line = next(line for line in axes.lines if line.get_label() == name)
        room = axes.transData.inverted().transform(line.get_clip_box())
        assert room[:, 1] == pytest.approx((figures._LOWEST, figures._HIGHEST))


@pytest.mark.parametrize("times", [0.3, 1.0, 3.0, 10.0])
def test_the_ticks_tell_the_magnification(view, times):
    """The tallest point of the data stands where the ticks say it does."""
    level, curves = curves_of(view, "L4-L5")
    axes = figures.spectrum_figure(level, curves, times * curves.top).axes[0]
    shown = np.array([float(t.get_text()) for t in axes.get_yticklabels()])
    data = next(line for line in axes.lines if line.get_label() == "data")
    tallest = data.get_ydata()[curves.inside].max()
    assert np.interp(tallest, axes.get_yticks(), shown) == pytest.approx(
        min(100 / times, shown[-1]), rel=0.02
    )
    assert 2 <= shown.size <= 6


def test_a_noisy_level_is_reduced_rather_than_cut(view):
    """All but one in two hundred samples lie between the neighbouring curves' rooms."""
    level, curves = curves_of(view, "L3-L4")
    axes = figures.spectrum_figure(level, curves, curves.top).axes[0]
    data = next(line for line in axes.lines if line.get_label() == "data")
    heights = data.get_ydata()[curves.inside]
    assert np.mean(heights < figures._LOWEST) <= 0.01
    room = axes.transData.inverted().transform(data.get_clip_box())
    assert room[:, 1] == pytest.approx((figures._LOWEST, figures._HIGHEST))


def test_a_frequency_that_was_not_followed_is_not_called_zero_drift(build):
    view = view_of(build.report([build.level("L4-L5", build.healthy)]))
    level = view.results.levels[0]
    quality = replace(level.quality, drift_hz=None)
    level = replace(level, measured=replace(level.measured, quality=quality))
    assert "too weak" in quality_strip.quality_alt(level, view.signals.levels["L4-L5"])
    assert "drift" not in quality_strip.quality_alt(level, view.signals.levels["L4-L5"])


def test_names_of_neighbours_keep_their_distance(view):
    level, curves = curves_of(view, "L4-L5")
    figure = figures.spectrum_figure(level, curves, curves.top)
    figure.canvas.draw()
    words = [t for t in figure.axes[0].texts if t.get_rotation() > 0]
    places = sorted(t.get_position()[0] for t in words)
    said = {t.get_text().strip("()") for t in words}
    assert said >= {component_word(name) for name in level.fit.metabolites}
    assert min(np.diff(places)) >= 0.13
    box = figure.bbox
    for text in words:
        assert box.x0 <= text.get_window_extent().x0
        assert text.get_window_extent().y1 <= box.y1 + 1


def test_figures_carry_no_clock_and_are_the_same_again(view):
    level, curves = curves_of(view, "L1-L2")
    first, second = (
        figures.svg(figures.spectrum_figure(level, curves, curves.top)) for _ in range(2)
    )
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\d", first)
    assert "<text" in first


def places_of(svg):
    """Return the corners of every path, absolute, by the rules of SVG 1.1, section 8.3."""
    paths = []
    for drawn in re.findall(r' d="([^"]*)"', svg):
        at, corners = np.zeros(2), []
        for letter, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", drawn):
            numbers = [float(x) for x in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
            for pair in np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2):
                at = at + pair if letter.islower() else pair
                corners.append(at)
        paths.append(np.array(corners))
    return paths


def test_lines_by_steps_lead_where_matplotlib_draws_them(view, monkeypatch):
    level, curves = curves_of(view, "L4-L5")
    short = figures.svg(figures.spectrum_figure(level, curves, curves.top))
    monkeypatch.setattr("mrs_disc.report.look._LINE", re.compile("(?!)"))
    plain = figures.svg(figures.spectrum_figure(level, curves, curves.top))
    assert len(short) < 0.8 * len(plain)
    pairs = list(zip(places_of(short), places_of(plain), strict=True))
    assert max(len(each) for each, _ in pairs) > 300
    for each, other in pairs:
        np.testing.assert_allclose(each, other, atol=1e-6)


def test_a_figure_is_gone_at_once_and_the_rest_of_the_program_left_alone(view):
    level, curves = curves_of(view, "L1-L2")
    visited = []

    def note(phase, info):
        if phase == "start":
            visited.append(info["generation"])

    gc.callbacks.append(note)
    try:
        with dropped():
            figure = figures.spectrum_figure(level, curves, curves.top)
            figures.svg(figure)
            gone = weakref.ref(figure)
            del figure
    finally:
        gc.callbacks.remove(note)
    assert gone() is None
    assert visited == [0]
    assert gc.isenabled()


def test_a_collector_that_was_switched_off_stays_off():
    gc.disable()
    try:
        with dropped():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_text_is_as_large_as_matplotlib_says_whatever_its_font_became():
    """The size is that of the font at the time, though it is kept."""
    ours = _Renderer(100, 100, io.StringIO())
    theirs = RendererSVG(100, 100, io.StringIO())
    font = FontProperties(size=8)
    for size, weight in ((8, "normal"), (20, "normal"), (20, "bold"), (8, "normal")):
        font.set_size(size)
        font.set_weight(weight)
        for words in ("likely painful", "$x^2$"):
            asked = words, font, "$" in words
            expected = theirs.get_text_width_height_descent(*asked)
            assert ours.get_text_width_height_descent(*asked) == expected


def test_rejected_transients_are_marked(view):
    level, _ = curves_of(view, "L1-L2")
    svg = quality_strip.quality_svg(level, view.signals.levels["L1-L2"])
    tree = ElementTree.fromstring(svg)
    crosses = tree.find(".//{*}path[@class='rejected']").get("d").split("M")[1:]
    middles = [float(cross.split()[0]) + 3.5 for cross in crosses[:-1]]  # the last: the legend's
    numbers = {
        float(t.text): float(t.get("x"))
        for t in tree.iterfind(".//{*}text")
        if t.text in ("20", "40", "60") and t.get("text-anchor") == "middle"
    }
    each = (numbers[60] - numbers[20]) / 40
    found = [20 + (x - numbers[20]) / each for x in middles]
    assert found == pytest.approx([4, 18], abs=0.05)  # places are written to a tenth
    assert "rejected: 2" in svg


def test_a_scan_without_transients_shows_no_empty_box(build):
    view = view_of(build.report([build.level("L4-L5", build.healthy, transients=1)]))
    level = view.results.levels[0]
    svg = quality_strip.quality_svg(level, view.signals.levels["L4-L5"])
    assert "water line" in svg
    assert "frequency" not in svg
    assert "Averaged on the scanner" in quality_strip.quality_alt(
        level, view.signals.levels["L4-L5"]
    )


def test_the_overview_names_every_level(view):
    figure = overview_figure(view.results, view.signals)
    names = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert names == ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    assert "not measured" in [t.get_text() for t in figure.axes[1].texts]


def test_the_overview_says_its_result_in_words(view):
    text = overview_alt(view.results)
    assert "L4-L5: likely painful, probability 0.93, quality good" in text


def test_twelve_levels_have_room(build):
    names = [f"T{n}-T{n + 1}" for n in range(1, 12)]
    view = view_of(build.report([build.level(n, build.healthy) for n in names], anatomy=False))
    figure = overview_figure(view.results, view.signals)
    figure.canvas.draw()
    labels = [t.get_window_extent() for t in figure.axes[1].get_yticklabels()]
    assert all(a.y0 > b.y1 for a, b in itertools.pairwise(labels))


@pytest.mark.parametrize("colour", [*figures.COMPONENT_COLOUR.values(), figures.FIT_COLOUR])
def test_coloured_words_have_contrast(colour):
    """WCAG 2.2: relative luminance against white, 4.5 to 1."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_negative_components_keep_to_their_room(view):
    level, curves = curves_of(view, "L4-L5")
    turned = replace(curves, components=-2 * curves.components)
    for shown in (curves, turned):
        axes = figures.spectrum_figure(level, shown, shown.top).axes[0]
        bottom, _ = axes.get_ylim()
        first = [line for line in axes.lines if line.get_label().startswith("_")]
        assert min(np.min(line.get_ydata()) for line in first) >= bottom


@pytest.mark.parametrize("foot", ["short", "a long line of words " * 14])
def test_the_lines_of_a_picture_that_stands_alone_stay_on_it(view, foot):
    level, curves = curves_of(view, "L4-L5")
    figure = figures.spectrum_figure(level, curves, curves.top, head="L4-L5", foot=foot)
    figure.canvas.draw()
    axes = figure.axes[0].get_tightbbox()
    for text in figure.texts:
        box = text.get_window_extent()
        if text.get_position()[0] > 0.5:  # of the enlarged part, beside the axes
            assert box.x0 > axes.x1
            continue
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= axes.y0 + 1 or box.y0 >= axes.y1 - 1  # below or above the axes


def bell(ppm, at, height, sd=0.05):
    return height * np.exp(-0.5 * ((ppm - at) / sd) ** 2)


@pytest.mark.parametrize("lipid", [0.0, 1.0, 5.0, 60.0])
def test_a_name_stands_at_the_strongest_line_and_says_what_tops_it(lipid):
    """The first line of lipid, at .90 ppm, is an eighth of the one at 1.30."""
    ppm = np.linspace(0.5, 4.2, 1200)
    lip = bell(ppm, 0.9, lipid / 8) + bell(ppm, 1.3, lipid)
    rings = sum(bell(ppm, at, 3.0, 0.08) for at in (3.6, 3.76, 3.92, 4.03))
    rows = np.array([bell(ppm, 1.31, 4.0), lip, rings, 0 * ppm])
    expected = {"LAC": 1.314, "LIP": 0.90, "CARB": 3.40, "PA": 1.05}
    found = {p.name: p for p in curves.places(expected, ppm, rows, expected)}
    assert found["LAC"].under == ("LIP" if lipid > 8 else "")
    assert found["LIP"].ppm == pytest.approx(1.30 if lipid else 0.90, abs=0.01)
    assert found["PA"].ppm == 1.05
    half = ppm[rings >= rings.max() / 2]  # four lines that are one hill
    assert (found["CARB"].low, found["CARB"].high) == (half.min(), half.max())
    assert found["CARB"].high - found["CARB"].low > curves.REGION_PPM
    assert found["LAC"].high - found["LAC"].low < curves.REGION_PPM


def test_a_peak_far_from_the_name_of_its_component_is_named_too():
    ppm = np.linspace(0.5, 4.2, 1200)
    rows = np.array([bell(ppm, 3.36, 4.0) + bell(ppm, 1.71, 2.0), bell(ppm, 2.04, 9.0)])
    shown = curves.Spectra(ppm, rows.sum(0), rows.sum(0), 0 * ppm, rows, (0.5, 4.2), 0.1)
    names = ["COL", "PG"]
    named = curves.places(names, ppm, rows, dict.fromkeys(names))
    others = curves.other_peaks(shown, names, named)
    assert [(p.name, round(p.ppm, 2)) for p in others] == [("COL", 1.71)]
    assert curves.other_peaks(replace(shown, noise_sd=1.0), names, named) == []


def test_amounts_of_a_poor_spectrum_stand_in_brackets(view):
    level, of = curves_of(view, "L1-L2")
    found = level.measured
    poor = replace(found, quality=replace(found.quality, verdict="poor"))
    for rows, brackets in ((amounts(found, of)["rows"], False), (amounts(poor, of)["rows"], True)):
        for row in rows:
            cells = [row[k] for k in ("amount", "ratio", "water") if row[k] != NONE]
            assert cells
            assert all(cell[0].startswith("[") is brackets for cell in cells)


def test_the_stack_shows_the_best_run_of_each_level_from_head_to_foot(view):
    drawn, top = curves.study_spectra(view.results, view.signals)
    figure = stacked_figure(view.results, drawn, top)
    words = [t for t in figure.axes[0].texts if t.get_fontweight() == "bold"]
    found = [t.get_text() for t in sorted(words, key=lambda t: -t.get_position()[1])]
    assert found == [v.title for v in view.results.best.values() if v.key in drawn]
    assert all(title in stacked_alt(view.results, drawn) for title in found)


def test_what_the_acids_add_is_laid_one_on_another_up_to_the_fit(view):
    """Where only lipid and acids are, the areas together reach the fit."""
    level, of = curves_of(view, "L4-L5")
    figure = figures.spectrum_figure(level, of, of.top)
    areas = [a for a in figure.artists if type(a) is Polygon]
    tops = max(area.get_xy()[:, 1].max() for area in areas)
    fit = next(a for a in figure.artists if getattr(a, "get_color", str)() == figures.FIT_COLOUR)
    near = np.abs(fit.get_xdata() - 1.31) < 0.05
    assert tops == pytest.approx(fit.get_ydata()[near].max(), rel=0.05)
    assert [t.get_text() for t in figure.texts][:4] == [
        "lipid", "lactate", "alanine", "propionate",
    ]  # fmt: skip
