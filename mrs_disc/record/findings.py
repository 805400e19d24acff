"""What the program noticed, as data: a kind, what it is about, and its values.

A finding is made where something is noticed and passed on as it is: gates, scores and pages decide
by its kind and its values. Its sentence is made last, by `words`, from the one table in
`mrs_disc.record.wording`.

Decision: no code reads a sentence. Whoever betters one changes the table and nothing else.
A new kind is one line in that table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from types import MappingProxyType
from typing import Any

from mrs_disc.record.wording import KINDS, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was noticed.

    Parameters
    ----------
    kind : str
        A code of the fixed vocabulary `KINDS`.
    subject : str
        What it is about: a level ("L4-L5", "L4-L5 run 2"), a role ("metabolite", "water"), a
        component or a quantity; empty where the place in the record says it.
    values : mapping
        Plain numbers, texts and lists; what the sentence of the kind names.

    Raises
    ------
    ValueError
        If the kind is unknown, or a value is missing that its sentence names: a fault of the
        caller, never of the input.
    """

    kind: str
    subject: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no finding of the kind '{self.kind}'")
        absent = _named(self.about.words) - set(self.values) - {"subject"}
        if absent:
            raise ValueError(f"finding '{self.kind}' lacks {', '.join(sorted(absent))}")
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through a plain dictionary (a mapping proxy cannot be pickled)."""
        return _restored, (self.kind, self.subject, dict(self.values))

    @property
    def about(self) -> Kind:
        """The row of its kind."""
        return KINDS[self.kind]


def finding(kind: str, subject: str = "", /, **values: Any) -> Finding:
    """Return a finding, its values as keywords.

    >>> words(finding("too_few_points", n=128, least=256))
    '128 points: at least 256 are needed'
    """
    return Finding(kind=kind, subject=subject, values=values)


def _restored(kind: str, subject: str, values: dict[str, Any]) -> Finding:
    return Finding(kind=kind, subject=subject, values=values)


def words(noticed: Finding) -> str:
    """Return the sentence of a finding."""
    return _FORMATTER.vformat(
        noticed.about.words, (), {"subject": noticed.subject, **noticed.values}
    )


def sentences(noticed: Sequence[Finding]) -> tuple[str, ...]:
    """Return the sentences of findings, each once, in their order."""
    return tuple(dict.fromkeys(words(one) for one in noticed))


class _Formatter(Formatter):
    """Formats a value by the specification after the colon of a template.

    Beyond Python's own: ``and`` joins a list in words.
    """

    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec == "and":
            return _joined(value)
        return super().format_field(value, format_spec)


def _joined(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    >>> _joined(["L3-L4"]), _joined(["L3-L4", "L4-L5", "L5-S1"])
    ('L3-L4', 'L3-L4, L4-L5 and L5-S1')
    """
    *head, last = [str(name) for name in names]
    return f"{', '.join(head)} and {last}" if head else last


def _named(template: str) -> set[str]:
    """Return the names of the values that a template holds."""
    return {
        name.split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(template) if name
    }


_FORMATTER = _Formatter()
