"""A calibrated model as TOML, and its figures as a small page."""

from __future__ import annotations

from mrs_disc.calibrate import Calibration
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.toml_text import toml_text


def model_toml(calibration: Calibration) -> str:
    """Return the model's file."""
    head = "# Written by mrs-disc model calibrate. status: D derived from the named cohort.\n"
    return head + toml_text(calibration.content)


def card_html(calibration: Calibration) -> str:
    """Return the figures of a calibration as one self-contained page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mrs_disc.calibrate", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    figures = calibration.assessment
    return environment.get_template("card.html.j2").render(
        model=calibration.model,
        content=calibration.content,
        figures=figures,
        warnings=calibration.warnings,
        outcome=calibration.outcome,
        notice=RESEARCH_USE,
        roc=" ".join(f"{40 + 200 * x:.1f},{220 - 200 * y:.1f}" for x, y in figures.curve),
        bins=[
            {
                "x": 40 + 200 * b.mean_probability,
                "y": 220 - 200 * b.share_painful,
                "low": 220 - 200 * b.low_95,
                "high": 220 - 200 * b.high_95,
            }
            for b in figures.bins
        ],
    )
