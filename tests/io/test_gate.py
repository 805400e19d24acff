"""The plausibility gate: what it notices, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import ReadError
from mrs_disc.io.acquire import Given, Source, split_water, to_acquisition
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.io.formats.scan import Scan, read_only
from mrs_disc.io.gate import Examined, alternation, check_samples, examine, missing, water_ratio
from mrs_disc.record.findings import words


@pytest.fixture
def scan(spectrum):
    return Scan(
        format="x",
        reader="x",
        signal=read_only(spectrum(4)[None]),
        nucleus="1H",
        spectrometer_mhz=127.75,
        dwell_time_s=1 / 2000,
        echo_time_s=0.03,
    )


def test_a_plain_spectrum_passes(scan):
    found = examine(scan)
    assert found.forbids == ()
    assert not found.mirrored
    assert found.is_water is False
    assert missing(scan) == []


@pytest.mark.parametrize(
    ("peak", "passes"), [(3e38, False), (1e14, True), (1e-14, True), (1e-38, False)]
)
def test_samples_that_single_precision_cannot_square_are_refused(spectrum, peak, passes):
    signal = spectrum(4)
    signal = (signal / np.abs(signal).max() * peak).astype(np.complex64)
    if passes:
        check_samples(Path("x.dat"), signal)
        return
    with pytest.raises(
        ReadError, match=r"x.dat: the largest of \d+ samples is .*e[+-]3\d: between"
    ):
        check_samples(Path("x.dat"), signal)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"nucleus": "31P"}, "other_nucleus", "31P"),
        ({"n_voxels": 256}, "many_voxels", "256 voxels"),
        ({"extra_axes": {"DIM_EDIT": 2}}, "edited", "edited"),
        ({"sequence": "edited"}, "edited", "edited"),
        ({"varying": {"EchoTime": (0.03, 0.144)}}, "varies", "EchoTime changes along the"),
        ({"extra_axes": {"DIM_ISIS": 8}}, "more_dimensions", "DIM_ISIS of 8"),
        ({"dwell_time_s": 0.01}, "dwell_time_implausible", "dwell time"),
        ({"spectrometer_mhz": 1100.0}, "frequency_implausible", "1100 MHz"),
    ],
)
def test_what_forbids_analysis(change, kind, says, scan):
    (found,) = examine(replace(scan, **change)).forbids
    assert (found.kind, found.about.role) == (kind, "forbids")
    assert says in words(found)


def test_half_of_the_signal_is_refused(scan):
    real = replace(scan, signal=read_only(scan.signal.real + 0j))
    assert [one.kind for one in examine(real).forbids] == ["not_complex"]
    assert "export the complex FID" in words(examine(real).first)


@pytest.mark.parametrize("weak", [0.09, 0.5])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("water", [0.5, 5000.0])
def test_transients_that_add_and_subtract_are_a_scheme(weak, first, water, scan, spectrum):
    rows = spectrum(8, water=water)
    rows[first::2] *= weak
    found = replace(scan, signal=read_only(rows[None]))
    (noticed,) = examine(found).forbids
    assert noticed.kind == "alternates"
    assert noticed.values["ratio"] == pytest.approx(1 / weak, rel=0.05)
    assert split_water(found)[1] is None


@pytest.mark.parametrize("turns", ["+-", "++--", "+--+", "+-+--+-+", "++++----"])
@pytest.mark.parametrize("spoilt", [False, True])
def test_schemes_of_every_period_are_seen_with_a_spoilt_transient_among_them(
    turns, spoilt, scan, spectrum
):
    rows = spectrum(32)
    rng = np.random.default_rng(1)
    rows = rows * np.exp(rng.normal(0, 0.05, (32, 1)))
    rows[np.resize([one == "-" for one in turns], 32)] *= 0.2
    if spoilt:
        rows[5] *= 0.01
    found = replace(scan, signal=read_only(rows[None].astype(np.complex64)))
    (noticed,) = examine(found).forbids
    assert noticed.kind == "alternates"
    assert noticed.values["ratio"] == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("part", [1j, 1.0, 1 + 1j, 1 + 1e-6j])
def test_a_real_signal_of_any_phase_is_refused(part, scan, spectrum):
    rows = (spectrum(4).real * part).astype(np.complex64)
    found = examine(replace(scan, signal=read_only(rows[None])))
    assert [one.kind for one in found.forbids] == ["not_complex"]


def test_simulated_water_on_resonance_is_no_half_of_a_signal(scan):
    line = 100 * np.exp(-np.pi * 5 * np.arange(1024) / 2000) * np.exp(0.3j)
    for mhz in (127.75, None):
        water = replace(scan, signal=read_only(line[None, None]), spectrometer_mhz=mhz)
        assert examine(water).forbids == ()


@pytest.mark.parametrize("n", [4, 5, 8, 64])
def test_spread_drift_and_spoilt_transients_are_no_scheme(n, scan, spectrum):
    for seed in range(100):
        rng = np.random.default_rng(seed)
        gain = np.exp(rng.normal(0, 0.1, n)) * np.linspace(1, rng.uniform(0.3, 3), n)
        gain[rng.integers(n)] *= rng.choice([0.01, 1.0, 10.0])
        rows = spectrum(n, seed=seed) * gain[:, None]
        assert alternation(replace(scan, signal=read_only(rows[None]))) is None, seed


def test_real_series_are_no_scheme_and_one_that_is(real_data):
    folder = real_data / "found" / "reduced"
    assert alternation(read_scan(folder / "alternating_water.nii.gz")) > 10
    series = (
        *real_data.glob("tarquin/P*.7"),
        folder / "press.nii.gz",
        real_data / "nifti_mrs_tools" / "metab_raw.nii.gz",
    )
    for path in series:
        scan = read_scan(path)
        assert scan.n_transients >= 4
        assert alternation(scan) is None, path.name


@pytest.mark.parametrize("off_hz", [-120.0, -80.0, 64.0, 80.0, 120.0])
@pytest.mark.parametrize("reference_ppm", [4.65, 3.0])
def test_water_off_its_place_is_water_and_not_turned_over(off_hz, reference_ppm, scan, spectrum):
    time = np.arange(512) / 2000
    ramp = np.exp(2j * np.pi * (off_hz + (4.65 - reference_ppm) * 127.75) * time)
    water = replace(
        scan,
        signal=read_only(spectrum(2, water=5000.0)[None] * ramp),
        reference_ppm=reference_ppm,
    )
    assert examine(water).is_water is True
    assert not examine(water).mirrored


@pytest.mark.parametrize("reference_ppm", [4.65, 4.4, 3.0, 2.0])
def test_metabolites_are_not_turned_over_whatever_the_carrier(reference_ppm, scan, spectrum):
    ramp = np.exp(2j * np.pi * (4.65 - reference_ppm) * 127.75 * np.arange(512) / 2000)
    for water in (0.5, 20.0):
        rows = spectrum(2, water=water) * ramp
        found = replace(scan, signal=read_only(rows[None]), reference_ppm=reference_ppm)
        assert not examine(found).mirrored
        assert examine(found).is_water is not True


def test_a_real_water_above_its_carrier_is_water(real_data):
    path = real_data / "found" / "reduced" / "water_80Hz_off.nii.gz"
    assert examine(read_scan(path)) == Examined(is_water=True)


def test_too_few_points(scan):
    short = replace(scan, signal=read_only(scan.signal[..., :100].copy()))
    assert "100 points" in words(examine(short).first)


def test_water_is_told_from_metabolites(scan, spectrum):
    water = replace(scan, signal=read_only(spectrum(1, water=5000.0)[None]))
    assert examine(water).is_water is True
    assert water_ratio(water)[0] > 100 * water_ratio(scan)[0]
    assert examine(water).mirrored is False


@pytest.mark.parametrize("water", [300.0, 600.0, 750.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_metabolites_beside_much_water_are_weakly_suppressed(water, seed, scan, spectrum):
    """Water 100 to 250 times the highest metabolite, whose tail lies on both sides alike."""
    found = replace(scan, signal=read_only(spectrum(4, seed=seed, water=water)[None]))
    assert water_ratio(found)[0] > 80
    assert examine(found).is_water is False
    assert not examine(found).mirrored


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_water_alone_of_the_same_height_is_not(share, scan, spectrum):
    """The same lines a twentieth to a fifth as high: noise and the tail of water outshine them."""
    rng = np.random.default_rng(3)
    rows = share * spectrum(4, water=600.0 / share)
    rows = rows + 300 * (rng.normal(size=rows.shape) + 1j * rng.normal(size=rows.shape))
    assert examine(replace(scan, signal=read_only(rows[None]))).is_water is True


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("found/tarquin/siemens_*_WS.*a", False),
        ("tarquin/example.rda", False),
        ("suspect/SVS_30.*", False),
        ("dcm_qa_spec/3000*.dcm", False),
        ("found/reduced/pv360_fid/fid", False),
        ("nifti_mrs_tools/wref_raw.nii.gz", True),
        ("nifti_mrs_tools/ecc.nii.gz", True),
        ("fitting_challenge/jmrui/dataset1*_nWS.txt", True),
        ("found/nws/Data_for_fitting__*unsup.nii.gz", True),
    ],
)
def test_weakly_suppressed_phantoms_and_unsuppressed_water_of_scanners(
    real_data, pattern, expected
):
    paths = sorted(real_data.glob(pattern))
    assert paths
    for path in paths:
        assert examine(read_scan(path)).is_water is expected, path.name


def test_a_conjugated_spectrum_is_noticed(scan):
    assert examine(replace(scan, signal=read_only(np.conj(scan.signal)))).mirrored


@settings(max_examples=40)
@given(
    phase=st.floats(0, 6.3),
    scale=st.floats(1e-8, 1e8),
    seed=st.integers(0, 1000),
    water=st.floats(0, 20),
)
def test_phase_scale_and_water_do_not_mirror_a_spectrum(phase, scale, seed, water, spectrum):
    rows = spectrum(2, seed=seed, water=water) * np.exp(1j * phase) * scale
    scan = Scan(
        format="x",
        reader="x",
        signal=read_only(rows[None]),
        nucleus="1H",
        spectrometer_mhz=127.75,
        dwell_time_s=1 / 2000,
    )
    assert not examine(scan).mirrored
    assert examine(replace(scan, signal=read_only(np.conj(scan.signal)))).mirrored


def test_noise_alone_is_neither_mirrored_nor_water():
    rng = np.random.default_rng(2)
    for _ in range(50):
        noise = rng.normal(size=(1, 4, 1024)) + 1j * rng.normal(size=(1, 4, 1024))
        scan = Scan(
            format="x",
            reader="x",
            signal=read_only(noise),
            spectrometer_mhz=123.0,
            dwell_time_s=1 / 2000,
        )
        found = examine(scan)
        assert not found.mirrored
        assert not found.is_water


def test_a_broad_and_noisy_water_line_is_still_water(scan):
    """40 Hz wide, four coils of unlike phase, noise of a fifth of a coil's water."""
    rng = np.random.default_rng(4)
    time = np.arange(1024) / 2000
    coils = np.exp(1j * rng.uniform(0, 6.3, (4, 1))) * np.exp(-np.pi * 40 * time)
    rows = np.repeat(coils[:, None], 8, axis=1)
    rows = rows + 0.2 * (rng.normal(size=rows.shape) + 1j * rng.normal(size=rows.shape))
    water = replace(scan, signal=read_only(rows))
    assert examine(water).is_water is not False


def test_a_spectrum_is_refused_and_called_neither_water_nor_metabolites(scan):
    spectrum = np.fft.fftshift(np.fft.fft(scan.signal, axis=-1), axes=-1)
    found = examine(replace(scan, signal=read_only(spectrum)))
    assert [one.kind for one in found.forbids] == ["holds_spectrum"]
    assert "export the time signal" in words(found.forbids[0])
    assert found.is_water is None
    assert not found.mirrored


def test_fids_end_to_end_are_refused(scan):
    row = scan.signal.reshape(1, 2, -1)
    assert [one.kind for one in examine(replace(scan, signal=row)).forbids] == ["fids_in_a_row"]


@pytest.mark.parametrize(("water", "used"), [(0.5, False), (90.0, False), (5000.0, True)])
def test_a_second_transient_is_no_water_reference(scan, spectrum, water, used):
    """What dcm2niix writes of two frames of one scan: the second as ``_mrsref``."""
    metabolites = replace(scan, signal=read_only(spectrum(1, water=water)[None]))
    second = replace(scan, signal=read_only(spectrum(1, water=water, seed=2)[None]))
    named = Source(scan=metabolites, name="m"), Source(scan=second, name="w")
    found = to_acquisition("L4-L5", *named, Given())
    assert (found.water is not None) is used
    assert [f.values["why"].kind for f in found.findings] == ["holds_no_water"] or used
