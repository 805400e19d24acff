"""How far a batch is: a bar on a terminal, a line every so often elsewhere; always on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

LINE_EVERY_S = 10.0


class Progress(Protocol):
    """What a batch tells while it runs."""

    def start(self, total: int) -> None:
        """Begin with so many studies."""

    def step(self, failed: int) -> None:
        """Count one study; `failed` studies and levels so far."""

    def say(self, text: str) -> None:
        """Show a line between."""

    def close(self) -> None:
        """End."""


def progress_on(stream: TextIO) -> Progress:
    """Return the progress that suits a stream."""
    return Bar(stream) if stream.isatty() else Lines(stream)


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


class Lines:
    """Plain lines for logs: at the start, every ten seconds and at the end."""

    def __init__(self, stream: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._total = self._done = self._failed = 0
        self._begun = self._told = time.monotonic()

    def start(self, total: int) -> None:
        """Begin with so many studies."""
        self._total = total
        self._begun = self._told = time.monotonic()
        self.say(f"{total} {'study' if total == 1 else 'studies'}")

    def step(self, failed: int) -> None:
        """Count one study and tell now and then."""
        self._done += 1
        self._failed = failed
        now = time.monotonic()
        if now - self._told >= self._every_s and self._done < self._total:
            self._told = now
            self._tell(now)

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"mrs-disc: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Tell the last state."""
        if self._done:
            self._tell(time.monotonic())

    def _tell(self, now: float) -> None:
        rate = self._done / max(now - self._begun, 1e-9)
        left = duration((self._total - self._done) / rate)
        remaining = f", {left} left" if self._done < self._total else ""
        self.say(
            f"{self._done} of {self._total} studies, {rate * 60:.1f} a minute{remaining}, "
            f"{self._failed} failures"
        )


class Bar:
    """A bar with rate, remaining time and failures."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar: RichProgress = RichProgress(
            TextColumn("studies"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]} failures"),
            console=Console(file=stream),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._begun = time.monotonic()
        self._done = 0

    def start(self, total: int) -> None:
        """Show the bar."""
        self._begun = time.monotonic()
        self._task = self._bar.add_task("studies", total=total, rate="", failed=0)
        self._bar.start()

    def step(self, failed: int) -> None:
        """Move the bar by one."""
        self._done += 1
        rate = self._done / max(time.monotonic() - self._begun, 1e-9)
        self._bar.update(self._task, advance=1, rate=f"{rate * 60:.1f}/min", failed=failed)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(f"mrs-disc: {text}", markup=False, highlight=False)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


class Silent:
    """Nothing; for use from Python."""

    def start(self, total: int) -> None:
        """Begin."""

    def step(self, failed: int) -> None:
        """Count."""

    def say(self, text: str) -> None:
        """Keep still."""

    def close(self) -> None:
        """End."""
