"""Processor time of the stages and of whole analyses, and the most memory that one may take.

Run by hand: ``pytest tests/benchmarks/test_speed.py --benchmark-columns=min,median``; needs
pytest-benchmark. Times are processor times of one BLAS thread. Machines differ, so no time is
asserted: what counts is a ratio to a yardstick of the same run (copying the raw array and one FFT
over it, the bare imports, another implementation of the same). ``--benchmark-json=FILE`` writes it
under ``extra_info``, beside what it is meant to keep. Readers want the real files that
`MRS_DISC_REAL_DATA` names.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import process_time
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.fft

import mrs_disc as md
from mrs_disc.constants import WATER_PPM
from mrs_disc.io.formats.nifti_mrs import read
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.models.relaxation import load_relaxation_model
from mrs_disc.models.scores import load_score_model
from mrs_disc.report import write_report
from mrs_disc.scoring import score_study
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.noise import noise_covariance
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.series import Series
from mrs_disc.signal.water import remove_water
from mrs_disc.simulate.dataset import write_study
from mrs_disc.simulate.scanner import Scan
from mrs_disc.steps import grade
from mrs_disc.threads import one_blas_thread
from mrs_disc.validate.regimes import MHZ, REGIMES, SAMPLING

pytest.importorskip("pytest_benchmark")
pytestmark = pytest.mark.benchmark(timer=process_time, warmup=True, min_rounds=5)
MANY = Scan(n_coils=32, n_transients=64, n_water=4)  # 34 MB
ONE = Scan(n_coils=1, n_transients=1, n_water=1)
LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
HZ = tuple((ppm - WATER_PPM) * MHZ for ppm in (0.2, 4.2, 4.4, 4.9))


def uncompressed(folder: Path, scan: Scan, levels: list[str]) -> Path:
    """Write a simulated study as plain .nii files."""
    import gzip

    study, _ = md.simulate_study(11, levels=levels, anatomy=False, study_id="speed", scan=scan)
    write_study(folder, study, None, form="nifti")
    for path in folder.glob("*.nii.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace(".nii.gz", ".nii"))
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return uncompressed(tmp_path_factory.mktemp("many"), MANY, ["L4-L5"])


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    return uncompressed(tmp_path_factory.mktemp("five"), ONE, LEVELS)


@pytest.fixture(scope="module")
def report(five):
    return md.analyze(md.read_study(five))


@pytest.fixture(scope="module")
def acquisition(many):
    return md.read_study(many)["L4-L5"]


@one_blas_thread
def least_seconds(function, rounds=5):
    """Return the least processor time of a warm call."""
    function()
    spent = []
    for _ in range(rounds):
        begun = process_time()
        function()
        spent.append(process_time() - begun)
    return min(spent)


def record_ratio(benchmark, what, yardstick_s):
    """Write how many times a yardstick the benchmark took; nothing where it was switched off."""
    if benchmark.stats is not None:
        benchmark.extra_info[what] = round(benchmark.stats["min"] / yardstick_s, 3)


def test_reading(benchmark, many):
    benchmark(read, next(many.glob("*press.nii")))


def test_coils(benchmark, acquisition):
    raw, water = acquisition.metabolite.signal, acquisition.water.signal
    benchmark(lambda: combine(raw, coil_weights(water, noise_covariance(raw)).weights))


def test_alignment(benchmark, acquisition):
    raw = acquisition.metabolite.signal
    one = combine(raw, coil_weights(acquisition.water.signal, noise_covariance(raw)).weights)
    benchmark(
        lambda: align(Series.of(one, SAMPLING.dwell_time_s), window_hz=HZ[:2], water_hz=HZ[2:])
    )


def test_residual_water(benchmark):
    fid = np.asarray(REGIMES["dirty"].make(3, 0).acquisition.metabolite.signal, dtype=complex)
    benchmark(remove_water, fid, SAMPLING.dwell_time_s, limits_hz=HZ[2:])


def test_residual_water_by_hlsvdpropy(benchmark):
    hlsvdpropy = pytest.importorskip("hlsvdpropy")
    fid = np.asarray(REGIMES["dirty"].make(3, 0).acquisition.metabolite.signal, dtype=complex)
    dwell = SAMPLING.dwell_time_s
    benchmark.pedantic(hlsvdpropy.hlsvd, (fid, 25, 1e3 * dwell), rounds=2)
    ours = least_seconds(lambda: remove_water(fid, dwell, limits_hz=HZ[2:]))
    record_ratio(benchmark, "over our removal (at least 40)", ours)


def test_preprocessing(benchmark, acquisition):
    raw = acquisition.metabolite.signal
    benchmark(md.preprocess, acquisition, md.load_recipe())
    yardstick = least_seconds(lambda: scipy.fft.fft(raw.copy(), axis=-1))
    record_ratio(benchmark, "over a copy of the raw array and one FFT (at most 3)", yardstick)


def test_fit(benchmark, acquisition):
    benchmark(md.fit, md.preprocess(acquisition, md.load_recipe()), md.load_recipe())


def test_quality_and_quantities(benchmark, acquisition):
    recipe = md.load_recipe()
    preprocessed = md.preprocess(acquisition, recipe)
    fitted = md.fit(preprocessed, recipe)
    times = load_relaxation_model(recipe.quantify.relaxation)

    def both():
        grade(fitted, preprocessed, recipe)
        return md.quantify(fitted, preprocessed, recipe, relaxation=times)

    benchmark(both)


def test_score_of_five_discs(benchmark, report):
    model = load_score_model(report.recipe.score.model)
    benchmark(score_study, report.levels, model, report.recipe)


@pytest.mark.parametrize("formats", [("json",), ("html", "pdf", "csv")], ids="+".join)
def test_files_of_five_discs(benchmark, report, tmp_path, formats):
    benchmark(write_report, report, tmp_path, formats=formats, overwrite=True)


def test_list_of_ten_thousand_studies(benchmark, tmp_path):
    """From the table of a batch to the first page of the review page's list."""
    from mrs_disc.review.catalogue import Catalogue, Query
    from mrs_disc.review.studies import Library

    quantities = "\t".join(["0.123456789"] * 60)
    rows = [
        f"sub-{n:05d}\tn/a\t{level}\t1\tok\tgood\tindeterminate\t0.{n % 1000:03d}\t{quantities}"
        for n in range(10_000)
        for level in LEVELS
    ]
    head = "participant_id\tsession_id\tlevel\trun\tstatus\tverdict\tlabel\tscore"
    names = "\t".join(f"Q{n}" for n in range(60))
    (tmp_path / "levels.tsv").write_text("\n".join([f"{head}\t{names}", *rows, ""]))
    benchmark(lambda: Catalogue(tmp_path).page(Query(), Library()))


def test_file_to_result(benchmark, many):
    benchmark(lambda: md.analyze(md.read_study(many)))


def test_five_discs_to_results_json(benchmark, five, tmp_path):
    out = (tmp_path / str(n) for n in range(10**6))
    benchmark(lambda: write_report(md.analyze(md.read_study(five)), next(out), formats=("json",)))


def child_clock() -> float:
    """Return the processor time of all programs that were run so far, start-up and all."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def run_python(*command: str) -> None:
    """Run a program in a process of its own."""
    command = (sys.executable, "-W", "ignore", "-c", *command)
    subprocess.run(command, check=True, capture_output=True)


def child_seconds(*command: str) -> float:
    """Return the processor time of a program, start-up and all."""
    begun = child_clock()
    run_python(*command)
    return child_clock() - begun


@pytest.mark.benchmark(timer=child_clock)
def test_cold_analysis(benchmark, tmp_path_factory, tmp_path, monkeypatch):
    """One disc, JSON only, against the bare imports of NumPy, SciPy's used parts and nibabel."""
    one = uncompressed(tmp_path_factory.mktemp("one"), ONE, ["L4-L5"])
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "pyc"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    words = ("analyze", os.fspath(one), "--format", "json", "--overwrite", "-o")
    program = "import sys; from mrs_disc.cli import main; main(sys.argv[1:])"
    cold = (program, *words, os.fspath(tmp_path / "out"))
    bare = "import numpy, scipy.linalg, scipy.fft, scipy.special, nibabel"
    run_python(*cold)  # writes the bytecode
    run_python(bare)
    benchmark.pedantic(run_python, cold, rounds=8)
    least = min(child_seconds(bare) for _ in range(8))
    record_ratio(benchmark, "over the bare imports (at most 1.4)", least)


# Real files, beside the functions of their vendors' formats


@pytest.fixture(scope="session")
def real_data():
    folder = Path(os.environ.get("MRS_DISC_REAL_DATA", ""))
    if not (folder / "manifest.json").is_file():
        pytest.skip("MRS_DISC_REAL_DATA names no folder of real files")
    return folder


def vendor_function(kind, path):
    if kind == "sdat":
        from spec2nii.Philips.philips import read_sdat_spar_pair

        return lambda: read_sdat_spar_pair(path, path.with_suffix(".spar"), tags=[None] * 3)
    if kind == "rda":
        from spec2nii.Siemens.rda import convert_rda

        return lambda: convert_rda(path, None, False)
    if kind == "dicom":
        from spec2nii.Siemens.dicomfunctions import multi_file_dicom

        return lambda: multi_file_dicom([path], None, "DIM_DYN", False)
    if kind == "nifti":
        from nifti_mrs.nifti_mrs import NIFTI_MRS

        return lambda: NIFTI_MRS(str(path))[:]
    if kind == "jmrui":
        from spec2nii.jmrui import jmrui_format

        return lambda: jmrui_format(SimpleNamespace(file=path, affine=None, fileout=None))
    from mapvbvd import mapVBVD
    from spec2nii.Siemens.twixfunctions import process_twix

    def twix():
        with contextlib.redirect_stderr(io.StringIO()):
            found = mapVBVD(str(path), quiet=True)
            found = found[-1] if isinstance(found, list) else found
            none = {"dims": (None,) * 3, "tags": (None,) * 3}
            process_twix(found, None, path.name, "image", none, quiet=True, remove_os=False)

    return twix


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("sdat", "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat"),
        ("rda", "suspect/SVS_30.rda"),
        ("dicom", "suspect/SVS_30.IMA"),
        ("nifti", "nifti_mrs_tools/metab_raw.nii.gz"),
        ("jmrui", "spec2nii/metab_jmrui.txt"),
        ("twix", "pastis/spinal_cord_sLASER_shortTE_noWS.dat"),
        ("twix", "pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat"),
    ],
)
def test_reader(benchmark, kind, name, real_data):
    path = real_data / name
    benchmark(read_scan, path)
    theirs = least_seconds(vendor_function(kind, path))
    record_ratio(benchmark, "over the vendor's function (at most 1.5)", theirs)


INFO = {
    "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat": "numpy",
    "suspect/SVS_30.rda": "numpy",
    "spec2nii/metab.RAW": "numpy",
    "suspect/SVS_30.IMA": "numpy, pydicom, nibabel.nicom.csareader",
    "nifti_mrs_tools/metab.nii.gz": "numpy, nibabel.nifti1, nibabel.nifti2",
    "pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat": "mapvbvd, spec2nii.Siemens.twixfunctions",
}
"""A file of a format, and what reading it has to import."""


@pytest.mark.benchmark(timer=child_clock)
@pytest.mark.parametrize("name", INFO)
def test_info(benchmark, name, real_data):
    """A whole command, against the bare imports of what it needs."""
    needed = f"import click, mrs_disc.cli, mrs_disc.io.describe, {INFO[name]}"
    info = ("from mrs_disc.cli import main; main()", "info", os.fspath(real_data / name))
    benchmark.pedantic(run_python, info, rounds=5)
    bare = min(child_seconds(needed) for _ in range(5))
    record_ratio(benchmark, "over the bare imports (at most 1.2)", bare)


# What has to hold on any machine


MEMORY = """
from pathlib import Path
import sys
import mrs_disc as md
def of(key):
    return int(Path("/proc/self/status").read_text().partition(key)[2].split()[0]) * 1024
md.analyze(md.read_study(Path(sys.argv[1])))
before = of("VmRSS:")
Path("/proc/self/clear_refs").write_text("5")
md.analyze(md.read_study(Path(sys.argv[2])))
print(of("VmHWM:") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's counters")
def test_peak_memory_is_at_most_three_times_the_raw_array(many, five):
    """Beyond what a small study has needed before, imports and all."""
    command = [sys.executable, "-c", MEMORY, str(five), str(many)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    raw = MANY.n_coils * MANY.n_transients * MANY.n_points * 8
    assert int(done.stdout) < 3 * raw
