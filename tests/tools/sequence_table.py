"""Write the table of sequences into tests/README.md: acids recovered where another route made them.

::

    python tests/tools/sequence_table.py [--print]

Each disc is made by the second simulator (`mrs_disc.validate.second`), which shares neither line
tables nor evolution with the fit, and fitted with what its protocol says: one disc a row, amounts
drawn anew from a seed, SNR of PG 2000, no baseline, no ratio priors.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from math import pi

import numpy as np
from readme_tables import FULL, fill, processor

from mrs_disc.data import DiscAcquisition, Fid, Protocol, Sampling
from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.steps import fit, preprocess
from mrs_disc.typing import ComplexArray
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

SEED = 20261130
MHZ, DWELL_S, POINTS = 123.25, 5e-4, 2048
MOST_PERCENT = 3.0
ACIDS = ("LAC", "ALA", "PA")
SYSTEMS = {
    "LAC": SpinSystem(protons=(3, 1), ppm=(1.3142, 4.0974), j_hz=((0, 1, 6.933),)),
    "ALA": SpinSystem(protons=(3, 1), ppm=(1.4667, 3.7746), j_hz=((0, 1, 7.234),)),
    "PA": SpinSystem(protons=(3, 2), ppm=(1.05, 2.17), j_hz=((0, 1, 7.7),)),
}
COUNTED = {"LAC": 3, "ALA": 3, "PA": 5}
"""Protons that an amplitude stands for."""
ROWS = (
    ("PRESS, ideal pulses", "PRESS", 0.0, {}, (30, 35, 144)),
    (
        "PRESS, 1200 Hz told",
        "PRESS",
        1200.0,
        {"refocusing_bandwidth_hz": 1200.0},
        (28, 30, 35, 144),
    ),
    ("PRESS, 1200 Hz not told", "PRESS", 1200.0, {}, (28, 30, 35, 144)),
    ("semi-LASER", "sLASER", 20000.0, {}, (28, 30, 72, 144)),
    ("STEAM, TM 10 ms", "STEAM", 0.0, {"mixing_time_s": 0.010}, (20, 28, 30)),
    ("STEAM, TM 13.7 ms", "STEAM", 0.0, {"mixing_time_s": 0.0137}, (20, 28, 30)),
    ("SPECIAL, 1200 Hz told", "SPECIAL", 1200.0, {"refocusing_bandwidth_hz": 1200.0}, (10, 28)),
    ("spin echo", "spin echo", 0.0, {}, (30, 144)),
)
"""Title, sequence, bandwidth of what was played, what is told, echo times in ms."""


def made(sequence: Localisation, rng: np.random.Generator) -> tuple[ComplexArray, dict[str, float]]:
    """Return a disc's FID and its amplitudes."""
    time_s = DWELL_S * np.arange(POINTS)
    truth = {"PG": 20.0, "CHO": 5.0, **{name: float(rng.uniform(4, 10)) for name in ACIDS}}

    def line(ppm: float, extra_hz: float = 0.0) -> ComplexArray:
        return np.exp((2j * pi * (ppm - 4.65) * MHZ - pi * extra_hz) * time_s)

    fid = truth["PG"] * (0.8 * line(2.04, 6) + 0.2 * line(2.00, 6)) + truth["CHO"] * line(3.21)
    for name in ACIDS:
        found = sequence_lines(SYSTEMS[name], sequence, mhz=MHZ)
        signal = found.weight @ np.exp(2j * pi * found.hz[:, None] * time_s)
        fid = fid + truth[name] / COUNTED[name] * signal
    noise = rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS)
    return fid * np.exp(-pi * 7 * time_s) + truth["PG"] / 2000 * noise, truth


def errors(
    row: tuple[str, str, float, dict[str, float], tuple[int, ...]], te_ms: int
) -> list[float]:
    """Return the errors of the acids of one disc in percent."""
    _, name, bandwidth_hz, told, _ = row
    rng = np.random.default_rng([SEED, te_ms])
    played = Localisation(
        name=name,
        echo_time_s=1e-3 * te_ms,
        bandwidth_hz=bandwidth_hz,
        mixing_time_s=told.get("mixing_time_s", 0.010),
    )
    signal, truth = made(played, rng)
    protocol = Protocol(sequence=name, echo_time_s=1e-3 * te_ms, spectrometer_mhz=MHZ, **told)
    disc = DiscAcquisition(
        level="L4-L5",
        metabolite=Fid(
            signal=signal, sampling=Sampling(dwell_time_s=DWELL_S, spectrometer_mhz=MHZ)
        ),
        protocol=protocol,
    )
    recipe = Recipe.model_validate({"fit": {"baseline": "none", "ratio_priors": False}})
    found = fit(preprocess(disc, recipe), recipe, load_metabolite_model("disc_1h"))
    return [100 * (found.amplitude[found.index(n)] / truth[n] - 1) for n in ACIDS]


def table() -> list[str]:
    """Return the lines of the table."""
    lines = [f"{'sequence':26s} TE ms      LAC      ALA       PA   (percent off)"]
    for row in ROWS:
        for te_ms in row[4]:
            found = errors(row, te_ms)
            marks = "   outside" if max(map(abs, found)) > MOST_PERCENT else ""
            cells = " ".join(f"{value:+8.1f}" for value in found)
            lines.append(f"{row[0]:26s} {te_ms:5d} {cells}{marks}")
    return lines


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="to the terminal alone")
    asked = parser.parse_args()
    text = "\n".join(table())
    if asked.print:
        sys.stdout.write(text + "\n")
        return
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    stamp = f"`python tests/tools/sequence_table.py`, seed {SEED}, {today}, {processor()}"
    fill(FULL, "sequence", f"{stamp}.\n\n```text\n{text}\n```")


if __name__ == "__main__":
    main()
