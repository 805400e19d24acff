"""Accuracy, coverage and discrimination against known truth, for a user's own machine."""

from __future__ import annotations

from mrs_disc.validate.accuracy import Accuracy, accuracy_text, validate_fit
from mrs_disc.validate.challenge import Challenge, challenge_text, validate_challenge
from mrs_disc.validate.discrimination import (
    Discrimination,
    ScoreTable,
    validate_score,
)
from mrs_disc.validate.discrimination_text import score_text
from mrs_disc.validate.stress import Stress, validate_stress
from mrs_disc.validate.stress_text import stress_text

__all__ = [
    "Accuracy",
    "Challenge",
    "Discrimination",
    "ScoreTable",
    "Stress",
    "accuracy_text",
    "challenge_text",
    "score_text",
    "stress_text",
    "validate_challenge",
    "validate_fit",
    "validate_score",
    "validate_stress",
]
