"""The final report of a study that was signed on the review page, made as the page makes it."""

from __future__ import annotations

from dataclasses import dataclass

from mrs_disc.errors import InputError
from mrs_disc.files import sha256_of
from mrs_disc.node.places import Places
from mrs_disc.node.spool import Spool
from mrs_disc.node.work import SR
from mrs_disc.record.file import RESULTS_NAME, read_results
from mrs_disc.record.node import StudyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """Final files of one signature, relative to the results; `head` is that of the review log."""

    head: str
    files: tuple[str, ...]


def final_report(places: Places, spool: Spool, study: StudyState) -> Final | None:
    """Return the final report of a study, made where it is not there; `None` where none is signed.

    The SR names the preliminary one that was sent as its predecessor, as DICOM asks of an amended
    document.

    Raises
    ------
    InputError
        If the study is signed, and its files no longer tell patient and study.
    """
    from mrs_disc.review.catalogue import StudyRow
    from mrs_disc.review.final import make_final
    from mrs_disc.review.studies import LoadedStudy

    folder = places.results / study.key
    path = folder / RESULTS_NAME
    loaded = LoadedStudy(
        StudyRow(study.key, folder, ()), read_results(path), sha256_of(path, RESULTS_NAME)
    )
    review = loaded.review()
    if not review.signed:
        return None
    make_final(loaded, "pdf", None)
    reference = spool.reference(study.key)
    if reference is None:
        raise InputError("its files no longer tell patient and study: the final report is not sent")
    sent = any(one.kind == "preliminary" and one.state == "sent" for one in study.deliveries)
    preliminary = folder / SR
    predecessor = preliminary if sent and preliminary.is_file() else None
    made = make_final(loaded, "dicom", reference, predecessor=predecessor)
    return Final(
        head=review.head, files=tuple(p.relative_to(places.results).as_posix() for p in made)
    )
