"""Run pairs of rows of the stress validation that are drawn at random, and print their table.

::

    python tests/tools/stress_pairs.py [--pairs 60] [--draw 4471] [--discs 100] [--seed 44719903]

Two rows that set the same number do not go together, and the control adds nothing to another row:
such pairs are not drawn. `--draw` decides the pairs, `--seed` their discs.
"""

from __future__ import annotations

import argparse
import random
import sys
from itertools import combinations, islice

from mrs_disc.errors import InputError
from mrs_disc.validate import stress_text, validate_stress
from mrs_disc.validate.stress import row_names, stress_row


def goes_together(pair: str) -> bool:
    """Return whether the two rows of a pair set different numbers."""
    try:
        stress_row(pair)
    except InputError:
        return False
    return True


def drawn(seed: int, count: int) -> list[str]:
    """Return so many pairs as `validate` takes them, in the order of their names."""
    rows = [name for name in row_names() if name != "plain"]
    pairs = ["+".join(pair) for pair in combinations(rows, 2)]
    random.Random(seed).shuffle(pairs)
    return sorted(islice(filter(goes_together, pairs), count))


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, usual in (("pairs", 60), ("draw", 4471), ("discs", 100), ("seed", 44719903)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    pairs = drawn(asked.draw, asked.pairs)
    table = validate_stress(asked.seed, asked.discs, rows=pairs, jobs=asked.jobs)
    sys.stdout.write(f"{stress_text(table)}\n")


if __name__ == "__main__":
    main()
