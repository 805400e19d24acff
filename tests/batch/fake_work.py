"""Stand-ins for the analysis of a study, in a module that spawned workers can import."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from mrs_disc.batch.plan import Task
from mrs_disc.batch.work import (
    Outcome,
    Settings,
    _provenance,
    _unfinished,
    decide,
    publish,
    restore,
)
from mrs_disc.errors import OutputError
from mrs_disc.files import json_bytes, write_whole


def behave(task: Task, settings: Settings) -> Outcome:
    """Do what the study's own file says, then publish a canned result."""
    folder = Path(task.path)
    word = (folder / "behaviour.txt").read_text()
    if word == "die" or (word == "die once" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "hang":
        time.sleep(60)
    elif word == "bug":
        raise KeyError("secret header text")
    elif word == "full":
        raise OutputError("out cannot be written to (No space left on device)")
    elif word.startswith("sleep"):
        time.sleep(float(word.split()[1]))
    return canned(task, settings)


def canned(task: Task, settings: Settings) -> Outcome:
    """Publish the result that the environment names under this study's name."""
    restore(settings.target(task))
    decision = decide(task, settings)
    if decision.action == "keep":
        return Outcome(kind="kept", n_levels=1)
    record = json.loads(Path(os.environ["CANNED_RESULT"]).read_text())
    record |= {"study_id": task.participant_id, "recipe_sha256": settings.recipe_sha256}
    record["inputs"] = []
    with _unfinished(task, settings) as made:
        write_whole(made / "results.json", json_bytes(record))
        write_whole(made / "provenance.json", json_bytes(_provenance(task, settings, [])))
        kept = publish(made, settings.target(task))
    redone = decision.why if decision.action == "redo" else ""
    return Outcome(kind="analysed", n_levels=len(record["levels"]), redone=redone, kept=kept)


def surroundings(task: int, settings: object) -> dict[str, object]:
    """Tell what a worker sees."""
    print("a library prints the name of a patient")  # noqa: T201
    return {
        "threads": [os.environ.get(n) for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")],
        "pid": os.getpid(),
        "task": task,
    }


KEPT: list[bytes] = []


def by_word(task: str, settings: object) -> str:
    """Do what the task says."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(60)
    if task == "bug":
        raise KeyError("secret header text")
    if task == "memory":
        return str(len(bytearray(3 * 2**30)))
    if task == "holes":
        blocks = [bytes(100_000) + bytes([n % 7]) for n in range(2000)]
        KEPT.extend(blocks[::50])
    if task == "size":
        status = Path("/proc/self/status").read_text()
        return next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return task.upper()
