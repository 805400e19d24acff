"""C-MOVE: an archive is asked to send a study to a listener of ours.

The listener is there for one request. It takes the classes that a study of spectroscopy consists
of (`scp.TAKEN`), from who calls it by our title, and of the study that was asked for alone: whoever
else calls puts nothing into the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from mrs_disc.errors import InputError
from mrs_disc.node.config import Destination
from mrs_disc.node.remote import (
    STUDY_FIND,
    SYNTAXES,
    RemoteError,
    association,
    check_status,
    series_of,
    series_query,
)
from mrs_disc.node.scp import (
    OK,
    OTHER_OBJECT,
    TAKEN,
    UNREADABLE,
    make_known,
    need_pynetdicom,
    read_header,
)

STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
UNKNOWN_DESTINATION = 0xA801


def c_move(
    source: Destination, study_uid: str, calling: str, listen: tuple[str, int]
) -> Iterator[bytes]:
    """Yield the objects of a study that the archive sends, each as a whole DICOM file.

    Parameters
    ----------
    source : Destination
        The archive, an application entity.
    study_uid : str
        StudyInstanceUID.
    calling : str
        Our AE title, which is the move destination.
    listen : tuple of str and int
        Address and port that the archive knows for it.

    Raises
    ------
    RemoteError
        If the archive cannot be reached, does not know us, or sends less than it has.
    InputError
        If the address or the port cannot be listened on.
    """
    contexts = [(STUDY_FIND, SYNTAXES), (STUDY_MOVE, SYNTAXES)]
    with (
        _listening(calling, listen, study_uid) as received,
        association(source, calling, contexts) as link,
    ):
        for series_uid in series_of(source, link, study_uid):
            query = series_query(study_uid, series_uid)
            for status, _ in link.send_c_move(query, calling, STUDY_MOVE):
                yield from _waiting(received)
                if "Status" not in status or status.Status not in (0xFF00, 0xFF01):
                    _check(source, status, calling, listen)
            yield from _waiting(received)


def _check(source: Destination, status: Any, calling: str, listen: tuple[str, int]) -> None:
    """Raise unless the archive sent all of a series.

    Of a destination that it does not know PS3.4 has a status; Orthanc 1.10 aborts instead.
    """
    known = f"does it know {calling} as an application entity at port {listen[1]} of this machine?"
    if int(status.get("Status", 0)) == UNKNOWN_DESTINATION:
        raise RemoteError(f"{source.name} does not know where to send: {known}")
    if failed := int(status.get("NumberOfFailedSuboperations") or 0):
        raise RemoteError(f"{source.name} could not send {failed} objects: {known}")
    try:
        check_status(source, status, "the request to move a series")
    except RemoteError as error:
        raise RemoteError(f"{error}: {known}") from None


def _waiting(received: SimpleQueue[bytes]) -> Iterator[bytes]:
    """Yield what has come so far."""
    while True:
        try:
            yield received.get_nowait()
        except Empty:
            return


@contextmanager
def _listening(
    calling: str, listen: tuple[str, int], study_uid: str
) -> Iterator[SimpleQueue[bytes]]:
    """Listen for the objects of one study, for as long as the context is open."""
    pynetdicom = need_pynetdicom()
    received: SimpleQueue[bytes] = SimpleQueue()

    def keep(event: Any) -> int:
        try:
            body = event.encoded_dataset(include_meta=False)
            header = read_header(body, str(event.context.transfer_syntax))
        except InputError:
            return UNREADABLE
        if str(header.get("StudyInstanceUID") or "") != study_uid:
            return OTHER_OBJECT
        received.put(event.encoded_dataset())
        return OK

    entity = pynetdicom.AE(ae_title=calling)
    entity.require_called_aet = True
    entity.network_timeout = 60.0
    for uid in TAKEN:
        make_known(uid)
        entity.add_supported_context(uid, SYNTAXES)
    try:
        server = entity.start_server(
            listen, block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, keep)]
        )
    except OSError as error:
        raise InputError(
            f"--move {listen[0]}:{listen[1]} cannot be used ({error.strerror or error}): "
            "name a port that is free, and an address of this machine"
        ) from error
    try:
        yield received
    finally:
        server.shutdown()
