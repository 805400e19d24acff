"""The figures: scales that tell the truth, names that do not overlap, words beside them."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.record.file import as_json, results_of
from mrs_disc.report import curves, figures, quality_strip
from mrs_disc.report.content import View
from mrs_disc.report.overview import overview_alt, overview_figure
from mrs_disc.report.results import results_from, signals_from


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
    assert len(words) >= 9
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


def test_rejected_transients_are_marked(view):
    level, _ = curves_of(view, "L1-L2")
    figure = quality_strip.quality_figure(level, view.signals.levels["L1-L2"])
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert crosses[0].get_xdata().tolist() == [4, 18]


def test_a_scan_without_transients_shows_no_empty_box(build):
    view = view_of(build.report([build.level("L4-L5", build.healthy, transients=1)]))
    level = view.results.levels[0]
    assert len(quality_strip.quality_figure(level, view.signals.levels["L4-L5"]).axes) == 1
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
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= axes.y0 + 1 or box.y0 >= axes.y1 - 1  # below or above the axes
