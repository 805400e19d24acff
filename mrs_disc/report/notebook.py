"""The first screen of a report as a piece of HTML, for the output of a notebook's cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrs_disc.data import StudyReport


def report_html(report: StudyReport) -> str:
    """Return status, impression, levels and overview as HTML without script.

    Parameters
    ----------
    report : StudyReport
        From `analyze` or `read_results`.

    Returns
    -------
    str
        A ``<style>`` that touches nothing but the ``<div>`` behind it. `write_report` writes the
        whole page.
    """
    from mrs_disc.report.content import first_screen
    from mrs_disc.report.html import fragment
    from mrs_disc.report.results import record_of

    return fragment("notebook.html.j2", c=first_screen(*record_of(report)))
