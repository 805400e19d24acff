"""Compare this package's fit and water removal with public peers, on the same discs.

Run by hand: ``python tests/benchmarks/peers.py [--discs 100] [--seed 271828] [--write]``. It makes
a virtual environment with this package, pyAMARES, lmfit and hlsvdpropy from the package index, and
in one process there, disc after disc, lets each fit the same simulated disc. ``--write`` puts the
table between the marks of tests/README.md and of README.md.

The peers get what a careful user would give them: the model that made the discs, line by line, and
starting values near the truth. pyAMARES fits all lines as Voigt lines with the ties of the model;
"lmfit by hand" is a least-squares fit of component FIDs in the window, soft priors on own shifts,
"SciPy by hand" the same by variable projection. None has a baseline, as none offers one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import log, pi
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("pyAMARES", "pandas<3", "lmfit", "hlsvdpropy")  # pyAMARES 0.3 breaks with pandas 3
INSIDE = "MRS_DISC_PEERS"
REGIMES = ("matched", "ensemble")
WINDOW_PPM = (0.5, 4.2)
WIDTH_HZ = 9.0  # of the discs' lines, to within 5 %: the peers' start
GAUSS = pi**2 / (4 * log(2))
Found = dict[str, tuple[float, float]]  # metabolite to amplitude and standard deviation
Fit = Callable[[Any], tuple[Found, float]]  # case to amplitudes and processor seconds


def main() -> None:
    """Make the environment, measure inside of it, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--discs", type=int, default=100, help="of each regime")
    parser.add_argument("--seed", type=int, default=271828)
    parser.add_argument("--water", type=int, default=20, help="FIDs for the water removal")
    parser.add_argument("--write", action="store_true", help="into tests/README.md and README.md")
    parser.add_argument("--venv", type=Path, help="environment to make, or to use again")
    options = parser.parse_args()
    if INSIDE not in os.environ:
        sys.exit(run_inside(options.venv or Path(tempfile.gettempdir()) / "mrs-disc-peers"))
    readme_tables()  # a fault there is better seen before the measurement than after
    fits = measure_fits(options.discs, options.seed)
    waters = measure_waters(options.water, options.seed)
    table = "\n".join([*head(options), *fit_rows(fits), "", *water_rows(waters)])
    print(table)  # noqa: T201
    if options.write:
        write(table, summary(options, fits, waters))


def run_inside(place: Path) -> int:
    """Make the environment where it is not there, and run this script in it."""
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    complete = place / "complete"
    if not complete.exists():
        venv.create(place, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-q", "-e", str(ROOT), *PEERS]
        subprocess.run(install, check=True)
        complete.touch()
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    variables = {**os.environ, **one_thread, INSIDE: "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run([str(python), *sys.argv], env=variables, check=False).returncode


# The fits


@dataclass
class Tally:
    """What a fit did in one regime; errors in units of the bound."""

    seconds: list[float] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=dict)
    covered: list[bool] = field(default_factory=list)
    failures: int = 0


def measure_fits(discs: int, seed: int) -> dict[tuple[str, str], Tally]:
    """Let every fit see every disc, in turn, and tally what they say."""
    from mrs_disc.validate.regimes import REGIMES as KNOWN

    fits = {
        "mrs_disc": ours(),
        "SciPy by hand": by_scipy(),
        "lmfit by hand": by_lmfit(),
        "pyAMARES": by_pyamares(),
    }
    tallies = {(regime, name): Tally() for regime in REGIMES for name in fits}
    for regime in REGIMES:
        for index in range(-1, discs):  # the first disc warms up and does not count
            case = KNOWN[regime].make(seed, max(index, 0))
            for name, fit in fits.items():
                try:
                    found, seconds = fit(case)
                except Exception:
                    if index >= 0:
                        tallies[regime, name].failures += 1
                    continue
                if index >= 0:
                    count(tallies[regime, name], case, found, seconds)
            if index > 0 and index % 20 == 19:
                print(f"{regime}: {index + 1} of {discs}", file=sys.stderr)  # noqa: T201
    return tallies


def count(tally: Tally, case: Any, found: Found, seconds: float) -> None:
    """Add one disc to a tally."""
    tally.seconds.append(seconds)
    for name, truth in case.truth.items():
        value, sd = found[name]
        tally.errors.setdefault(name, []).append((value - truth) / case.bound[name])
        tally.covered.append(abs(value - truth) <= 1.96 * sd)


def ours() -> Fit:
    """Return this package's fit: `steps.fit` of the preprocessed disc."""
    from mrs_disc.steps import fit, preprocess
    from mrs_disc.validate.accuracy import load_tools
    from mrs_disc.validate.regimes import model_path

    tools = load_tools(str(model_path()))

    def run(case: Any) -> tuple[Found, float]:
        clean = preprocess(case.acquisition, tools.recipe)
        begun = process_time()
        result = fit(clean, tools.recipe, tools.model)
        seconds = process_time() - begun
        # the interval is what is stated; near zero it is not two standard deviations wide
        found = {}
        for name, truth in case.truth.items():
            k = result.index(name)
            inside = result.low[k] <= truth <= result.high[k]
            found[name] = float(result.amplitude[k]), np.inf if inside else 0.0
        return found, seconds

    return run


@dataclass(frozen=True)
class Line:
    """One line of the discs' model at unit amplitude of its component."""

    component: str
    hz: float
    area: float
    phase: float
    extra_hz: float
    gauss_hz: float
    own_sd_hz: float


def model_lines() -> list[Line]:
    """Return all lines of the model of the regimes."""
    from mrs_disc.constants import WATER_PPM
    from mrs_disc.models import load_metabolite_model
    from mrs_disc.signal.fit.spins import Evolution
    from mrs_disc.simulate.lines import line_list
    from mrs_disc.validate.regimes import ECHO_TIME_S, MHZ, model_path

    evolution = Evolution(echo_time_s=ECHO_TIME_S)
    lines = []
    for c in load_metabolite_model(str(model_path())).component:
        found = line_list(c, spectrometer_mhz=MHZ, reference_ppm=WATER_PPM, evolution=evolution)
        for hz, weight, lorentz, gauss in zip(
            found.hz, found.weight, found.lorentz_hz, found.gauss_hz, strict=True
        ):
            extra = c.extra_width_hz + float(lorentz)
            values = (float(hz), abs(weight), float(np.angle(weight)), extra, float(gauss))
            lines.append(Line(c.name, *values, c.shift_sd_ppm * MHZ))
    return lines


@dataclass
class Basis:
    """FIDs of the components without their common width, and what moves on its own."""

    unit: dict[str, Any]
    own_sd_hz: dict[str, float]


def basis() -> Basis:
    """Return the components of the model as FIDs."""
    from mrs_disc.validate.regimes import TIME

    found = Basis(unit={}, own_sd_hz={})
    for line in model_lines():
        decay = pi * line.extra_hz * TIME + GAUSS * (line.gauss_hz * TIME) ** 2
        wave = line.area * np.exp(1j * (line.phase + 2 * pi * line.hz * TIME) - decay)
        found.unit[line.component] = found.unit.get(line.component, 0) + wave
        if line.own_sd_hz > 0:
            found.own_sd_hz[line.component] = line.own_sd_hz
    return found


def by_lmfit() -> Fit:
    """Return a fit that a user of lmfit writes in an afternoon."""
    import lmfit

    from mrs_disc.constants import WATER_PPM
    from mrs_disc.validate.regimes import MHZ, N_POINTS, SPECTRAL_WIDTH_HZ, TIME

    model = basis()
    axis = np.fft.fftfreq(N_POINTS, 1 / SPECTRAL_WIDTH_HZ) / MHZ + WATER_PPM
    inside = (axis > WINDOW_PPM[0]) & (axis < WINDOW_PPM[1])
    turning = 2j * pi * TIME

    def spectrum(fid: Any) -> Any:
        return np.fft.fft(np.concatenate([[fid[0] / 2], fid[1:]]))[inside]

    def residual(parameters: Any, data: Any, sd: float) -> Any:
        p = parameters.valuesdict()
        fid = sum(
            p[f"a_{n}"] * u * (np.exp(turning * p[f"f_{n}"]) if n in model.own_sd_hz else 1.0)
            for n, u in model.unit.items()
        )
        fid = fid * np.exp(1j * p["phase"] + turning * p["shift"] - pi * p["width"] * TIME)
        away = (data - spectrum(fid)) / sd
        prior = [p[f"f_{n}"] / own for n, own in model.own_sd_hz.items()]
        return np.concatenate([away.real, away.imag, prior])

    def run(case: Any) -> tuple[Found, float]:
        fid = np.asarray(case.acquisition.metabolite.signal, dtype=complex)
        begun = process_time()
        sd = np.std(fid[-N_POINTS // 4 :].real) * np.sqrt(N_POINTS)
        start = lmfit.Parameters()
        for n in model.unit:
            start.add(f"a_{n}", value=abs(fid[0]) / len(model.unit))
        for n in (*(f"f_{n}" for n in model.own_sd_hz), "phase", "shift"):
            start.add(n, value=0.0)
        start.add("width", value=WIDTH_HZ, min=1.0, max=40.0)
        out = lmfit.minimize(residual, start, args=(spectrum(fid), sd))
        seconds = process_time() - begun
        found = {n: out.params[f"a_{n}"] for n in case.truth}
        return {n: (p.value, p.stderr or np.nan) for n, p in found.items()}, seconds

    return run


def by_scipy() -> Fit:
    """Return a variable projection with SciPy: amplitudes eliminated, a numeric Jacobian.

    It is the yardstick of README's times: on another machine, the ratio to it stays.
    """
    from scipy.optimize import least_squares

    from mrs_disc.constants import WATER_PPM
    from mrs_disc.validate.regimes import MHZ, N_POINTS, SPECTRAL_WIDTH_HZ, TIME

    model = basis()
    names = list(model.unit)
    unit = np.array([model.unit[n] for n in names])
    own_sd = np.array([model.own_sd_hz[n] for n in names if n in model.own_sd_hz])
    moves = [k for k, n in enumerate(names) if n in model.own_sd_hz]
    axis = np.fft.fftfreq(N_POINTS, 1 / SPECTRAL_WIDTH_HZ) / MHZ + WATER_PPM
    inside = (axis > WINDOW_PPM[0]) & (axis < WINDOW_PPM[1])
    turning = 2j * pi * TIME

    def as_real(fids: Any) -> Any:
        bins = np.fft.fft(fids)[..., inside]
        return np.concatenate([bins.real, bins.imag], axis=-1)

    def rows(x: Any) -> Any:
        fids = unit * np.exp(1j * x[0] + turning * x[1] - pi * x[2] * TIME)
        fids[moves] *= np.exp(np.multiply.outer(x[3:], turning))
        fids[:, 0] *= 0.5
        return as_real(fids)

    def run(case: Any) -> tuple[Found, float]:
        fid = np.asarray(case.acquisition.metabolite.signal, dtype=complex)
        begun = process_time()
        sd = np.std(fid[-N_POINTS // 4 :].real) * np.sqrt(N_POINTS)
        data = as_real(np.concatenate([[fid[0] / 2], fid[1:]])) / sd

        def residual(x: Any) -> Any:
            design = rows(x) / sd
            left = data - np.linalg.lstsq(design.T, data, rcond=None)[0] @ design
            return np.concatenate([left, x[3:] / own_sd])

        start = np.array([0.0, 0.0, WIDTH_HZ, *np.zeros(len(moves))])
        x = least_squares(residual, start, method="lm", x_scale=[0.1, 1, 1, *own_sd]).x
        design = rows(x) / sd
        value = np.linalg.lstsq(design.T, data, rcond=None)[0]
        slopes = [(value @ (rows(x + h) - rows(x - h))) / (2 * sd * h[k])
                  for k, h in enumerate(1e-4 * np.eye(x.size))]  # fmt: skip
        columns = np.concatenate([design, slopes])
        prior = np.concatenate([np.zeros(len(names) + 3), own_sd**-2.0])
        spread = np.sqrt(np.diag(np.linalg.inv(columns @ columns.T + np.diag(prior))))
        seconds = process_time() - begun
        found = {n: (float(value[k]), float(spread[k])) for k, n in enumerate(names)}
        return {n: found[n] for n in case.truth}, seconds

    return run


def amares_start(lines: list[Line], size: float) -> tuple[Any, dict[str, tuple[str, Line]]]:
    """Return pyAMARES's parameters, tied as the model ties them, and each component's first peak.

    A tie may name one free parameter that came before: a singlet leads.
    """
    from lmfit import Parameters

    p = Parameters()
    lead = lines[0]
    first: dict[str, tuple[str, Line]] = {}
    for k, line in enumerate(lines):
        name = f"{line.component}{k}"
        leader, own = first.setdefault(line.component, (name, line))
        lorentz, gauss = pi * (WIDTH_HZ + line.extra_hz), GAUSS * line.gauss_hz**2
        wider = lorentz + gauss - pi * WIDTH_HZ
        values = {
            "ak": (size * line.area, f"ak_{leader}*{line.area / own.area:.6f}"),
            "freq": (line.hz, f"freq_{leader}{line.hz - own.hz:+.6f}"),
            "dk": (lorentz + gauss, f"dk_{lead.component}0{wider:+.6f}"),
            "phi": (line.phase, f"phi_{lead.component}0{line.phase - lead.phase:+.6f}"),
        }
        for kind, (value, tie) in values.items():
            is_free = name == leader if kind in ("ak", "freq") else k == 0
            p.add(f"{kind}_{name}", value=value, expr=None if is_free else tie)
        p.add(f"g_{name}", value=gauss / (lorentz + gauss), vary=False)
        if name == leader:
            reach = 4.0 + 2 * line.own_sd_hz
            p[f"freq_{name}"].set(min=line.hz - reach, max=line.hz + reach)
    return p, first


def by_pyamares() -> Fit:
    """Return a pyAMARES fit of every line of the model."""
    import logging
    import warnings

    import pyAMARES

    from mrs_disc.validate.regimes import MHZ, SPECTRAL_WIDTH_HZ

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    lines = sorted(model_lines(), key=lambda line: line.component != "CHO")
    n_components = len({line.component for line in lines})

    def run(case: Any) -> tuple[Found, float]:
        fid = np.asarray(case.acquisition.metabolite.signal, dtype=complex)
        begun = process_time()
        start, first = amares_start(lines, abs(fid[0]) / n_components)
        data = pyAMARES.initialize_FID(fid, MHz=MHZ, sw=SPECTRAL_WIDTH_HZ, deadtime=0.0)
        out = pyAMARES.fitAMARES(data, start, ifplot=False)
        seconds = process_time() - begun
        found = {}
        for name in case.truth:
            peak, line = first[name]
            value = float(out.fittedParams[f"ak_{peak}"].value) / line.area
            share = float(out.result_multiplets.loc[peak, "CRLB(%)"]) / 100
            found[name] = value, share * abs(value)
        return found, seconds

    return run


# Residual water


@dataclass
class WaterTally:
    """Errors beside the truth, in units of the noise of a bin, and the time."""

    seconds: list[float] = field(default_factory=list)
    near: list[float] = field(default_factory=list)
    place: list[float] = field(default_factory=list)


def measure_waters(n: int, seed: int) -> dict[str, WaterTally]:
    """Remove a known water of a Voigt line from discs, by both methods."""
    import hlsvdpropy

    from mrs_disc.constants import WATER_PPM
    from mrs_disc.signal.water import remove_water
    from mrs_disc.validate.regimes import MHZ, N_POINTS, SAMPLING, TIME
    from mrs_disc.validate.regimes import REGIMES as KNOWN

    dwell = SAMPLING.dwell_time_s
    limits = ((4.4 - WATER_PPM) * MHZ, (4.9 - WATER_PPM) * MHZ)

    def theirs(fid: Any) -> Any:
        _, _, khz, ms, amplitude, degrees = hlsvdpropy.hlsvd(fid, 25, dwell * 1e3)[:6]
        water = np.zeros(len(fid), dtype=complex)
        for f, d, a, angle in zip(khz, ms, amplitude, degrees, strict=True):
            if limits[0] <= 1e3 * f <= limits[1]:
                rate = 2e3j * pi * f + 1e3 / d
                water += a * np.exp(1j * np.radians(angle) + rate * TIME)
        return water

    methods = {
        "mrs_disc": lambda fid: fid - remove_water(fid, dwell, limits_hz=limits).signal,
        "hlsvdpropy": theirs,
    }
    tallies = {name: WaterTally() for name in methods}
    axis = np.fft.fftfreq(N_POINTS, dwell) / MHZ + WATER_PPM
    for index in range(-1, n):
        rng = np.random.default_rng([seed, max(index, 0)])
        case = KNOWN["ensemble"].make(seed, max(index, 0))
        fid = np.asarray(case.acquisition.metabolite.signal, complex)
        hz, phase, size = rng.uniform(-10, 10), rng.uniform(-pi, pi), 10 ** rng.uniform(2, 4)
        decay = pi * rng.uniform(4, 10) * TIME + GAUSS * (rng.uniform(4, 12) * TIME) ** 2
        water = size * np.exp(1j * phase + 2j * pi * hz * TIME - decay)
        noise = np.std(fid[-N_POINTS // 4 :]) * np.sqrt(N_POINTS)
        for name, method in methods.items():
            begun = process_time()
            found = method(fid + water)
            seconds = process_time() - begun
            if index < 0:
                continue
            away = np.abs(np.fft.fft(found - water)) / noise
            tally = tallies[name]
            tally.seconds.append(seconds)
            tally.near.append(float(np.mean(away[(axis > 3.4) & (axis < 4.2)] ** 2)))
            tally.place.append(float(np.mean(away[(axis > 4.4) & (axis < 4.9)] ** 2)))
    return tallies


# The tables


def head(options: argparse.Namespace) -> list[str]:
    """Return what was run, where, and with which versions."""
    return [
        f"`python tests/benchmarks/peers.py {asked(options)}`, "
        f"{where()}; {versions()}. One process, one BLAS thread, disc after disc; RMSE in units of "
        "each disc's Cramér-Rao bound with known baseline.",
        "",
    ]


def asked(options: argparse.Namespace) -> str:
    """Return the options that decide the figures."""
    return f"--discs {options.discs} --water {options.water} --seed {options.seed}"


def where() -> str:
    """Return the day, the processor and its cores."""
    tables = readme_tables()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"{today}, {tables.processor()}"


def versions() -> str:
    """Return the versions of all that was compared."""
    from importlib.metadata import version

    names = ("mrs-disc", "pyAMARES", "lmfit", "hlsvdpropy", "numpy", "scipy")
    return ", ".join(f"{name} {version(name)}" for name in names)


def fit_rows(tallies: dict[tuple[str, str], Tally]) -> Iterator[str]:
    """Yield the table of the fits."""
    names = list(next(iter(tallies.values())).errors)
    yield (
        f"| regime | fit | processor ms a fit | RMSE / bound: {', '.join(names)} "
        "| 95 % intervals that hold | failures |"
    )
    yield "|---|---|---|---|---|---|"
    for (regime, name), tally in tallies.items():
        rmse = ", ".join(f"{np.sqrt(np.mean(np.square(e))):.2f}" for e in tally.errors.values())
        spent = in_ms(tally.seconds) if tally.seconds else "–"
        yield f"| {regime} | {name} | {spent} | {rmse} | {held(tally)} | {tally.failures} |"


def held(tally: Tally) -> str:
    """Return how many of the intervals hold."""
    return f"{100 * np.mean(tally.covered):.0f} %" if tally.covered else "–"


def in_ms(seconds: list[float]) -> str:
    """Return the median in ms, three digits: other work on the machine makes some discs slow."""
    middle = 1e3 * float(np.median(seconds))
    return f"{middle:.1f}" if middle < 100 else f"{middle:.0f}"


def water_rows(tallies: dict[str, WaterTally]) -> Iterator[str]:
    """Yield the table of the removal of residual water."""
    yield "| residual water | processor ms an FID | error at 3.4 to 4.2 ppm | at 4.4 to 4.9 ppm |"
    yield "|---|---|---|---|"
    for name, tally in tallies.items():
        near, place = (np.sqrt(np.median(v)) for v in (tally.near, tally.place))
        yield f"| {name} | {in_ms(tally.seconds)} | {near:.2f} | {place:.2f} |"
    yield ""
    yield (
        "Errors of the modelled water (Voigt lines, 1 to 100 times PG, any phase): median RMS in "
        "units of the noise of a bin."
    )


def summary(
    options: argparse.Namespace,
    fits: dict[tuple[str, str], Tally],
    waters: dict[str, WaterTally],
) -> str:
    """Return the short table of README."""
    rows = [
        f"`python tests/benchmarks/peers.py {asked(options)}`, "
        f"{where()}; the whole table stands in [tests/README.md](tests/README.md).",
        "",
        "| processor time | mrs_disc | peers |",
        "|---|---|---|",
    ]
    for regime in REGIMES:
        told = {
            name: f"{in_ms(fits[regime, name].seconds)} ms, {held(fits[regime, name])}"
            for name in ("mrs_disc", "SciPy by hand", "lmfit by hand", "pyAMARES")
        }
        plain = np.median(fits[regime, "SciPy by hand"].seconds)
        ratio = np.median(fits[regime, "mrs_disc"].seconds) / plain
        own = f"{told.pop('mrs_disc')}; {ratio:.1f} × SciPy's plain fit"
        peers = " · ".join(f"{name} {text}" for name, text in told.items())
        rows.append(f"| one fit, {regime}: intervals that hold | {own} | {peers} |")
    own, theirs = (in_ms(waters[name].seconds) for name in ("mrs_disc", "hlsvdpropy"))
    rows.append(f"| removal of residual water | {own} ms | hlsvdpropy {theirs} ms |")
    return "\n".join(rows)


def readme_tables() -> Any:
    """Return the module that writes tables between marks."""
    sys.path.insert(0, str(ROOT / "tests" / "tools"))
    import readme_tables as tables

    return tables


def write(table: str, short: str) -> None:
    """Put the table into tests/README.md and its summary into README.md."""
    tables = readme_tables()
    tables.fill(tables.FULL, "peers", table)
    tables.fill(tables.README, "peers", short)


if __name__ == "__main__":
    main()
