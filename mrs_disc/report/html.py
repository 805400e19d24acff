"""The report as one HTML file: complete without script, network or fonts of its own."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from mrs_disc.report.content import View

_KEPT = str.maketrans({"%": "%25", "#": "%23", '"': "%22", "<": "%3C", ">": "%3E", "'": "%27"})
_LEVEL = re.compile(r"\b[CTL]\d{1,2}-[CTLS]\d{1,2}\b")


def render(view: View) -> dict[str, bytes]:
    """Return ``report.html``."""
    return {"report.html": page(view.content).encode()}


def page(content: dict[str, Any]) -> str:
    """Return the page of a report's content."""
    return rendered("report.html.j2", c=content)


def rendered(template: str, **content: Any) -> str:
    """Return a page of the package's templates in the report's style, with its strict policy."""
    css = _resource("report.css")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return _template(template).render(**content, css=Markup(css), policy=policy)


def data_uri(svg: str) -> Markup:
    """Return an SVG as the address of an image, for a double-quoted attribute."""
    return Markup("data:image/svg+xml," + svg.translate(_KEPT).replace("&", "%26"))


def unbroken(text: str) -> Markup:
    """Return text as HTML in which no line ends within the name of a level.

    >>> str(unbroken("<b> above it in L2-L3."))
    '&lt;b&gt; above it in <span class="whole">L2-L3</span>.'
    """
    return Markup(_LEVEL.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


@lru_cache(maxsize=4)
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["uri"] = data_uri
    environment.filters["unbroken"] = unbroken
    return environment.from_string(_resource(name))


@lru_cache(maxsize=4)
def _resource(name: str) -> str:
    folder = resources.files("mrs_disc.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
