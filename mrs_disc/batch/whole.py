"""All discs of a batch as one table in memory, read from the studies' records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mrs_disc.batch.collect import study_folders
from mrs_disc.batch.work import RESULTS
from mrs_disc.data.frames import frame
from mrs_disc.errors import InputError, NoSuchPathError, ReadError
from mrs_disc.record import table
from mrs_disc.record.file import read_results
from mrs_disc.record.level import Level
from mrs_disc.scoring.again import as_reviewed

if TYPE_CHECKING:
    import pandas as pd


def read_cohort(derivatives: str | Path) -> pd.DataFrame:
    """Return all discs of a batch, one row a disc and run, as their reviewers left them.

    Parameters
    ----------
    derivatives : str or Path
        What ``mrs-disc batch`` wrote, or any folder of folders with ``results.json``.

    Returns
    -------
    pandas DataFrame
        The columns of ``levels.tsv``, with ``_limit`` of each quantity ("upper": only its ``_high``
        counts) and what was seen on the images: pfirrmann, modic, hiz, herniation,
        disc_height_loss. ``attrs["failed"]`` names the studies that have no record, with the
        reason; ``attrs["dictionary"]`` says what each column means, and its unit.

    Raises
    ------
    InputError
        If there is no such folder, or no study has a record in it.

    Examples
    --------
    >>> import tempfile, mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5", "L5-S1"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = md.write_report(md.analyze(study), f"{folder}/sub-01", formats=["json"])
    ...     table = md.read_cohort(folder)
    >>> table[["participant_id", "level"]].values.tolist()
    [['sub-01', 'L4-L5'], ['sub-01', 'L5-S1']]
    """
    out = Path(derivatives)
    if not out.exists():
        raise NoSuchPathError(out)
    if not out.is_dir():
        raise InputError(f"{out.name}: a folder with results of several studies is expected")
    rows: list[tuple[dict[str, object], Level, dict[str, object]]] = []
    units: dict[str, str] = {}
    components: dict[str, None] = {}
    failed: dict[str, str] = {}
    for participant, session, folder in study_folders(out):
        name = participant if session is None else f"{participant}/{session}"
        path = folder / RESULTS
        try:
            results = as_reviewed(read_results(path), path)
        except ReadError as error:
            failed[name] = error.problem
            continue
        for level in results.levels:
            head: dict[str, object] = {"participant_id": participant, "session_id": session}
            tail: dict[str, object] = {}
            if results.review is not None:
                tail |= table.review_columns(results.review, level)
            rows.append((head, level, tail))
            if level.fit is not None:
                components |= dict.fromkeys(level.fit.metabolites)
            units |= {n: units.get(n) or q.unit for n, q in level.quantities.items()}
    if not rows:
        why = f": {next(iter(failed.values()))}" if failed else "; 'mrs-disc batch' writes them"
        raise InputError(f"{out.name}: no study has a result in it{why}")
    whole = frame(
        head | table.levels_cells(level, units, components, table.PARTS) | tail
        for head, level, tail in rows
    )
    told = {name: column.entry for name, column in table.COLUMNS.items() if name in whole}
    for name, unit in units.items():
        told |= table.quantity_dictionary(name, table.PARTS, unit)
    for name in components:
        told |= table.amplitude_dictionary(name)
    whole.attrs |= {"failed": failed, "dictionary": told}
    return whole
