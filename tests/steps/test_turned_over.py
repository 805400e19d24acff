"""A spectrum that seems mirrored is turned over; of a carrier set elsewhere nothing is judged."""

import numpy as np
import pytest

from mrs_disc.analysis import measure
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.formats.scan import Scan
from mrs_disc.simulate import simulate_study


def measured(kind, change):
    """Return what becomes of a simulated disc whose samples are changed before they are read."""
    plain = {"snr": 25.0, "lipid": False, "baseline": 0.0}
    study, _ = simulate_study(6, levels=["L4-L5"], kinds={"L4-L5": kind}, **plain)
    disc = study["L4-L5"]
    sampling = disc.metabolite.sampling
    time = sampling.dwell_time_s * np.arange(disc.metabolite.signal.shape[-1])
    scan = Scan(
        format="nifti-mrs",
        reader="nifti_mrs",
        signal=change(disc.metabolite.signal, time * sampling.spectrometer_mhz),
        coil_axis=True,
        nucleus="1H",
        spectrometer_mhz=sampling.spectrometer_mhz,
        dwell_time_s=sampling.dwell_time_s,
        echo_time_s=disc.protocol.echo_time_s,
        sequence="PRESS",
    )
    return measure(to_acquisition("L4-L5", Source(scan=scan, name="x"), None, Given()))


@pytest.mark.parametrize("kind", ["D", "P"])
def test_a_carrier_on_the_metabolites_that_no_file_tells_is_poor(kind):
    """Residual water lands where PG is expected; before, SNR 380 and "unlikely painful" came."""
    level = measured(kind, lambda s, t: s * np.exp(2j * np.pi * (4.65 - 2.0) * t))
    assert level.quality.verdict == "poor"
    assert any(f.kind == "turned_in_doubt" for f in level.quality.findings)


def test_a_spectrum_that_lies_mirrored_is_judged_as_ever():
    level = measured("D", lambda s, _: np.conj(s))
    assert level.quality.verdict != "poor"
    assert not any(f.kind == "turned_in_doubt" for f in level.quality.findings)
