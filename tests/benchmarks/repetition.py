"""The error of repetition beside the scatter of repeats: simulated discs, halves of real series.

::

    python tests/benchmarks/repetition.py [--seed 810] [--runs 100] [--real FOLDER] [--write]

Simulated: each disc is measured many times, with new noise, drift, residual water and spoilt
transients, and taken through the whole pipeline. The table has the root mean square of what is
quoted over the scatter of the values: of the error of the truth, and of that of repetition. A
baseline is the same in every repeat of a real disc, which the simulator draws anew: it is left out.

Real: the transients of each file with 16 or more are split into random halves, both of which are
analysed. The table has the quoted errors of both in quadrature over the scatter of the differences;
and the error of a bootstrap of the whole series over half of that scatter. These are spectra of
brain and phantoms, which no model here describes: the errors of repetition have to hold anyway.

``--write`` puts the table into tests/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrs_disc.analysis import Models, load_models, measure_level
from mrs_disc.data import DiscAcquisition, FitResult, Study
from mrs_disc.errors import InputError
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.recipe import FitOptions, Recipe
from mrs_disc.simulate import simulate_study

ROOT = Path(__file__).resolve().parents[2]
KINDS = (("P", 20.0), ("D", 20.0), ("H", 20.0), ("P", 12.0), ("D", 30.0), ("D", 12.0))
NAMES = ("PG", "LAC", "ALA", "PA", "CHO")
QUANTITIES = ("LAC/PG", "acidity/structure", "PG/water", "structure/water")
HALVES, BOOTSTRAP, LEAST = 40, 40, 16
BRAIN = "brain_1h_singlets"


def of(errors: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Return the root mean square of what was quoted over what was seen."""
    return np.asarray(np.sqrt((errors**2).mean(axis=0)) / scatter)


def simulated(seed: int, n_runs: int) -> Iterator[str]:
    """Yield the lines of the table of simulated discs."""
    recipe = Recipe()
    models = load_models(recipe)
    columns = (*NAMES, *QUANTITIES)
    yield "  ".join(["quoted / scatter".ljust(26), *(f"{name:>9.9}" for name in columns)])
    found = []
    for number, (kind, snr) in enumerate(KINDS):
        study, _ = simulate_study(
            seed + number,
            levels=["L4-L5"],
            kinds={"L4-L5": kind},
            snr=snr,
            lipid=False,
            baseline=0.0,
            anatomy=False,
            repeats={"L4-L5": n_runs},
        )
        ratios = ratios_of(study, recipe, models)
        found.append(ratios)
        for word, row in zip(("truth", "repetition"), ratios, strict=True):
            yield line(f"{kind}, SNR {snr:g}: {word}", row)
    for word, rows in zip(("truth", "repetition"), np.stack(found, axis=1), strict=True):
        yield line(f"all: {word}", np.sqrt(np.nanmean(rows**2, axis=0)))


def ratios_of(study: Study, recipe: Recipe, models: Models) -> np.ndarray:
    """Return quoted over scatter of a disc's runs, shape (error, column)."""
    measured = [measure_level(entry.load(), recipe, models) for entry in study]
    measured = [one for one in measured if one.quality.verdict != "poor"]
    rows = []
    for name in NAMES:
        at = measured[0].fit.index(name)
        rows.append(
            [(m.fit.amplitude[at], m.fit.sd[at], repetition_sd(m.fit)[at]) for m in measured]
        )
    for name in QUANTITIES:
        every = [m.quantities[name] for m in measured]
        rows.append([(q.value, q.sd, q.repetition_sd) for q in every])
    ratios = np.full((2, len(rows)), np.nan)
    for column, row in enumerate(rows):
        if all(None not in one for one in row):
            values, truth, repetition = np.array(row, dtype=float).T
            scatter = values.std(ddof=1)
            ratios[:, column] = of(truth, scatter), of(repetition, scatter)
    return ratios


def repetition_sd(fit: FitResult) -> np.ndarray:
    """Return the errors of repetition of a fit."""
    assert fit.repetition is not None
    return np.asarray(np.sqrt(np.diag(fit.repetition)))


def line(name: str, row: np.ndarray) -> str:
    """Return one line of the table."""
    return "  ".join([name.ljust(26), *("-".rjust(9) if np.isnan(x) else f"{x:9.2f}" for x in row)])


def real(folder: Path) -> Iterator[str]:
    """Yield the lines of the table of real series."""
    recipe = Recipe(fit=FitOptions(model=BRAIN))
    models = load_models(recipe)
    drawn = Recipe(fit=FitOptions(model=BRAIN, bootstrap=BOOTSTRAP))
    seen: set[tuple[int, ...]] = set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "hostile" not in p.parts):
        acquisition = series(path)
        if acquisition is None or acquisition.metabolite.signal.shape in seen:
            continue
        seen.add(acquisition.metabolite.signal.shape)
        try:
            differences, formula = halves(acquisition, recipe, models)
            whole = measure_level(acquisition, drawn, models)
        except InputError as error:
            yield f"{path.name[:40]}: {error}"
            continue
        scatter = differences.std(axis=0)
        yield (
            f"{path.name[:40]}: {whole.quality.verdict}, residual "
            f"{whole.fit.noise.residual_ratio:.1f}"
        )
        yield "  ".join([" " * 26, *(f"{name:>9.9}" for name in whole.fit.names)])
        yield line("  formula", of(np.sqrt(formula), scatter))
        yield line("  bootstrap", repetition_sd(whole.fit) / (scatter / 2))


def series(path: Path) -> DiscAcquisition | None:
    """Return what a file holds, if it can be analysed and has transients enough."""
    try:
        scan = read_scan(path)
        if scan.n_transients < LEAST:
            return None
        given = Given() if scan.echo_time_s else Given(echo_time_s=0.03)
        found = to_acquisition("L4-L5", Source(scan=scan, name=path.name), None, given)
    except InputError:
        return None
    return found if found.metabolite.signal.shape[-2] >= LEAST else None


def halves(
    acquisition: DiscAcquisition, recipe: Recipe, models: Models
) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences of random halves, and the variance that the formula quotes."""
    rng = np.random.default_rng(99)
    signal = acquisition.metabolite
    n = signal.signal.shape[-2]
    differences, quoted = [], []
    for _ in range(HALVES):
        order = rng.permutation(n)
        fits = []
        for part in (order[: n // 2], order[n // 2 : 2 * (n // 2)]):
            half = replace(signal, signal=signal.signal[..., np.sort(part), :])
            one = measure_level(replace(acquisition, metabolite=half), recipe, models)
            fits.append(one.fit)
        differences.append(fits[0].amplitude - fits[1].amplitude)
        quoted.append(sum(repetition_sd(fit) ** 2 for fit in fits))
    return np.array(differences), np.array(quoted)


def main() -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=810)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--real", type=Path, help="a folder of real scanner files")
    parser.add_argument("--write", action="store_true", help="put the table into tests/README.md")
    given = parser.parse_args()
    lines = []
    for one in (*simulated(given.seed, given.runs), *(real(given.real) if given.real else ())):
        sys.stdout.write(f"{one}\n")
        sys.stdout.flush()
        lines.append(one)
    if given.write:
        sys.path.insert(0, str(ROOT / "tests" / "tools"))
        import readme_tables as tables

        options = f"--seed {given.seed} --runs {given.runs}" + (" --real FOLDER" * bool(given.real))
        command = f"`python tests/benchmarks/repetition.py {options}`"
        stamp = f"{command}, {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}."
        text = "\n".join(lines)
        tables.fill(tables.FULL, "repetition", f"{stamp}\n\n```text\n{text}\n```")


if __name__ == "__main__":
    main()
