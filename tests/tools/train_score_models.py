"""Write the shipped score models from the simulator's population.

    python tests/tools/train_score_models.py

No coefficients of disc spectroscopy are public. The parameters are those of simulated discs, as a
perfect spectrometer would see them (areas, T1- and T2-weighted at echo times of 28 to 35 ms and
repetition times of 1 to 2 s): class means and standard deviations, the patient's offset, and the
shares of the classes among five lumbar discs. A local refit (`mrs-disc model calibrate`) replaces
them.
"""

from __future__ import annotations

import argparse
from math import log, sqrt
from pathlib import Path

import numpy as np

from mrs_disc.simulate import LUMBAR, draw_disc
from mrs_disc.simulate.population import KINDS, amplitudes, load_population

MODELS = Path(__file__).resolve().parents[2] / "mrs_disc" / "models"
NAMES = {"H": "healthy", "D": "degenerated", "P": "painful"}
WORDS = {
    "H": "Pfirrmann I-II, painless",
    "D": "Pfirrmann III-IV, painless",
    "P": "Pfirrmann III-IV, painful",
}
INTENDED = (
    "Research: rank and label the discs of one examination measured with short-echo 3 T PRESS."
)


def draw(seed: int, per_class: int) -> dict[str, dict[str, np.ndarray]]:
    """Return log(acidity/structure), LAC/PG and log structure per water of many discs by class."""
    rng = np.random.default_rng(seed)
    table: dict[str, dict[str, np.ndarray]] = {}
    for kind in KINDS:
        r, lac_pg, structure = (np.empty(per_class) for _ in range(3))
        for n in range(per_class):
            disc = draw_disc(seed, n, "L4-L5", kind=kind)
            area = amplitudes(
                disc,
                echo_time_s=rng.uniform(0.028, 0.035),
                repetition_time_s=rng.uniform(1.0, 2.0),
            )
            acid = area["LAC"] + area["ALA"] + 0.6 * area["PA"]
            r[n] = log(acid / (area["PG"] + area["COL"]))
            lac_pg[n] = area["LAC"] / area["PG"]
            c = disc.concentration
            structure[n] = log(3 * c["PG"] + c["COL"])
        table[kind] = {"r": r, "LAC/PG": lac_pg, "structure": structure}
    return table


def shares() -> np.ndarray:
    """Return the shares of H, D and P among the five lumbar discs."""
    share = load_population().share
    lower = {"L3-L4", "L4-L5", "L5-S1"}
    rows = [share["lower" if level in lower else "upper"] for level in LUMBAR]
    return np.mean(rows, axis=0)


def youden(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the limit with the largest sum of sensitivity and specificity."""
    limits = np.quantile(np.concatenate([positive, negative]), np.linspace(0.01, 0.99, 981))
    gain = [(positive > x).mean() + (negative <= x).mean() for x in limits]
    return float(limits[int(np.argmax(gain))])


def header(name: str, kind: str, description: str, intended: str, limits: list[str]) -> str:
    """Return the head that all models share."""
    text = "".join(f'  "{line}",\n' for line in limits)
    return f'''# Written by tests/tools/train_score_models.py from the simulator's population.
# status: V read in the source, R recalled, D derived, P proposed by this project. Nothing here was
# measured in people: the model reproduces published discrimination by construction.
schema_version = 1
name = "{name}"
version = 1
kind = "{kind}"
description = "{description}"
validated = false
intended_use = "{intended}"
limits = [
{text}]
'''


def scope(components: list[str]) -> str:
    """Return what a model was made for."""
    return f"""
[scope]
components = {components}
echo_time_s = [0.025, 0.040]
repetition_time_s = [0.9, 2.5]
field_t = [3.0]
exploratory_field_t = [1.5]
region = ["lumbar"]
source = "times of the simulated discs, with a margin: areas are not corrected for relaxation"
status = "P"
""".replace("'", '"')


def training(seed: int, per_class: int) -> str:
    """Return what a model was trained on."""
    return f"""
[training]
data = "simulated discs (population of the simulator, version {load_population().version})"
n_patients = {3 * per_class}
n_discs = {3 * per_class}
seed = {seed}
software = "tests/tools/train_score_models.py"
source = "mrs_disc/simulate/population.toml"
status = "P"
"""


def population(table: dict[str, dict[str, np.ndarray]], seed: int, per_class: int) -> str:
    """Return the population model of log(acidity/structure)."""
    patient_sd = load_population().patient_log_sd
    painful = table["P"]["r"]
    text = header(
        "acidity_structure",
        "population",
        "Probability of pain from log(acidity/structure) of all discs of a patient",
        INTENDED,
        [
            "trained on simulated discs; never tested against provocation discography",
            "the prevalence is that of five lumbar discs of a symptomatic patient in the simulator",
            "where most discs of a patient are painful all look too healthy: set the prevalence",
            "lactate under marrow lipid, or with alanine unresolved, widens the interval",
        ],
    )
    text += f"""
# r = log(acidity/structure), natural; acidity = LAC + ALA + 3/5 PA, structure = PG + COL, areas.
# One disc alone, where acidity is well above noise, with e the error of r:
#   p = sum of share * N(r; mean, sqrt(sd^2 + patient_sd^2 + e^2)) over the painful classes
#       / the same over all classes
r_range = [-5.0, 1.0]
r_cap = {painful.mean() + sqrt(painful.var() - patient_sd**2):.2f}
patient_sd = {patient_sd:g}
"""
    text += scope(["LAC", "ALA", "PA", "PG", "COL"])
    text += training(seed, per_class)
    text += """
[sources]
r_range = { source = "on it more acid means a higher probability in every class", status = "D" }
r_cap = { source = "mean + sd of painful discs: up to there more structure lowers p", status = "D" }
patient_sd = { source = "common to the acids of a patient's discs in the simulator", status = "P" }
"""
    for kind, share in zip(KINDS, shares(), strict=True):
        r = table[kind]["r"]
        text += f'''
[[class]]
name = "{NAMES[kind]}"
painful = {str(kind == "P").lower()}
share = {share:.4g}
mean = {r.mean():.3f}
sd = {sqrt(r.var() - patient_sd**2):.3f}
source = "simulated discs, {WORDS[kind]}"
status = "P"
'''
    return text


def structure_index(table: dict[str, dict[str, np.ndarray]], seed: int, per_class: int) -> str:
    """Return the model of degeneration."""
    text = header(
        "structure_index",
        "structure_index",
        "Degeneration from structure per tissue water; the score of pain divides by structure",
        "Research: degeneration of one disc from proteoglycan and collagen per kg tissue water.",
        [
            "trained on simulated discs",
            "says nothing about pain",
            "needs a water reference",
            "the T2 of PG is not known: what it is off by, all discs of a patient share",
        ],
    )
    text += scope(["PG", "COL"]) + training(seed, per_class)
    degenerated = np.concatenate([table["D"]["structure"], table["P"]["structure"]])
    share = shares()
    for name, flag, weight, values, words in (
        ("healthy", "false", share[0], table["H"]["structure"], "Pfirrmann I-II"),
        ("degenerated", "true", share[1] + share[2], degenerated, "Pfirrmann III-IV"),
    ):
        text += f'''
[[class]]
name = "{name}"
degenerated = {flag}
share = {weight:.4g}
mean = {values.mean():.3f}
sd = {values.std():.3f}
source = "simulated discs, {words}: log of mmol visible protons of PG and COL per kg tissue water"
status = "P"
'''
    return text


def cutoff(table: dict[str, dict[str, np.ndarray]], seed: int, per_class: int) -> str:
    """Return the plain limit of lactate over proteoglycan."""
    share = shares()
    healthy = round(per_class * share[0] / (share[0] + share[1]))
    painless = np.concatenate(
        [table["H"]["LAC/PG"][:healthy], table["D"]["LAC/PG"][: per_class - healthy]]
    )
    limit = youden(table["P"]["LAC/PG"], painless)
    text = header(
        "lactate_cutoff",
        "cutoffs",
        "A plain limit of lactate over proteoglycan, for comparison",
        "Research: a simple rule beside the population model.",
        ["trained on simulated discs", "its value is the chance to pass the limit, not of pain"],
    )
    text += scope(["LAC", "PG"]) + training(seed, per_class)
    return (
        text
        + f"""
[[cutoff]]
quantity = "LAC/PG"
positive = "above"
limit = {limit:.3f}
source = "largest sum of sensitivity and specificity among simulated discs"
status = "P"
"""
    )


def main() -> None:
    """Write the models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--per-class", type=int, default=20000)
    parser.add_argument("-o", "--output", type=Path, default=MODELS)
    options = parser.parse_args()
    table = draw(options.seed, options.per_class)
    for name, make in (
        ("acidity_structure", population),
        ("structure_index", structure_index),
        ("lactate_cutoff", cutoff),
    ):
        text = make(table, options.seed, options.per_class)
        (options.output / f"{name}.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
