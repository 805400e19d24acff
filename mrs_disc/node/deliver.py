"""Reports on their way: what is due, how often it is tried, and where it lies when given up."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mrs_disc.errors import InputError
from mrs_disc.files import json_bytes, read_json, sha256_of, write_whole, writing
from mrs_disc.node import remote
from mrs_disc.node.config import Destination, NodeConfig
from mrs_disc.node.ledger import Ledger
from mrs_disc.node.log import Log, utc
from mrs_disc.node.places import Places
from mrs_disc.record.node import Delivery, StudyState

Send = Callable[[Destination, Sequence[Path], str], None]
PROVENANCE = "provenance.json"


class Deliverer:
    """Sends what the ledger says is due; one destination that hangs holds up no analysis.

    Parameters
    ----------
    config : NodeConfig
        Destinations, and how often each is tried.
    places : Places
        Where the reports lie.
    ledger : Ledger
        Knows what is due, and learns what was sent.
    log : Log
        Takes the events.
    now : callable
        The time, s since 1970.
    send : callable
        Sends files to a destination; another one in tests.
    """

    def __init__(
        self,
        config: NodeConfig,
        places: Places,
        ledger: Ledger,
        log: Log,
        now: Callable[[], float] = time.time,
        send: Send = remote.send,
    ) -> None:
        self._config, self._places, self._ledger = config, places, ledger
        self._log, self._now, self._send = log, now, send
        self._by_name = {one.name: one for one in config.destination}
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Send in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more; what is on its way may be sent again, as the same object."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def wake(self) -> None:
        """Look now for what is due."""
        self._wake.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.send_due()
            except Exception as error:  # a full disk, or a bug: it has to go on with the others
                self._log("cannot note a delivery", why=f"{type(error).__name__}: {error}"[-200:])
            self._wake.wait(timeout=1.0)
            self._wake.clear()

    def send_due(self) -> None:
        """Try each delivery that is due, once."""
        for study in self._ledger.of("analysed"):
            for delivery in study.pending:
                if self._ended.is_set():
                    return
                if delivery.next_try <= self._now():
                    self._try(study, delivery)

    def _try(self, study: StudyState, delivery: Delivery) -> None:
        destination = self._by_name.get(delivery.destination)
        paths = [self._places.results / file for file in delivery.files]
        reason = ""
        try:
            if destination is None:
                raise InputError("the configuration names no such destination any more")
            self._check_whole(delivery, paths)
            calling = self._config.listen.ae_title if self._config.listen else remote.CALLING
            self._send(destination, paths, calling)
        except Exception as error:  # whatever a library makes of a broken connection: try again
            known = isinstance(error, InputError)
            reason = str(error)[:300] if known else f"unforeseen {type(error).__name__}"
        done = self._after(delivery, reason)
        fields = {"study": study.key, "to": delivery.destination, "kind": delivery.kind}
        if not reason:
            self._log("sent", **fields, objects=len(paths))
        else:
            self._log(
                "not sent",
                **fields,
                attempt=done.attempts,
                why=reason,
                given_up=done.state == "dead",
            )
        if done.state == "dead":
            self._bury(study.key, done, paths)
        self._note(study.key, delivery, done)

    @staticmethod
    def _check_whole(delivery: Delivery, paths: Sequence[Path]) -> None:
        """Refuse to send what is not the report that was made."""
        for path, digest in zip(paths, delivery.sha256, strict=True):
            if sha256_of(path) != digest:
                raise InputError(f"{path.name} is not the file that was made; it is not sent")

    def _after(self, delivery: Delivery, reason: str) -> Delivery:
        attempts, now = delivery.attempts + 1, self._now()
        if not reason:
            return replace(delivery, state="sent", attempts=attempts, time=utc(now), reason="")
        if attempts >= self._config.retry.attempts:
            return replace(delivery, state="dead", attempts=attempts, time=utc(now), reason=reason)
        later = now + self._config.retry.delay_s(attempts)
        return replace(delivery, attempts=attempts, next_try=later, reason=reason)

    def _note(self, key: str, before: Delivery, after: Delivery) -> None:
        """Put what became of a delivery into the ledger, and then the study's state."""

        def how(study: StudyState) -> StudyState:
            if before not in study.deliveries:  # a later analysis took its place
                return study
            all_ = tuple(after if one == before else one for one in study.deliveries)
            return settled(replace(study, deliveries=all_))

        study = self._ledger.update(key, how)
        if after.state == "sent" and study.state in ("analysed", "sent", "failed"):
            write_sent(self._places.results / key, study)

    def _bury(self, key: str, delivery: Delivery, paths: Sequence[Path]) -> None:
        """Copy what was given up to the dead letters, with the reason."""
        target = self._places.dead / f"{key}-{delivery.kind}-{delivery.destination}"
        with writing(target):
            target.mkdir(parents=True, exist_ok=True)
            for path in paths:
                if path.is_file():
                    shutil.copyfile(path, target / path.name)
        record = {"destination": delivery.destination, "reason": delivery.reason}
        record |= {"attempts": str(delivery.attempts), "time": delivery.time}
        write_whole(target / "reason.json", json_bytes(record), overwrite=True)


def settled(study: StudyState) -> StudyState:
    """Return a study with the state that follows from its deliveries."""
    if study.state not in ("analysed", "sent") or study.pending:
        return study
    dead = [one for one in study.deliveries if one.state == "dead"]
    if dead:
        reason = f"not delivered to {dead[-1].destination}: {dead[-1].reason}"
        return replace(study, state="failed", reason=reason)
    if any(one.state == "sent" for one in study.deliveries):
        return replace(study, state="sent", reason="")
    return study


def write_sent(folder: Path, study: StudyState) -> None:
    """Write into a study's provenance what was sent, to whom and when."""
    path = folder / PROVENANCE
    if not path.is_file():
        return
    record = read_json(path, "record of a batch")
    transmission = dict(record.get("transmission") or {})
    transmission["sent"] = [
        {
            "to": one.destination,
            "kind": one.kind,
            "time": one.time,
            "objects": [
                {"file": Path(file).name, "sha256": digest}
                for file, digest in zip(one.files, one.sha256, strict=True)
            ],
        }
        for one in study.deliveries
        if one.state == "sent"
    ]
    record["transmission"] = transmission
    write_whole(path, json_bytes(record), overwrite=True)
