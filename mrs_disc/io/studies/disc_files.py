"""The files of one disc: resolved, hashed and read when they are asked for, not before."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mrs_disc.data import DiscAcquisition, DiscEntry, InputFile, Morphology, Origin, Provocation
from mrs_disc.data.places import Site, samples_digest, signal_digests
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import sha256_of
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.formats.dicom import sop_class
from mrs_disc.io.formats.readers import find_reader, is_spectroscopy, read_scan, read_series
from mrs_disc.io.formats.scan import Scan, head, sibling
from mrs_disc.io.formats.sidecar import own_sidecar, read_sidecar
from mrs_disc.io.names import format_suffix, level_in
from mrs_disc.record.findings import Finding, finding, finding_of, stop, unread, with_labels, words
from mrs_disc.signal.noise_print import noise_print

_MAX_SERIES = 4_096
Role = Literal["metabolite", "water"]
ROLES: tuple[Role, Role] = ("metabolite", "water")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscFiles:
    """Where the signals of one disc lie, as a study names them.

    Parameters
    ----------
    metabolite, water : tuple of str
        File names, patterns or folders relative to `folder`; `water` may be empty.
    labels_from : Path, optional
        The BIDS dataset that input paths are given relative to; without it they are labels such
        as ``L4-L5/metabolite.SDAT``, since a scanner's file name may carry a person's name.
    sidecars : mapping
        BIDS sidecar files by role, from general to particular.
    refused : Finding, optional
        Why its files cannot be used, known from their names.
    """

    level: str
    folder: Path
    metabolite: tuple[str, ...]
    water: tuple[str, ...] = ()
    run: int = 1
    many_runs: bool = False
    given: Given = field(default_factory=Given)
    morphology: Morphology | None = None
    provocation: Provocation | None = None
    labels_from: Path | None = None
    sidecars: Mapping[Role, tuple[Path, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    refused: Finding | None = None

    def entry(self) -> DiscEntry:
        """Return the lazy entry of a study."""
        return DiscEntry(
            level=self.level,
            run=self.run,
            load=self.load,
            inputs=self.inputs,
            origin=self.origin,
            morphology=self.morphology,
            provocation=self.provocation,
        )

    def named(self, role: Role) -> tuple[str, ...]:
        """Return how the study names the files of a role; nothing where it has none."""
        return self.metabolite if role == "metabolite" else self.water

    def files(self, role: Role) -> list[Path]:
        """Return the files of a role; patterns and folders are resolved now."""
        return resolve(self.folder, self.named(role))

    def scan(self, role: Role) -> Scan | None:
        """Read the files of a role; `None` where the study names none."""
        if self.refused is not None:
            raise stop(self.refused)
        if not self.named(role):
            return None
        files = self.files(role)
        facts = self._facts(role, files)
        if facts is not None and len(files) == 1 and find_reader(files[0]).FORMAT == "nifti-mrs":
            return read_scan(files[0], facts)
        return read_series(files)

    def load(self) -> DiscAcquisition:
        """Read, judge and return the acquisition.

        Messages go into reports; where a file's name may carry a person's, its label stands for it.
        """
        names = {role: self.label(role) for role in ROLES}
        return replace(
            self.acquire(self._scan_for_report, names),
            run=self.run,
            morphology=self.morphology,
            provocation=self.provocation,
        )

    def acquire(
        self, read: Callable[[Role], Scan | None], names: Mapping[Role, str]
    ) -> DiscAcquisition:
        """Read and judge the files of both roles; `names` are what messages call them.

        A water reference that is not there or cannot be read is left out: the fit needs none.
        """
        metabolite, water = read("metabolite"), None
        absent: tuple[Finding, ...] = ()
        try:
            water = read("water")
        except InputError as error:
            why = finding_of(error)
            absent = (finding("water_not_used", "water", file=names["water"], why=why),)
        if metabolite is None:
            raise stop(finding("no_metabolite_file", level=self.level))
        acquisition = to_acquisition(
            self.level,
            Source(scan=metabolite, name=names["metabolite"]),
            None if water is None else Source(scan=water, name=names["water"]),
            self.given,
            (*self.findings, *absent),
        )
        return replace(acquisition, named=self.named_otherwise(metabolite))

    def named_otherwise(self, metabolite: Scan) -> str | None:
        """Return the level that the metabolites' name or header gives, where it is another."""
        # of a whole path the folders above the study say nothing of the disc
        names = (p.name if (p := Path(name)).is_absolute() else name for name in self.metabolite)
        told = (*map(level_in, names), metabolite.level_hint)
        return next((level for level in told if level not in (None, self.level)), None)

    def _scan_for_report(self, role: Role) -> Scan | None:
        """Read the files of a role; an error names their labels."""
        try:
            return self.scan(role)
        except InputError as error:
            if self.labels_from is not None:
                raise
            tails = {path.name: tail for path, tail in self._numbered(role)}

            def label(path: Path) -> str:
                return self._label(path, role, tails.get(path.name, ""))

            noticed = with_labels(finding_of(error), label)
            source = label(error.path) if isinstance(error, ReadError) else ""
            raise stop(noticed, source) from error

    def label(self, role: Role) -> str:
        """Return how a report names a role's files."""
        named = self.named(role)
        return self._label(self.folder / named[0], role, "") if named else role

    def name(self, role: Role) -> str:
        """Return how messages name a role's files."""
        named = self.named(role)
        if not named:
            return role
        return Path(named[0]).name if len(named) == 1 else f"{Path(named[0]).name} and others"

    def inputs(self) -> tuple[InputFile, ...]:
        """Name and hash every file that the level is read from, its parameter files included."""
        found: list[InputFile] = []
        for role in ("metabolite", "water"):
            files = self._numbered(role)
            for path, tail in files:
                found.append(self._input(path, role, tail, _reader_name(path)))
                if (partner := _partner(path)) is not None:
                    found.append(self._input(partner, role, tail, _reader_name(path)))
            if files:
                found += [self._input(p, role, "", "sidecar") for p in self.sidecars.get(role, ())]
        return tuple(found)

    def labels(self, role: Role) -> dict[str, str]:
        """Return the file behind each label of a role, and all behind that of the whole role."""
        each = {self._label(path, role, tail): str(path) for path, tail in self._numbered(role)}
        named = self.named(role)
        whole = ", ".join(str(self.folder / name) for name in named)
        return {self.label(role): whole} | each if named else {}

    def _numbered(self, role: Role) -> list[tuple[Path, str]]:
        """Return the files of a role with what tells their labels apart; none that is not there."""
        try:
            files = self.files(role)
        except InputError:
            return []
        digits = len(str(len(files)))
        return [
            (path, f"-{number:0{digits}d}" if len(files) > 1 else "")
            for number, path in enumerate(files, start=1)
        ]

    def site(self, metabolite: Scan | None) -> Site:
        """Return where the disc was measured, as far as its files could be read."""
        digests = signal_digests(self.inputs())
        if metabolite is None:
            return Site(level=self.level, run=self.run, file_sha256=digests)
        return Site(
            level=self.level,
            run=self.run,
            affine=metabolite.voxel_affine,
            file_sha256=(*digests, samples_digest(metabolite.signal)),
            noise=noise_print(metabolite.signal),
            named=self.named_otherwise(metabolite),
            subject=metabolite.identity.subject,
            frequency_mhz=metabolite.spectrometer_mhz,
        )

    def origin(self) -> Origin:
        """Look up whose the spectrum is; nothing where its files cannot be read."""
        try:
            files = self.files("metabolite")
            dicom = tuple(path for path in files if sop_class(path) is not None)
            scan = None if dicom else self.scan("metabolite")
        except InputError:
            return Origin()
        return Origin(dicom=dicom, day=scan.identity.date if scan is not None else None)

    def _input(self, path: Path, role: Role, tail: str, reader: str | None) -> InputFile:
        label = self._label(path, role, tail)
        return InputFile(path=label, sha256=sha256(path), reader=reader, role=role)

    def _label(self, path: Path, role: Role, tail: str) -> str:
        if self.labels_from is not None and path.is_relative_to(self.labels_from):
            return path.relative_to(self.labels_from).as_posix()
        run = f"_run-{self.run}" if self.many_runs or self.run > 1 else ""
        return f"{self.level}{run}/{role}{tail}{format_suffix(path)}"

    def _facts(self, role: Role, files: list[Path]) -> dict[str, Any] | None:
        """Return what the sidecars say; a NIfTI file's own is used where none is named."""
        sidecars = self.sidecars.get(role) or tuple(
            p for p in (own_sidecar(f) for f in files[:1]) if p is not None
        )
        facts: dict[str, Any] = {}
        for path in sidecars:
            facts |= read_sidecar(path)
        return facts if sidecars else None


class _NamedError(ReadError):
    """What a study names cannot be read; the message shows its name as it stands there."""

    def __init__(self, name: str, noticed: Finding) -> None:
        super().__init__(Path(name), words(noticed), finding=noticed)
        self.args = (f"{name}: {self.problem}",)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from its own arguments."""
        return type(self), (self.path.as_posix(), self.finding)


def resolve(folder: Path, named: Sequence[str]) -> list[Path]:
    """Return the files that names, patterns and folders stand for, in a fixed order.

    Raises
    ------
    InputError
        If a name or pattern finds nothing, or a folder holds no spectroscopy.
    """
    found: list[Path] = []
    for name in named:
        try:
            found += _of_name(folder, name)
        except (OSError, ValueError) as error:  # a name of 300 letters, a NUL
            if isinstance(error, InputError):
                raise
            raise _NamedError(name[:60], finding("name_unusable")) from error
    pairs = {p for f in found if f.suffix.lower() == ".sdat" and (p := _partner(f)) is not None}
    files = list(dict.fromkeys(p for p in found if p not in pairs))
    if len(files) > _MAX_SERIES:
        n = len(files)
        raise _NamedError(named[0], finding("too_many_files", n=n, most=_MAX_SERIES))
    return files


def _of_name(folder: Path, name: str) -> list[Path]:
    """Return the files that one name stands for: a file, a pattern, or a folder."""
    path = folder / name
    if path.is_dir():
        inside = [p for p in sorted(path.iterdir()) if p.is_file() and is_spectroscopy(p)]
        if not inside:
            raise _NamedError(name, finding("empty_folder"))
        return inside
    if any(c in name for c in "*?[") and not path.exists():
        try:
            matches = [p for p in sorted(folder.glob(name)) if p.is_file()]
        except (NotImplementedError, ValueError, OSError) as error:
            raise _NamedError(name[:60], finding("no_pattern")) from error
        if not matches:
            raise _NamedError(name, finding("no_match"))
        return matches
    if path.exists():
        return [path]
    windows = os.sep == "/" and re.search(r"\\|^[A-Za-z]:", name)
    raise unread(path, finding("windows_path" if windows else "no_such_file"))


def spectra(discs: Iterable[DiscFiles]) -> list[Path]:
    """Return the files of the metabolite spectra of a study, those that are there."""
    found: list[Path] = []
    for disc in discs:
        try:
            found += disc.files("metabolite")
        except InputError:
            continue
    return found


def sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file; `None` where it cannot be read."""
    try:
        return sha256_of(path)
    except ReadError:
        return None


def _partner(path: Path) -> Path | None:
    """Return the other half of a SDAT/SPAR pair."""
    other = {".sdat": ".SPAR", ".spar": ".SDAT", ".data": ".list", ".list": ".data"}
    suffix = other.get(path.suffix.lower())
    return sibling(path, suffix) if suffix else None


def _reader_name(path: Path) -> str | None:
    try:
        return find_reader(path).FORMAT if head(path, 1) else None
    except ReadError:
        return None
