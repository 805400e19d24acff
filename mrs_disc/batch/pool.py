"""Worker processes that may die: each task has an owner, so that a death costs one task.

Decision: a few processes with one pipe each, started afresh (spawn). Refused, as tried:

- `concurrent.futures.ProcessPoolExecutor`: its broken pool does not tell which of the tasks in
  flight killed it, so that all have to be suspected, and it cannot end one task that hangs.
- pebble 5.2: all workers share one pipe under one lock. Of eight tasks on two workers, a worker
  that is killed while it starts breaks the pool (eight lost, after 0.4 s), and one that dies while
  it sends its reply keeps the lock (four never answered, after 75 s). Its time limits go by the
  wall clock.

A task whose worker died is tried once more, alone, when all others are done: it may have been the
memory that all took together. Dead again, it is returned as `Lost`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Any, Generic, TypeVar

from mrs_disc.errors import OutputError

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
TASKS_PER_WORKER = 500
"""A worker is replaced after so many tasks, so that nothing a library keeps can add up."""
_STARTS_IN_VAIN = 3
_DIED = (
    "the worker process died twice on this study, the second time alone: a library broke, it was "
    "killed from outside, or the machine's memory was used up"
)
_TICK_S = 0.5

TaskT = TypeVar("TaskT")
ReplyT = TypeVar("ReplyT")


@dataclass(frozen=True, slots=True)
class Lost:
    """What is known of a task that has no reply.

    Attributes
    ----------
    stage : str
        ``"crashed"``, ``"timeout"`` or ``"bug"``.
    message : str
        One line for the person who has to look into it.
    """

    stage: str
    message: str


class Pool(Generic[TaskT, ReplyT]):
    """Spawned workers that apply one function to many tasks.

    Parameters
    ----------
    work : callable
        ``work(task, settings)``; defined at the top of a module, so that a worker can import it.
    settings : object
        Sent once to each worker.
    jobs : int
        Number of workers.
    time_limit_s : float, optional
        A task that takes longer is ended and lost, s.
    memory_limit_gb : float, optional
        Data memory of one worker; beyond it Python raises MemoryError.
    """

    def __init__(
        self,
        work: Callable[[TaskT, Any], ReplyT],
        settings: object,
        *,
        jobs: int,
        time_limit_s: float | None = None,
        memory_limit_gb: float | None = None,
        tasks_per_worker: int = TASKS_PER_WORKER,
    ) -> None:
        self._arguments = (work, settings, memory_limit_gb), time_limit_s
        self._jobs = jobs
        self._tasks_per_worker = tasks_per_worker
        self._workers: list[_Worker] = []
        self._starts_in_vain = 0

    def run(self, tasks: Iterable[TaskT]) -> Iterator[tuple[TaskT, ReplyT | Lost]]:
        """Yield every task with its reply, in the order in which they are done.

        Raises
        ------
        OutputError
            If a worker found that results can no longer be written.
        """
        suspects: list[TaskT] = []
        try:
            yield from self._pass(tasks, self._jobs, suspects)
            self._close()
            for task in suspects:
                again: list[TaskT] = []
                yield from self._pass([task], 1, again)
                for dead in again:
                    yield dead, Lost("crashed", _DIED)
        finally:
            self._kill()

    def _pass(
        self, tasks: Iterable[TaskT], jobs: int, suspects: list[TaskT]
    ) -> Iterator[tuple[TaskT, ReplyT | Lost]]:
        """Yield what is answered; tasks whose worker died go to `suspects`."""
        waiting = deque(tasks)
        while waiting or self.busy:
            yield from self.turn(waiting, suspects, jobs)

    def turn(
        self,
        waiting: deque[TaskT],
        suspects: list[TaskT],
        jobs: int | None = None,
        tick_s: float = _TICK_S,
    ) -> Iterator[tuple[TaskT, ReplyT | Lost]]:
        """Give what waits to free workers, and yield what is answered within a tick.

        For who has no end of tasks: `run` is this until none is left. Tasks whose worker died go to
        `suspects`.
        """
        while waiting and (worker := self._free(jobs or self._jobs)) is not None:
            worker.give(waiting.popleft())
        busy = [w for w in self._workers if w.task]
        ready = connection.wait([w.pipe for w in busy], timeout=tick_s) if busy else []
        for worker in busy:
            kind, value = worker.answer(worker.pipe in ready)
            if kind == "done":
                yield worker.take_back(), value
            elif kind == "dead":
                suspects.append(worker.take_back())
                self._count_vain_start(worker)
            elif kind == "full":
                raise OutputError(value)
            elif kind == "ready":
                self._starts_in_vain = 0
        self._workers = [w for w in self._workers if not w.retired]

    @property
    def busy(self) -> bool:
        """Whether a worker has a task."""
        return any(worker.task for worker in self._workers)

    def close(self) -> None:
        """End all workers, whatever they are at."""
        self._kill()

    def _free(self, jobs: int) -> _Worker | None:
        """Return a worker without a task, a new one where there may be more, or `None`."""
        for worker in [w for w in self._workers if not w.task]:
            if worker.served < self._tasks_per_worker:
                return worker
            worker.close()
            self._workers.remove(worker)
        if len(self._workers) >= jobs:
            return None
        self._workers.append(_Worker(*self._arguments))
        return self._workers[-1]

    def _count_vain_start(self, worker: _Worker) -> None:
        self._starts_in_vain += not worker.started
        if self._starts_in_vain >= _STARTS_IN_VAIN:
            raise RuntimeError("worker processes die before their first study")

    def _close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers = []

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers = []


class _Worker:
    """One process and its pipe, as the parent sees them; `task` holds one or none."""

    def __init__(self, arguments: tuple[Any, ...], time_limit_s: float | None) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
        with _one_thread(), _interrupts_wait():
            self.process.start()
        theirs.close()
        self.task: list[Any] = []
        self.served = 0
        self.started = self.retired = False
        self._limit = time_limit_s
        self._begun = 0.0

    def give(self, task: Any) -> None:
        self.task = [task]
        self._begun = time.monotonic()
        with contextlib.suppress(OSError):  # dead already: the next answer says so
            self.pipe.send(task)

    def answer(self, is_ready: bool) -> tuple[str, Any]:
        """Return what has come and its value: done, full, ready, dead or at work."""
        if not is_ready:
            took = time.monotonic() - self._begun
            if not self.started or self._limit is None or took <= self._limit:
                return "at work", None
            self.kill()
            return "done", Lost("timeout", f"took longer than {self._limit:g} s")
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.kill()
            return "dead", None
        if kind == "ready":  # the clock does not run while it starts
            self.started = True
            self._begun = time.monotonic()
        return kind, value

    def take_back(self) -> Any:
        self.served += 1
        return self.task.pop()

    def close(self) -> None:
        """Let an idle worker end by itself; one that does not is ended."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join(timeout=5)
        self.kill()

    def kill(self) -> None:
        self.retired = True
        with contextlib.suppress(ValueError):  # closed already: an interrupt came while it was
            self.process.kill()
            self.process.join()
            self.process.close()
        self.pipe.close()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Start processes with one BLAS thread: NumPy reads this when a worker imports it."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name in ONE_THREAD:
            del os.environ[name]
            if name in before:
                os.environ[name] = before[name]


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Start processes with Ctrl-C held back, which hits all processes of a terminal at once.

    A worker that is still importing would end in a traceback; `serve` ignores what was held back.
    """
    if (
        not hasattr(signal, "pthread_sigmask")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    from multiprocessing import resource_tracker

    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    resource_tracker.ensure_running()  # its start would let the signal through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if held:
        raise KeyboardInterrupt


# --------------------------------------------------------------------------- in the worker


def serve(
    pipe: connection.Connection,
    work: Callable[[Any, Any], Any],
    settings: object,
    memory_limit_gb: float | None,
) -> None:
    """Answer tasks until the pipe ends; the worker's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(memory_limit_gb)
    _silence()
    pipe.send(("ready", None))
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        if task is None:
            return
        reply: tuple[str, Any]
        try:
            reply = ("done", work(task, settings))
        except OutputError as error:
            reply = ("full", str(error))
        except Exception as error:
            reply = ("done", Lost("bug", where_it_broke(error)))
        pipe.send(reply)
        _give_back_memory()


def _give_back_memory() -> None:
    """Return to the system what a task has freed.

    The arrays of a study lie among those that are kept for the next, and the C library keeps the
    holes: 20 of 138 MB, and more with each study that is larger than those before. It takes 2 ms.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # glibc's own; musl keeps no holes
            ctypes.CDLL(None).malloc_trim(0)


def where_it_broke(error: BaseException) -> str:
    """Return the kind and the place of an unforeseen error, without its text.

    The text is left out since it may quote what a header holds.
    """
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename.replace(os.sep, "/")
        if "/mrs_disc/" in path:
            place = f" in mrs_disc/{path.rpartition('/mrs_disc/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"unforeseen {type(error).__name__}{place}; 'mrs-disc --debug analyze' shows more"


def _end_with_parent() -> None:
    """End at once when the parent is gone, so that no orphan writes into the folder."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _limit_memory(limit_gb: float | None) -> None:
    if not limit_gb:
        return
    try:
        import resource
    except ImportError:
        return
    size = int(limit_gb * 2**30)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _silence() -> None:
    """Keep what libraries print and warn of away from the terminal; findings are in results."""
    warnings.simplefilter("ignore")
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)
