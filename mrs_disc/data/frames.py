"""Records as tables of pandas, which is loaded where a table is asked for.

Columns and their meaning are those of ``levels.tsv``: `mrs_disc.record.table` has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mrs_disc.errors import InputError
from mrs_disc.record import table
from mrs_disc.record.level import Level
from mrs_disc.record.parts import Metabolite

if TYPE_CHECKING:
    import pandas as pd


def level_frame(study_id: str, levels: Iterable[Level]) -> pd.DataFrame:
    """Return one row for each level and run, with the columns of ``levels.tsv``."""
    levels = list(levels)
    names = list(dict.fromkeys(name for level in levels for name in level.quantities))
    fits = [level.fit for level in levels if level.fit is not None]
    components = list(dict.fromkeys(name for fit in fits for name in fit.metabolites))
    rows = [
        {"study_id": study_id} | table.levels_cells(level, names, components) for level in levels
    ]
    return frame(rows)


def metabolite_frame(metabolites: dict[str, Metabolite]) -> pd.DataFrame:
    """Return one row for each component, with the fields of ``results.json``."""
    fields = (
        *("amplitude", "sd", "low", "high", "limit", "crlb_percent", "ppm", "linewidth_hz"),
        "repetition_sd",
    )
    return frame(
        {"component": name} | {field: getattr(found, field) for field in fields}
        for name, found in metabolites.items()
    )


def frame(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a table; what is not known is NaN among numbers, None among words."""
    try:
        import pandas as pd
    except ImportError as error:
        raise InputError("a table needs pandas: pip install pandas") from error
    return pd.DataFrame(list(rows))
