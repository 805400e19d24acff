"""A DICOM series as anatomy: what is missing, mixed in, or another person's, is not drawn on."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from mrs_disc.data.places import Site, image_of_other
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import digest
from mrs_disc.io.images import load_image

SAGITTAL = [0, 1, 0, 0, 0, -1]


@pytest.fixture
def series(tmp_path):
    """Write sagittal slices of 4 mm at these places; each is filled with its number."""
    uid = generate_uid()

    def write(*places_mm, first=0, row=SAGITTAL, patient="p1", name="A^B"):
        for number, x in enumerate(places_mm, start=first):
            image = pydicom.Dataset()
            image.file_meta = FileMetaDataset()
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
            image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            image.SeriesInstanceUID, image.PatientID, image.PatientName = uid, patient, name
            image.Rows = image.Columns = 8
            image.BitsAllocated = image.BitsStored = 16
            image.HighBit, image.SamplesPerPixel, image.PixelRepresentation = 15, 1, 0
            image.PhotometricInterpretation = "MONOCHROME2"
            image.ImageOrientationPatient = row
            image.ImagePositionPatient = [x, -50, 100]
            image.PixelSpacing, image.SliceThickness = [1, 1], 4
            image.PixelData = np.full((8, 8), number, np.uint16).tobytes()
            image.save_as(tmp_path / f"{number:03}.dcm", enforce_file_format=True)
        return tmp_path

    return write


def test_slices_at_one_place_count_once_whatever_lies_between_them(series):
    series(0, 4, 8, 12)
    series(0, 4, 8, 12, first=10)  # a second echo
    image = load_image(series(2, first=20, row=[1, 0, 0, 0, 1, 0]))  # a localiser of the series
    assert image.image.shape == (8, 8, 4)
    assert sorted(image.image[0, 0]) == [0, 1, 2, 3]
    np.testing.assert_allclose(np.linalg.norm(image.affine[:3, :3], axis=0), [1, 1, 4])


def test_a_series_with_a_slice_missing_is_refused(series):
    with pytest.raises(ReadError, match="4 to 8 mm apart: some are missing"):
        load_image(series(0, 4, 12, 16))


def test_an_image_of_another_person_is_known_by_name_or_number(series):
    subjects = load_image(series(0, 4)).subjects
    for told in ("p1", "A B"):
        assert image_of_other([Site(level="L4-L5", subject=digest(told))], subjects) is None
    other = image_of_other([Site(level="L4-L5", subject=digest("p2"))], subjects)
    assert other.kind == "anatomy_of_other"
    assert image_of_other([Site(level="L4-L5")], subjects) is None
    assert image_of_other([Site(level="L4-L5", subject=digest("p2"))], ()) is None
