"""What a simulated study promises: independence, reproducibility, and a truth that holds."""

import numpy as np
import pytest

from mrs_disc.data import RawSignal
from mrs_disc.errors import InputError
from mrs_disc.simulate import LUMBAR, Scan, simulate_study
from mrs_disc.simulate.anatomy import places
from mrs_disc.simulate.scanner import draw_coils

SMALL = Scan(n_points=512, n_transients=8, n_coils=3, n_water=2)


def test_same_seed_gives_same_samples_and_another_does_not():
    first, truth = simulate_study(5, scan=SMALL)
    again, truth_again = simulate_study(5, scan=SMALL)
    other, _ = simulate_study(6, scan=SMALL)
    a, b, c = (s["L4-L5"].metabolite.signal for s in (first, again, other))
    assert truth == truth_again
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_level_does_not_depend_on_the_others():
    whole, truth = simulate_study(5, scan=SMALL)
    alone, truth_alone = simulate_study(5, levels=["L4L5"], scan=SMALL)
    assert truth["L4-L5"] == truth_alone["L4-L5"]
    a, b = whole["L4-L5"], alone["L4-L5"]
    assert np.array_equal(a.metabolite.signal, b.metabolite.signal)
    assert np.array_equal(a.water.signal, b.water.signal)


def test_sessions_share_the_discs_and_not_the_noise():
    first, truth = simulate_study(5, scan=SMALL)
    second, truth_second = simulate_study(5, session=2, scan=SMALL)
    assert truth["L4-L5"]["amplitudes"] == truth_second["L4-L5"]["amplitudes"]
    assert not np.array_equal(first["L4-L5"].metabolite.signal, second["L4-L5"].metabolite.signal)


def test_signals_are_raw_and_shaped_as_asked():
    study, _ = simulate_study(5, scan=SMALL)
    disc = study["L5-S1"]
    assert study.levels == LUMBAR
    assert isinstance(disc.metabolite, RawSignal)
    assert disc.metabolite.signal.shape == (3, 8, 512)
    assert disc.metabolite.signal.dtype == np.complex64
    assert disc.water.signal.shape == (3, 2, 512)
    assert np.allclose(disc.protocol.voxel_affine[:3, 3], places(LUMBAR)["L5-S1"].centre)


@pytest.mark.parametrize("n_coils", [1, 2, 8])
def test_water_has_its_true_amplitude_in_the_strongest_coil(n_coils):
    """Extrapolated to time zero; eddy currents and coils turn only the phase."""
    scan = Scan(n_points=512, n_coils=n_coils, n_transients=2, n_water=1)
    study, truth = simulate_study(3, levels=["L3-L4"], scan=scan)
    water = study["L3-L4"].water.signal[:, 0]
    assert np.abs(water[:, 0]).max() == pytest.approx(truth["L3-L4"]["water_amplitude"], rel=0.01)


def test_snr_of_the_truth_is_that_of_the_optimal_combination():
    """The optimum from the covariance's inverse; the noise from the samples' own tail."""
    scan = Scan(n_points=4096, n_coils=4, n_transients=16)
    study, truth = simulate_study(11, levels=["L2-L3"], scan=scan, snr=25.0, lipid=False)
    t = truth["L2-L3"]
    samples = study["L2-L3"].metabolite.signal
    tail = samples[:, :, 3000:].reshape(4, -1)
    covariance = np.cov(tail)
    reference = study["L2-L3"].water.signal.mean(axis=1)[:, 0]
    sensitivity = reference / np.abs(reference).max()
    combined_sd = 1 / np.sqrt((sensitivity.conj() @ np.linalg.solve(covariance, sensitivity)).real)
    real_sd_of_average = combined_sd / np.sqrt(2 * 16)
    # A line of area a and width w is a / (pi w) high if Lorentzian, 1.48 times that if Gaussian.
    height = 25.0 * real_sd_of_average * np.sqrt(4096) / scan.spectral_width_hz
    lorentz = t["amplitudes"]["PG"] / (np.pi * t["linewidth_hz"])
    assert t["snr"] == pytest.approx(25.0)
    assert lorentz * 0.95 < height < lorentz * 1.55


def test_coil_noise_has_the_covariance_of_its_mixing():
    rng = np.random.default_rng(0)
    coils = draw_coils(rng, 5)
    covariance = coils.mixing @ coils.mixing.conj().T
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)).real)
    off = np.abs(correlation[~np.eye(5, dtype=bool)])
    assert np.abs(coils.sensitivity).max() == pytest.approx(1.0)
    assert off.min() >= 0.1
    assert off.max() <= 0.4 + 1e-12


def test_kinds_are_given_or_drawn_and_morphology_goes_with_them():
    kinds = {"L1-L2": "H", "L4-L5": "P"}
    _, truth = simulate_study(5, scan=SMALL, kinds=kinds)
    assert truth["L1-L2"]["morphology"]["pfirrmann"] in (1, 2)
    assert truth["L4-L5"]["morphology"]["pfirrmann"] in (3, 4, 5)
    assert truth["L4-L5"]["painful"]


def test_class_medians_without_spread():
    _, truth = simulate_study(5, scan=SMALL, kinds=dict.fromkeys(LUMBAR, "P"), spread=0.0)
    for level in LUMBAR:
        assert truth[level]["concentration"]["LAC"] == pytest.approx(8.0)
        assert truth[level]["concentration"]["PG"] == pytest.approx(24.0)


def test_population_reproduces_its_published_calibration():
    """Medians of ln(acidity/structure) before relaxation: -2.96 H, -1.91 D, -0.99 P."""
    from mrs_disc.simulate import draw_disc

    for kind, median in (("H", -2.96), ("D", -1.91), ("P", -0.99)):
        values = []
        for subject in range(600):
            c = draw_disc(1, subject, "L4-L5", kind=kind).concentration
            acidity = 3 * (c["LAC"] + c["ALA"] + c["PA"])
            values.append(np.log(acidity / (3 * c["PG"] + c["COL"])))
        # standard error of a median of 600 with sd 0.55: 0.028
        assert np.median(values) == pytest.approx(median, abs=0.09)


def test_spoilt_discs_say_so():
    spoilt = {"L1-L2": "gas", "L2-L3": "motion", "L3-L4": "silent", "L4-L5": ["lipid", "noise"]}
    study, truth = simulate_study(5, scan=SMALL, spoilt=spoilt)
    assert truth["L1-L2"]["quality"] == "poor"
    assert truth["L3-L4"]["quality"] == "failing"
    assert not study["L3-L4"].metabolite.signal.any()
    assert truth["L4-L5"]["lipid_to_pg"] > 2
    assert truth["L4-L5"]["spoilt"] == ["lipid", "noise"]


def test_repeats_are_runs_of_the_same_disc():
    study, truth = simulate_study(5, scan=SMALL, repeats={"L4-L5": 2})
    assert truth["L4-L5"]["amplitudes"] == truth["L4-L5_run-2"]["amplitudes"]
    first, second = study["L4-L5", 1], study["L4-L5", 2]
    assert not np.array_equal(first.metabolite.signal, second.metabolite.signal)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"levels": ["L9-L10"]}, "not a disc level"),
        ({"levels": []}, "levels is empty"),
        ({"kinds": {"L4-L5": "X"}}, "Allowed: H"),
        ({"spoilt": {"L4-L5": "gass"}}, "Did you mean 'gas'"),
    ],
)
def test_mistakes_are_one_line(arguments, words):
    with pytest.raises(InputError, match=words):
        simulate_study(1, **arguments)


@pytest.mark.parametrize(
    ("levels", "region"),
    [
        (("L4-L5", "L5-S1"), "lumbar"),
        (("C6-C7", "C7-T1"), "cervical"),
        (("C7-T1", "T1-T2"), "thoracic"),
        (("C7-T1",), "cervical"),
        (("T12-L1", "L1-L2"), "lumbar"),
        (("C6-C7", "L4-L5"), None),
    ],
)
def test_the_region_holds_every_level(levels, region):
    """Else the study would be told that its own discs do not lie there."""
    assert simulate_study(1, levels=levels)[0].region == region


def test_anatomy_shows_bright_healthy_and_dark_degenerated_discs():
    kinds = {"L1-L2": "H", "L2-L3": "H", "L3-L4": "H", "L4-L5": "P", "L5-S1": "P"}
    study, _ = simulate_study(5, scan=SMALL, kinds=kinds)
    picture = study.load_anatomy()
    inverse = np.linalg.inv(picture.affine)
    for level, place in places(LUMBAR).items():
        i, j, k = np.rint(inverse @ [*place.centre + np.array([0, 4, 0]), 1]).astype(int)[:3]
        nucleus = picture.image[i, j - 1 : j + 2, k - 1 : k + 2].mean()
        assert (nucleus > 130) == (kinds[level] == "H"), level
