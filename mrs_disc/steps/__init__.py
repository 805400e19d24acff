"""From record to record: preprocess, fit, grade, quantify."""

import mrs_disc.unneeded  # noqa: F401
from mrs_disc.steps.fitting import fit, fit_or_find_start
from mrs_disc.steps.grading import grade
from mrs_disc.steps.preprocessing import preprocess
from mrs_disc.steps.quantification import quantify

__all__ = ["fit", "fit_or_find_start", "grade", "preprocess", "quantify"]
