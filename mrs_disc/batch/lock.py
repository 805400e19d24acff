"""Who is at work in an output folder: one claim per shard, with its owner's process and host.

Decision: a claim is a small file that its owner renews; nothing depends on the clock. On the same
host the owner is asked for by process id and start time; on another, a claim that is not renewed
while one watches is stale. Refused: a lock of the operating system (`flock`) held for the run,
which network file systems honour only in part; flufl.lock, which goes by the clock (14.7 s to take
over from a dead holder); and a coordinator. `flock` guards only the moment
in which claims are compared, and is done without where a file system has none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import clear_scratch, json_bytes, read_json, write_whole, writing

STATE_FOLDER = ".batch"
RENEW_S = 15.0
WATCH_S = 60.0
"""How long a claim of another host is watched for a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The studies that a run wants: a shard, narrowed to participants and sessions or not."""

    shard: tuple[int, int] = (1, 1)
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the claim's file and of its folder for unfinished work.

        >>> Claim(shard=(2, 8)).name
        'shard-2-of-8'
        """
        name = "shard-{}-of-{}".format(*self.shard)
        if not (self.participants or self.sessions):
            return name
        words = [*sorted(self.participants), *(f"ses-{one}" for one in sorted(self.sessions))]
        digest = hashlib.sha256("\n".join(words).encode()).hexdigest()
        return f"{name}-{digest[:12]}"

    def meets(self, other: Claim) -> bool:
        """Say whether two claims may hold the same study.

        >>> Claim(shard=(1, 4)).meets(Claim(shard=(2, 4)))
        False
        >>> Claim(shard=(1, 4)).meets(Claim(shard=(2, 3)))
        True
        """
        for mine, theirs in (
            (self.participants, other.participants),
            (self.sessions, other.sessions),
        ):
            if mine and theirs and not set(mine) & set(theirs):
                return False
        return self.shard[1] != other.shard[1] or self.shard[0] == other.shard[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that made a claim; `renewed` counts its signs of life."""

    pid: int
    host: str
    boot: str
    started: str
    renewed: int = 0

    @classmethod
    def this(cls) -> Owner:
        """Return the owner that the running process is."""
        pid = os.getpid()
        return cls(pid=pid, host=socket.gethostname(), boot=_boot(), started=_started(pid))

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this host."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there, on this host and since the same start."""
        if self.boot != _boot() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is there, but another user's
        return self.started == _started(self.pid)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where that cannot be had."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    after_name = text.rpartition(")")[2].split()
    return after_name[19] if len(after_name) > 19 else ""


class ShardLock:
    """The claim of this run on an output folder, held inside a ``with`` block.

    Parameters
    ----------
    out : Path
        The batch's output folder; made where it is not there.
    claim : Claim
        What is to be analysed.
    watch_s, renew_s : float
        How long a claim of another host is watched, and how often an own one is renewed, s.

    Raises
    ------
    InputError
        If a living run holds a claim on some of the same studies.
    OutputError
        If the folder cannot be written to.
    """

    def __init__(
        self, out: Path, claim: Claim, *, watch_s: float = WATCH_S, renew_s: float = RENEW_S
    ) -> None:
        self._folder = out / STATE_FOLDER
        self._path = self._folder / f"{claim.name}.lock"
        self._claim = claim
        self._owner = Owner.this()
        self._watch_s = watch_s
        self._renew_s = renew_s
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew, daemon=True, name="claim")
        self.lost = False

    def __enter__(self) -> ShardLock:
        with writing(self._folder.parent):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._clear_stale()
            with _guard(self._folder):
                self._refuse_if_held()
                self._clear_unfinished()
                self._write(self._owner)
        self._renewer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._renewer.join()
        with contextlib.suppress(OSError):
            if not self.lost:
                self._path.unlink()

    def _others(self) -> Iterator[tuple[Path, Claim, Owner]]:
        """Yield the claims that may hold the same studies; torn ones are taken away."""
        for path in sorted(self._folder.glob("*.lock")):
            read = _read(path)
            if read is None:
                path.unlink(missing_ok=True)
                continue
            claim, owner = read
            if claim.meets(self._claim):
                yield path, claim, owner

    def _clear_stale(self) -> None:
        """Take away claims whose owner is gone; watch those of other hosts first."""
        with _guard(self._folder):
            away = []
            for path, _, owner in self._others():
                if owner.is_here and not owner.is_alive:
                    path.unlink(missing_ok=True)
                elif not owner.is_here:
                    away.append((path, owner))
        if not away:
            return
        deadline = time.monotonic() + self._watch_s
        while away and time.monotonic() < deadline:
            time.sleep(min(1.0, self._watch_s / 10))
            away = [(p, o) for p, o in away if (r := _read(p)) is not None and r[1] == o]
        with _guard(self._folder):
            for path, owner in away:
                if (read := _read(path)) is not None and read[1] == owner:
                    path.unlink(missing_ok=True)

    def _refuse_if_held(self) -> None:
        for path, claim, owner in self._others():
            part = "{} of {}".format(*claim.shard)
            raise InputError(
                f"{self._folder.parent}: shard {part} is being analysed by process {owner.pid} on "
                f"host {owner.host}. Wait for it, stop it, or choose another folder; if that "
                f"process is surely gone, delete {path}."
            )

    def _clear_unfinished(self) -> None:
        """Take away what killed runs left unfinished: folders whose claim is gone."""
        clear_scratch(self._folder)
        for folder in self._folder.glob("*.work"):
            if not folder.with_suffix(".lock").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _write(self, owner: Owner) -> None:
        record = {"claim": asdict(self._claim), "owner": asdict(owner)}
        write_whole(self._path, json_bytes(record), overwrite=True)

    def _renew(self) -> None:
        """Count up in the claim, until the run ends or another has taken the claim over."""
        count = 0
        while not self._ended.wait(self._renew_s):
            read = _read(self._path)
            mine = self._owner
            if read is None or (read[1].pid, read[1].host) != (mine.pid, mine.host):
                self.lost = True
                return
            count += 1
            with contextlib.suppress(OSError):
                self._write(Owner(**{**asdict(mine), "renewed": count}))


def _read(path: Path) -> tuple[Claim, Owner] | None:
    """Return a claim and its owner; `None` where the file is gone or holds something else."""
    try:
        content = read_json(path, "claim of a batch")
        claim, owner = content["claim"], content["owner"]
        first, total = claim["shard"]
        return (
            Claim(
                shard=(int(first), int(total)),
                participants=tuple(claim["participants"]),
                sessions=tuple(claim.get("sessions", ())),
            ),
            Owner(**owner),
        )
    except (ReadError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Let one process at a time compare claims; at most ten seconds' wait."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "guard").open("a") as file:
        for _ in range(100):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:
                break
        yield
