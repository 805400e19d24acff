"""Other people's archives: objects sent to them, and studies fetched from them.

An application entity takes C-STORE and answers C-FIND and C-GET; a DICOMweb service takes STOW-RS
and answers QIDO-RS and WADO-RS. C-GET comes back on the same association and needs nothing of the
archive; where one has no C-GET, C-MOVE asks it to send to a listener of ours, which it has to know
by title, address and port (`move`).
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError
from mrs_disc.node.config import Destination
from mrs_disc.node.scp import TAKEN, client_context, need_pynetdicom

CALLING = "MRS_DISC"
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_NO_MR = ("SR", "DOC", "PR", "KO", "SEG", "REG", "CT", "PT", "US", "CR", "DX")
_TIMEOUT_S = 30.0


class RemoteError(InputError):
    """The other side cannot be reached, or refuses; a later attempt may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study that an archive has."""

    study_uid: str
    date: str = ""
    description: str = ""


# --------------------------------------------------------------------------- sending


def send(destination: Destination, paths: Sequence[Path], calling: str = CALLING) -> None:
    """Send DICOM files; when this returns the other side has them all.

    Raises
    ------
    RemoteError
        If it cannot be reached, or does not take each of them.
    """
    if destination.url is not None:
        _stow(destination, paths)
    else:
        _c_store(destination, paths, calling)


def _c_store(destination: Destination, paths: Sequence[Path], calling: str) -> None:
    from pydicom import dcmread

    objects = [dcmread(path) for path in paths]
    classes = dict.fromkeys(
        (str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in objects
    )
    with association(destination, calling, [(uid, [syntax]) for uid, syntax in classes]) as link:
        for one in objects:
            try:
                status = link.send_c_store(one)
            except ValueError:
                raise RemoteError(
                    f"{destination.name} does not take objects of class {one.SOPClassUID}"
                ) from None
            check_status(destination, status, "the object")


def check_status(destination: Destination, answer: Any, what: str) -> None:
    """Raise `RemoteError` unless an answer is success or a warning."""
    if "Status" not in answer:
        raise RemoteError(f"{destination.name}: the connection was cut before {what} was answered")
    status = int(answer.Status)
    if status != 0 and not 0xB000 <= status <= 0xBFFF:
        raise RemoteError(f"{destination.name} refused {what} with status {status:04X}")


@contextmanager
def association(
    destination: Destination,
    calling: str,
    contexts: Iterable[tuple[str, list[str]]],
    stored: Iterable[str] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Any]:
    """Open an association; `stored` are the classes that the other side may send on it."""
    pynetdicom = need_pynetdicom()
    entity = pynetdicom.AE(ae_title=calling)
    entity.connection_timeout = entity.acse_timeout = _TIMEOUT_S
    entity.dimse_timeout = entity.network_timeout = 4 * _TIMEOUT_S
    for uid, syntaxes in contexts:
        entity.add_requested_context(uid, syntaxes)
    roles = []
    for uid in stored:
        entity.add_requested_context(uid, SYNTAXES)
        roles.append(pynetdicom.build_role(uid, scp_role=True))
    assert destination.host is not None
    context = client_context(destination.tls)
    tls = {"tls_args": (context, destination.host)} if context is not None else {}
    link = entity.associate(
        destination.host,
        destination.port,
        ae_title=destination.ae_title,
        ext_neg=roles,
        evt_handlers=list(handlers),
        **tls,
    )
    if not link.is_established:
        why = "refuses the association" if link.is_rejected else "cannot be reached"
        at = f"{destination.ae_title}@{destination.host}:{destination.port}"
        raise RemoteError(f"{destination.name} ({at}) {why}")
    try:
        yield link
    finally:
        if link.is_established:
            link.release()


def _web_client(destination: Destination) -> Any:
    try:
        import requests
        from dicomweb_client import DICOMwebClient
    except ImportError as error:
        raise InputError(
            f"DICOMweb needs the package {error.name}: pip install 'mrs-disc[pacs]'"
        ) from error
    import logging

    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)
    session = requests.Session()
    if destination.user is not None:
        variable = destination.password_variable or ""
        session.auth = (destination.user, os.environ.get(variable, ""))
    if destination.tls is not None and destination.tls.ca is not None:
        session.verify = str(destination.tls.ca)
    client = DICOMwebClient(destination.url, session=session)
    client.set_http_retry_params(retry=False)
    return client


@contextmanager
def _web_errors(destination: Destination) -> Iterator[None]:
    import requests

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of media types
            yield
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else "no answer"
        raise RemoteError(f"{destination.name} answers HTTP {code}") from error
    except requests.RequestException as error:
        why = type(error).__name__
        raise RemoteError(f"{destination.name} cannot be reached ({why})") from error


def _stow(destination: Destination, paths: Sequence[Path]) -> None:
    from pydicom import dcmread

    client = _web_client(destination)
    with _web_errors(destination):
        answer = client.store_instances(datasets=[dcmread(path) for path in paths])
    failed = answer.get("FailedSOPSequence") or []
    if failed:
        reason = int(failed[0].get("FailureReason") or 0)
        raise RemoteError(
            f"{destination.name} did not take {len(failed)} of {len(paths)} objects "
            f"(reason {reason:04X})"
        )


# --------------------------------------------------------------------------- fetching


def find(
    source: Destination,
    *,
    study: str = "",
    patient: str = "",
    date: str = "",
    calling: str = CALLING,
) -> list[FoundStudy]:
    """Return the studies that an archive has of a patient, or the one of an identifier.

    Raises
    ------
    RemoteError
        If it cannot be reached, or refuses.
    """
    if source.url is not None:
        return _qido(source, study, patient, date)
    from pydicom import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID, query.PatientID, query.StudyDate = study, patient, date
    query.StudyDescription = ""
    found = []
    with association(source, calling, [(STUDY_FIND, SYNTAXES)]) as link:
        for status, answer in link.send_c_find(query, STUDY_FIND):
            if "Status" in status and status.Status in (0xFF00, 0xFF01) and answer is not None:
                found.append(_found(answer))
            else:
                check_status(source, status, "the query")
    return found


def _found(answer: Any) -> FoundStudy:
    texts = (str(answer.get(name) or "") for name in ("StudyInstanceUID", "StudyDate"))
    uid, date = texts
    return FoundStudy(
        study_uid=uid, date=date, description=str(answer.get("StudyDescription") or "")
    )


def _qido(source: Destination, study: str, patient: str, date: str) -> list[FoundStudy]:
    from pydicom import Dataset

    names = {"StudyInstanceUID": study, "PatientID": patient, "StudyDate": date}
    client = _web_client(source)
    with _web_errors(source):
        rows = client.search_for_studies(search_filters={k: v for k, v in names.items() if v})
    return [_found(Dataset.from_json(row)) for row in rows]


def fetch(
    source: Destination,
    study_uid: str,
    calling: str = CALLING,
    listen: tuple[str, int] | None = None,
) -> Iterator[bytes]:
    """Yield the objects of a study that the analysis can use, each as a whole DICOM file.

    Parameters
    ----------
    source : Destination
        The archive.
    study_uid : str
        StudyInstanceUID.
    calling : str
        Our AE title.
    listen : tuple of str and int, optional
        Address and port to which the archive sends on C-MOVE; None: C-GET.

    Raises
    ------
    RemoteError
        If the archive cannot be reached, or does not give all that it has.
    """
    if source.url is not None:
        yield from _wado(source, study_uid)
    elif listen is not None:
        from mrs_disc.node.move import c_move

        yield from c_move(source, study_uid, calling, listen)
    else:
        yield from _c_get(source, study_uid, calling)


def _c_get(source: Destination, study_uid: str, calling: str) -> Iterator[bytes]:
    from pynetdicom import evt

    received: list[bytes] = []

    def keep(event: Any) -> int:
        received.append(event.encoded_dataset())
        return 0x0000

    contexts = [(STUDY_FIND, SYNTAXES), (_STUDY_GET, SYNTAXES)]
    handlers = [(evt.EVT_C_STORE, keep)]
    with association(source, calling, contexts, TAKEN, handlers) as link:
        for series_uid in series_of(source, link, study_uid):
            query = series_query(study_uid, series_uid)
            for status, _ in link.send_c_get(query, _STUDY_GET):
                yield from received
                received.clear()
                if "Status" not in status or status.Status != 0xFF00:
                    check_status(source, status, "the request for a series")
            yield from received
            received.clear()


def series_of(source: Destination, link: Any, study_uid: str) -> list[str]:
    """Return the series of a study that may hold MR: archives fail whole requests on others."""
    query = series_query(study_uid, "")
    query.Modality = ""
    found = []
    for status, answer in link.send_c_find(query, STUDY_FIND):
        if "Status" in status and status.Status in (0xFF00, 0xFF01) and answer is not None:
            if str(answer.get("Modality") or "MR").strip() not in _NO_MR:
                found.append(str(answer.SeriesInstanceUID))
        else:
            check_status(source, status, "the query")
    return found


def series_query(study_uid: str, series_uid: str) -> Any:
    """Return the query of one series of a study."""
    from pydicom import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID, query.SeriesInstanceUID = study_uid, series_uid
    return query


def _wado(source: Destination, study_uid: str) -> Iterator[bytes]:
    from io import BytesIO

    client = _web_client(source)
    with _web_errors(source):
        for one in client.iter_study(study_uid):
            if str(one.get("SOPClassUID")) not in TAKEN:
                continue
            buffer = BytesIO()
            one.save_as(buffer, enforce_file_format=True)
            yield buffer.getvalue()


def file_name(content: bytes) -> Path:
    """Return the neutral name of a fetched object: its series and number.

    Raises
    ------
    InputError
        If it is no DICOM object.
    """
    from io import BytesIO

    from pydicom import dcmread

    try:
        header = dcmread(
            BytesIO(content),
            stop_before_pixels=True,
            specific_tags=["SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "SOPInstanceUID"],
        )
        series, number = (int(header.get(name) or 0) for name in ("SeriesNumber", "InstanceNumber"))
        of_series, of_object = (
            hashlib.sha256(str(header.get(name)).encode()).hexdigest()[:8]
            for name in ("SeriesInstanceUID", "SOPInstanceUID")
        )
    except Exception as error:  # pydicom raises many kinds on broken data
        raise InputError(f"an object cannot be read ({type(error).__name__})") from None
    return Path(f"series-{series:04d}-{of_series}") / f"{number:06d}-{of_object}.dcm"
