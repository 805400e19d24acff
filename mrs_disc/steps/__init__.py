"""From record to record: preprocess, fit, grade, quantify."""

from mrs_disc.steps.fitting import fit
from mrs_disc.steps.grading import grade
from mrs_disc.steps.preprocessing import preprocess
from mrs_disc.steps.quantification import quantify

__all__ = ["fit", "grade", "preprocess", "quantify"]
