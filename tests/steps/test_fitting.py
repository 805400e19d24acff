"""From records to a fit: a basis is computed once a protocol, and the optimum is the right one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.analysis import analyze
from mrs_disc.data import Sampling
from mrs_disc.errors import InputError, ModelError
from mrs_disc.models import (
    MetaboliteModel,
    load_basis_fids,
    load_metabolite_model,
    metabolite_model_digest,
)
from mrs_disc.recipe import load_recipe
from mrs_disc.signal.fit.fit import Doubt
from mrs_disc.signal.fit.spins import Evolution, RefocusingPulse
from mrs_disc.simulate.study import simulate_study
from mrs_disc.steps import fit, fitting, preprocess
from mrs_disc.steps.basis import _basis, basis_of
from mrs_disc.validate.regimes import REGIMES

in_vivo = REGIMES["in vivo"].make
MODEL = load_metabolite_model("disc_1h")
SAMPLING = Sampling(dwell_time_s=4e-4, spectrometer_mhz=127.7)
SINC = RefocusingPulse(
    shape="hamming_sinc", bandwidth_hz=1200.0, duration_s=0.0033, carrier_ppm=2.7
)
PLAYED = Evolution(echo_time_s=0.028, refocusing=SINC)
OTHERS = {
    "echo time": (SAMPLING, replace(PLAYED, echo_time_s=0.144), 512),
    "pulses": (SAMPLING, replace(PLAYED, refocusing=None), 512),
    "sequence": (SAMPLING, Evolution(echo_time_s=0.028, pulses=(1,)), 512),
    "mixing time": (SAMPLING, Evolution(echo_time_s=0.028, pulses=(), mixing_time_s=0.01), 512),
    "dwell time": (replace(SAMPLING, dwell_time_s=5e-4), PLAYED, 512),
    "field": (replace(SAMPLING, spectrometer_mhz=127.7001), PLAYED, 512),
    "reference": (replace(SAMPLING, reference_ppm=4.7), PLAYED, 512),
    "start": (replace(SAMPLING, start_time_s=1e-4), PLAYED, 512),
    "length": (SAMPLING, PLAYED, 256),
}


def basis(model=MODEL, sampling=SAMPLING, evolution=PLAYED, n_points=512):
    return basis_of(model, evolution, sampling, n_points).fids


def anew(*case):
    _basis.cache_clear()
    return basis(MODEL, *case)


@pytest.mark.parametrize("what", OTHERS)
def test_another_protocol_has_its_own_basis(what):
    wanted = anew(*OTHERS[what])
    one = anew(SAMPLING, PLAYED, 512)
    found = basis(MODEL, *OTHERS[what])
    assert np.array_equal(found, wanted)
    assert not np.array_equal(found, one)
    assert np.array_equal(basis(), one)


def test_a_changed_line_changes_the_basis():
    before = basis()
    first = MODEL.component[0]
    line = first.part[0].resonance[0]
    lines = (line.model_copy(update={"weight": 2 * line.weight}), *first.part[0].resonance[1:])
    parts = (first.part[0].model_copy(update={"resonance": lines}), *first.part[1:])
    changed = (first.model_copy(update={"part": parts}), *MODEL.component[1:])
    after = basis(MODEL.model_copy(update={"component": changed}))
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1:], before[1:])


def test_a_basis_that_fits_share_cannot_be_written_into():
    with pytest.raises(ValueError, match="read-only"):
        basis()[:] = 0


def test_a_cheaper_optimum_under_other_lines_is_not_taken():
    """In this weak and broad disc LAC under PG's peak fits 80 Hz off, and better by a hair."""
    case = in_vivo(121393, 634)
    recipe = load_recipe()
    fitted = fit(preprocess(case.acquisition, recipe), recipe)
    assert fitted.converged
    assert abs(fitted.curves.reference_shift_ppm) < 0.2
    error = fitted.amplitude[fitted.index("PG")] - case.truth["PG"]
    assert abs(error) < 3 * fitted.sd[fitted.index("PG")]


@pytest.mark.parametrize("index", [11, 84])
def test_lines_without_lorentzian_width_are_followed_by_the_curve(index):
    """The linear problem would have the width negative: the curve must not stay behind at zero."""
    case = in_vivo(903, index)
    recipe = load_recipe()
    fitted = fit(preprocess(case.acquisition, recipe), recipe)
    assert fitted.noise.residual_ratio < 1.2
    error = fitted.amplitude[fitted.index("PG")] - case.truth["PG"]
    assert abs(error) < 3 * fitted.sd[fitted.index("PG")]


@pytest.mark.parametrize("index", [44, 93])
def test_rounding_decides_nothing(index):
    """Here the solver's steps led exactly onto a bound, and the last digit chose the way."""
    recipe = load_recipe()
    clean = preprocess(in_vivo(903, index).acquisition, recipe)
    rounded = 1 + 1e-14 * np.random.default_rng(index).standard_normal(clean.fid.n_points)
    touched = replace(clean, fid=replace(clean.fid, signal=clean.fid.signal * rounded))
    one, other = fit(clean, recipe), fit(touched, recipe)
    assert np.all(np.abs(one.amplitude - other.amplitude) < 1e-6 * one.sd)


_OPENED: list[Path] | None = None


def _note(event, arguments):
    if event == "open" and _OPENED is not None and isinstance(arguments[0], str):
        _OPENED.append(Path(arguments[0]))


sys.addaudithook(_note)  # cannot be taken away again, and does nothing but here


@contextmanager
def opened():
    """Give the list of all files that are opened inside, by whatever means."""
    global _OPENED
    _OPENED = files = []
    try:
        yield files
    finally:
        _OPENED = None


RAW = " $SEQPAR\n DELTAT={dwell}\n $END\n $NMID\n id='{name}'\n fmtdat='(2E15.6)'\n $END\n"


def basis_file(path, ppm, dwell_time_s=2.5e-4):
    """Write a line of 2 Hz as LCModel has it: conjugated."""
    time = np.arange(4096) * dwell_time_s
    line = np.exp(-2j * np.pi * (ppm - 4.65) * 127.7 * time - np.pi * 2 * time)
    rows = "".join(f"{z.real:15.6E}{z.imag:15.6E}\n" for z in line)
    path.write_text(RAW.format(dwell=dwell_time_s, name=path.stem) + rows)


@pytest.fixture
def simulated_model(tmp_path):
    basis_file(tmp_path / "A.raw", 2.02)
    basis_file(tmp_path / "B.raw", 1.31)
    text = 'name = "mine"\n'
    for name in "AB":
        text += f'[[component]]\nname = "{name}"\nbasis = "{name}.raw"\nextra_width_hz = 1.0\n'
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_basis_files_are_opened_once_however_many_discs_there_are(simulated_model):
    recipe = load_recipe()
    recipe = recipe.model_copy(
        update={"fit": recipe.fit.model_copy(update={"model": str(simulated_model)})}
    )
    study, _ = simulate_study(seed=3, levels=("L3-L4", "L4-L5", "L5-S1"))
    with opened() as files:
        report = analyze(study, recipe)
    assert all(level.measurement is not None for level in report.levels)
    assert sorted(path.name for path in files if path.suffix == ".raw") == ["A.raw", "B.raw"]


def test_discs_of_one_protocol_share_the_basis_of_files(simulated_model):
    """The same object, also where the model was loaded anew from files of the same content."""
    first, again = (load_metabolite_model(str(simulated_model)) for _ in range(2))
    one = basis_of(first, PLAYED, SAMPLING, 512)
    assert basis_of(again, PLAYED, SAMPLING, 512) is one
    basis_file(simulated_model.with_name("B.raw"), 1.33)
    changed = load_metabolite_model(str(simulated_model))
    other = basis_of(changed, PLAYED, SAMPLING, 512)
    assert np.array_equal(other.fids[0], one.fids[0])
    assert not np.array_equal(other.fids[1], one.fids[1])


def test_a_basis_of_files_is_the_line_that_was_simulated(simulated_model):
    """From 4000 to 2500 Hz and broadened, against the closed form; files keep 7 digits."""
    fids = basis(load_metabolite_model(str(simulated_model)))
    time = SAMPLING.time_s(512)
    expected = np.exp(2j * np.pi * (2.02 - 4.65) * 127.7 * time - np.pi * 3 * time)
    np.testing.assert_allclose(fids[0], expected, atol=2e-5)


def test_a_model_whose_basis_files_were_not_read_is_refused(simulated_model):
    loaded = load_metabolite_model(str(simulated_model))
    bare = MetaboliteModel.model_validate(loaded.model_dump())
    with pytest.raises(ModelError, match="basis file of A has not been read"):
        basis(bare)
    assert np.array_equal(basis(load_basis_fids(bare, simulated_model.parent)), basis(loaded))


def test_a_digest_covers_the_basis_files(simulated_model):
    before = metabolite_model_digest(load_metabolite_model(str(simulated_model)))
    assert metabolite_model_digest(load_metabolite_model(str(simulated_model))) == before
    basis_file(simulated_model.with_name("B.raw"), 1.33)
    assert metabolite_model_digest(load_metabolite_model(str(simulated_model))) != before


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        (None, ""),
        (Doubt("unsettled"), "did not end"),
        (Doubt("too broad", 80.0), "as broad as is allowed, 80 Hz"),
        (Doubt("lost", -21.4), "ended -21 Hz from where it started"),
    ],
)
def test_a_doubt_of_the_kernel_becomes_a_sentence(monkeypatch, doubt, words):
    """The kernel knows kinds and numbers; the record holds the words."""
    kernel = fitting.fit_fid
    monkeypatch.setattr(fitting, "fit_fid", lambda *a, **k: replace(kernel(*a, **k), doubt=doubt))
    recipe = load_recipe()
    fitted = fit(preprocess(in_vivo(903, 1).acquisition, recipe), recipe)
    assert fitted.converged == (doubt is None)
    assert words in fitted.reason


def test_an_error_of_the_kernel_names_components(simulated_model):
    basis_file(simulated_model.with_name("B.raw"), 2.02)
    recipe = load_recipe()
    model = load_metabolite_model(str(simulated_model))
    with pytest.raises(InputError, match="components A and B cannot be told apart"):
        fit(preprocess(in_vivo(903, 1).acquisition, recipe), recipe, model)
