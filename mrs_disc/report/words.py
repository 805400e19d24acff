"""Words and numbers of the report: one wording for every format.

Digits follow the uncertainty: two significant digits of the standard deviation where it begins
with 1 or 2, else one. What a person typed passes `harmless` before it is shown.
"""

from __future__ import annotations

import math
import re

from mrs_disc.record.findings import likelihood_ratio as likelihood_ratio
from mrs_disc.scoring.disc import probability as probability
from mrs_disc.words import COMPONENTS as COMPONENTS
from mrs_disc.words import SUMS as SUMS
from mrs_disc.words import clean as clean
from mrs_disc.words import component_word as component_word
from mrs_disc.words import harmless as harmless
from mrs_disc.words import quantity_word as quantity_word

LABEL_SHAPE = {"likely painful": "◆", "indeterminate": "○", "unlikely painful": "■"}
LABEL_KIND = {
    "likely painful": "likely",
    "indeterminate": "indeterminate",
    "unlikely painful": "unlikely",
}
"""How a page's style sheet names the labels."""
VERDICT_SHAPE = {"good": "●", "acceptable": "◐", "poor": "○", "failed": "✕"}

CODES = (
    ("0609T", "acquisition: single-voxel spectra of at least three discs"),
    ("0610T", "transmission: files and their SHA-256 stand under provenance"),
    ("0611T", "algorithmic analysis: amounts per disc and differences between discs"),
    ("0612T", "interpretation and report: by a physician, who signs; not done by software"),
)
"""What the Category III codes cover, paraphrased."""


def decimals(sd: float | None, value: float | None = None) -> int:
    """Return how many decimals a number deserves (negative: tens, hundreds).

    >>> decimals(0.123), decimals(0.4), decimals(31.0)
    (2, 1, -1)
    """
    if sd is None or not math.isfinite(sd) or sd <= 0:
        if not value:
            return 2
        # A limit near 1, as of a logarithm: two decimals, as the words beside it have.
        return 2 - math.floor(math.log10(abs(value))) - (0.1 <= abs(value) < 1)
    place = math.floor(math.log10(sd))
    leading = round(sd / 10**place)
    if leading >= 10:
        place, leading = place + 1, 1
    return -place + (1 if leading <= 2 else 0)


def rounded(value: float | None, places: int) -> str:
    """Return a number with that many decimals; a true minus sign; a dash for nothing.

    >>> rounded(-0.0371, 2), rounded(1234.0, -2), rounded(None, 1)
    ('−0.04', '1200', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    number = round(value, places)
    text = f"{number + 0.0:.{max(places, 0)}f}"
    return text.replace("-", "\u2212")


def measured(value: float | None, sd: float | None, limit: str | None, high: float | None) -> str:
    """Return a quantity as the report prints it: ``0.38 ± 0.12`` or ``< 0.31``.

    >>> measured(0.3812, 0.123, None, None), measured(0.05, 0.123, "upper", 0.25)
    ('0.38 ± 0.12', '< 0.25')
    """
    if value is None:
        return "–"
    places = decimals(sd, value)
    if limit == "upper" and high is not None:
        return f"< {rounded(high, places)}"
    if sd is None:
        return rounded(value, places)
    return f"{rounded(value, places)} ± {rounded(sd, places)}"


def interval(low: float | None, high: float | None, places: int) -> str:
    """Return a 95 % interval.

    >>> interval(0.14, 0.62, 2), interval(None, 0.62, 2)
    ('0.14 to 0.62', 'up to 0.62')
    """
    if high is None and low is None:
        return "–"
    if low is None:
        return f"up to {rounded(high, places)}"
    if high is None:
        return f"from {rounded(low, places)}"
    return f"{rounded(low, places)} to {rounded(high, places)}"


def number(value: float | None, digits: int = 3, unit: str = "") -> str:
    """Return a plain number of a few significant digits, with its unit.

    >>> number(21.43, 2, "Hz"), number(127.732, 4, "MHz"), number(None)
    ('21 Hz', '127.7 MHz', 'not reported')
    """
    if value is None or not math.isfinite(value):
        return "not reported"
    places = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    text = rounded(value, min(places, 6))
    return f"{text} {unit}" if unit else text


def true_minus(text: str) -> str:
    """Return a text with a true minus sign before its negative numbers.

    >>> true_minus("log = -0.48 (from -1 on) at L4-L5, 2026-01-02")
    'log = −0.48 (from −1 on) at L4-L5, 2026-01-02'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", "\u2212", text)


def exact(value: float | None, unit: str = "") -> str:
    """Return a number that was set, not measured: as it is, without zeros at its end.

    >>> exact(28.0, "ms"), exact(127.732, "MHz"), exact(0.5)
    ('28 ms', '127.732 MHz', '0.5')
    """
    if value is None or not math.isfinite(value):
        return "not reported"
    text = f"{value:.6g}".replace("-", "\u2212")
    return f"{text} {unit}" if unit else text
