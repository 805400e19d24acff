"""Files that are small and become large: refused before they are unpacked, or kept small.

The memory is that of a process of its own, as an allocation by a library counts too. It is read
from its status: `ru_maxrss` goes on from the process that started it.
"""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.data import Anatomy
from mrs_disc.errors import InputError, ReadError
from mrs_disc.io.images import load_image
from mrs_disc.report.anatomy import slice_through

nib = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")


def peak_mb(program: str, *words: object) -> tuple[str, float]:
    """Run a program in a process of its own; return what it printed, and its peak, MB."""
    measure = (
        "\nstatus = open('/proc/self/status').read()"
        "\nprint(int(status.partition('VmHWM:')[2].split()[0]) / 1e3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + measure, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    *printed, peak = done.stdout.splitlines()
    return "\n".join(printed), float(peak)


def write_volume(path: Path, n: int, slope: float, intercept: float = 0.0) -> None:
    """Write n cubed bytes of zeros with a scale, which pack to nothing."""
    header = nib.Nifti1Header()
    header.set_data_shape((n, n, n))
    header.set_data_dtype(np.uint8)
    header["scl_slope"], header["scl_inter"], header["vox_offset"] = slope, intercept, 352
    header["magic"], header["sform_code"] = b"n+1", 1
    header["srow_x"], header["srow_y"], header["srow_z"] = np.eye(4, dtype=np.float32)[:3]
    with gzip.open(path, "wb", 1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(n):
            file.write(bytes(n * n))


def test_an_image_with_a_scale_stays_in_its_own_type(tmp_path):
    """In floating point it would take eight bytes a voxel, and again for what is not finite."""
    write_volume(tmp_path / "t2.nii.gz", 460, 2.0)
    program = (
        "import sys; from pathlib import Path; from mrs_disc.io.images import load_image\n"
        "from mrs_disc.report.anatomy import slice_through\n"
        "image = load_image(Path(sys.argv[1])); print(image.image.dtype, image.slope)\n"
        "slice_through(image, [])"
    )
    printed, peak = peak_mb(program, tmp_path / "t2.nii.gz")
    assert printed == "uint8 2.0"
    assert peak < 150 + 3 * 460**3 / 1e6


@pytest.mark.parametrize(("slope", "intercept"), [(2.0, 0.0), (-0.5, 300.0), (1.5, -40.0)])
def test_the_shown_slice_is_that_of_the_scaled_volume(tmp_path, slope, intercept):
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 255, (7, 40, 50)).astype(np.uint8)
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(slope, intercept)
    # nibabel writes the slope of an image only with its raw array
    with open(tmp_path / "t2.nii", "wb") as file:  # noqa: PTH123
        file.write(image.header.binaryblock[:108] + struct.pack("<f", 352.0))
        file.write(image.header.binaryblock[112:] + bytes(4) + stored.tobytes(order="F"))
    whole = np.asarray(nib.load(tmp_path / "t2.nii").dataobj)
    assert whole.dtype.kind == "f"
    loaded = load_image(tmp_path / "t2.nii")
    assert loaded.image.dtype == np.uint8
    shown = slice_through(loaded, [])
    np.testing.assert_array_equal(
        shown.image, slice_through(Anatomy(image=whole, affine=loaded.affine), []).image
    )


def deflated(path: Path, n_mb: int, template: Path) -> None:
    """Turn a DICOM file into a deflated one with a value of so many MB of zeros."""
    dataset = pydicom.dcmread(template)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    meta = io.BytesIO()
    pydicom.filewriter.write_file_meta_info(meta, dataset.file_meta, enforce_standard=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(struct.pack("<HH2sHI", 9, 0x1010, b"OB", 0, n_mb << 20))
    for _ in range(n_mb):
        packed += packer.compress(bytes(1 << 20))
    path.write_bytes(bytes(128) + b"DICM" + meta.getvalue() + packed + packer.flush())


@pytest.fixture(scope="module")
def bomb(tmp_path_factory) -> Path:
    """Return a folder with a deflated file of 256 MB, packed to 0.25 MB."""
    from mrs_disc.simulate import simulate_study
    from mrs_disc.simulate.dataset import write_study

    folder = tmp_path_factory.mktemp("bomb")
    study, _ = simulate_study(11, levels=["L4-L5"], anatomy=False)
    write_study(folder / "whole", study, None, form="dicom")
    template = next(
        p for p in sorted((folder / "whole").rglob("*")) if p.suffix in (".dcm", ".IMA")
    )
    (folder / "one").mkdir()
    deflated(folder / "one" / "L4-L5.dcm", 256, template)
    shutil.rmtree(folder / "whole")
    return folder / "one"


@pytest.mark.parametrize(
    "door",
    [
        "from mrs_disc.io.formats.readers import read_scan as read",
        "from mrs_disc.io.images import load_image as read",
        "from mrs_disc.report.patient import _header as read",
    ],
    ids=["spectrum", "image", "reference"],
)
def test_a_deflated_dicom_file_is_not_inflated(bomb, door):
    program = (
        f"import sys; from pathlib import Path; {door}\n"
        "from mrs_disc.errors import ReadError\n"
        "try:\n    read(Path(sys.argv[1]))\n"
        "except ReadError as error:\n    print(error)"
    )
    printed, peak = peak_mb(program, bomb / "L4-L5.dcm")
    assert "deflated" in printed or "no DICOM image" in printed
    assert peak < 200


def test_packed_pixels_count_as_they_are_declared(tmp_path):
    """A run of zeros in RLE: 100 bytes for a plane of 4 GB."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.4"
    dataset.Rows = dataset.Columns = 65_000
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.ImagePositionPatient = [0, 0, 0]
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    dataset.PixelSpacing = [1, 1]
    dataset.PixelData = encapsulate([bytes(64) + b"\x81\x00" * 20])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    with pytest.raises(ReadError, match="declares 4225 MB"):
        load_image(tmp_path / "image.dcm")


def test_a_record_of_endless_words_is_no_page():
    from mrs_disc.report import pdf

    for text in ("word " * 300_000, "x" * 1_500_000):
        content = {"levels": [], "overview_svg": "", "stack_svg": "", "notices": [text]}
        view = type("View", (), {"paper": "a4"})()
        with pytest.raises(InputError, match="of text"):
            pdf._compiled(view, content, format="pdf")


def test_the_peak_is_measured():
    """Else nothing above would say anything."""
    assert peak_mb("x = bytearray(300_000_000)")[1] > 300
