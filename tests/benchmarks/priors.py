"""What half and double of each prior does to rejection: the table of `signal.transient_priors`.

::

    python tests/benchmarks/priors.py [--seed 173206]

Every value is halved and doubled alone, chances up to what a chance can be; the discs are those of
`rejection.py`. Some minutes on one core.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from rejection import discs

from mrs_disc.data import Transients
from mrs_disc.recipe import Recipe
from mrs_disc.signal.transients import priors as transient_priors
from mrs_disc.signal.transients.align import Alignment
from mrs_disc.simulate.scanner import Scan
from mrs_disc.steps import preprocessing
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import BoolArray

SERIES = ((4, 32, 160, None), (8, 64, 80, None), (4, 32, 80, 0.0), (8, 64, 40, 0.0))
MOST = {"UNSTEADY_CHANCE": 0.95, "AFFECTED": 1.0}
RECIPE = Recipe()


class Case(NamedTuple):
    """One simulated series, its coils combined."""

    transients: Transients
    clipped: BoolArray | None
    spoilt: BoolArray
    alignment: Alignment


def cases(seed: int) -> Iterator[Case]:
    for n_coils, n_transients, n_discs, share in SERIES:
        scan = Scan(n_coils=n_coils, n_transients=n_transients, n_water=2, snr_factor=1.0)
        for _, m, acquisition in discs(seed, scan, n_discs, share):
            one, _ = preprocessing._combined(acquisition, [])
            clipped = preprocessing._clipped(acquisition)
            alignment, _ = preprocessing._aligned(one, RECIPE)
            yield Case(one, clipped, m.disturbance.spoilt, alignment)


@one_blas_thread
def figures(series: list[Case], *, realign: bool = False) -> str:
    """Return the percentage of spoilt transients left out, and how many of 1,000 sound ones."""
    out, spoilt = [], np.concatenate([case.spoilt for case in series])
    for case in series:
        alignment = case.alignment
        if realign:
            alignment, _ = preprocessing._aligned(case.transients, RECIPE)
        sampling = case.transients.sampling
        rejected = preprocessing._rejected(alignment, case.clipped, sampling, RECIPE)
        out.append(np.isin(np.arange(len(case.spoilt)), list(rejected)))
    left_out = np.concatenate(out)
    return f"{100 * left_out[spoilt].mean():.1f}, {1000 * left_out[~spoilt].mean():.1f}"


def with_factor(name: str, part: int | None, factor: float) -> object:
    """Return the present value of a prior, or of one of its parts, times a factor."""
    value = np.array(getattr(transient_priors, name), dtype=float)
    value[... if part is None else part] *= factor
    value = np.minimum(value, MOST.get(name, np.inf))
    return float(value) if part is None else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=173206)
    series = list(cases(parser.parse_args().seed))
    sys.stdout.write(f"as they are: {figures(series)}\n")
    for row in transient_priors.__doc__.splitlines():
        if not (match := re.match(r"\| `(\w+)(?:\[(\d)\])?` \| [^|]* \| [^|]* \|", row)):
            continue
        name, part = match[1], None if match[2] is None else int(match[2])
        kept, cells = getattr(transient_priors, name), []
        for factor in (0.5, 2.0):
            setattr(transient_priors, name, with_factor(name, part, factor))
            cells.append(figures(series, realign=name == "JITTER_HZ"))
            setattr(transient_priors, name, kept)
        sys.stdout.write(f"{match[0]} {cells[0]} | {cells[1]} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
