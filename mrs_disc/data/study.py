"""One examination: its discs, how each was measured, what the images showed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mrs_disc.data.signals import AnySignal, Protocol
from mrs_disc.errors import InputError
from mrs_disc.record.brief import brief
from mrs_disc.record.findings import Finding, sentences
from mrs_disc.record.levels import level_order, parse_level
from mrs_disc.record.parts import InputFile, Morphology, Provocation
from mrs_disc.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Origin:
    """What ties a disc's spectrum to one examination; in memory alone, never shown or written.

    `dicom` are its files where these are DICOM, `day` a digest of the date of the examination
    where another format states it.
    """

    dicom: tuple[Path, ...] = ()
    day: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """A morphologic image to draw the voxels on: voxels (i, j, k) and their affine (mm, RAS).

    The voxels are as the file stores them; ``slope * image + intercept`` are its grey values.
    `subjects` are digests of whom its header names: compared in memory, never shown or written.
    """

    image: NDArray[Any]
    affine: FloatArray
    slope: float = 1.0
    intercept: float = 0.0
    subjects: tuple[str, ...] = field(default=(), repr=False)

    __repr__ = brief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscAcquisition:
    """All that was measured of one disc, ready for `preprocess`.

    `water` is the unsuppressed reference, `water_protocol` how that was measured. `findings` are
    what the reader noticed and mended or only suspects; what forbids analysis is an error.
    `subject` is a digest of whom the header names: compared in memory, never shown or written.
    `named` is the level that the name or header of the file gives.
    """

    level: str
    run: int = 1
    metabolite: AnySignal
    protocol: Protocol
    water: AnySignal | None = None
    water_protocol: Protocol | None = None
    morphology: Morphology | None = None
    provocation: Provocation | None = None
    findings: tuple[Finding, ...] = ()
    subject: str | None = field(default=None, repr=False)
    named: str | None = None

    __repr__ = brief

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscEntry:
    """One disc of a study before its signal is read.

    `load` reads the files and raises `InputError` where they cannot be used; `inputs` names and
    hashes them without reading them as spectra; `origin` looks up whose they are.
    """

    level: str
    run: int = 1
    load: Callable[[], DiscAcquisition]
    inputs: Callable[[], tuple[InputFile, ...]]
    origin: Callable[[], Origin] = Origin
    morphology: Morphology | None = None
    provocation: Provocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """One examination of one person; no signal is read before it is asked for.

    ``study["L4-L5"]`` reads the first run of a level, ``study["L4-L5", 2]`` the second.
    """

    study_id: str
    discs: tuple[DiscEntry, ...]
    session_id: str | None = None
    region: str | None = None
    clinical: Mapping[str, Any] = field(default_factory=dict)
    load_anatomy: Callable[[], Anatomy | None] | None = None
    described_by: Callable[[], Sequence[Path]] = tuple
    """Files that an analysis reads beside the spectra: sidecars and images, wherever they lie."""
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if not self.discs:
            raise InputError(f"study '{self.study_id}' names no disc")
        keys = [(d.level, d.run) for d in self.discs]
        for key in keys:
            if keys.count(key) > 1:
                raise InputError(
                    f"level {key[0]} is named twice as run {key[1]}; "
                    "give the repeated measurement run = 2, or take one out"
                )
        ordered = sorted(self.discs, key=lambda d: (level_order(d.level), d.run))
        object.__setattr__(self, "discs", tuple(ordered))

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels from head to foot, each once."""
        return tuple(dict.fromkeys(d.level for d in self.discs))

    def entry(self, level: str, run: int | None = None) -> DiscEntry:
        """Return the entry of a level; of its first run where `run` is not given."""
        wanted = parse_level(level)
        for disc in self.discs:
            if disc.level == wanted and run in (None, disc.run):
                return disc
        has = ", ".join(f"{d.level} run {d.run}" if d.run > 1 else d.level for d in self.discs)
        asked = wanted if run is None else f"{wanted} run {run}"
        raise InputError(f"study '{self.study_id}' has no {asked}. It has: {has}.")

    def __getitem__(self, key: str | tuple[str, int]) -> DiscAcquisition:
        level, run = (key, None) if isinstance(key, str) else key
        return self.entry(level, run).load()

    def __iter__(self) -> Iterator[DiscEntry]:
        return iter(self.discs)

    def __len__(self) -> int:
        return len(self.discs)

    def __repr__(self) -> str:
        image = "no image named" if self.load_anatomy is None else "with an image"
        discs = ", ".join(d.level if d.run == 1 else f"{d.level} run {d.run}" for d in self.discs)
        return f"<Study {self.study_id}: {discs}; {image}>"
