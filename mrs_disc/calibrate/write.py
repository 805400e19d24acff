"""A calibrated model as TOML, and its figures as a small page."""

from __future__ import annotations

from mrs_disc.calibrate import Calibration
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.report.marks import Scale, points
from mrs_disc.toml_text import toml_text

_ACROSS, _UP = Scale(0, 1, 40, 240), Scale(0, 1, 220, 20)


def model_toml(calibration: Calibration) -> str:
    """Return the model's file."""
    head = "# Written by mrs-disc model calibrate. status: D derived from the named cohort.\n"
    return head + toml_text(calibration.content)


def card_html(calibration: Calibration) -> str:
    """Return the figures of a calibration as one self-contained page."""
    from mrs_disc.report.page import environment  # here, so that the command's help stays quick

    figures = calibration.assessment
    return (
        environment("mrs_disc.calibrate")
        .get_template("card.html.j2")
        .render(
            model=calibration.model,
            content=calibration.content,
            figures=figures,
            warnings=calibration.warnings,
            outcome=calibration.outcome,
            notice=RESEARCH_USE,
            roc=points((_ACROSS(x), _UP(y)) for x, y in figures.curve),
            bins=[
                {
                    "x": _ACROSS(b.mean_probability),
                    "y": _UP(b.share_painful),
                    "low": _UP(b.low_95),
                    "high": _UP(b.high_95),
                }
                for b in figures.bins
            ],
        )
    )
