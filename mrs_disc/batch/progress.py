"""How far a batch is: a bar on a terminal, a line every so often elsewhere; always on stderr."""

from __future__ import annotations

import time
from typing import TextIO

from mrs_disc.words import counted

LINE_EVERY_S = 10.0


def progress_on(stream: TextIO) -> Progress:
    """Return the progress that suits a stream."""
    return _Bar(stream) if stream.isatty() else Progress(stream)


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(4.2), duration(75), duration(7300)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Plain lines for logs, at the start, every ten seconds and at the end; silent without stream.

    Parameters
    ----------
    stream : text stream, optional
        Where to.
    every_s : float
        Time between two lines, s.
    """

    def __init__(self, stream: TextIO | None = None, every_s: float = LINE_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._total = self._done = self._failed = 0
        self._begun = self._told = time.monotonic()

    def start(self, total: int) -> None:
        """Begin with so many studies."""
        self._total = total
        self._begun = self._told = time.monotonic()
        self._begin()

    def step(self, failed: int) -> None:
        """Count one study; `failed` studies and levels so far."""
        self._done += 1
        self._failed = failed
        self._move()

    def say(self, text: str) -> None:
        """Show a line between."""
        if self._stream is not None:
            print(f"mrs-disc: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """End, with the last state."""
        if self._done:
            self._tell()

    @property
    def _rate(self) -> float:
        return self._done / max(time.monotonic() - self._begun, 1e-9)

    def _begin(self) -> None:
        self.say(f"{self._total} {'study' if self._total == 1 else 'studies'}")

    def _move(self) -> None:
        now = time.monotonic()
        if now - self._told >= self._every_s and self._done < self._total:
            self._told = now
            self._tell()

    def _tell(self) -> None:
        left = duration((self._total - self._done) / self._rate)
        remaining = f", {left} left" if self._done < self._total else ""
        self.say(
            f"{self._done} of {counted(self._total, 'study')}, {self._rate * 60:.1f} a minute"
            f"{remaining}, {_failed(self._failed)}"
        )


def _failed(number: int) -> str:
    """Return how many studies and discs failed, in words.

    >>> _failed(0), _failed(1)
    ('nothing failed', '1 study or disc failed')
    """
    if not number:
        return "nothing failed"
    return "1 study or disc failed" if number == 1 else f"{number} studies and discs failed"


class _Bar(Progress):
    """A bar with rate, remaining time and failures; lines stand above it."""

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("studies"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=Console(file=self._stream),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("studies", total=self._total, rate="", failed=_failed(0))
        self._bar.start()

    def _move(self) -> None:
        rate = f"{self._rate * 60:.1f}/min"
        self._bar.update(self._task, advance=1, rate=rate, failed=_failed(self._failed))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(f"mrs-disc: {text}", markup=False, highlight=False)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()
