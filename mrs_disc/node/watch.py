"""A watched folder in the place of a scanner: each of its sub-folders is a study.

Its files are copied into the spool and never touched. A sub-folder with nothing but DICOM objects
is filed by patient and study, as if they had been sent; any other is one study as it stands, with
its names, from which levels are read. A file is taken when it stood still for two looks, as
scanners and people copy slowly. What was taken once and did not change is not read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import json_bytes, read_bytes, read_head, read_json, write_whole
from mrs_disc.node.log import Log, utc
from mrs_disc.node.scp import Place, place_of, read_header
from mrs_disc.node.spool import Origin, Spool

_KIND = "signal"
Mark = tuple[int, int]


class Watcher:
    """Looks into a folder, and files what stands still.

    Parameters
    ----------
    folder : Path
        Of study folders; never written to.
    spool : Spool
        Takes the copies.
    arrived : callable
        Told the study of each file that was filed.
    log : Log
        Takes the events.
    now : callable
        The time, s since 1970.
    known : Path
        Where it notes what was taken, by digests of names, for the next start.
    """

    def __init__(
        self,
        folder: Path,
        spool: Spool,
        arrived: Callable[[str], None],
        log: Log,
        now: Callable[[], float],
        known: Path,
    ) -> None:
        self._folder, self._spool, self._log = folder, spool, log
        self._arrived, self._now = arrived, now
        self._seen: dict[Path, Mark] = {}
        self._known = known
        self._taken: dict[str, list[int]] = {}
        with suppress(ReadError):
            self._taken = dict(read_json(known, "record of a batch"))
        self._told: set[Path] = set()

    def look(self) -> None:
        """File what has come and stood still since the last look."""
        for study in sorted(p for p in self._folder.iterdir() if not p.name.startswith(".")):
            if not study.is_dir():
                self._tell_once(study, "a file beside the study folders: move it into one")
                continue
            fresh = [path for path in _files(study) if self._is_fresh(path)]
            if fresh and not self._moving(study):
                self._file(study, fresh)

    def _is_fresh(self, path: Path) -> bool:
        mark = _mark(path)
        return mark is not None and self._taken.get(self._name(path)) != list(mark)

    def _name(self, path: Path) -> str:
        return self._spool.key("file", path.relative_to(self._folder).as_posix())

    def _moving(self, study: Path) -> bool:
        """Say whether a file of a study changed since the last look."""
        marks = {path: mark for path in _files(study) if (mark := _mark(path)) is not None}
        still = all(self._seen.get(path) == mark for path, mark in marks.items())
        self._seen.update(marks)
        return not still

    def _file(self, study: Path, fresh: list[Path]) -> None:
        dicom_alone = all(_is_dicom(path) for path in _files(study))
        own = self._spool.key("folder", study.relative_to(self._folder).as_posix())
        for path in fresh:
            mark = _mark(path)
            try:
                content = read_bytes(path, _KIND)
                place, body = Place(own, path.relative_to(study).as_posix()), 0
                if dicom_alone:
                    place, body = _placed(self._spool, content)
            except (ReadError, InputError) as error:
                why = error.problem if isinstance(error, ReadError) else str(error)
                self._tell_once(path, why)
                continue
            origin = Origin(calling="folder", association="watch", time=utc(self._now()))
            self._spool.store(place.key, place.name, content, origin, body=body)
            if mark is not None and mark == _mark(path):  # else it is read again
                self._taken[self._name(path)] = list(mark)
            self._arrived(place.key)
        write_whole(self._known, json_bytes(self._taken), overwrite=True)

    def _tell_once(self, path: Path, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._log("file not taken", why=why[:200])


def _placed(spool: Spool, content: bytes) -> tuple[Place, int]:
    """Return where a DICOM file belongs, and where its data set begins."""
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO

    body = 144 + int.from_bytes(content[140:144], "little")  # (0002,0000), the group's length
    try:
        meta = dcmread(DicomBytesIO(content), specific_tags=["SOPInstanceUID"]).file_meta
        syntax = str(meta.TransferSyntaxUID)
    except Exception as error:  # pydicom raises many kinds on broken files
        raise InputError(f"is a damaged DICOM file ({type(error).__name__})") from None
    return place_of(spool, read_header(content[body:], syntax)), body


def _files(study: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(study):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _is_dicom(path: Path) -> bool:
    try:
        return read_head(path, 132)[128:] == b"DICM"
    except ReadError:
        return False
