"""Readers take at most 1.5 times the vendor function, `info` 1.2 times its imports; real files."""

import contextlib
import io
import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from mrs_disc.io.readers import read_scan

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def best(function, times=9):
    function()
    spent = []
    for _ in range(times):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


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
def test_reading_takes_no_longer_than_the_vendor_function(kind, name, real_data):
    path = real_data / name
    theirs = best(vendor_function(kind, path))
    assert best(lambda: read_scan(path)) < 1.5 * theirs


INFO = {
    "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat": "numpy",
    "suspect/SVS_30.rda": "numpy",
    "spec2nii/metab.RAW": "numpy",
    "suspect/SVS_30.IMA": "numpy, pydicom, nibabel.nicom.csareader",
    "nifti_mrs_tools/metab.nii.gz": "numpy, nibabel.nifti1, nibabel.nifti2",
    "pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat": "mapvbvd, spec2nii.Siemens.twixfunctions",
}
"""A file of a format, and what reading it has to import."""


def processor_time(*command):
    """Return the least processor time of five runs, s."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


@pytest.mark.parametrize("name", INFO)
def test_info_takes_little_more_than_the_import_of_what_it_needs(name, real_data):
    needed = f"import click, mrs_disc.cli, mrs_disc.io.describe, {INFO[name]}"
    described = processor_time(
        "-c", "from mrs_disc.cli import main; main()", "info", str(real_data / name)
    )
    assert described < 1.2 * processor_time("-W", "ignore", "-c", needed)
