"""What the program noticed, as data: a kind, what it is about, and its values.

A finding is made where something is noticed and passed on as it is: gates, scores and pages decide
by its kind and its values. Its sentence is made last, by `words`, from the one table in
`mrs_disc.record.wording`.

Decision: no code reads a sentence. Whoever betters one changes the table and nothing else.
A new kind is one line in that table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any

from mrs_disc.constants import LIKELY_FROM, UNLIKELY_UP_TO
from mrs_disc.errors import InputError, ReadError
from mrs_disc.record.wording import FIELDS, KINDS, Kind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was noticed.

    Parameters
    ----------
    kind : str
        A code of the fixed vocabulary `KINDS`.
    subject : str
        What it is about: a level ("L4-L5"), a role ("metabolite", "water"), a component, a
        quantity or a field; empty where the place in the record says it.
    values : mapping
        Plain numbers, texts, lists and other findings; a file is a path as a person named it.

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


def once(noticed: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in their order, each once."""
    kept: list[Finding] = []
    for one in noticed:
        if one not in kept:
            kept.append(one)
    return tuple(kept)


def of_role(noticed: Iterable[Finding], *roles: Role) -> tuple[Finding, ...]:
    """Return the findings whose kinds have one of the roles."""
    return tuple(one for one in noticed if one.about.role in roles)


def plain(noticed: Finding) -> dict[str, Any]:
    """Return a finding as JSON holds it: ``{kind, subject, values}``.

    >>> plain(finding("residual_good", ratio=float("nan")))
    {'kind': 'residual_good', 'subject': '', 'values': {'ratio': None}}
    """
    values = {name: _plain(value) for name, value in noticed.values.items()}
    return {"kind": noticed.kind, "subject": noticed.subject, "values": values}


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        return plain(value)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    return value


def with_labels(noticed: Finding, label: Callable[[Path], str]) -> Finding:
    """Return a finding with a label in the place of each file: a name may be a person's."""

    def labelled(value: Any) -> Any:
        if isinstance(value, Path):
            return label(value)
        if isinstance(value, list | tuple):
            return type(value)(labelled(one) for one in value)
        return with_labels(value, label) if isinstance(value, Finding) else value

    values = {name: labelled(value) for name, value in noticed.values.items()}
    return Finding(kind=noticed.kind, subject=noticed.subject, values=values)


# --------------------------------------------------------------------------- errors


def stop(noticed: Finding, source: str = "") -> InputError:
    """Return the error of a finding that forbids to go on; it begins with what it came from.

    >>> str(stop(finding("other_nucleus", nucleus="31P"), "a.dat"))
    'a.dat: nucleus 31P: only 1H spectra are analysed'
    """
    sentence = words(noticed)
    return InputError(f"{source}: {sentence}" if source else sentence, finding=noticed)


def unread(path: Path, noticed: Finding) -> ReadError:
    """Return the error of a file that cannot be read as it should."""
    return ReadError(path, words(noticed), finding=noticed)


def finding_of(error: InputError) -> Finding:
    """Return the finding that an error carries; its words alone where it has no kind of its own."""
    if error.finding is not None:
        return error.finding
    if isinstance(error, ReadError):
        return finding("unreadable", problem=error.problem)
    return finding("refused", problem=" ".join(str(error).split()))


# --------------------------------------------------------------------------- words


def words(noticed: Finding) -> str:
    """Return the sentence of a finding."""
    return _FORMATTER.vformat(
        noticed.about.words, (), {"subject": noticed.subject, **noticed.values}
    )


def sentences(noticed: Iterable[Finding]) -> tuple[str, ...]:
    """Return the sentences of findings, each once, in their order."""
    return tuple(dict.fromkeys(words(one) for one in noticed))


class _Formatter(Formatter):
    """Formats a value by what stands after the colon of a template, as `wording` describes it."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        spec, _, unknown = format_spec.partition("|")
        if value is None and unknown:
            return unknown
        name, _, rest = spec.partition(" ")
        if name in _FORMATS:
            return _FORMATS[name](value, rest)
        text = super().format_field(_text(value), name)
        return f"{text} {rest}" if rest else text


def _text(value: Any) -> Any:
    """Return findings and files in words; other values as they are."""
    if isinstance(value, Finding):
        return words(value)
    return value.as_posix() if isinstance(value, Path) else value


EVEN = "0.50"
"""The probability on whose side a label has to be, as it is written."""
RATIOS_BEGIN = (f"{UNLIKELY_UP_TO:.2g}", f"{LIKELY_FROM:.2g}")
"""Likelihood ratios at which the labels begin by default, as they are written."""


def probability(value: float | None) -> str:
    """Return a probability of two decimals that never claims certainty.

    Three, where two would read as even odds that the value has not reached.

    >>> probability(0.874), probability(0.9991), probability(0.001), probability(0.4967)
    ('0.87', '> 0.99', '< 0.01', '0.497')
    """
    if value is None:
        return "–"
    if value > 0.99:
        return "> 0.99"
    if value < 0.01:
        return "< 0.01"
    text = f"{value:.2f}"
    return f"{value:.3f}".removesuffix("0") if text == EVEN else text


def likelihood_ratio(value: float | None) -> str:
    """Return a likelihood ratio of two significant digits that never claims proof.

    More, where two would read as a limit of the labels that the value has not reached.

    >>> [likelihood_ratio(ratio) for ratio in (6.83, 0.2, 3.999, 1e9)]
    ['6.8', '0.2', '3.999', '> 1000']
    """
    if value is None:
        return "–"
    if value > 1000:
        return "> 1000"
    if value < 0.001:
        return "< 0.001"
    text = f"{value:.2g}" if value < 100 else f"{value:.0f}"
    digits = 2
    while text in RATIOS_BEGIN and float(text) != value and digits < 8:
        digits += 1
        text = f"{value:.{digits}g}"
    return text


def _beside(value: float, limit_and_places: str) -> str:
    """Return a number with as many decimal places as show on which side of its limit it lies.

    >>> _beside(0.31, "0.3 2"), _beside(0.3004, "0.3 2"), _beside(4.97, "5.0 1")
    ('0.31', '0.3004', '4.97')
    """
    limit, places = (float(word) for word in limit_and_places.split())
    for digits in range(int(places), int(places) + 6):
        text = f"{value:.{digits}f}"
        if (float(text) > limit) == (value > limit) and float(text) != limit:
            return text
    return f"{value:.{int(places)}f}"


def _joined(values: Sequence[Any], each: str = "%s") -> str:
    """Join texts as a sentence does.

    >>> _joined(["L3-L4"]), _joined([3.0, 1.5], "%g T"), _joined("abc")
    ('L3-L4', '3 T and 1.5 T', 'a, b and c')
    """
    *head, last = [(each or "%s") % _text(value) for value in values]
    return f"{', '.join(head)} and {last}" if head else last


_FORMATS: dict[str, Callable[[Any, str], str]] = {
    "beside": _beside,
    "probability": lambda value, _: probability(value),
    "ratio": lambda value, _: likelihood_ratio(value),
    "field": lambda value, _: FIELDS.get(value, value),
    "value": lambda value, _: value if isinstance(value, str) else f"{value:g}",
    "list": lambda values, _: ", ".join(str(_text(value)) for value in values),
    "clauses": lambda values, _: "; ".join(str(_text(value)) for value in values),
    "and": _joined,
    "by": lambda values, spec: " x ".join(format(value, spec) for value in values),
    "each": lambda values, form: ", ".join(form % item for item in values.items()),
    "verb": lambda values, forms: forms.split()[len(values) != 1],
}


def _named(template: str) -> set[str]:
    """Return the names of the values that a template holds, those inside a format too."""
    names: set[str] = set()
    for _, name, spec, _ in Formatter().parse(template):
        if name:
            names |= {name.split("[")[0]} | _named(spec or "")
    return names


_FORMATTER = _Formatter()
