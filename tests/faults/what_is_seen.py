"""Do every kind of damage of `test_faults` and print, as JSON, what a user sees of it.

``python -m tests.faults.what_is_seen`` in the checkout; ``tests/tools/batch_tables.py faults``
makes the table of ``tests/faults/README.md`` from it.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tempfile
from pathlib import Path

from mrs_disc.cli import run
from mrs_disc.constants import RESEARCH_USE

from .conftest import write_whole
from .test_faults import FAULTS, Fault

LONGEST = 300
FILES = re.compile(r" \(L4-L5/\S+ is [^)]*\)$")


def seen(fault: Fault, whole: Path, place: Path, usual: set[str]) -> dict[str, str | int]:
    """Return a fault's name, the exit status, and the line or the remarks that it leads to.

    `usual` is what is remarked of the whole study as well.
    """
    study = Path(shutil.copytree(whole, place / "study"))
    fault.spoil(study)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = run(["analyze", str(study), "-o", str(place / "out"), "--format", "json"])
    told = said.getvalue().strip().splitlines() or [""]
    line = told[-1].removeprefix("mrs-disc: ").replace(f"{study}", "study")
    line = FILES.sub("", line.removeprefix("L4-L5 failed (read): "))
    if status == 0:
        line = "; ".join(r for r in remarks(place / "out") if kind(r) not in usual)
    assert status == fault.status, f"{fault.name}: {line}"
    return {"name": fault.name, "status": status, "sees": line[:LONGEST]}


def remarks(out: Path) -> list[str]:
    """Return what the record says of the level that is spoilt."""
    record = json.loads((out / "results.json").read_text())
    level = next(level for level in record["levels"] if level["level"] == "L4-L5")
    notices = [notice for notice in record["notices"] if notice != RESEARCH_USE]
    return [*level["quality"]["reasons"], *level["notes"], *notices]


def kind(remark: str) -> str:
    """Return a remark without its numbers and without what follows its first part."""
    return re.sub(r"[\d.]+", "", remark).partition(";")[0]


def usually(whole: Path, out: Path) -> set[str]:
    """Return the kinds of remarks on a whole study."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(["analyze", str(whole), "-o", str(out), "--format", "json"]) == 0
    return {kind(remark) for remark in remarks(out)}


def main() -> None:
    """Try all."""
    found = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        whole = write_whole(Path(name) / "whole")
        usual = {form: usually(path, Path(name) / form) for form, path in whole.items()}
        for number, fault in enumerate(FAULTS):
            place = Path(name) / str(number)
            place.mkdir()
            found.append(seen(fault, whole[fault.form], place, usual[fault.form]))
            shutil.rmtree(place)
    print(json.dumps({"faults": found}, ensure_ascii=False))  # noqa: T201


if __name__ == "__main__":
    main()
