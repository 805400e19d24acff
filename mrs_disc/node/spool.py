"""What arrived, by study: each file whole under its name, or not there.

A study is a patient and a study identifier together; its name is drawn from both and a salt of this
spool, so that it tells neither. A file is flushed to the disk before it gets its name, and only
then is it acknowledged: the sender may forget it. The same object again is the same file.

Beside the files of a study lies ``receipts.jsonl``: from whom, by which association, when, and the
SHA-256 of each. A line may stand there twice, as it is written before the acknowledgement.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError
from mrs_disc.files import clear_scratch, scratch, write_whole, writing

OBJECTS, RECEIPTS, REFERENCE = "objects", "receipts.jsonl", "reference.dcm"
_GONE = ".gone-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How a file came: no part of it names a patient.

    Parameters
    ----------
    calling, called : str
        AE titles of sender and receiver; of a watched folder ``"folder"``.
    address : str
        Of the sender.
    association : str
        Drawn for each association.
    time : str
        UTC.
    """

    calling: str
    called: str = ""
    address: str = ""
    association: str = ""
    time: str = ""


class Spool:
    """The files of all studies that are not through.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.

    Raises
    ------
    OutputError
        If it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            salt = folder / ".salt"
            if not salt.exists():
                write_whole(salt, secrets.token_hex(16).encode())
            self._salt = salt.read_bytes()
            for gone in folder.glob(f"{_GONE}*"):
                shutil.rmtree(gone, ignore_errors=True)
            for study in self.studies():
                for place in (study, *study.rglob("*")):
                    if place.is_dir():
                        clear_scratch(place)

    def key(self, *identity: str) -> str:
        """Return the name of a study, which tells nothing of what it was made from."""
        digest = hashlib.sha256(self._salt + "\0".join(identity).encode()).hexdigest()
        return f"study-{digest[:12]}"

    def studies(self) -> Iterator[Path]:
        """Yield the folder of each study."""
        yield from sorted(p for p in self.folder.iterdir() if p.is_dir() and p.name[0] != ".")

    def store(self, key: str, name: str, content: bytes, origin: Origin, *, body: int = 0) -> bool:
        """Keep one file of a study; it is on the disk when this returns.

        Parameters
        ----------
        key : str
            From `key`.
        name : str
            Path below the study's objects; the same object has the same.
        content : bytes
            The whole file.
        origin : Origin
            Goes to the receipts.
        body : int
            Where the content begins that makes two files the same object: behind the head, in
            which a sender writes its own name.

        Returns
        -------
        bool
            Whether it was not there yet; one of the same name and other content gives way.

        Raises
        ------
        OSError
            If it cannot be written; nothing is left then.
        """
        study = self.folder / key
        path = study / OBJECTS / name
        if _same(path, content, body):
            self._receive(study, name, content[body:], origin, again=True)
            return False
        while True:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            waiting = scratch(path.parent, path.name)
            try:
                _write_through(waiting, content)
            except FileNotFoundError:  # the study was taken out in this moment
                continue
            except BaseException:
                with suppress(OSError):
                    waiting.unlink(missing_ok=True)
                raise
            with self._lock:
                try:
                    waiting.replace(path)
                except FileNotFoundError:
                    continue
                _flush(path.parent)
                self._receive(study, name, content[body:], origin)
            return True

    def _receive(
        self, study: Path, name: str, body: bytes, origin: Origin, *, again: bool = False
    ) -> None:
        fields: dict[str, Any] = {"name": name, "sha256": hashlib.sha256(body).hexdigest()}
        fields |= {"calling": origin.calling, "called": origin.called, "address": origin.address}
        fields |= {"association": origin.association, "time": origin.time}
        if again:
            fields["again"] = True
        line = json.dumps(fields).encode() + b"\n"
        file = os.open(study / RECEIPTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def receipts(self, key: str) -> list[dict[str, Any]]:
        """Return the receipts of a study, each object's latest one; torn lines are passed over."""
        found: dict[str, dict[str, Any]] = {}
        with suppress(OSError):
            for line in (self.folder / key / RECEIPTS).read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    receipt = json.loads(line)
                    found[receipt["name"]] = receipt
        return list(found.values())

    def files(self, key: str) -> list[Path]:
        """Return the whole files of a study in the order of their names."""
        objects = self.folder / key / OBJECTS
        found: list[Path] = []
        for place, folders, names in os.walk(objects):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        return found

    def digest(self, key: str) -> tuple[str, int]:
        """Return what tells the present files of a study from any others, and how many they are."""
        total = hashlib.sha256()
        files = self.files(key)
        for path in files:
            status = path.stat()
            mark = f"{path.relative_to(self.folder)}\0{status.st_size}\0{status.st_mtime_ns}\n"
            total.update(mark.encode("utf-8", "surrogateescape"))
        return total.hexdigest() if files else "", len(files)

    def snapshot(self, key: str, target: Path) -> tuple[str, int]:
        """Give a worker the files of a study as they are now, by links; return their digest.

        Raises
        ------
        OutputError
            If they cannot be linked or copied.
        """
        objects = self.folder / key / OBJECTS
        with self._lock, writing(target):
            shutil.rmtree(target, ignore_errors=True)
            digest = self.digest(key)
            for path in self.files(key):
                place = target / path.relative_to(objects)
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    place.hardlink_to(path)
                except OSError:
                    shutil.copyfile(path, place)
        return digest

    def remove(self, key: str, digest: str, reference: Path | None = None) -> bool:
        """Take the files of a study out at once, unless others came; say whether it was done.

        Parameters
        ----------
        key, digest : str
            The study, and its files as `digest` returned them.
        reference : Path, optional
            One of them that stays, as `reference`; `None`: nothing of the study stays.
        """
        study = self.folder / key
        with self._lock:
            if self.digest(key)[0] != digest:
                return False
            if reference is not None and not (study / REFERENCE).exists():
                shutil.copyfile(reference, waiting := scratch(study, REFERENCE))
                waiting.replace(study / REFERENCE)
            gone = self.folder / f"{_GONE}{key}"
            shutil.rmtree(gone, ignore_errors=True)
            whole = study / OBJECTS if reference is not None else study
            if whole.exists():
                whole.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def reference(self, key: str) -> Path | None:
        """Return a file that tells patient and study: an object of spectroscopy, or what stayed."""
        from mrs_disc.io.formats import dicom

        kept = self.folder / key / REFERENCE
        if kept.is_file():
            return kept
        objects = [path for path in self.files(key) if dicom.sop_class(path) is not None]
        spectra = (path for path in objects if dicom.sniff(path))
        return next(spectra, objects[0] if objects else None)

    def refuse_if_full(self, least_bytes: int) -> None:
        """Refuse what will not fit, before it is written.

        Raises
        ------
        InputError
            If less than this is free.
        """
        if shutil.disk_usage(self.folder).free < least_bytes:
            raise InputError(f"{self.folder.name}: less than {least_bytes / 1e6:.0f} MB are free")


def _same(path: Path, content: bytes, body: int) -> bool:
    """Say whether the file holds this object already, whoever sent it."""
    try:
        size = path.stat().st_size
        if abs(size - len(content)) > 1024:
            return False
        there = path.read_bytes()
    except OSError:
        return False
    return there.endswith(content[body:])


def _write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)


def _flush(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; systems without that do without."""
    with suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
