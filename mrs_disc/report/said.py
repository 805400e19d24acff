"""The impression as a report prints it: automatic, or written by a reviewer, and what was added.

A reviewer's text takes the place of the automatic one, which is kept beside it in every format.
"""

from __future__ import annotations

import re

from mrs_disc.record.level import Results
from mrs_disc.report.words import harmless

MOST = 4000


def sentences(text: str) -> list[str]:
    """Return a text as its sentences.

    A full stop after fewer than three letters is that of a name: it ends none.

    >>> sentences("Likely painful: L4-L5. Reviewed by Dr. A. Reader.")
    ['Likely painful: L4-L5.', 'Reviewed by Dr. A. Reader.']
    >>> sentences("L1-L2 indeterminate (SNR 2.5, below 5). Structure: not compared.")
    ['L1-L2 indeterminate (SNR 2.5, below 5).', 'Structure: not compared.']
    >>> sentences("L4-L5 is the most acidic with probability > 0.99. L3-L4 indeterminate.")
    ['L4-L5 is the most acidic with probability > 0.99.', 'L3-L4 indeterminate.']
    """
    ends = r"(?:(?<=[\w%-]{3}\.)|(?<=[\d)]\.))(?<!Prof\.)\s+(?=[A-Z])"
    return [s for s in re.split(ends, text.strip()) if s]


def typed(text: str) -> list[str]:
    """Return the lines of a text as they were typed, each harmless."""
    return [line for one in text.split("\n") if (line := harmless(one, MOST))]


def impression_lines(results: Results) -> list[str]:
    """Return the impression that counts: the reviewer's lines, or the automatic sentences."""
    review = results.review
    if review is not None and review.written is not None:
        return typed(review.written.text)
    return sentences(harmless(results.impression, MOST))


def edited_words(results: Results) -> str:
    """Return who wrote the impression and when; empty where it is the automatic one."""
    review = results.review
    if review is None or review.written is None:
        return ""
    words = f"Impression written by {harmless(review.written.reviewer)} on {review.written.day}"
    if review.outdated:
        words += "; decisions were made since, which the automatic text below follows"
    return words


def automatic_lines(results: Results) -> list[str]:
    """Return the automatic sentences where a reviewer's text stands in their place."""
    review = results.review
    if review is None or review.written is None:
        return []
    return sentences(harmless(review.impression or "", MOST))


def addenda(results: Results) -> list[tuple[str, list[str]]]:
    """Return what was added to the report: who and when, and the lines."""
    if results.review is None:
        return []
    return [
        (f"Addendum by {harmless(one.reviewer)} on {one.day}", typed(one.text))
        for one in results.review.addenda
    ]
