"""Write the notebooks anew: each from its source, executed, with the pictures in it.

``python tests/tools/notebooks.py [NAME...] [-o FOLDER]`` turns ``notebooks/source/NAME.py`` into
``notebooks/NAME.ipynb``.

Decision: the source is plain Python in the percent format (``# %%`` begins a cell,
``# %% [markdown]`` one of text), which editors open as a notebook too. It is what people read, lint
and change; refused: the .ipynb as its own source, whose every change hides among pictures.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "source"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def cells(source: str) -> Iterator[tuple[str, str]]:
    """Yield kind ("markdown" or "code") and text of each cell of a percent-format source."""
    for part in re.split(r"^# %%", source, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        if head.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            yield "markdown", "\n".join(lines)
        else:
            yield "code", body.strip()


def notebook(path: Path) -> nbformat.NotebookNode:
    """Return the notebook of a source, not executed; ids follow the place, not chance."""
    import nbformat

    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(
        cells=[
            make[kind](text, id=f"{path.stem}-{number}")
            for number, (kind, text) in enumerate(cells(path.read_text()))
        ],
        metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}},
    )


def executed(path: Path) -> nbformat.NotebookNode:
    """Return the notebook of a source with its outputs; it runs in the folder notebooks/."""
    from nbclient import NotebookClient

    book = notebook(path)
    client = NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    client.execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # when it ran: other bytes on every run
        for output in cell.get("outputs", []):
            assert output.output_type != "stream" or output.name == "stdout", output.text
    return book


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what was asked for; print name, size and time."""
    import nbformat

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("-o", "--output", type=Path, default=NOTEBOOKS)
    given = parser.parse_args(arguments)
    for path in sorted(SOURCES.glob("*.py")):
        if given.names and path.stem not in given.names:
            continue
        start = time.monotonic()
        target = given.output / f"{path.stem}.ipynb"
        nbformat.write(executed(path), target)
        size = target.stat().st_size / 1000
        took = time.monotonic() - start
        sys.stdout.write(f"{target.name}: {size:.0f} KB, {took:.0f} s\n")


if __name__ == "__main__":
    main()
