"""From received to sent: the one loop that moves every study of a node on.

Each turn of the loop takes what arrived, gives quiet studies to workers, takes back what they
made, looks for signatures and forgets what was sent long enough ago. Whatever is asked of it, the
answer is on the disk before the next step: see `mrs_disc.node`.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from mrs_disc.batch.plan import Task
from mrs_disc.batch.pool import Lost, Pool
from mrs_disc.batch.work import TRANSMISSION, Outcome, Settings, record_failure
from mrs_disc.errors import InputError, OutputError
from mrs_disc.files import json_bytes, sha256_of, write_whole
from mrs_disc.node.config import NodeConfig
from mrs_disc.node.deliver import Deliverer, settled
from mrs_disc.node.health import Health
from mrs_disc.node.ledger import Ledger
from mrs_disc.node.log import Log, utc
from mrs_disc.node.places import Places
from mrs_disc.node.running import only_one
from mrs_disc.node.spool import Spool
from mrs_disc.node.work import NO_PATIENT, NO_ROOM, PDF, SR, WARM, analyze_study
from mrs_disc.record.node import Delivery, NodeStatus, StudyState, write_status
from mrs_disc.record.review import LOG_NAME

TICK_S = 0.1
FULL_S = 1.0
"""Rest after a write that failed."""
_AGAIN_S = 30.0
"""Rest of a study whose results could not be written."""
_SIGNATURES_S, _FORGET_S, _HEARTBEAT_S, _WATCH_S, _PUBLISH_S = 1.0, 30.0, 5.0, 1.0, 0.3
_STALE_S = 120.0
_DAY_S = 86_400.0
_FORMATS = ("json", "html")


class Engine:
    """A node at work.

    Parameters
    ----------
    config : NodeConfig
        What it was told.
    log : Log
        Takes the events.
    now : callable
        The time, s since 1970.
    work : callable
        What a worker does with a study; another one in tests.

    Raises
    ------
    InputError
        If the recipe, a port or a folder cannot be used, or another node is at work in its folder.
    """

    def __init__(
        self,
        config: NodeConfig,
        log: Log,
        now: Callable[[], float] = time.time,
        work: Callable[[Task, Settings], Outcome] = analyze_study,
    ) -> None:
        self.config, self.places = config, Places(config.folder.absolute())
        self._log, self._now = log, now
        self._settings = _settings(config, self.places)
        if config.watch is not None and not config.watch.is_dir():
            raise InputError(f"--watch {config.watch.name}: there is no such folder")
        self._lock = only_one(self.places.home)
        shutil.rmtree(self.places.work, ignore_errors=True)
        self.spool = Spool(self.places.spool)
        self.ledger = Ledger(self.places.states)
        self._arrivals: SimpleQueue[str] = SimpleQueue()
        self._seen: dict[str, float] = {}
        self._queue: deque[str] = deque()
        self._tasks: deque[Task] = deque([WARM] * config.workers)
        self._given: set[str] = set()
        self._later: set[str] = set()
        self._suspects: list[Task] = []
        self._replies: deque[tuple[Task, Outcome | Lost]] = deque()
        self._died: set[str] = set()
        self._reviews: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._beat, self._published = now(), -1
        self._tables_old = False
        self.pool: Pool[Task, Outcome] = Pool(
            work,
            self._settings,
            jobs=config.workers,
            time_limit_s=config.time_limit_s,
            memory_limit_gb=config.memory_limit_gb,
        )
        self.deliverer = Deliverer(config, self.places, self.ledger, log, now)
        self._recover()
        self.service: Any = None
        self.health: Health | None = None
        self._watcher: Any = None
        if config.watch is not None:
            from mrs_disc.node.watch import Watcher

            known = self.places.home / "watched.json"
            self._watcher = Watcher(config.watch, self.spool, self.arrived, log, now, known)

    def arrived(self, key: str) -> None:
        """Take the news that a file of a study is in the spool; from any thread."""
        self._arrivals.put(key)

    def open(self) -> None:
        """Listen, answer and send."""
        if self.config.health_port is not None:
            self.health = Health(self.config.health_port, self.healthy)
        if self.config.listen is not None:
            from mrs_disc.node.scp import StorageService

            self.service = StorageService(
                self.config, self.spool, self.arrived, self._log, self._now
            )
        self.deliverer.start()

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        try:
            self.open()
            self._log("started", **self.address)
            while not stop.is_set():
                self.turn()
        finally:
            self.close()

    def close(self) -> None:
        """Stop: what workers are at is done again at the next start."""
        if self.service is not None:
            self.service.stop()
        if self.health is not None:
            self.health.stop()
        self.deliverer.stop()
        self.pool.close()
        with suppress(OSError):
            self._publish(pid=0)
        self._lock.close()
        self._log("stopped")

    @property
    def address(self) -> dict[str, str]:
        """Where the node listens, and answers."""
        told: dict[str, str] = {}
        if self.service is not None:
            assert self.config.listen is not None
            host, port = self.service.address
            told |= {"ae_title": self.config.listen.ae_title, "address": f"{host}:{port}"}
        if self.health is not None:
            told["health"] = f"http://127.0.0.1:{self.health.port}/health"
        return told

    # ----------------------------------------------------------------------- one turn

    def turn(self) -> None:
        """Move on what can be moved on."""
        try:
            if self._watcher is not None and self._is_due("watch", _WATCH_S):
                self._watcher.look()
            self._take_arrivals()
            self._ripen()
            self._give()
            self._take_back()
            if self._is_due("signatures", _SIGNATURES_S):
                self._look_for_signatures()
                self._look_for_requests()
            if self._is_due("forget", _FORGET_S):
                self._forget()
            self._renew_tables()
            changed = self._published != self.ledger.version and self._is_due("publish", _PUBLISH_S)
            if changed or self._is_due("heartbeat", _HEARTBEAT_S):
                self._publish()
        except OSError as error:  # a full disk: nothing is lost, and the next turn tries again
            why = str(error) if isinstance(error, OutputError) else (error.strerror or "no room")
            self._log("cannot write", why=why[-200:])
            time.sleep(FULL_S)
        self._beat = self._now()

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    def _take_arrivals(self) -> None:
        keys: dict[str, None] = {}
        with suppress(Empty):
            while True:
                keys[self._arrivals.get_nowait()] = None
        waiting = deque(keys)
        try:
            while waiting:
                self._arrive(waiting[0])
                waiting.popleft()
        finally:  # what could not be noted is news still
            for key in waiting:
                self._arrivals.put(key)

    def _arrive(self, key: str) -> None:
        """Note that files of a study came; the same ones again change nothing."""
        digest, n = self.spool.digest(key)
        if not digest:
            return
        time_ = utc(self._now())
        study = self.ledger.get(key)
        if study is None:
            source = self._source(key)
            new = StudyState(key=key, source=source, n_objects=n, first=time_, last=time_)
            self.ledger.add(new)
            self._log("received", study=key)
        elif study.objects == digest and study.state not in ("received", "waiting"):
            return
        elif study.state == "analysing":
            self._later.add(key)
            self.ledger.change(key, n_objects=n, last=time_)
        else:
            if study.state not in ("received", "waiting"):
                self._log("received", study=key, again=True)
            if study.removed:
                self._log("earlier files are gone", study=key)
            kept = tuple(one for one in study.deliveries if one.state != "pending")
            self.ledger.change(
                key, state="received", n_objects=n, last=time_, reason="", deliveries=kept,
                removed=False,
            )  # fmt: skip
            with suppress(ValueError):
                self._queue.remove(key)
        self._seen[key] = self._now()

    def _source(self, key: str) -> Any:
        receipts = self.spool.receipts(key)
        return "watch" if receipts and receipts[0].get("calling") == "folder" else "dicom"

    def _ripen(self) -> None:
        """Queue what has been quiet for long enough."""
        open_ = self.service.receiving() if self.service is not None else frozenset()
        for study in self.ledger.of("received"):
            quiet = self._now() - self._seen.get(study.key, 0.0)
            if quiet >= self.config.quiet_s and study.key not in open_:
                self.ledger.change(study.key, state="waiting")
                self._queue.append(study.key)

    def _give(self) -> None:
        """Give quiet studies to free workers, each with its files as they are now."""
        while self._queue and len(self._given) < self.config.workers:
            key = self._queue[0]
            target = self.places.work / key
            digest, n = self.spool.snapshot(key, target)
            received = {"schema_version": "1", "received": self.spool.receipts(key)}
            write_whole(target / TRANSMISSION, json_bytes(_nameless(received)))
            study = self.ledger.get(key)
            assert study is not None
            n_analyses = study.n_analyses + 1
            self.ledger.change(
                key, state="analysing", objects=digest, n_objects=n, n_analyses=n_analyses
            )
            self._queue.popleft()
            self._given.add(key)
            self._tasks.append(Task(key=key, path=str(target), participant_id=key))

    def _take_back(self) -> None:
        """Take what workers have made; without any at work this is where the loop rests."""
        idle = not self._tasks and not self.pool.busy
        replies = self.pool.turn(self._tasks, self._suspects, tick_s=TICK_S)
        self._replies.extend((task, reply) for task, reply in replies if task != WARM)
        for task in self._suspects:
            if task == WARM:
                continue
            if task.key in self._died:
                dead = Lost("crashed", "the worker process died twice on this study")
                self._replies.append((task, dead))
            else:
                self._died.add(task.key)
                self._tasks.append(task)
        self._suspects.clear()
        while self._replies:  # what cannot be written down stays for the next turn
            self._made(*self._replies[0])
            self._replies.popleft()
        if idle:
            time.sleep(TICK_S)

    # ----------------------------------------------------------------------- results

    def _made(self, task: Task, reply: Outcome | Lost) -> None:
        key = task.key
        if isinstance(reply, Lost):
            record_failure(task, self._settings, reply.stage, reply.message)
            reply = Outcome(kind="failed", stage=reply.stage, message=reply.message)
        if reply.stage == NO_ROOM:
            self._log("cannot write", study=key, why=reply.message[-200:])
            self.ledger.change(key, state="received", reason=reply.message)
            self._seen[key] = self._now() + _AGAIN_S
        elif reply.kind == "failed":
            self._log("failed", study=key, stage=reply.stage, why=reply.message[:300])
            self.ledger.change(key, state="failed", reason=f"{reply.stage}: {reply.message}")
        else:
            self._log("analysed", study=key, levels=reply.n_levels, failed=reply.n_failed)
            self.ledger.update(key, self._to_be_sent)
            self.deliverer.wake()
        self._given.discard(key)
        self._died.discard(key)
        shutil.rmtree(self.places.work / key, ignore_errors=True)
        self._tables_old = True
        if key in self._later:
            self._later.discard(key)
            self.arrived(key)

    def _to_be_sent(self, study: StudyState) -> StudyState:
        """Return a study that was analysed, with the deliveries that its report needs."""
        study = replace(study, state="analysed", reason="")
        files = [f"{study.key}/{name}" for name in (SR, PDF)]
        if not (self.places.results / files[0]).is_file():
            return replace(study, reason=NO_PATIENT if self.config.destination else "")
        return settled(self._with_deliveries(study, "preliminary", files))

    def _with_deliveries(self, study: StudyState, kind: Any, files: list[str]) -> StudyState:
        digests = tuple(sha256_of(self.places.results / file) for file in files)
        made = [
            Delivery(kind=kind, destination=one.name, files=tuple(files), sha256=digests)
            for one in self.config.destination
        ]
        done = {(d.destination, d.sha256) for d in study.deliveries if d.state == "sent"}
        fresh = [one for one in made if (one.destination, one.sha256) not in done]
        kept = [one for one in study.deliveries if one.state != "pending" or one.kind != kind]
        return replace(study, deliveries=(*kept, *fresh))

    def _look_for_signatures(self) -> None:
        """Make and send the final report of what was signed on the review page."""
        for study in self.ledger.of("analysed", "sent", "failed"):
            log = self.places.results / study.key / LOG_NAME
            with suppress(FileNotFoundError):
                mark = log.stat().st_mtime_ns
                if self._reviews.get(study.key) == mark:
                    continue
                try:
                    self._finish(study)
                except InputError as error:
                    self._log("no final report", study=study.key, why=str(error)[:300])
                self._reviews[study.key] = mark

    def _finish(self, study: StudyState) -> None:
        from mrs_disc.node.final import final_report

        made = final_report(self.places, self.spool, study)
        if made is None or made.head == study.signed:
            return
        self._log("signed", study=study.key)

        def how(now: StudyState) -> StudyState:
            if now.state in ("received", "waiting", "analysing"):
                return now
            after = replace(now, state="analysed", signed=made.head, reason="")
            return settled(self._with_deliveries(after, "final", list(made.files)))

        self.ledger.update(study.key, how)
        self._tables_old = True
        self.deliverer.wake()

    def _look_for_requests(self) -> None:
        """Try again what ``mrs-disc node retry`` asks for."""
        if not self.places.requests.is_dir():
            return
        for path in self.places.requests.iterdir():
            study = self.ledger.get(path.name)
            path.unlink(missing_ok=True)
            if study is not None and study.state == "failed":
                self._log("tried again", study=study.key)
                self._again(study)

    def _again(self, study: StudyState) -> None:
        if any(one.state == "dead" for one in study.deliveries):
            fresh = tuple(
                replace(one, state="pending", attempts=0, next_try=0.0, time="", reason="")
                if one.state == "dead"
                else one
                for one in study.deliveries
            )
            self.ledger.change(study.key, state="analysed", reason="", deliveries=fresh)
            self.deliverer.wake()
        elif self.spool.files(study.key):
            self.ledger.change(study.key, state="waiting", reason="")
            self._queue.append(study.key)

    # ----------------------------------------------------------------------- upkeep

    def _recover(self) -> None:
        """Find by the spool what has to be done, whatever the states say."""
        for name in self.ledger.damaged:
            self._log("a state was damaged", file=name)
        for study in self.ledger.of("received", "waiting", "analysing"):
            if self.spool.digest(study.key)[0]:
                self.ledger.change(study.key, state="received")
                self._seen[study.key] = self._now()
        for folder in self.spool.studies():
            known = self.ledger.get(folder.name)
            digest, _ = self.spool.digest(folder.name)
            if digest and (known is None or known.objects != digest):
                self.arrived(folder.name)

    def _forget(self) -> None:
        """Take out of the spool what was sent long enough ago."""
        for study in self.ledger.of("sent", "analysed"):
            through = study.state == "sent" or study.reason == NO_PATIENT
            if not through or not (self.spool.folder / study.key).is_dir():
                continue
            times = [study.last, *(one.time for one in study.deliveries if one.time)]
            since = max(_seconds(time_) for time_ in times)
            days = (self._now() - since) / _DAY_S
            if days < self.config.keep.days:
                continue
            waits = not study.signed and days < self.config.keep.unsigned_days
            reference = self.spool.reference(study.key) if waits else None
            digest, _ = self.spool.digest(study.key)
            if (study.removed and waits) or digest not in ("", study.objects):
                continue
            if self.spool.remove(study.key, digest, reference):
                self.ledger.change(study.key, removed=True)
                self._log("removed from the spool", study=study.key)

    def _renew_tables(self) -> None:
        """Rebuild the tables that the review page reads, less often where that takes long."""
        if not self._tables_old or time.monotonic() < self._due.get("tables", 0.0):
            return
        from mrs_disc.batch.collect import collect_results

        begun = time.monotonic()
        collect_results(self.places.results)
        took = time.monotonic() - begun
        self._due["tables"] = time.monotonic() + max(1.0, 10 * took)
        self._tables_old = False

    def _publish(self, pid: int | None = None) -> None:
        from os import getpid

        told = self.address
        status = NodeStatus(
            time=utc(self._now()),
            pid=getpid() if pid is None else pid,
            ae_title=told.get("ae_title", ""),
            address=told.get("address", ""),
            studies=self.ledger.all(),
        )
        self._published = self.ledger.version
        write_status(self.places.results, status)

    def healthy(self) -> tuple[bool, Mapping[str, Any]]:
        """Return whether the node is at work, and what a site's watch may know."""
        age = self._now() - self._beat
        counts = NodeStatus(time="", pid=0, studies=self.ledger.all()).counts
        well = age < _STALE_S
        return well, {"status": "ok" if well else "stuck", "last_turn_s": round(age, 1)} | counts


def _settings(config: NodeConfig, places: Places) -> Settings:
    from mrs_disc.analysis import load_models
    from mrs_disc.recipe import digest, load_recipe

    recipe = load_recipe(config.recipe)
    return Settings(
        dataset=str(places.work),
        out=str(places.results),
        claim="node",
        recipe=recipe,
        recipe_sha256=digest(recipe, load_models(recipe).digests),
        formats=_FORMATS,
        resume=True,
    )


def _nameless(record: dict[str, Any]) -> dict[str, Any]:
    """Return receipts without the names of files, which in a watched folder people gave."""
    received = [
        {k: v for k, v in one.items() if k not in ("name", "again")} for one in record["received"]
    ]
    return record | {"received": received}


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
