"""Real brain spectra of several vendors through the whole chain, the lines found twice.

The voxels are brain, called a level by a study.toml, so that files of real scanners check the
chain that discs go through. Positions come from the fit and, apart from it, from the highest point
of the phased spectrum itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc.data import FitResult

REAL = Path(
    os.environ.get("MRS_DISC_REAL_DATA", Path(__file__).parents[3] / "shared" / "data" / "real")
)
SPECTRA = {
    "Philips SDAT 35 ms": (
        "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat",
        "osprey/sdat_press_sub-01/sub-01_PRESS_35_ref.sdat",
    ),
    "Philips SDAT 30 ms": ("spant/philips_spar_sdat_WS.SDAT", "spant/philips_spar_sdat_W.SDAT"),
    "Siemens RDA": ("osprey2021/rda/ACC_PRESS.rda", None),
    "Siemens RDA, large residual water": ("suspect/SVS_30.rda", None),
    "Siemens DICOM": ("suspect/SVS_30.IMA", None),
    "LCModel RAW of a twix file": (
        "osprey2021/twix_lcm_sub-01/mrs_sub-01_ses-01_press_sub-01_PRESS30_LCM_A.RAW",
        "osprey2021/twix_lcm_sub-01/mrs_sub-01_ses-01_press-ref_sub-01_PRESS30_w_LCM_REF.RAW",
    ),
    "NIfTI-MRS with coils": (
        "nifti_mrs_tools/metab_raw.nii.gz",
        "nifti_mrs_tools/wref_raw.nii.gz",
    ),
}
RECIPE = '[fit]\nmodel = "brain_1h_singlets"\nwindow_ppm = [1.0, 4.1]\n'

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"real scanner files are not at {REAL}; set MRS_DISC_REAL_DATA"
)


def analysed(folder: Path, metabolite: str, water: str | None, recipe: str = RECIPE) -> FitResult:
    text = 'schema_version = 1\nstudy_id = "brain"\n[[disc]]\nlevel = "L4-L5"\n'
    text += f'metabolite = "{REAL / metabolite}"\n'
    text += f'water = "{REAL / water}"\n' if water else ""
    (folder / "study.toml").write_text(text)
    (folder / "recipe.toml").write_text(recipe)
    level = md.analyze(md.read_study(folder), folder / "recipe.toml")["L4-L5"]
    assert level.failure is None
    return level.measurement.fit


def highest_ppm(fit: FitResult, low: float, high: float) -> float:
    """Return where the phased spectrum without its baseline is highest between two shifts."""
    n = 4 * fit.curves.data.size
    hz = np.fft.fftfreq(n, fit.curves.sampling.dwell_time_s)
    ppm = hz / fit.curves.sampling.spectrometer_mhz + fit.curves.sampling.reference_ppm
    turn = np.exp(-2j * np.pi * hz * fit.phase.delay_s)
    spectrum = (np.fft.fft(fit.curves.data - fit.curves.baseline, n) * turn).real
    inside = (ppm > low) & (ppm < high)
    assert spectrum[inside].max() > 0
    return float(ppm[inside][np.argmax(spectrum[inside])])


@pytest.mark.parametrize("name", SPECTRA)
def test_acetyl_and_choline_land_at_their_places(tmp_path, name):
    fit = analysed(tmp_path, *SPECTRA[name])
    assert highest_ppm(fit, 1.85, 2.15) == pytest.approx(2.01, abs=0.03)
    assert highest_ppm(fit, 3.12, 3.30) == pytest.approx(3.21, abs=0.03)
    for component, ppm in (("NAA", 2.01), ("Cho", 3.21)):
        index = fit.index(component)
        assert fit.ppm[index] == pytest.approx(ppm, abs=0.03)
        assert fit.amplitude[index] > 0
    assert abs(fit.curves.reference_shift_ppm) < 0.05


@pytest.mark.parametrize("name", [name for name in SPECTRA if "SVS_30" not in SPECTRA[name][0]])
def test_the_model_of_discs_keeps_brain_upright(tmp_path, name):
    """It lacks creatine and more: what it cannot describe must not turn the whole fit over.

    In SVS_30, of large residual water, lines ten hertz off describe the rest better.
    """
    fit = analysed(tmp_path, *SPECTRA[name], recipe="")
    for component in ("PG", "CHO"):  # the acetyl line, and choline's
        assert fit.amplitude[fit.index(component)] > 0
    assert highest_ppm(fit, 1.85, 2.15) == pytest.approx(2.02, abs=0.05)
