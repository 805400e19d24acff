"""The DICOM storage service: C-STORE and C-ECHO, from those who may.

Statuses of PS3.4 annex B.2.3 that a sender gets: 0000 kept; A700 no room, or the disk refuses; A900
the data set is another object than the request says, or lacks what ties it to a study; C000 it
cannot be read. A SOP class that is not taken is refused in the negotiation, a caller who is not on
the list with "calling AE title not recognised".
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mrs_disc.errors import InputError
from mrs_disc.node.config import Listen, NodeConfig, Tls
from mrs_disc.node.log import Log, utc
from mrs_disc.node.spool import Origin, Spool

if TYPE_CHECKING:
    from pydicom import Dataset

OK, NO_ROOM, OTHER_OBJECT, UNREADABLE = 0x0000, 0xA700, 0xA900, 0xC000
TAKEN = {
    "1.2.840.10008.5.1.4.1.1.4": "MR Image",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image",
    "1.2.840.10008.5.1.4.1.1.4.2": "MR Spectroscopy",
    "1.2.840.10008.5.1.4.1.1.4.3": "Enhanced MR Color Image",
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.3.12.2.1107.5.9.1": "Siemens CSA Non-Image",
    "1.3.46.670589.11.0.0.12.1": "Philips Private MR Spectrum",
    "1.3.46.670589.11.0.0.12.2": "Philips Private MR Series Data",
}
"""SOP classes that a study of spectroscopy consists of."""
VERIFICATION = "1.2.840.10008.1.1"
_SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
_LEAST_FREE = 50_000_000
"""Bytes that have to stay free on the disk of the spool."""
_TAGS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"]


def need_pynetdicom() -> Any:
    """Return the package, without its log.

    Raises
    ------
    InputError
        If it is not installed.
    """
    import logging

    try:
        import pynetdicom
    except ImportError as error:
        raise InputError(
            f"DICOM over the network needs the package {error.name}: pip install 'mrs-disc[pacs]'"
        ) from error
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it writes identities
    return pynetdicom


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object belongs: its study, and its name below it."""

    key: str
    name: str


def place_of(spool: Spool, header: Dataset) -> Place:
    """Return where an object belongs.

    Raises
    ------
    InputError
        If its header does not tie it to a study.
    """
    study, series, sop = (str(header.get(name) or "").strip() for name in _TAGS[1:4])
    if not (study and sop):
        raise InputError("it has no StudyInstanceUID or no SOPInstanceUID")
    number = header.get("InstanceNumber")
    order = int(number) if str(number or "").strip().isdecimal() else 0
    series_name = hashlib.sha256(series.encode()).hexdigest()[:8]
    name = hashlib.sha256(sop.encode()).hexdigest()[:16]
    key = spool.key(str(header.get("PatientID") or "").strip(), study)
    return Place(key, f"series-{series_name}/{order % 1_000_000:06d}-{name}.dcm")


def read_header(content: bytes, syntax: str) -> Dataset:
    """Return what places an object, from its data set without a head.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    uid = UID(syntax)
    tags = [*_TAGS, "InstanceNumber"]
    from pydicom.tag import Tag

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read_dataset(
                BytesIO(content),
                uid.is_implicit_VR,
                uid.is_little_endian,
                specific_tags=[Tag(name) for name in tags],
                stop_when=lambda tag, vr, length: tag > Tag("InstanceNumber"),
            )
            for name in tags:
                str(found.get(name, ""))  # values are made from bytes when they are asked for
    except Exception as error:  # pydicom raises many kinds on broken data
        raise InputError(f"its data set cannot be read ({type(error).__name__})") from None
    return found


class StorageService:
    """The listening side of a node.

    Parameters
    ----------
    config : NodeConfig
        Who may call, and where it listens.
    spool : Spool
        Takes what comes.
    arrived : callable
        Told the study of each object, once it is on the disk.
    log : Log
        Takes the events.
    now : callable
        The time, s since 1970.

    Raises
    ------
    InputError
        If pynetdicom is absent, or the port is taken.
    """

    def __init__(
        self,
        config: NodeConfig,
        spool: Spool,
        arrived: Callable[[str], None],
        log: Log,
        now: Callable[[], float] = time.time,
    ) -> None:
        assert config.listen is not None
        self._config, self._listen = config, config.listen
        self._spool, self._arrived, self._log, self._now = spool, arrived, log, now
        self._lock = threading.Lock()
        self._open: dict[Any, _Association] = {}
        self._server = self._start(need_pynetdicom())

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def receiving(self) -> frozenset[str]:
        """Return the studies that an open association has sent objects of."""
        with self._lock:
            return frozenset(key for one in self._open.values() for key in one.counts)

    def stop(self) -> None:
        """Listen no longer, and end the associations."""
        self._server.shutdown()
        self._entity.shutdown()

    def _start(self, pynetdicom: Any) -> Any:
        from pynetdicom import evt

        from mrs_disc.node.listener import Listener

        listen = self._listen
        entity = pynetdicom.AE(ae_title=listen.ae_title)
        entity.maximum_associations = listen.max_associations
        entity.require_called_aet = True
        entity.network_timeout = 60.0
        entity.add_supported_context(VERIFICATION, _SYNTAXES)
        for uid in dict.fromkeys([*TAKEN, *listen.also_accept]):
            make_known(uid)
            entity.add_supported_context(uid, _SYNTAXES)
        self._entity = entity
        handlers = [
            (evt.EVT_REQUESTED, self._on_request),
            (evt.EVT_ESTABLISHED, self._on_open),
            (evt.EVT_REJECTED, self._on_reject),
            (evt.EVT_RELEASED, self._on_close, ["released"]),
            (evt.EVT_ABORTED, self._on_close, ["aborted"]),
            (evt.EVT_CONN_CLOSE, self._on_close, ["cut"]),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_ECHO, self._on_echo),
        ]
        context = server_context(listen.tls)
        try:
            server = entity.make_server(
                (listen.host, listen.port),
                ssl_context=context,
                evt_handlers=handlers,
                server_class=Listener,
            )
        except OSError as error:
            raise InputError(
                f"[listen] {listen.host}:{listen.port} cannot be used "
                f"({error.strerror or error}): choose another port"
            ) from error
        server.trouble = lambda kind: self._log("connection broken", why=kind)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    # ----------------------------------------------------------------------- associations

    def _on_request(self, event: Any) -> None:
        """Refuse who is not on the list."""
        caller = event.assoc.requestor
        title, address = caller.primitive.calling_ae_title.strip(), str(caller.address)
        if may_call(self._config, title, address):
            return
        self._log("refused", why="calling AE title or address is not on the list", address=address)
        event.assoc.acse.send_reject(0x01, 0x01, 0x03)
        event.assoc.kill()

    def _on_open(self, event: Any) -> None:
        with self._lock:
            self._open[event.assoc] = _Association(uuid4().hex[:12])
        refused = [str(context.abstract_syntax) for context in event.assoc.rejected_contexts]
        if refused:
            classes = sorted(set(refused))
            self._log(
                "classes refused",
                association=self._of(event).name,
                n=len(classes),
                sop_classes=classes[:5],
            )

    def _on_reject(self, event: Any) -> None:
        self._log("refused", why="the association does not fit", address=self._address(event))

    def _on_close(self, event: Any, how: str) -> None:
        with self._lock:
            association = self._open.pop(event.assoc, None)
        if association is None:
            return
        n = sum(association.counts.values())
        self._log("association ended", association=association.name, how=how, objects=n)
        for key in association.counts:
            self._arrived(key)

    def _of(self, event: Any) -> _Association:
        with self._lock:
            return self._open.setdefault(event.assoc, _Association(uuid4().hex[:12]))

    @staticmethod
    def _address(event: Any) -> str:
        return str(event.assoc.requestor.address)

    # ----------------------------------------------------------------------- objects

    def _on_echo(self, event: Any) -> int:
        return OK

    def _on_store(self, event: Any) -> int:
        association = self._of(event)
        try:
            self._spool.refuse_if_full(_LEAST_FREE)
            place = self._checked(event)
            body = event.encoded_dataset(include_meta=False)
            content = event.encoded_dataset()
            origin = Origin(
                calling=event.assoc.requestor.ae_title,
                called=self._listen.ae_title,
                address=self._address(event),
                association=association.name,
                time=utc(self._now()),
            )
            self._spool.store(place.key, place.name, content, origin, body=len(content) - len(body))
        except _RefusedError as refused:
            return self._refuse(association, refused.status, str(refused))
        except (OSError, InputError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return self._refuse(association, NO_ROOM, f"cannot be kept ({why})")
        with self._lock:
            association.counts[place.key] = association.counts.get(place.key, 0) + 1
        self._arrived(place.key)
        return OK

    def _checked(self, event: Any) -> Place:
        body = event.encoded_dataset(include_meta=False)
        try:
            header = read_header(body, str(event.context.transfer_syntax))
        except InputError as error:
            raise _RefusedError(UNREADABLE, str(error)) from None
        request = event.request
        said = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        holds = str(header.get("SOPClassUID") or ""), str(header.get("SOPInstanceUID") or "")
        if not holds[0]:
            raise _RefusedError(UNREADABLE, "its data set holds no object")
        if said != holds:
            raise _RefusedError(OTHER_OBJECT, "it is another object than the request says")
        try:
            return place_of(self._spool, header)
        except InputError as error:
            raise _RefusedError(OTHER_OBJECT, str(error)) from None

    def _refuse(self, association: _Association, status: int, why: str) -> int:
        self._log(
            "object refused", association=association.name, status=f"{status:04X}", why=why[:200]
        )
        return status


def make_known(uid: str) -> None:
    """Let pynetdicom serve a private class as storage, which it does of its own table alone."""
    from pynetdicom.service_class import StorageServiceClass
    from pynetdicom.sop_class import register_uid, uid_to_service_class

    if uid_to_service_class(uid) is not StorageServiceClass:
        register_uid(uid, f"Taken{uid.replace('.', '_')}", StorageServiceClass)


class _Association:
    """One open association: its name in the log, and how many objects of which study came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: dict[str, int] = {}


class _RefusedError(Exception):
    """An object is refused with a status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def may_call(config: NodeConfig, title: str, address: str) -> bool:
    """Say whether an AE title may call from an address.

    >>> may_call(NodeConfig(), "ANY", "127.0.0.1"), may_call(NodeConfig(), "ANY", "10.0.0.9")
    (True, False)
    """
    plain = address.removeprefix("::ffff:")  # IPv4 as a socket of both families tells it
    if not config.peer:
        return plain in ("127.0.0.1", "::1")
    return any(one.ae_title == title and plain in one.addresses for one in config.peer)


def server_context(tls: Tls | None) -> ssl.SSLContext | None:
    """Return the TLS context of the listening side.

    Raises
    ------
    InputError
        If certificate or key is not named, or cannot be used.
    """
    if tls is None:
        return None
    if tls.certificate is None or tls.key is None:
        raise InputError("[listen.tls] needs certificate and key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    if tls.ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls | None) -> ssl.SSLContext | None:
    """Return the TLS context of the calling side."""
    if tls is None:
        return None
    context = ssl.create_default_context()
    _load(context, tls)
    return context


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    try:
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"tls: certificate, key or ca cannot be used ({type(error).__name__}): PEM files are "
            "expected, and the key without a password"
        ) from error


def listens(listen: Listen | None) -> str:
    """Return how a person says where the node listens."""
    return "" if listen is None else f"{listen.host}:{listen.port}"
