"""Errors that a person can act on, and how they are worded.

Whatever the caller could mend derives from `InputError`; its message is one line that says what is
wrong, where, what came, what is allowed and what to do. Everything else is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrs_disc.record.findings import Finding


class MrsDiscError(Exception):
    """Base of every error that mrs_disc raises on purpose."""


class InputError(MrsDiscError, ValueError):
    """The input, an option or a file is wrong in a way that the caller can mend.

    Parameters
    ----------
    message : str
        One line for a person.
    finding : Finding, optional
        The same as data, for a script and for the record.
    """

    def __init__(self, message: str = "", *, finding: Finding | None = None) -> None:
        super().__init__(message)
        self.finding = finding


class ReadError(InputError):
    """A file cannot be read, or is not what its format demands.

    Parameters
    ----------
    path : Path
        The file; its name starts the message.
    problem : str
        What is wrong and what to do, without a file's name: a report shows a label in its place.
    finding : Finding, optional
        As in `InputError`.
    """

    def __init__(self, path: Path, problem: str, *, finding: Finding | None = None) -> None:
        super().__init__(f"{path.name or path.resolve().name or path}: {problem}", finding=finding)
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[ReadError], tuple[Path, str], dict[str, object]]:
        """Rebuild from both arguments, so that the error crosses process borders."""
        return type(self), (self.path, self.problem), {"finding": self.finding}


class NoSuchPathError(ReadError):
    """There is nothing at a path; the message names the first part of it that is missing.

    Of a whole path only the name is told, as the message may come to stand in a batch's record.
    """

    def __init__(self, path: Path, what: str = "file or folder") -> None:
        whole = (*reversed(path.parents), path)
        first = next((part for part in whole if not part.exists()), path)
        place = "" if first.parent == Path() or path.is_absolute() else f" in {first.parent}"
        super().__init__(first, f"there is no such {what}{place}")

    def __reduce__(self) -> tuple[type[ReadError], tuple[Path, str], dict[str, object]]:
        """Rebuild as it was worded here, so that the error crosses process borders."""
        return ReadError, (self.path, self.problem), {"finding": self.finding}


class RecipeError(InputError):
    """A recipe has an unknown option, or a value that is not allowed."""


class ModelError(InputError):
    """A metabolite, relaxation or score model is not valid."""


class OutputError(MrsDiscError, OSError):
    """A result cannot be written where it was asked for."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion with a leading blank, or nothing where no known word is close.

    >>> did_you_mean("max_shift_ppm", ["method", "max_shift_hz"])
    " Did you mean 'max_shift_hz'?"
    >>> did_you_mean("colour", ["method"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
