"""What the page shows of a node: its studies, where each is, and why one stopped."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from mrs_disc.record.node import STATES, State, read_status
from mrs_disc.report.words import harmless
from mrs_disc.review.catalogue import Catalogue

SHAPES: dict[State, str] = {
    "received": "◌",
    "waiting": "◔",
    "analysing": "◑",
    "analysed": "◕",
    "sent": "●",
    "failed": "✕",
}
SILENT_S = 30.0
"""A node at work writes its status every five seconds."""
MOST_ROWS = 200


def node_context(catalogue: Catalogue) -> dict[str, Any]:
    """Return what the templates of the node's page need.

    Raises
    ------
    ReadError
        If the status is damaged.
    """
    status = read_status(catalogue.folder)
    silent_s = time.time() - datetime.fromisoformat(status.time).timestamp()
    latest = sorted(status.studies, key=lambda one: one.last, reverse=True)[:MOST_ROWS]
    rows = [
        {
            "study": one.key,
            "known": one.key in catalogue.studies and not catalogue.studies[one.key].failure,
            "state": one.state,
            "shape": SHAPES[one.state],
            "source": "DICOM" if one.source == "dicom" else "watched folder",
            "n_objects": one.n_objects,
            "n_analyses": one.n_analyses,
            "last": one.last.replace("T", " ").removesuffix("Z"),
            "reason": harmless(one.reason, 300),
            "deliveries": [
                {
                    "kind": delivery.kind,
                    "to": delivery.destination,
                    "words": _words(delivery.state, delivery.attempts),
                    "reason": harmless(delivery.reason, 200),
                }
                for delivery in one.deliveries
            ],
        }
        for one in latest
    ]
    return {
        "rows": rows,
        "counts": status.counts,
        "meanings": STATES,
        "shapes": SHAPES,
        "n_all": len(status.studies),
        "at": f"{status.ae_title} on {status.address}" if status.address else "a watched folder",
        "stopped": status.pid == 0,
        "silent": silent_s > SILENT_S,
        "time": status.time.replace("T", " ").removesuffix("Z"),
    }


def _words(state: str, attempts: int) -> str:
    if state == "sent":
        return "sent"
    if state == "dead":
        return f"given up after {attempts} attempts"
    return f"attempt {attempts + 1} to come" if attempts else "to be sent"
