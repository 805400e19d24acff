"""A whole batch: output folder, claim, workers, counts; results go to disk one by one."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from mrs_disc.analysis import load_models
from mrs_disc.batch.collect import SOURCE, collect_results, source_of
from mrs_disc.batch.counts import Collected
from mrs_disc.batch.lock import STATE_FOLDER, Claim, ShardLock
from mrs_disc.batch.pairing import keep_pairing, pairing_lines, pairs_of, read_pairing
from mrs_disc.batch.plan import Task, all_tasks, narrowed, participant_ids, session_ids
from mrs_disc.batch.pool import Lost, Pool
from mrs_disc.batch.progress import Progress
from mrs_disc.batch.work import (
    FAILURE,
    RESULTS,
    Decision,
    Outcome,
    Settings,
    analyze_one,
    decide,
    record_failure,
)
from mrs_disc.data import parse_level
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.files import json_bytes, reading, write_whole
from mrs_disc.io.studies.bids_filter import Filters
from mrs_disc.recipe import Recipe, digest, load_recipe
from mrs_disc.report import FORMATS
from mrs_disc.words import counted

DEFAULT_FORMATS = ("json", "html")
_TOLD_FAILURES = 20

Work = Callable[[Task, Settings], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Everything a batch can be told.

    Parameters
    ----------
    recipe : str, Path, Recipe or None
        As `analyze` takes it.
    jobs : int
        Worker processes.
    shard : (int, int)
        Which part of how many, counted from 1.
    resume : bool
        Keep the results that still hold; without it a result that is there is refused.
    participants, sessions, levels, formats : sequence of str
        What to analyse and what to write; empty: all, and JSON with HTML.
    filters : mapping
        Which files of a BIDS dataset are taken, as `read_study` has them.
    time_limit_s : float or None
        Longest time for one study.
    memory_limit_gb : float or None
        Data memory of one worker.
    collect : bool
        Rebuild the dataset's tables at the end; only where the run is not a shard of several.
    pairing : Path or None
        A private file that keeps which id stands for which folder.
    """

    recipe: str | Path | Recipe | None = None
    jobs: int = 1
    shard: tuple[int, int] = (1, 1)
    resume: bool = False
    participants: Sequence[str] = ()
    sessions: Sequence[str] = ()
    filters: Filters = field(default_factory=dict)
    levels: Sequence[str] = ()
    formats: Sequence[str] = ()
    time_limit_s: float | None = None
    memory_limit_gb: float | None = None
    collect: bool = True
    pairing: Path | None = None


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a batch did, in numbers; `redone` counts the reasons why results gave way."""

    n_studies: int = 0
    n_analysed: int = 0
    n_kept: int = 0
    n_failed: int = 0
    n_levels: int = 0
    n_levels_failed: int = 0
    redone: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False
    collected: Collected | None = field(default=None, repr=False)

    @property
    def failures(self) -> int:
        """Studies and levels that failed."""
        return self.n_failed + self.n_levels_failed

    @property
    def done(self) -> int:
        """Studies that are through, whatever came of them."""
        return self.n_analysed + self.n_kept + self.n_failed

    @property
    def n_redone(self) -> int:
        """Studies that had a result or a failure before."""
        return self.redone.total()

    def count(self, outcome: Outcome) -> None:
        """Add one study."""
        self.n_levels += outcome.n_levels
        self.n_levels_failed += outcome.n_failed
        self.redone.update([outcome.redone] if outcome.redone else [])
        self.n_analysed += outcome.kind == "analysed"
        self.n_kept += outcome.kind == "kept"
        self.n_failed += outcome.kind == "failed"

    def __str__(self) -> str:
        reasons = ", ".join(f"{n} {why}" for why, n in sorted(self.redone.items()))
        new = self.done - self.n_kept - self.n_redone
        return (
            f"{self.done} of {counted(self.n_studies, 'study')}: {new} new, "
            f"{self.n_redone} redone{f' ({reasons})' if reasons else ''}, {self.n_kept} kept; "
            f"{self.n_failed} failed; {counted(self.n_levels, 'level')}, "
            f"{self.n_levels_failed} of them failed"
        )


def run_batch(
    dataset: Path,
    out: Path,
    options: BatchOptions | None = None,
    *,
    progress: Progress | None = None,
    work: Work = analyze_one,
) -> Summary:
    """Analyse the studies of a dataset, each into a folder of its own.

    Parameters
    ----------
    dataset : Path
        A BIDS dataset or a folder of study folders; never written to, but `out` may lie in it.
    out : Path
        Absent, empty, or the output of an earlier batch.
    options : BatchOptions, optional
        What to do and how.
    progress : Progress, optional
        Is told how far it is.
    work : callable
        What is done with one study; another one in tests.

    Returns
    -------
    Summary
        The counts; `interrupted` where Ctrl-C or a termination signal ended it.

    Raises
    ------
    InputError
        If the dataset, the recipe or an option is wrong, results are in the way, or another run
        is at work on the same studies.
    OutputError
        If the results cannot be written; what is there is whole, and ``resume`` goes on from it.
    """
    options = options or BatchOptions()
    progress = progress or Progress()
    settings, claim, tasks, pairs = _prepared(dataset, out, options)
    _refuse_results(tasks, settings)
    if options.pairing is not None:
        keep_pairing(options.pairing, pairs, out)
    for line in pairing_lines(pairs, options.pairing is not None):
        progress.say(line)
    summary = Summary(n_studies=len(tasks))
    with ShardLock(out, claim) as lock, _termination_as_interrupt():
        _refuse_results(tasks, settings)
        _remember_source(dataset, out)
        pool = _pool(work, settings, options)
        try:
            _work_through(pool, tasks, settings, summary, progress, lock)
            if options.collect and claim.shard[1] == 1:
                summary.collected = collect_results(out)
        except KeyboardInterrupt:
            summary.interrupted = True
        finally:
            shutil.rmtree(settings.unfinished, ignore_errors=True)
    return summary


def plan_batch(
    dataset: Path, out: Path, options: BatchOptions | None = None
) -> Iterator[tuple[Task, Decision]]:
    """Yield each study with what a run would do with it, and why; writes nothing.

    Raises
    ------
    InputError
        As `run_batch`.
    """
    settings, _, tasks, _ = _prepared(dataset, out, options or BatchOptions())
    for task in tasks:
        yield task, decide(task, settings)


def _prepared(
    dataset: Path, out: Path, options: BatchOptions
) -> tuple[Settings, Claim, list[Task], dict[str, str]]:
    """Return what a run asks, claims and has to do, and folder to id, once all of it is checked."""
    settings = _settings(dataset, out, options)
    found = all_tasks(dataset, read_pairing(options.pairing))
    tasks = narrowed(found, options.participants, sessions=options.sessions)
    labels = participant_ids(t.participant_id for t in tasks) if options.participants else ()
    claim = Claim(shard=options.shard, participants=labels, sessions=session_ids(options.sessions))
    tasks = narrowed(tasks, shard=options.shard)
    _check_output(dataset, out)
    return replace(settings, claim=claim.name), claim, tasks, pairs_of(found)


def _pool(work: Work, settings: Settings, options: BatchOptions) -> Pool[Task, Outcome]:
    return Pool(
        work,
        settings,
        jobs=options.jobs,
        time_limit_s=options.time_limit_s,
        memory_limit_gb=options.memory_limit_gb,
    )


def _settings(dataset: Path, out: Path, options: BatchOptions) -> Settings:
    recipe = load_recipe(options.recipe)
    formats = tuple(dict.fromkeys(["json", *(options.formats or DEFAULT_FORMATS)]))
    for name in formats:
        if name not in FORMATS:
            raise InputError(
                f"there is no format '{name}'.{did_you_mean(name, FORMATS)} "
                f"Formats: {', '.join(FORMATS)}."
            )
    if options.jobs < 1:
        raise InputError(f"--jobs {options.jobs}: at least 1")
    return Settings(
        dataset=str(dataset.absolute()),
        out=str(out.absolute()),
        claim="",
        recipe=recipe,
        recipe_sha256=digest(recipe, load_models(recipe).digests),
        levels=tuple(dict.fromkeys(parse_level(level) for level in options.levels)),
        formats=formats,
        resume=options.resume,
        filters=options.filters,
    )


def _work_through(
    pool: Pool[Task, Outcome],
    tasks: list[Task],
    settings: Settings,
    summary: Summary,
    progress: Progress,
    lock: ShardLock,
) -> None:
    """Run all tasks; count and tell, keep nothing."""
    progress.start(len(tasks))
    told = 0
    try:
        for task, reply in pool.run(tasks):
            if lock.lost:
                raise InputError(
                    f"{settings.out}: another run took this shard over; this one stops"
                )
            outcome = reply if not isinstance(reply, Lost) else _lost(task, reply, settings)
            summary.count(outcome)
            progress.step(summary.failures)
            if outcome.kept:
                progress.say(
                    f"{task.key} was signed before it was redone: that result and its final "
                    f"files stay in {task.key}/{outcome.kept}"
                )
            if outcome.kind == "failed" and told <= _TOLD_FAILURES:
                more = told == _TOLD_FAILURES
                line = f"{task.key} failed ({outcome.stage}): {outcome.message}"
                progress.say("further failures are listed in failures.tsv" if more else line)
                told += 1
    finally:
        progress.close()


def _lost(task: Task, lost: Lost, settings: Settings) -> Outcome:
    target = settings.target(task)
    redone = "failed before" if (target / FAILURE).exists() else ""
    if (target / RESULTS).exists():  # asking what had changed may be what killed the worker
        redone = "something changed"
    kept = record_failure(task, settings, lost.stage, lost.message)
    return Outcome(kind="failed", redone=redone, kept=kept, stage=lost.stage, message=lost.message)


# --------------------------------------------------------------------------- output folder


def _check_output(dataset: Path, out: Path) -> None:
    """Refuse an output that is the input, or holds what no batch has written.

    Raises
    ------
    InputError
        With what to do instead.
    """
    source, target = dataset.resolve(), out.resolve()
    if target == source or target in source.parents:
        raise InputError(f"{out}: the dataset itself is never written to; choose another folder")
    if source in target.parents and target.relative_to(source).parts[0].startswith("sub-"):
        raise InputError(f"{out} lies inside a subject of the dataset; choose another folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the results")
    with reading(out):
        strange = out.is_dir() and not (out / STATE_FOLDER).is_dir() and any(out.iterdir())
    if strange:
        raise InputError(f"{out} holds other files; choose a folder that is absent or empty")


def _refuse_results(tasks: list[Task], settings: Settings) -> None:
    if settings.resume:
        return
    there = [t.key for t in tasks if os.path.lexists(settings.target(t) / RESULTS)]
    there += [t.key for t in tasks if os.path.lexists(settings.target(t) / FAILURE)]
    if there:
        raise InputError(
            f"{settings.out}: {len(there)} of {counted(len(tasks), 'study')} have results already "
            f"({', '.join(there[:3])}{', …' if len(there) > 3 else ''}). Use --resume to keep "
            "what still holds and redo the rest, or choose another folder."
        )


def _remember_source(dataset: Path, out: Path) -> None:
    """Note for `collect` what the dataset is."""
    write_whole(
        out / STATE_FOLDER / SOURCE, json_bytes({"source": source_of(dataset, out)}), overwrite=True
    )


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a batch as Ctrl-C does: schedulers cancel jobs with it."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
