"""Write the sample data anew: simulated studies of known truth, byte for byte the same each time.

Run as ``python sample_data/make.py`` to replace what lies beside this file, with names to write
only some (``python sample_data/make.py demo bids``), with ``-o FOLDER`` to write them elsewhere.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mrs_disc.data import Study
from mrs_disc.io.write_nifti_mrs import write_whole
from mrs_disc.simulate import (
    CERVICAL,
    LUMBAR,
    SNR_OF_PROTOCOL,
    THORACIC,
    Scan,
    Truth,
    draw_disc,
    simulate_study,
)
from mrs_disc.simulate.dataset import Form, Simulated, json_bytes, write_dataset, write_study
from mrs_disc.simulate.population import amplitudes

HERE = Path(__file__).parent
SHORT = Scan(n_points=1024, spectral_width_hz=2000.0, n_coils=4, n_transients=16, n_water=2)


def demo(folder: Path) -> None:
    """Five lumbar discs, two painful, one spoilt: a typical examination, of ``mrs-disc demo``."""
    write_study(folder, *_examination("demo-01", "typical"), form="nifti")


def weak(folder: Path) -> None:
    """Five discs, those of the demo, by the weak protocol: a poor examination."""
    write_study(folder, *_examination("weak-01", "weak"), form="rda")


def _examination(study_id: str, protocol: str) -> tuple[Study, Truth]:
    """Return discs whose amounts, baselines and lipid are drawn as the population has them."""
    return simulate_study(
        431,
        study_id=study_id,
        scan=Scan(
            n_points=1024,
            spectral_width_hz=2000.0,
            n_coils=4,
            n_transients=32,
            n_water=2,
            snr_factor=SNR_OF_PROTOCOL[protocol],
        ),
        kinds={"L1-L2": "H", "L2-L3": "H", "L3-L4": "D", "L4-L5": "P", "L5-S1": "P"},
        snr={"L1-L2": 15.0},
        spoilt={"L1-L2": "noise"},
        lipid={"L1-L2": False},
    )


def _lumbar(form: Form) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        study, truth = simulate_study(
            21,
            study_id="lumbar-01",
            levels=("L2-L3", "L3-L4", "L4-L5", "L5-S1"),
            scan=SHORT,
            kinds={"L2-L3": "H", "L3-L4": "D", "L4-L5": "P", "L5-S1": "D"},
            snr={"L2-L3": 32.0, "L3-L4": 18.0, "L4-L5": 16.0, "L5-S1": 18.0},
        )
        write_study(folder, study, truth, form=form)

    write.__doc__ = f"Four lumbar discs, the same study in every format: {form}."
    return write


def cervical(folder: Path) -> None:
    """Four cervical discs at 3 T: small voxels, few protons, Philips SDAT/SPAR."""
    scan = Scan(
        n_points=1024,
        spectral_width_hz=2000.0,
        n_coils=4,
        n_transients=24,
        n_water=2,
        voxel_size_mm=(12.0, 10.0, 4.0),
    )
    study, truth = simulate_study(
        31, study_id="cervical-01", levels=CERVICAL, scan=scan, kinds={"C5-C6": "P"}, snr=12.0
    )
    write_study(folder, study, truth, form="sdat")


def thoracic(folder: Path) -> None:
    """Three thoracic discs at 1.5 T, Siemens RDA."""
    scan = Scan(
        spectrometer_mhz=63.66,
        echo_time_s=0.035,
        n_points=1024,
        spectral_width_hz=1000.0,
        n_coils=4,
        n_transients=24,
        n_water=2,
        voxel_size_mm=(16.0, 14.0, 4.0),
        snr_factor=SNR_OF_PROTOCOL["weak"],
    )
    study, truth = simulate_study(
        41, study_id="thoracic-01", levels=THORACIC[1:], scan=scan, kinds={"T11-T12": "D"}
    )
    write_study(folder, study, truth, form="rda")


def failing(folder: Path) -> None:
    """Four lumbar discs: one file without any signal, one disc spoilt by motion, two good ones."""
    study, truth = simulate_study(
        51,
        study_id="failing-01",
        levels=("L2-L3", "L3-L4", "L4-L5", "L5-S1"),
        scan=SHORT,
        kinds={"L2-L3": "H", "L3-L4": "D", "L4-L5": "P", "L5-S1": "P"},
        snr=20.0,
        spoilt={"L3-L4": "silent", "L5-S1": ("broad", "noise")},
    )
    write_study(folder, study, truth, form="nifti")


def bids(folder: Path) -> None:
    """Six subjects in BIDS-MRS: sub-03 has two sessions, sub-05 a repeated disc."""
    levels = ("L3-L4", "L4-L5", "L5-S1")
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_coils=4, n_transients=12, n_water=2)

    def studies() -> Iterator[Simulated]:
        for subject in range(1, 7):
            for session in (1, 2) if subject == 3 else (None,):
                study, truth = simulate_study(
                    61,
                    levels=levels,
                    subject=subject,
                    session=session,
                    scan=scan,
                    repeats={"L4-L5": 2} if subject == 5 else None,
                    provocation=True,
                )
                yield Simulated(study=study, truth=truth)

    write_dataset(folder, studies(), form="nifti", name="Simulated discs of six subjects")


def cohort(folder: Path) -> None:
    """Forty patients of five discs as a table with provocation results, for calibration.

    Amplitudes are the true ones plus normal errors whose size follows from a drawn SNR, so that
    the table does not depend on how spectra are fitted.
    """
    rows, truths = [], {}
    for subject in range(1, 41):
        name = f"sub-{subject:02d}"
        truths[name] = {}
        for place, level in enumerate(LUMBAR):
            disc = draw_disc(71, subject, level, gas=False)
            true = amplitudes(disc, echo_time_s=0.028, repetition_time_s=1.5)
            rng = np.random.default_rng([71, subject, place])
            truths[name][level] = {"kind": disc.kind, "painful": disc.kind == "P"}
            rows.append([name, level, *_measured(rng, disc.snr, true), disc.provocation.result])
    write_whole(folder / "levels.tsv", _table(rows).encode())
    write_whole(folder / "levels.json", json_bytes(COHORT_COLUMNS))
    write_whole(folder / "truth.json", json_bytes(truths))


COHORT_COLUMNS = {
    "participant_id": {"Description": "simulated patient"},
    "level": {"Description": "disc level"},
    "run": {"Description": "which measurement of this level, from 1"},
    "status": {"Description": "whether the disc could be measured"},
    "verdict": {"Description": "quality of the spectrum: good from SNR 8 on, poor below 5"},
    "acidity": {"Description": "LAC + ALA + 3/5 PA, areas, cut at zero"},
    "acidity_sd": {"Description": "standard deviation"},
    "structure": {"Description": "PG + COL, areas"},
    "structure_sd": {"Description": "standard deviation"},
    "acidity/structure": {"Description": "ratio of both"},
    "acidity/structure_sd": {"Description": "standard deviation"},
    "log(acidity/structure)": {"Description": "natural logarithm; n/a where acidity is a limit"},
    "log(acidity/structure)_sd": {"Description": "standard deviation"},
    "log(acidity/structure)_low": {"Description": "lower end of the 95 % interval"},
    "log(acidity/structure)_high": {"Description": "upper end; one-sided where it is a limit"},
    "provocation": {"Description": "simulated result of provocation discography"},
}


def _measured(rng: np.random.Generator, snr: float, true: dict[str, float]) -> list[str]:
    """Return run, status, verdict and the quantities with their intervals."""
    acidity = true["LAC"] + true["ALA"] + 0.6 * true["PA"]
    structure = true["PG"] + true["COL"]
    acid_sd, structure_sd = 1.2 * true["PG"] / snr, 1.5 * true["PG"] / snr
    acid = acidity + acid_sd * rng.standard_normal()
    base = max(structure + structure_sd * rng.standard_normal(), 3 * structure_sd)
    ratio = max(acid, 0.0) / base
    numbers = [max(acid, 0.0), acid_sd, base, structure_sd]
    numbers += [ratio, float(np.hypot(acid_sd, ratio * structure_sd) / base)]
    if acid < 2 * acid_sd:
        numbers += [np.nan, np.nan, np.nan, np.log(ratio + 1.645 * acid_sd / base)]
    else:
        value, sd = float(np.log(ratio)), float(np.hypot(acid_sd / acid, structure_sd / base))
        numbers += [value, sd, value - 1.96 * sd, value + 1.96 * sd]
    verdict = "good" if snr >= 8 else "acceptable" if snr >= 5 else "poor"
    return ["1", "ok", verdict, *("n/a" if np.isnan(v) else f"{v:.6g}" for v in numbers)]


def _table(rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in (list(COHORT_COLUMNS), *rows))


def basis(folder: Path) -> None:
    """Write a small basis set as LCModel has it: singlets and a doublet as they are at TE 0."""
    mhz, dwell_s, n = 127.7, 5e-4, 512
    lines = {"PG": [(2.04, 3.0)], "LAC": [(1.287, 1.5), (1.341, 1.5)], "CHO": [(3.21, 9.0)]}
    time = dwell_s * np.arange(n)
    text = f" $SEQPAR\n HZPPPM = {mhz}, SEQ = 'NONE' $END\n $BASIS1\n FMTBAS = '(6E13.5)',"
    text += f" BADELT = {dwell_s:g}, NDATAB = {2 * n} $END\n"
    for name, of in lines.items():
        hz = [(ppm - 4.65) * mhz for ppm, _ in of]
        fid = sum(
            w * np.exp((2j * np.pi * f - np.pi) * time) for f, (_, w) in zip(hz, of, strict=True)
        )
        spectrum = np.fft.fft(np.conj(fid), 2 * n, norm="ortho")
        text += f" $BASIS\n ID = '{name}', METABO = '{name}', CONC = 1., TRAMP = 1., VOLUME = 1.,"
        text += " ISHIFT = 0 $END\n"
        words = [f"{value:13.5E}" for value in spectrum.view(float)]
        text += "".join("".join(words[k : k + 6]) + "\n" for k in range(0, len(words), 6))
    folder.mkdir(parents=True)
    write_whole(folder / "three.basis", text.encode(), overwrite=True)


PARTS: dict[str, Callable[[Path], None]] = {
    "demo": demo,
    "weak": weak,
    "lumbar_nifti": _lumbar("nifti"),
    "lumbar_sdat": _lumbar("sdat"),
    "lumbar_rda": _lumbar("rda"),
    "lumbar_dicom": _lumbar("dicom"),
    "cervical_sdat": cervical,
    "thoracic_rda": thoracic,
    "failing": failing,
    "bids": bids,
    "cohort": cohort,
    "basis": basis,
}


def make(output: Path, names: list[str]) -> None:
    """Write the named parts into `output`; each replaces its old one only when it is whole."""
    output.mkdir(parents=True, exist_ok=True)
    for name in names:
        with tempfile.TemporaryDirectory(dir=output, prefix=".part-") as scratch:
            PARTS[name](Path(scratch) / name)
            target = output / name
            if target.exists():
                shutil.rmtree(target)
            (Path(scratch) / name).rename(target)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}"
    )
    parser.add_argument("-o", "--output", type=Path, default=HERE)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"no part is named '{unknown[0]}'. Parts: {', '.join(PARTS)}")
    make(arguments.output, arguments.parts or list(PARTS))


if __name__ == "__main__":
    main()
