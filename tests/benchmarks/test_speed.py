"""Processor time of the stages and of whole analyses, and the most memory that one may take.

Run by hand: ``pytest tests/benchmarks/test_speed.py --benchmark-columns=min,median``; needs
pytest-benchmark. Times are processor times of one BLAS thread. Machines differ, so no time is
asserted: what counts is a ratio to a yardstick of the same run (copying the raw array and one FFT
over it, the bare imports, another implementation of the same removal). ``--benchmark-json=FILE``
writes it under ``extra_info``, beside what it is meant to keep.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from time import process_time

import numpy as np
import pytest
import scipy.fft

import mrs_disc as md
from mrs_disc.constants import WATER_PPM
from mrs_disc.io.nifti_mrs import read
from mrs_disc.models.relaxation import load_relaxation_model
from mrs_disc.models.scores import load_score_model
from mrs_disc.report import write_report
from mrs_disc.score import score_study
from mrs_disc.signal.align import align
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.noise import noise_covariance
from mrs_disc.signal.water import remove_water
from mrs_disc.simulate.dataset import write_study
from mrs_disc.simulate.scanner import Scan
from mrs_disc.steps import grade
from mrs_disc.threads import one_blas_thread
from mrs_disc.validate.regimes import MHZ, SAMPLING, dirty

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
    benchmark(align, one, SAMPLING.dwell_time_s, window_hz=HZ[:2], water_hz=HZ[2:])


def test_residual_water(benchmark):
    fid = np.asarray(dirty(3, 0).acquisition.metabolite.signal, dtype=complex)
    benchmark(remove_water, fid, SAMPLING.dwell_time_s, limits_hz=HZ[2:])


def test_residual_water_by_hlsvdpropy(benchmark):
    hlsvdpropy = pytest.importorskip("hlsvdpropy")
    fid = np.asarray(dirty(3, 0).acquisition.metabolite.signal, dtype=complex)
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


def test_record_of_five_discs(benchmark, report, tmp_path):
    benchmark(write_report, report, tmp_path, formats=("json",), overwrite=True)


def test_file_to_result(benchmark, many):
    benchmark(lambda: md.analyze(md.read_study(many)))


def test_five_discs_to_results_json(benchmark, five, tmp_path):
    out = (tmp_path / str(n) for n in range(10**6))
    benchmark(lambda: write_report(md.analyze(md.read_study(five)), next(out), formats=("json",)))


def child_clock() -> float:
    """Return the processor time of all programs that were run so far, start-up and all."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.mark.benchmark(timer=child_clock)
def test_cold_analysis(benchmark, tmp_path_factory, tmp_path, monkeypatch):
    """One disc, JSON only, against the bare imports of NumPy, SciPy's used parts and nibabel."""
    one = uncompressed(tmp_path_factory.mktemp("one"), ONE, ["L4-L5"])
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "pyc"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    words = ("analyze", os.fspath(one), "--format", "json", "--overwrite", "-o")
    program = "import sys; from mrs_disc.cli import main; main(sys.argv[1:])"
    cold = (program, *words, os.fspath(tmp_path / "out"))
    bare = ("import numpy, scipy.linalg, scipy.fft, scipy.special, nibabel",)

    def run(command):
        subprocess.run([sys.executable, "-c", *command], check=True, capture_output=True)

    def seconds(command):
        begun = child_clock()
        run(command)
        return child_clock() - begun

    run(cold)  # writes the bytecode
    run(bare)
    benchmark.pedantic(run, (cold,), rounds=8)
    record_ratio(benchmark, "over the bare imports (at most 1.4)", min(map(seconds, [bare] * 8)))


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
