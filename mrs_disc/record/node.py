"""What a node knows of its studies, without identity: states, deliveries, and their file.

The node writes ``.node/status.json`` into its results; ``mrs-disc node status`` and the review page
read it. A study bears a name that was drawn for it, never one of a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from mrs_disc.errors import ReadError
from mrs_disc.files import json_bytes, read_json, write_whole

STATUS_FILE = Path(".node") / "status.json"
"""Below the folder of results."""
_KIND = "record of a batch"

State: TypeAlias = Literal["received", "waiting", "analysing", "analysed", "sent", "failed"]
STATES: dict[State, str] = {
    "received": "files arrive, or did a moment ago",
    "waiting": "complete for now, waits for a worker",
    "analysing": "a worker is at it",
    "analysed": "results are there; what is to be sent is on its way",
    "sent": "every destination has the latest report",
    "failed": "stopped, with a reason",
}
"""Each state and what it means, in the order of a study's way."""

ALLOWED: Mapping[State, frozenset[State]] = {
    "received": frozenset({"received", "waiting"}),
    "waiting": frozenset({"received", "analysing"}),
    "analysing": frozenset({"received", "waiting", "analysed", "failed"}),
    "analysed": frozenset({"received", "analysed", "sent", "failed"}),
    "sent": frozenset({"received", "analysed", "sent"}),
    "failed": frozenset({"received", "waiting", "analysed", "failed"}),
}
"""Where a study may go from each state. New files bring every study back to ``received``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One report on its way to one destination.

    Parameters
    ----------
    kind : {"preliminary", "final"}
        Before or after a signature.
    destination : str
        Its name in the configuration.
    files : tuple of str
        DICOM objects, relative to the results.
    sha256 : tuple of str
        Of each file when the report was made.
    state : {"pending", "sent", "dead"}
        A dead one was given up and lies in the dead-letter folder.
    attempts : int
        How often it was tried.
    next_try : float
        Not before this time, s since 1970.
    time : str
        When it was sent or given up, UTC.
    reason : str
        Why the last attempt failed.
    """

    kind: Literal["preliminary", "final"]
    destination: str
    files: tuple[str, ...]
    sha256: tuple[str, ...]
    state: Literal["pending", "sent", "dead"] = "pending"
    attempts: int = 0
    next_try: float = 0.0
    time: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyState:
    """One study of a node.

    Parameters
    ----------
    key : str
        Its name here: in the spool, the results and every line of the log.
    state : str
        Of `STATES`.
    reason : str
        Why it failed, or what a reader should know of its state.
    source : {"dicom", "watch"}
        How it came.
    n_objects : int
        Files received so far.
    first, last : str
        When the first and the latest of them came, UTC.
    objects : str
        Digest of the files that the latest analysis saw.
    n_analyses : int
        How often it was analysed; later series start another.
    signed : str
        Head of the review log whose final report was made.
    deliveries : tuple of Delivery
        In the order of their making.
    removed : bool
        Whether its files were taken out of the spool, as everything was sent.
    """

    key: str
    state: State = "received"
    reason: str = ""
    source: Literal["dicom", "watch"] = "dicom"
    n_objects: int = 0
    first: str = ""
    last: str = ""
    objects: str = ""
    n_analyses: int = 0
    signed: str = ""
    deliveries: tuple[Delivery, ...] = ()
    removed: bool = False

    @property
    def pending(self) -> tuple[Delivery, ...]:
        """What is still to be sent."""
        return tuple(one for one in self.deliveries if one.state == "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """The node as a whole, at one moment.

    Parameters
    ----------
    time : str
        Of writing, UTC.
    pid : int
        Process of the node; 0 once it has stopped.
    ae_title, address : str
        Where it listens; empty where it only watches a folder.
    studies : tuple of StudyState
        In the order of their first file.
    """

    time: str
    pid: int
    ae_title: str = ""
    address: str = ""
    studies: tuple[StudyState, ...] = ()

    @property
    def counts(self) -> dict[State, int]:
        """How many studies are in each state."""
        return {state: sum(one.state == state for one in self.studies) for state in STATES}


@lru_cache(maxsize=1)
def _study() -> TypeAdapter[StudyState]:
    return TypeAdapter(StudyState)


@lru_cache(maxsize=1)
def _status() -> TypeAdapter[NodeStatus]:
    return TypeAdapter(NodeStatus)


def study_bytes(study: StudyState) -> bytes:
    """Return a study's state as JSON."""
    return json_bytes(asdict(study))


def read_study_state(path: Path) -> StudyState:
    """Return a state that `study_bytes` wrote.

    Raises
    ------
    ReadError
        If the file is not one.
    """
    study: StudyState = _checked(path, _study())
    return study


def write_status(results: Path, status: NodeStatus) -> Path:
    """Publish the status below a node's results."""
    return write_whole(results / STATUS_FILE, json_bytes(asdict(status)), overwrite=True)


def read_status(results: Path) -> NodeStatus:
    """Return the latest status of the node that writes these results.

    Raises
    ------
    ReadError
        If no node has written here, or the file is damaged.
    """
    status: NodeStatus = _checked(results / STATUS_FILE, _status())
    return status


def _checked(path: Path, adapter: TypeAdapter[Any]) -> Any:
    content = read_json(path, _KIND)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ReadError(path, f"is no state of a node ({where}: {problem['msg']})") from None


def in_order(studies: Sequence[StudyState]) -> tuple[StudyState, ...]:
    """Return studies in the order in which their first files came."""
    return tuple(sorted(studies, key=lambda one: (one.first, one.key)))
