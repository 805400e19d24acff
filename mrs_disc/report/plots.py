"""The report's pictures for people who script: on their own axes, by the code that draws a report.

Decision: pyplot is loaded here alone, and only where no axes are given, so that a picture shows in
a notebook; on given axes nothing global changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mrs_disc.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mrs_disc.data import FitResult, StudyReport


def plot_fit(
    fit: FitResult,
    ax: Axes | None = None,
    ppm: tuple[float, float] = (4.3, 0.5),
    apodize_hz: float = 0.0,
) -> Axes:
    """Draw data, fit, baseline, residual and components of a fit.

    Parameters
    ----------
    fit : FitResult
        From `fit`, or ``report["L4-L5"].fit``.
    ax : matplotlib Axes, optional
        Where to draw; without it a new figure of pyplot is made.
    ppm : tuple of float
        What is shown of the chemical shift, in either order.
    apodize_hz : float
        Lorentzian line broadening, 0 to 100 Hz: for the eye alone.

    Returns
    -------
    matplotlib Axes
        The highest point of fit or data stands at 100; the residual lies above, the components
        below, each on the scale that is written beside it.

    Raises
    ------
    InputError
        If the range holds less than .05 ppm of the spectrum.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import matplotlib.pyplot as plt, mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5"])
    >>> figure, (left, right) = plt.subplots(1, 2)
    >>> axes = md.fit(md.preprocess(study["L4-L5"])).plot(left, ppm=(2.5, 0.5))
    >>> axes is left, [float(end) for end in axes.get_xlim()]
    (True, [2.5, 0.5])
    """
    from dataclasses import replace

    import numpy as np

    from mrs_disc.data.spectra import filled_and_weighted
    from mrs_disc.report.curves import spectra_of
    from mrs_disc.report.figures import draw_spectrum
    from mrs_disc.report.look import styled

    curves, dwell_s = fit.curves, fit.curves.sampling.dwell_time_s
    weight = filled_and_weighted(curves.data.size, dwell_s, apodize_hz, 1)
    shown = replace(
        curves,
        data=curves.data * weight,
        baseline=curves.baseline * weight,
        components=curves.components * weight,
    )
    low, high = (float(end) for end in sorted(ppm))
    spectra = spectra_of(
        shown,
        delay_s=fit.phase.delay_s,
        fitted=curves.window_ppm,
        noise_sd=fit.noise.spectrum_sd * float(np.sqrt(np.mean(weight**2))),
        shown=(low, high),
    )
    if not high - low >= 0.05 or len(spectra.ppm[spectra.inside]) < 8:
        raise InputError(
            f"ppm = {ppm}: two ends at least .05 ppm apart, within the spectrum, are expected, "
            "as in (4.3, 0.5)"
        )
    with styled():
        axes = ax if ax is not None else _new_axes(8.2, 4.7)
        first_lines = dict(zip(fit.names, fit.ppm.tolist(), strict=True))
        draw_spectrum(axes, spectra, first_lines, spectra.top, "highest point")
    return axes


def plot_levels(report: StudyReport, ax: Axes | None = None, levels: Sequence[str] = ()) -> Axes:
    """Draw the spectra of all levels one below the other, the best run of each.

    Parameters
    ----------
    report : StudyReport
        From `analyze` or `read_results`.
    ax : matplotlib Axes, optional
        Where to draw; without it a new figure of pyplot is made. A level's name, label and
        magnification stand to the left of it: leave a quarter of its width.
    levels : sequence of str
        Only these; empty: all that were measured.

    Returns
    -------
    matplotlib Axes
        4.5 to 0.5 ppm; a level is one unit high.

    Raises
    ------
    InputError
        If there is no such level, or none was measured.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import matplotlib.pyplot as plt, mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L3-L4", "L4-L5"])
    >>> figure, own = plt.subplots()
    >>> md.plot_levels(md.analyze(study), own) is own
    True
    """
    from mrs_disc.record.level import best_runs
    from mrs_disc.report.curves import common_top, spectra
    from mrs_disc.report.look import styled
    from mrs_disc.report.stack import draw_stack

    chosen = [report[level] for level in levels] or report.levels
    best = best_runs(level.record for level in chosen)
    drawn = {
        level.record.key: spectra(level.record, level.signals)
        for level in report
        if level.signals is not None and level.record.fit is not None
    }
    rows = [level for level in best.values() if level.key in drawn]
    if not rows:
        raise InputError(f"{report.study_id}: no level was measured, so that none can be drawn.")
    top = common_top(
        [level.record for level in report], {key: found.top for key, found in drawn.items()}
    )
    with styled():
        axes = ax if ax is not None else _new_axes(8.6, 0.75 + 1.05 * len(rows))
        draw_stack(axes, rows, drawn, top)
    return axes


def plot_report(report: StudyReport) -> Figure:
    """Draw all levels at one glance: place, evidence, acidity, structure, quality.

    Parameters
    ----------
    report : StudyReport
        From `analyze` or `read_results`.

    Returns
    -------
    matplotlib Figure
        Of pyplot, so that a notebook shows it; it has several axes of its own.
    """
    import matplotlib.pyplot as plt

    from mrs_disc.report.overview import overview_figure
    from mrs_disc.report.results import record_of

    return overview_figure(*record_of(report), new=plt.figure)


def _new_axes(width: float, height: float) -> Axes:
    import matplotlib.pyplot as plt

    figure: Figure = plt.figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot()
