"""What must not change the answer: phase, scale, order of coils and transients; and what must."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.data import DiscAcquisition, Fid, FitResult, RawSignal, Transients
from mrs_disc.errors import InputError
from mrs_disc.recipe import FitOptions, Recipe
from mrs_disc.steps import fit, grade, preprocess

RECIPE = Recipe(fit=FitOptions(baseline="none"))
SMALL = settings(max_examples=8)


def fitted(disc: DiscAcquisition, recipe: Recipe = RECIPE) -> FitResult:
    return fit(preprocess(disc, recipe), recipe)


def with_signals(disc: DiscAcquisition, change) -> DiscAcquisition:
    """Return the disc with the same change of metabolite and water samples."""
    return replace(
        disc,
        metabolite=RawSignal(
            signal=change(disc.metabolite.signal), sampling=disc.metabolite.sampling
        ),
        water=RawSignal(signal=change(disc.water.signal), sampling=disc.metabolite.sampling),
    )


@pytest.fixture(scope="session")
def as_measured(disc) -> FitResult:
    return fitted(disc)


def assert_same(one: FitResult, other: FitResult, scale: float = 1.0) -> None:
    """Equal within a twentieth of the uncertainty: only rounding and ties differ."""
    difference = np.abs(other.amplitude / scale - one.amplitude)
    assert np.all(difference < 0.05 * one.sd + 1e-9)
    assert other.sd / scale == pytest.approx(one.sd, rel=0.02)


def test_amplitudes_are_true_within_their_uncertainty(as_measured, truth):
    for name, amplitude in truth.items():
        index = as_measured.index(name)
        assert abs(as_measured.amplitude[index] - amplitude) < 4 * as_measured.sd[index], name
    assert as_measured.converged


@SMALL
@given(angle=st.floats(-np.pi, np.pi))
def test_a_phase_of_all_samples_changes_nothing(disc, as_measured, angle):
    assert_same(as_measured, fitted(with_signals(disc, lambda s: s * np.exp(1j * angle))))


@SMALL
@given(power=st.integers(-12, 12))
def test_amplitudes_scale_with_the_signal(disc, as_measured, power):
    scale = 10.0**power
    assert_same(as_measured, fitted(with_signals(disc, lambda s: s * scale)), scale)


@SMALL
@given(order=st.permutations(range(4)))
def test_the_order_of_coils_changes_nothing(disc, as_measured, order):
    assert_same(as_measured, fitted(with_signals(disc, lambda s: s[list(order)])))


def test_the_reverse_order_of_transients_changes_nothing(disc, as_measured):
    assert_same(as_measured, fitted(with_signals(disc, lambda s: s[:, ::-1])))


@SMALL
@given(angles=st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_the_phase_of_each_coil_changes_nothing(disc, as_measured, angles):
    turn = np.exp(1j * np.array(angles))[:, None, None]
    assert_same(as_measured, fitted(with_signals(disc, lambda s: s * turn)))


def test_a_mirrored_spectrum_is_not_fitted_as_if_it_were_right(disc):
    """The sign convention matters: conjugated samples hold no proteoglycan at 2.04 ppm."""
    mirrored = preprocess(with_signals(disc, np.conj), RECIPE)
    quality = grade(fit(mirrored, RECIPE), mirrored, RECIPE)
    assert quality.verdict == "poor"
    assert any("the model does not describe the spectrum" in r for r in quality.reasons)


def test_noise_free_amplitudes_are_within_half_a_percent(noise_free, truth):
    result = fitted(noise_free)
    for name, amplitude in truth.items():
        assert result.amplitude[result.index(name)] == pytest.approx(amplitude, rel=0.005), name


def test_the_echo_time_has_to_be_known(disc):
    with pytest.raises(InputError, match=r"echo time is unknown.*echo_time_s under \[disc"):
        fitted(replace(disc, protocol=replace(disc.protocol, echo_time_s=None)))


def test_steps_that_the_scanner_did_are_skipped_and_said(disc):
    mean = disc.metabolite.signal[0].mean(axis=0)
    one = replace(disc, metabolite=Fid(signal=mean, sampling=disc.metabolite.sampling), water=None)
    steps = {record.step: record for record in preprocess(one, RECIPE).fid.history}
    assert steps["combine coils"].method == "skipped"
    assert steps["align, reject, average"].measured["reason"] == "the file holds one averaged FID"


def test_the_drift_of_what_was_not_followed_is_unknown_and_not_zero(disc):
    rng = np.random.default_rng(3)
    shape = disc.metabolite.signal.shape
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    buried = replace(disc.metabolite, signal=disc.metabolite.signal + 500 * noise)
    weak = preprocess(replace(disc, metabolite=buried), RECIPE)
    steps = {record.step: record for record in weak.fid.history}
    assert steps["align"].method == "spectral registration by none"
    assert weak.drift_hz is None
    assert steps["align"].measured["drift_hz"] is None
    assert preprocess(disc, RECIPE).drift_hz == pytest.approx(4, abs=1)  # as it was made


def own_model(folder, ppm):
    """Return a model of three singlets, one of them at a place of its own."""
    component = """
        [[component]]
        name = "{name}"
        source = "made up"
        status = "P"
        resonance = [{{ ppm = {ppm}, weight = 3 }}]
    """
    lines = {"CHO": 3.21, "PG": 2.04, "TWIN": ppm}
    path = folder / "own.toml"
    text = "".join(component.format(name=name, ppm=at) for name, at in lines.items())
    path.write_text(f'schema_version = 1\nname = "own"\nversion = 1\nnucleus = "1H"\n{text}')
    return Recipe(fit=FitOptions(model=str(path), baseline="none"))


def test_components_that_cannot_be_told_apart_are_named(disc, tmp_path):
    with pytest.raises(InputError, match="components PG and TWIN cannot be told apart"):
        fitted(disc, own_model(tmp_path, 2.04))


def test_a_line_beyond_the_fitted_range_changes_nothing(disc, tmp_path):
    """At 6.5 ppm; the two others are fitted as by a model of them alone."""
    recipe = own_model(tmp_path, 6.5)
    pre = preprocess(disc, recipe)
    found, alone = fit(pre, recipe), fit(pre, recipe, exclude=["TWIN"])
    assert found.names == ("CHO", "PG")
    assert np.array_equal(found.amplitude, alone.amplitude)
    assert [one.kind for one in found.findings] == ["components_outside"]


def test_spoilt_transients_are_left_out_with_their_reasons(disc):
    signal = disc.metabolite.signal.copy()
    signal[:, 3] *= np.exp(1j * np.radians(115))
    signal[:, 9] = np.nan
    spoilt = replace(disc, metabolite=RawSignal(signal=signal, sampling=disc.metabolite.sampling))
    preprocessed = preprocess(spoilt, RECIPE)
    assert set(preprocessed.rejected) == {3, 9}
    assert re.fullmatch(r"phase jump of \+11[0-9] degrees", preprocessed.rejected[3])
    assert preprocessed.rejected[9] == "zero or not finite"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s * 0, "zero"),
        (lambda s: s * np.nan, "finite"),
    ],
)
def test_hopeless_samples_are_an_error_for_people(disc, change, message):
    broken = replace(
        disc,
        metabolite=RawSignal(
            signal=change(disc.metabolite.signal), sampling=disc.metabolite.sampling
        ),
    )
    with pytest.raises(InputError, match=message):
        preprocess(broken, RECIPE)


def test_water_of_another_dwell_time_is_refused(disc):
    other = replace(disc.metabolite.sampling, dwell_time_s=2e-4)
    water = RawSignal(signal=disc.water.signal, sampling=other)
    with pytest.raises(InputError, match="dwell time of 200 us, the metabolite file 400 us"):
        preprocess(replace(disc, water=water), RECIPE)


def test_water_with_other_coils_is_left_out_and_said(disc):
    water = RawSignal(signal=disc.water.signal[:2], sampling=disc.metabolite.sampling)
    preprocessed = preprocess(replace(disc, water=water), RECIPE)
    assert preprocessed.water is None
    assert "2 coils" in " ".join(preprocessed.notes)


def test_one_coil_and_one_transient_work(disc, truth):
    one = replace(
        disc,
        metabolite=RawSignal(
            signal=disc.metabolite.signal[:1, :1], sampling=disc.metabolite.sampling
        ),
        water=Transients(signal=disc.water.signal[0], sampling=disc.metabolite.sampling),
    )
    assert fitted(one).amplitude[0] == pytest.approx(truth["PG"], rel=0.3)


@pytest.mark.parametrize("shift_hz", [-12.0, 7.0])
def test_a_shifted_spectrum_is_referenced_to_its_own_lines(noise_free, shift_hz):
    fid = noise_free.metabolite
    time = fid.sampling.time_s(fid.n_points)
    moved = Fid(signal=fid.signal * np.exp(2j * np.pi * shift_hz * time), sampling=fid.sampling)
    result = fitted(replace(noise_free, metabolite=moved))
    assert result.curves.reference_shift_ppm == pytest.approx(
        shift_hz / fid.sampling.spectrometer_mhz, abs=0.005
    )
    assert result.ppm[result.index("PG")] == pytest.approx(2.04, abs=0.002)
    hz = np.fft.fftfreq(8 * fid.n_points, fid.sampling.dwell_time_s)
    ppm = hz / result.curves.sampling.spectrometer_mhz + result.curves.sampling.reference_ppm
    spectrum = np.abs(np.fft.fft(result.curves.data, hz.size))
    acetyl = (ppm > 1.8) & (ppm < 2.3)
    assert ppm[acetyl][np.argmax(spectrum[acetyl])] == pytest.approx(2.035, abs=0.015)


def test_rounding_of_the_samples_moves_no_answer(disc):
    """What another library rounds otherwise stays far below the promised 1e-6.

    Samples change by 1e-14 of themselves, which is fifty times what a double loses; that a weak
    amplitude near zero moves by is counted in its standard deviation.
    """
    rng = np.random.default_rng(3)

    def rounded(size):
        return with_signals(
            disc, lambda x: x.astype(complex) * (1 + size * rng.standard_normal(x.shape))
        )

    one, other = (fitted(rounded(size), Recipe()) for size in (0.0, 1e-14))
    assert np.abs((other.amplitude - one.amplitude) / one.sd).max() < 1e-6
    np.testing.assert_allclose(other.sd, one.sd, rtol=1e-6)
