"""The report as PDF through typst: A4 or US letter, tagged (PDF/UA-1), fonts embedded.

All words pass as JSON, never as markup. The fonts are those that come with matplotlib, so that the
same record and day give the same bytes on every machine; a character that they lack becomes an
empty box, since PDF/UA-1 allows none without a glyph.
"""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, time
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typst
from matplotlib.ft2font import FT2Font
from PIL import Image

from mrs_disc.errors import InputError
from mrs_disc.report.content import View

MOST_WORDS = 1_000_000
"""Bytes of text in a report: typst takes up to 370 times as much memory."""
MISSING = "□"
_UNSEEN = " \u200b"
_LONG_WORD = re.compile(r"[^\s\u200b]{40}(?=\S)")
"""What is broken, so that a word without blanks stays on the page."""


def render(view: View) -> dict[str, bytes]:
    """Return ``report.pdf``."""
    return {"report.pdf": pdf_bytes(view, view.content)}


def pdf_bytes(view: View, content: dict[str, Any]) -> bytes:
    """Return the PDF of a report's content."""
    made = _compiled(
        view,
        content,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=datetime.combine(view.written, time(), tzinfo=UTC),
    )
    assert isinstance(made, bytes)
    return made


def page_png(view: View, content: dict[str, Any], ppi: float = 120.0) -> bytes:
    """Return the first page as PNG.

    Drawn at twice the resolution and halved: typst 0.15.2 was seen to cut the upmost pixels of a
    line of text at 100 ppi; so no more than half a pixel can be lost.
    """
    pages = _compiled(view, content, format="png", ppi=2 * ppi)
    assert isinstance(pages, list)
    stream = io.BytesIO()
    with Image.open(io.BytesIO(pages[0])) as page:
        page.convert("RGB").reduce(2).save(stream, "png")
    return stream.getvalue()


def _compiled(view: View, content: dict[str, Any], **options: Any) -> Any:
    """Lay a content out: template, words as JSON and figures are files that exist in memory alone.

    Raises
    ------
    InputError
        If its words are more than `MOST_WORDS`.
    """
    content = dict(content) | {"paper": "us-letter" if view.paper == "letter" else "a4"}
    images = {"overview.svg": content.pop("overview_svg")}
    if content["stack_svg"]:
        images["stack.svg"] = content["stack_svg"]
    content["stack_svg"] = bool(content["stack_svg"])
    levels = []
    for level in content["levels"]:
        level = dict(level) | {"key": level["anchor"]}
        for name, suffix in (("svg", ""), ("voxel_svg", "_voxel"), ("quality_svg", "_quality")):
            if level.get(name):
                images[f"{level['key']}{suffix}.svg"] = level[name]
                level[name] = True
        levels.append(level)
    content["levels"] = levels
    words = json.dumps(_covered(content)).encode()
    if len(words) > MOST_WORDS:
        raise InputError(
            f"the report holds {len(words) / 1e6:.1f} MB of text, and a page is laid out from at "
            f"most {MOST_WORDS / 1e6:g} MB: a record of this program has some 0.1 MB. Is "
            "results.json damaged? HTML and CSV can be rendered of it"
        )
    files = {name: svg.encode() for name, svg in images.items()}
    files |= {"main.typ": _template().encode(), "content.json": words}  # in memory: no disk is full
    compiler = typst.Compiler(files, font_paths=_fonts())  # type: ignore[type-var]  # its stubs lack it
    return compiler.compile(**options)


@lru_cache(maxsize=1)
def _template() -> str:
    folder = resources.files("mrs_disc.report") / "templates"
    return (folder / "report.typ").read_text(encoding="utf-8")


def _font_folder() -> Path:
    return Path(mpl.get_data_path()) / "fonts" / "ttf"


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_font_folder())]
    )


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[str]:
    """Return the characters that the fonts of the report can show in upright and bold."""
    found = [
        {chr(code) for code in FT2Font(str(_font_folder() / name)).get_charmap()}
        for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    ]
    return frozenset(found[0] & found[1])


def _covered(value: Any) -> Any:
    """Return a content that fits the page: long words broken, no character without a glyph."""
    if isinstance(value, str):
        value = _LONG_WORD.sub("\\g<0>\u200b", value)
        if value.isascii():
            return value
        glyphs = _glyphs()
        return "".join(c if c in glyphs or c in _UNSEEN else MISSING for c in value)
    if isinstance(value, dict):
        return {k: _covered(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_covered(v) for v in value]
    return value
