"""Whether propionate is there at all: a statement of its own, and no part of a conclusion.

The likelihood ratio compares the measured PA/PG, normal with its error, under two hypotheses: it is
zero, or it is log-normal as in the simulator's discs. It says what the spectrum can tell at this
noise. Nothing on infection follows from it.
"""

from __future__ import annotations

import numpy as np

from mrs_disc.record.findings import Finding, finding
from mrs_disc.record.parts import Quantity

NAME = "PA/PG"
MEDIAN, LOG_SD = 0.03, 0.9
"""PA/PG where there is propionate: areas of the simulator's discs, .2 to .8 mmol/kg of it [P]."""
DETECTED = 4.0
"""Likelihood ratio from which it counts as detected, and below whose inverse as absent [P]."""


def propionate(quantity: Quantity | None) -> Finding | None:
    """Return the statement on propionate, or `None` where it was not measured.

    Parameters
    ----------
    quantity : Quantity or None
        PA/PG.
    """
    if quantity is None or quantity.value is None or quantity.sd is None or quantity.sd <= 0:
        return None
    ratio = detection_ratio(quantity.value, quantity.sd)
    shown = quantity.high if quantity.limit == "upper" else None
    kind = "propionate_found" if ratio >= DETECTED else "propionate_open"
    if ratio <= 1 / DETECTED:
        kind = "propionate_absent"
    return finding(kind, NAME, value=quantity.value, sd=quantity.sd, upper=shown, ratio=ratio)


def detection_ratio(value: float, sd: float) -> float:
    """Return how many times as likely a measured ratio is with propionate as without.

    >>> round(detection_ratio(0.0, 10.0), 2), detection_ratio(0.2, 0.02) > 1000
    (1.0, True)
    """
    step = np.linspace(-5, 5, 401)
    true = MEDIAN * np.exp(LOG_SD * step)
    weight = np.exp(-0.5 * step**2)
    # Relative to the density at zero, in logarithms: far from both, each alone is nothing.
    logarithm = (value * true - 0.5 * true**2) / sd**2
    largest = float(logarithm.max())
    total = float(weight @ np.exp(logarithm - largest) / weight.sum())
    return float(np.exp(min(largest + np.log(total), 700.0)))
