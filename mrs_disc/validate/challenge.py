"""The public fitting challenge as outside judge: simulated brain spectra with published truth.

Source: Marjanska, Deelchand, Kreis et al., Magn Reson Med 2022;87:11-32, doi:10.1002/mrm.28942.
The folder holds ``basis_lcmodel/*.RAW``, the spectra and water references (``jmrui`` or
``lcmodel``), ``truth*.csv`` and, to stand beside, results of other programs
(``fsl_mrs_<method>_*.csv``). Every component is a basis FID, the kernel is that of the discs; wide
soft priors on ratios of normal brain (``brain_priors.toml``) stand in for those of the disc model.

A folder may hold any sets, in one table or several (``truth_odd.csv``, ``truth_even.csv``). A set
in which a metabolite is absent has no relative error: it counts for the intervals alone.

Amounts follow from the water reference as the challenge's README states it: water of 60 % grey and
40 % white matter (29.697 mol/l, relaxation included), metabolite T2 160 ms at TE 30 ms.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.data import DiscAcquisition, Fid, FitResult, Protocol, Sampling
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import read_text
from mrs_disc.io import read_scan
from mrs_disc.models import Component, MetaboliteModel, RatioPrior, load_basis_fids
from mrs_disc.recipe import Recipe
from mrs_disc.schema import StrictModel, load_toml
from mrs_disc.steps import fit, preprocess
from mrs_disc.steps.water_reference import water_amplitude
from mrs_disc.threads import one_blas_thread

Table: TypeAlias = dict[str, dict[str, float]]
"""Data set to metabolite to amount."""

GROUPS = ("NAA", "Cr+PCr", "GPC+PCho", "Glu+Gln", "Ins", "Glu", "Gln", "GSH", "Tau", "Lac")
_WATER_MMOL = 29697.0
_METABOLITE_RELAXATION = 1.206
_ECHO_TIME_S = 0.030
_DWELL_TIME_S = 0.00025
_SHIFT_SD_PPM = 0.002
_MEASURED, _MEASURED_WIDTH_SD_HZ = "Mac", 5.0
"""The macromolecules were measured: their width is not that of the spectra's other lines [P]. Held
to it they take 3 % of NAA with them; from 2 to 15 Hz the amounts differ by less than 1 %."""


class _Priors(StrictModel):
    """The shipped soft priors on ratios."""

    prior: tuple[RatioPrior, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """One metabolite or sum over all data sets.

    `error` is the RMS relative error, `bias` their mean, `peers` the error of the other programs on
    the same data sets, `covered` the number of the `n` data sets whose 95 % interval holds the
    truth, `n_errors` the number of those that have an error.
    """

    group: str
    error: float
    bias: float
    covered: int
    n: int
    n_errors: int
    peers: dict[str, float]

    @property
    def ahead(self) -> bool:
        """Whether the error is at or below that of each other program."""
        return bool(self.peers) and all(self.error <= error for error in self.peers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The table, with what could not be fitted."""

    lines: tuple[GroupLine, ...]
    datasets: tuple[str, ...]
    failures: dict[str, str]

    @property
    def coverage_percent(self) -> float:
        """Share of all intervals that hold the truth."""
        total = sum(line.n for line in self.lines)
        return 100.0 * sum(line.covered for line in self.lines) / total if total else float("nan")

    @property
    def ahead(self) -> int:
        """Number of the lines whose error is at or below that of each other program."""
        return sum(line.ahead for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "ahead": self.ahead,
            "datasets": list(self.datasets),
            "failures": self.failures,
            "coverage_percent": self.coverage_percent,
            "lines": [asdict(line) for line in self.lines],
        }


@one_blas_thread
def validate_challenge(folder: Path, recipe: Recipe | None = None) -> Challenge:
    """Fit every data set of a challenge folder whose truth is there.

    Parameters
    ----------
    folder : Path
        As described above.
    recipe : Recipe, optional
        Default: the package's defaults.

    Raises
    ------
    InputError
        If basis, truth or spectra are absent.
    """
    recipe = recipe or Recipe()
    model = challenge_model(folder)
    truth = _tables(folder, "truth*.csv")
    if not truth:
        raise InputError(f"{folder}: no truth*.csv, so there is nothing to compare with")
    peers: dict[str, Table] = {}
    for path in sorted(folder.glob("fsl_mrs_*.csv")):
        peers.setdefault(path.stem.rsplit("_", 1)[0], {}).update(_table(path))
    ours: dict[str, dict[str, tuple[float, float, float]]] = {}
    failures: dict[str, str] = {}
    for name in truth:
        try:
            ours[name] = _fit_one(folder, name, model, recipe)
        except InputError as error:
            failures[name] = str(error)
    lines = tuple(_line(g, truth, ours, peers) for g in GROUPS if _known(g, model, truth))
    return Challenge(lines=lines, datasets=tuple(truth), failures=failures)


def _known(group: str, model: MetaboliteModel, truth: Table) -> bool:
    """Say whether the basis has the members of a group, and any data set some of them."""
    members = set(group.split("+"))
    return members <= {c.name for c in model.component} and any(
        members <= set(amounts) and _sum(amounts, group) for amounts in truth.values()
    )


def challenge_model(folder: Path) -> MetaboliteModel:
    """Return a model whose components are the folder's basis FIDs.

    Raises
    ------
    InputError
        If there is none.
    """
    paths = sorted((folder / "basis_lcmodel").glob("*.RAW"))
    if not paths:
        found = "no basis_lcmodel/*.RAW" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{folder}: {found}; give the folder of the challenge")
    components = tuple(
        Component(
            name=path.stem,
            basis=str(path.resolve()),
            source="challenge basis, ideal PRESS",
            shift_sd_ppm=0.0 if path.stem == "NAA" else _SHIFT_SD_PPM,
            extra_width_sd_hz=_MEASURED_WIDTH_SD_HZ if path.stem == _MEASURED else 0.0,
        )
        for path in paths
    )
    names = {component.name for component in components}
    known = load_toml(Path(__file__).with_name("brain_priors.toml"), _Priors).prior
    model = MetaboliteModel(
        name="challenge",
        prior=tuple(p for p in known if {p.numerator, p.denominator} <= names),
        quality_peak="NAA" if any(p.stem == "NAA" for p in paths) else None,
        basis_dwell_time_s=_DWELL_TIME_S,
        component=components,
    )
    return load_basis_fids(model, folder)


def _fit_one(
    folder: Path, name: str, model: MetaboliteModel, recipe: Recipe
) -> dict[str, tuple[float, float, float]]:
    """Return amount, lower and upper limit of every group of one data set."""
    acquisition = _acquisition(folder, name)
    result = fit(preprocess(acquisition, recipe), recipe, model)
    if not result.converged:
        raise InputError(f"the fit did not converge: {result.reason}")
    assert isinstance(acquisition.water, Fid)
    water = water_amplitude(acquisition.water)
    if water is None:
        raise InputError("the water reference has no measurable amplitude")
    # The basis holds one unit per proton; water has two.
    scale = _WATER_MMOL * _METABOLITE_RELAXATION * 2.0 / water[0]
    groups = [group for group in GROUPS if result.has(*group.split("+"))]
    return {group: _amount(result, group.split("+"), scale) for group in groups}


def _amount(result: FitResult, members: Sequence[str], scale: float) -> tuple[float, float, float]:
    """Return a sum of amplitudes with its 95 % interval."""
    weights = np.array([1.0 if name in members else 0.0 for name in result.names])
    value = scale * float(weights @ result.amplitude)
    if len(members) == 1:
        index = result.index(members[0])
        return value, scale * float(result.low[index]), scale * float(result.high[index])
    sd = scale * float(np.sqrt(weights @ result.covariance @ weights))
    return value, value - Z95 * sd, value + Z95 * sd


def _acquisition(folder: Path, name: str) -> DiscAcquisition:
    """Return a data set with its water reference."""
    for part, metabolite, water in (
        ("jmrui", f"{name}_WS.txt", f"{name}_nWS.txt"),
        ("lcmodel", f"{name}.RAW", f"{name}.H2O"),
    ):
        if (folder / part / metabolite).exists():
            paths = folder / part / metabolite, folder / part / water
            break
    else:
        raise InputError(f"{name}: neither jmrui/{name}_WS.txt nor lcmodel/{name}.RAW is there")
    signals = []
    for path in paths:
        scan = read_scan(path)
        if scan.spectrometer_mhz is None:
            raise ReadError(path, "does not say its frequency; add the folder jmrui")
        sampling = Sampling(
            dwell_time_s=scan.dwell_time_s or _DWELL_TIME_S,
            spectrometer_mhz=scan.spectrometer_mhz,
        )
        signals.append(Fid(signal=scan.signal[0, 0], sampling=sampling))
    protocol = Protocol(sequence="PRESS", echo_time_s=_ECHO_TIME_S)
    return DiscAcquisition(
        level="L4-L5",
        metabolite=signals[0],
        protocol=protocol,
        water=signals[1],
        water_protocol=protocol,
    )


def _tables(folder: Path, pattern: str) -> Table:
    """Return all tables of a pattern as one: data set to metabolite to amount."""
    merged: Table = {}
    for path in sorted(folder.glob(pattern)):
        merged |= _table(path)
    return merged


def _table(path: Path) -> Table:
    rows = list(csv.reader(read_text(path, "table").splitlines()))
    try:
        return {
            name: {row[0]: float(row[column]) for row in rows[1:] if row}
            for column, name in enumerate(rows[0])
            if column > 0
        }
    except (ValueError, IndexError) as error:
        raise ReadError(path, f"is not a table of amounts ({error})") from error


def _sum(amounts: Mapping[str, float], group: str) -> float:
    return sum(amounts[name] for name in group.split("+"))


def _line(
    group: str,
    truth: Table,
    ours: Mapping[str, Mapping[str, tuple[float, float, float]]],
    peers: Mapping[str, Table],
) -> GroupLine:
    members = set(group.split("+"))
    known = [name for name, amounts in truth.items() if members <= set(amounts)]
    fitted = [name for name in known if name in ours]
    true = np.array([_sum(truth[name], group) for name in fitted])
    found = np.array([ours[name][group] for name in fitted]).reshape(-1, 3)
    there = true != 0
    relative = found[there, 0] / true[there] - 1
    names = [name for name, is_there in zip(fitted, there, strict=True) if is_there]
    beside = {}
    for peer, table in peers.items():
        shared = [name for name in names if members <= set(table.get(name, {}))]
        errors = [_sum(table[name], group) / _sum(truth[name], group) - 1 for name in shared]
        beside[peer] = float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan")
    return GroupLine(
        group=group,
        error=float(np.sqrt(np.mean(relative**2))) if names else float("nan"),
        bias=float(relative.mean()) if names else float("nan"),
        covered=int(((found[:, 1] <= true) & (true <= found[:, 2])).sum()),
        n=len(known),
        n_errors=len(names),
        peers=beside,
    )


def challenge_text(table: Challenge) -> str:
    """Return the table as text."""
    peers = list(table.lines[0].peers) if table.lines else []
    rows = [
        f"ISMRM fitting challenge, {len(table.datasets)} data sets: RMS relative error.",
        "",
        f"{'':<10}{'mrs_disc':>10}{'bias':>8}{'covered':>10}" + "".join(f"{p:>16}" for p in peers),
    ]
    rows += [_row(line, peers) for line in table.lines]
    rows.append("")
    rows.append(
        f"95 % intervals hold in {table.coverage_percent:.0f} % of the cells; "
        "* where mrs_disc is at or below."
    )
    if peers:
        rows.append(f"At or below all other programs in {table.ahead} of {len(table.lines)} rows.")
    rows += [f"{name}: {reason}" for name, reason in table.failures.items()]
    return "\n".join(rows)


def _row(line: GroupLine, peers: Sequence[str]) -> str:
    own = f"{line.group:<10}{line.error:>10.3f}{line.bias:>8.2f}{line.covered:>6} of {line.n:<2}"
    beside = ((line.peers[p], "*" if line.error <= line.peers[p] else " ") for p in peers)
    return own + "".join(f"{error:>15.3f}{mark}" for error, mark in beside)
