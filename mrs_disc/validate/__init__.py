"""Accuracy, coverage and discrimination against known truth, for a user's own machine."""

from __future__ import annotations

from mrs_disc.validate.accuracy import Accuracy, accuracy_text, validate_fit
from mrs_disc.validate.challenge import Challenge, challenge_text, validate_challenge
from mrs_disc.validate.discrimination import (
    Discrimination,
    ScoreTable,
    score_text,
    validate_score,
)

__all__ = [
    "Accuracy",
    "Challenge",
    "Discrimination",
    "ScoreTable",
    "accuracy_text",
    "challenge_text",
    "score_text",
    "validate_challenge",
    "validate_fit",
    "validate_score",
]
