"""Confuse the files of simulated studies, one way a study, and count what `info` notices.

``python -m tests.faults.confusions [SEED]`` in the checkout writes its table into
``tests/faults/README.md``.

Spines are drawn as in ``tests/test_places.py``: size, curve, scoliosis and planning anew for each
person, a sixth lumbar vertebra among them; half of the headers name no person. Two signals, made
once, stand for all discs: only what the files say of place, person, scanner and content is judged.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from mrs_disc.data import LEVELS, Fid, Protocol
from mrs_disc.io.describe import describe
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
from mrs_disc.simulate import simulate_study

from ..test_places import CERVICAL, LUMBAR, SIX, THORACIC, spine

N_STUDIES = 200
SEED = 27182818
"""Of the table; another one for every time that the rules change."""
EXAMINED = (LUMBAR, LUMBAR[1:], LUMBAR[2:], CERVICAL, THORACIC, SIX)
SCANNERS_MHZ = (63.87, 123.25, 127.74)
NOTICED = {
    "levels_exchanged", "levels_at_one_place", "same_file_twice", "other_person",
    "spacing_unlikely", "beside_the_spine", "voxel_larger_than_disc", "voxel_outside_image",
    "voxel_mirrored", "other_scanner", "water_not_used", "other_dwell_time",
    "same_measurement_twice", "same_noise_elsewhere", "other_level_named", "same_water_twice",
    "region_unlikely",
}  # fmt: skip
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- begin: confusions -->", "<!-- end: confusions -->"


@dataclass(frozen=True, kw_only=True)
class Signals:
    """One disc's FIDs and protocols, which stand for all."""

    metabolite: Fid
    water: Fid
    protocol: Protocol
    water_protocol: Protocol


@cache
def signals() -> Signals:
    """Return the signals of a simulated disc, averaged."""
    disc = simulate_study(3, levels=["L4-L5"])[0]["L4-L5"]

    def averaged(raw):
        return Fid(signal=raw.signal[0].mean(axis=0)[:1024], sampling=raw.sampling)

    return Signals(
        metabolite=averaged(disc.metabolite),
        water=averaged(disc.water),
        protocol=disc.protocol,
        water_protocol=disc.water_protocol,
    )


def write_person(folder: Path, seed: int, levels: tuple[str, ...]) -> None:
    """Write metabolites and water of a person's levels, as one scanner wrote them."""
    rng = np.random.default_rng([seed, 1])
    mhz = rng.choice(SCANNERS_MHZ) * (1 + 2e-6 * rng.standard_normal())
    person = {"PatientID": f"p{seed}"} if seed % 2 else {}
    made = signals()
    folder.mkdir()
    for site in spine(seed, levels):
        gain = 1 + 0.1 * rng.standard_normal()
        for role, fid, protocol in (
            ("act", made.metabolite, made.protocol),
            ("ref", made.water, made.water_protocol),
        ):
            write_nifti_mrs(
                folder / f"{site.level}_{role}.nii",
                replace(
                    fid,
                    signal=gain * fid.signal + _noise(rng, fid.signal),
                    sampling=replace(fid.sampling, spectrometer_mhz=mhz),
                ),
                replace(protocol, voxel_affine=site.affine, spectrometer_mhz=mhz),
                extra=person,
            )


def _noise(rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """Return the noise of a measurement, far above what the one simulated signal has of its own."""
    parts = rng.standard_normal((2, signal.size))
    return 0.02 * np.abs(signal).max() * (parts[0] + 1j * parts[1])


# --------------------------------------------------------------------------- confusions


def _level(rng: np.random.Generator, levels: tuple[str, ...]) -> str:
    return str(rng.choice(levels))


def _two(rng: np.random.Generator, levels: tuple[str, ...]) -> tuple[str, str]:
    one, other = rng.choice(levels, 2, replace=False)
    return str(one), str(other)


def _both(folder: Path, one: str, other: str) -> Iterator[tuple[Path, Path]]:
    for role in ("act", "ref"):
        yield folder / f"{one}_{role}.nii", folder / f"{other}_{role}.nii"


def exchange(folder: Path, _: Path, rng: np.random.Generator, levels: tuple[str, ...]) -> None:
    for mine, theirs in _both(folder, *_two(rng, levels)):
        kept = mine.read_bytes()
        mine.write_bytes(theirs.read_bytes())
        theirs.write_bytes(kept)


def duplicate(folder: Path, _: Path, rng: np.random.Generator, levels: tuple[str, ...]) -> None:
    for mine, theirs in _both(folder, *_two(rng, levels)):
        mine.write_bytes(theirs.read_bytes())


def shifted(folder: Path, _: Path, rng: np.random.Generator, levels: tuple[str, ...]) -> None:
    """Name the highest disc one level higher, or the lowest one lower where that has a name."""
    moves = [(levels[0], LEVELS[LEVELS.index(levels[0]) - 1])]
    if levels[-1] in ("C6-C7", "T9-T10"):
        moves.append((levels[-1], LEVELS[LEVELS.index(levels[-1]) + 1]))
    for mine, theirs in _both(folder, *moves[rng.integers(len(moves))]):
        mine.rename(theirs)


def other_water(
    folder: Path, other: Path, rng: np.random.Generator, levels: tuple[str, ...]
) -> None:
    name = f"{_level(rng, levels)}_ref.nii"
    shutil.copy(other / name, folder / name)


def other_scan(
    folder: Path, other: Path, rng: np.random.Generator, levels: tuple[str, ...]
) -> None:
    level = _level(rng, levels)
    for mine, _same in _both(folder, level, level):
        shutil.copy(other / mine.name, mine)


def mirrored(folder: Path, _: Path, rng: np.random.Generator, levels: tuple[str, ...]) -> None:
    """Turn the left-right axis of one level's files, as a wrong converter does."""
    import nibabel

    level = _level(rng, levels)
    for path, _same in _both(folder, level, level):
        image = nibabel.Nifti1Image.from_bytes(path.read_bytes())
        affine = image.affine @ np.diag([-1.0, 1, 1, 1])
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        path.write_bytes(image.to_bytes())


CONFUSIONS = {
    "two levels exchanged": exchange,
    "one level's files under a second name": duplicate,
    "one label off by one level": shifted,
    "another study's water": other_water,
    "another study's file": other_scan,
    "laterally mirrored affine": mirrored,
}


# --------------------------------------------------------------------------- count


def noticed(folder: Path) -> set[str]:
    """Return the kinds of findings of `info` that say of a confusion."""
    found = describe(folder)
    told = [*found["findings"], *(f for level in found["levels"] for f in level["findings"])]
    return {f["kind"] for f in told} & NOTICED


def confused(seed: int, confusion: str | None, place: Path) -> set[str]:
    """Return what is noticed of a study with one confusion, or with none."""
    rng = np.random.default_rng([seed, 2])
    levels = EXAMINED[seed % len(EXAMINED)]
    folder = place / "study"
    write_person(folder, seed, levels)
    if confusion is not None:
        write_person(place / "other", seed + 10_000, levels)
        CONFUSIONS[confusion](folder, place / "other", rng, levels)
    return noticed(folder)


def count(n_studies: int, first: int = 0) -> tuple[dict[str, tuple[int, int]], int]:
    """Return how many of each confusion were noticed of how many, and the false alarms.

    Studies are drawn from the seeds that begin at `first`.
    """
    found = dict.fromkeys(CONFUSIONS, (0, 0))
    alarms = 0
    for seed in range(first, first + n_studies):
        name = list(CONFUSIONS)[int(np.random.default_rng([seed, 3]).integers(len(CONFUSIONS)))]
        with tempfile.TemporaryDirectory() as place:
            n, of = found[name]
            found[name] = n + bool(confused(seed, name, Path(place))), of + 1
        with tempfile.TemporaryDirectory() as place:
            alarms += bool(confused(seed + 20_000, None, Path(place)))
    return found, alarms


def table(found: Mapping[str, tuple[int, int]], alarms: int, seed: int) -> str:
    """Return the counts as the page shows them."""
    rows = [f"| {name} | {n} of {of} |" for name, (n, of) in found.items()]
    n, of = (sum(pair[k] for pair in found.values()) for k in (0, 1))
    return "\n".join(
        [
            "| one confusion in a study | noticed |",
            "| --- | --- |",
            *rows,
            f"| **all** | **{n} of {of} ({n / of:.1%})** |",
            f"| sound studies: false alarms | {alarms} of {of} ({alarms / of:.1%}) |",
            "",
            f"Seed {seed}.",
        ]
    )


def main() -> None:
    """Count, and write the table into the page."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table(*count(N_STUDIES, seed), seed)}\n{END}{after}")


if __name__ == "__main__":
    main()
