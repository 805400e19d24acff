"""The report as one HTML file: complete without script, network or fonts of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jinja2

from mrs_disc.report.content import View
from mrs_disc.report.page import environment, policy, resource

_HERE = "mrs_disc.report"


def render(view: View) -> dict[str, bytes]:
    """Return ``report.html``."""
    return {"report.html": page(view.content).encode()}


def page(content: dict[str, Any]) -> str:
    """Return the page of a report's content."""
    return rendered("report.html.j2", c=content)


def rendered(template: str, **content: Any) -> str:
    """Return a page of the report's templates in its style, with its strict policy."""
    css = resource(_HERE, "report.css")
    return _environment().get_template(template).render(**content, css=css, policy=policy(css))


def fragment(template: str, **content: Any) -> str:
    """Return a piece of a page, which has its own style and no policy."""
    return _environment().get_template(template).render(**content)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return environment(_HERE)
