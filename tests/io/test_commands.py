"""info, init and convert: what they say, what they write, what they leave alone."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mrs_disc.cli import convert as convert_module
from mrs_disc.cli import info as info_module
from mrs_disc.cli import init as init_module
from mrs_disc.cli import run as run_mrs_disc
from mrs_disc.data import Transients
from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.io.describe import describe
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.io.studies.study import read_study
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs

ROOT = Path(__file__).parents[2]
KEYS = {
    *("format", "reader", "nucleus", "spectrometer_mhz", "dwell_time_s", "n_points", "n_coils"),
    *("n_transients", "echo_time_s", "repetition_time_s", "voxel_size_mm", "sequence"),
    *("manufacturer", "is_water", "problems"),
}


def run(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


# --------------------------------------------------------------------------- info


def test_info_of_every_format_has_the_promised_keys(built):
    _, path, _ = built
    found = json.loads(run(info_module.command, path, "--json").output)
    assert set(found) >= KEYS
    assert isinstance(found["problems"], list)
    words = run(info_module.command, path).output
    assert path.name in words
    assert "Doe" not in words + json.dumps(found)


def test_info_counts_the_water_that_a_file_holds(build, tmp_path, spectrum, protocol):
    path = build("ge-pfile")(tmp_path, spectrum(5), protocol)
    assert describe(path)["n_water_transients"] == 2
    words = run(info_module.command, path).output
    assert "512 points x 1 coil x 5 transients, with its own water reference of 2" in words


def test_info_of_a_study_names_what_would_go_wrong(tmp_path, build, spectrum, protocol):
    build("siemens-rda")(tmp_path, spectrum(1), protocol)
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "s-1"\n'
        '[[disc]]\nlevel = "L4-L5"\nmetabolite = "built.rda"\n'
        '[[disc]]\nlevel = "L5-S1"\nmetabolite = "gone.rda"\n'
    )
    found = json.loads(run(info_module.command, tmp_path, "--json").output)
    assert found["study_id"] == "s-1"
    first, second = found["levels"]
    assert (first["level"], first["run"], first["path"], first["water"]) == (
        "L4-L5",
        1,
        "built.rda",
        None,
    )
    assert set(first) >= KEYS
    assert "no such file" in second["problems"][0]
    assert any(p.startswith("L5-S1") for p in found["problems"])
    words = run(info_module.command, tmp_path).output
    assert "problem:" in words


def test_info_of_a_study_names_a_missing_anatomy_image_and_levels_elsewhere(
    tmp_path, build, spectrum, protocol
):
    build("siemens-rda")(tmp_path, spectrum(1), protocol)
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "s-1"\nregion = "cervical"\nanatomy = "gone.nii.gz"\n'
        '[[disc]]\nlevel = "C7-T1"\nmetabolite = "built.rda"\n'
        '[[disc]]\nlevel = "L4-L5"\nmetabolite = "built.rda"\n'
    )
    problems = json.loads(run(info_module.command, tmp_path, "--json").output)["problems"]
    assert 'region = "cervical", where L4-L5 does not lie' in problems
    assert "the anatomy image could not be used: gone.nii.gz: there is no such image" in problems


def test_many_levels_elsewhere_take_few_words(tmp_path, build, spectrum, protocol):
    build("siemens-rda")(tmp_path, spectrum(1), protocol)
    levels = ("T9-T10", "T10-T11", "T11-T12", "L4-L5")
    discs = (f'[[disc]]\nlevel = "{level}"\nmetabolite = "built.rda"\n' for level in levels)
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "s-1"\nregion = "lumbar"\n' + "".join(discs)
    )
    problems = json.loads(run(info_module.command, tmp_path, "--json").output)["problems"]
    assert 'region = "lumbar", where T9-T10 to T11-T12 do not lie' in problems


def test_info_of_a_dataset_and_of_a_loose_folder(tmp_path, build, spectrum, protocol):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.toml").write_text(
            f'schema_version = 1\nstudy_id = "{name}"\n'
            '[[disc]]\nlevel = "L4-L5"\nmetabolite = "x.rda"\n'
        )
    found = describe(tmp_path)
    assert found["n_studies"] == 2
    assert found["studies"][0]["levels"] == ["L4-L5"]
    assert "2 studies" in run(info_module.command, tmp_path).output
    loose = tmp_path / "a" / "loose"
    loose.mkdir()
    build("siemens-rda")(loose, spectrum(1), protocol)
    assert describe(loose)["files"][0]["format"] == "siemens-rda"
    assert "1 spectroscopy file, no image\n" in run(info_module.command, loose).output


def test_info_begins_with_what_there_is_and_says_what_is_common_once(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = run(info_module.command, "sample_data/lumbar_sdat").output.splitlines()
    assert words[0] == "lumbar-01: study of 4 discs, each with water, with an image"
    assert words[1] == "  can be analysed: all of them (enough for CPT 0609T)"
    assert sum("PRESS, TE 0.028 s" in line for line in words) == 1


def test_info_leaves_with_three_where_analyze_would_leave_a_level_out(monkeypatch):
    monkeypatch.chdir(ROOT)
    for study, status in (("failing", 3), ("lumbar_rda", 0), ("bids", 0)):
        words = ["info", f"sample_data/{study}"]
        assert run_mrs_disc(words) == run_mrs_disc([*words, "--json"]) == status
    found = describe(Path("sample_data/failing"))
    assert [level["analysable"] for level in found["levels"]] == [True, False, True, True]


def test_info_of_a_folder_tells_images_from_spectra(tmp_path):
    demo = ROOT / "sample_data" / "demo"
    shutil.copy(demo / "t2_sagittal.nii.gz", tmp_path)
    assert run_mrs_disc(["info", str(tmp_path)]) == 2
    shutil.copy(demo / "L4-L5_press.nii.gz", tmp_path / "a.nii.gz")
    found = describe(tmp_path)
    assert ([f["path"] for f in found["files"]], found["images"]) == (
        ["a.nii.gz"],
        ["t2_sagittal.nii.gz"],
    )
    words = run(info_module.command, tmp_path).output
    assert "1 spectroscopy file, 1 image (t2_sagittal.nii.gz)\n" in words


def test_info_of_a_folder_of_an_archive_groups_its_files_by_series(
    tmp_path, spectrum, sampling, protocol
):
    import pydicom
    from pydicom.uid import MRImageStorage

    from mrs_disc.simulate.write_siemens import write_dicom

    signal = Transients(signal=spectrum(2), sampling=sampling)
    for number, name in ((12, "L4-L5 press"), (7, "press for Doe")):
        made = write_dicom(
            tmp_path / str(number), signal, protocol, series_number=number, description=name
        )
        for path in made:
            path.rename(tmp_path / f"{number}-{path.name}")
        (tmp_path / str(number)).rmdir()
    described = describe(tmp_path)
    for path in tmp_path.glob("7-*"):
        dataset = pydicom.dcmread(path)
        dataset.PatientName = "Doe^Jane"
        dataset.save_as(path)
    del dataset.SpectroscopyData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SeriesInstanceUID, dataset.SeriesNumber = "1.2.3", 3
    dataset.SeriesDescription = "t2_tse_sag"
    dataset.save_as(tmp_path / "3-0001.dcm")
    (tmp_path / "notes.txt").write_text("none of these")
    found = describe(tmp_path)
    assert [f["path"] for f in found["files"]] == [f["path"] for f in described["files"]]
    assert found["images"] == described["images"] == []
    assert [(s["number"], s["description"], s["n_files"], s["holds"]) for s in found["series"]] == [
        (3, "t2_tse_sag", 1, "image"),
        (7, None, 2, "spectroscopy"),  # its description names the patient
        (12, "L4-L5 press", 2, "spectroscopy"),
    ]
    words = run(info_module.command, tmp_path).output
    assert "  series 3, t2_tse_sag: 1 image\n  series 7: 2 spectroscopy files\n" in words
    assert "Doe" not in words
    assert run_mrs_disc(["info", str(tmp_path)]) == 0
    # An archive gives its files out in folders of folders, of which one series may take several.
    for path in sorted(tmp_path.glob("*.dcm")):
        target = tmp_path / "STUDY0" / f"SERIES{path.name[:2]}" / f"PART{path.stem[-1]}" / "IM0"
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    nested = describe(tmp_path)
    assert nested["series"] == found["series"]
    paths = [f"STUDY0/SERIES{s}/PART{n}/IM0" for s in ("12", "7-") for n in (1, 2)]
    assert [f["path"] for f in nested["files"]] == paths
    assert "  series 7: 2 spectroscopy files\n" in run(info_module.command, tmp_path).output


def test_info_tells_samples_and_their_parameters_once(tmp_path, build, spectrum, protocol):
    build("philips-sdat")(tmp_path, spectrum(1), protocol)
    assert [Path(f["path"]).suffix.lower() for f in describe(tmp_path)["files"]] == [".sdat"]
    next(p for p in tmp_path.iterdir() if p.suffix.lower() == ".sdat").unlink()
    (alone,) = describe(tmp_path)["files"]  # parameters alone: told, with what is missing
    assert alone["problems"]


def test_info_says_what_it_is_that_a_text_file_does_not_state(tmp_path):
    path = tmp_path / "l45.txt"
    path.write_text("\n".join(f"{np.cos(n / 9):.6f} {np.sin(n / 9):.6f}" for n in range(512)))
    words = run(info_module.command, path).output
    assert "nucleus not stated, frequency not stated, dwell time not stated" in words


def test_info_refuses_what_cannot_be_read(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        describe(tmp_path / "absent")
    (tmp_path / "empty.rda").write_bytes(b"")
    with pytest.raises(ReadError, match=r"empty\.rda: is empty"):
        describe(tmp_path / "empty.rda")


# --------------------------------------------------------------------------- convert


@pytest.mark.filterwarnings("ignore")
def test_convert_writes_what_the_validator_accepts(built, tmp_path):
    from nifti_mrs.nifti_mrs import NIFTI_MRS
    from nifti_mrs.validator import validate_nifti_mrs

    kind, path, rows = built
    out = tmp_path / "out" / "sub-01_voi-L4L5_svs.nii.gz"
    extra = ["--spectrometer-mhz", "127.75", "--dwell-time-s", "0.0005"]
    result = run(convert_module.command, path, "-o", out, *(extra if kind == "plain-text" else []))
    written = result.output.split()
    assert written[0] == str(out)
    made = NIFTI_MRS(str(out))
    validate_nifti_mrs(made)
    assert "Doe" not in json.dumps(made.hdr_ext.to_dict())
    back = read_scan(out)
    np.testing.assert_allclose(back.signal[0, 0], rows[0], atol=np.abs(rows).max() / 3000)
    if kind in ("ge-pfile", "dicom-mrs:uih", "dicom-mrs:philips"):
        assert written[1].endswith("sub-01_voi-L4L5_mrsref.nii.gz")
    with pytest.raises(OutputError, match="already"):
        run(convert_module.command, path, "-o", out, *(extra if kind == "plain-text" else []))


def test_convert_parts_water_from_metabolites_of_one_acquisition(tmp_path):
    sample = Path(__file__).parents[2] / "sample_data" / "lumbar_sdat"
    files = [sample / f"L4-L5_{kind}.SDAT" for kind in ("act", "ref")]
    out = tmp_path / "L4-L5.nii.gz"
    result = run(convert_module.command, *files, "-o", out)
    assert result.output.split() == [str(out), str(tmp_path / "L4-L5_mrsref.nii.gz")]
    for path, part in zip(result.output.split(), files, strict=True):
        written, alone = read_scan(Path(path)).signal, read_scan(part).signal
        np.testing.assert_array_equal(written.reshape(alone.shape), alone)


def test_convert_asks_for_what_is_missing(tmp_path, build, spectrum, protocol):
    path = build("plain-text")(tmp_path, spectrum(1), protocol)
    with pytest.raises(InputError, match="--spectrometer-mhz"):
        run(convert_module.command, path, "-o", tmp_path / "x.nii.gz")
    with pytest.raises(InputError, match="ends in"):
        run(convert_module.command, path, "-o", tmp_path / "x.dat")
    assert not (tmp_path / "x.nii.gz").exists()


# --------------------------------------------------------------------------- init


@pytest.fixture
def export(tmp_path, build, spectrum, sampling, protocol):
    """A folder as a PACS writes it: spectra of three discs, water, a repeat, images, rubbish."""
    from dataclasses import replace

    from mrs_disc.simulate.write_siemens import write_dicom, write_rda

    def placed(z):
        affine = protocol.voxel_affine.copy()
        affine[2, 3] = z
        return replace(protocol, voxel_affine=affine)

    from mrs_disc.data import Fid

    def fid(seed, water=0.5):
        return Fid(signal=spectrum(1, seed=seed, water=water)[0], sampling=sampling)

    for level, z, seed in (("s1", 80.0, 1), ("s2", 45.0, 2), ("s3", 10.0, 3)):
        write_rda(tmp_path / "spectra" / f"{level}.rda", fid(seed), placed(z))
        write_rda(tmp_path / "spectra" / f"{level}_w.rda", fid(seed, 5000.0), placed(z))
    write_rda(tmp_path / "spectra" / "s3_again.rda", fid(9), placed(10.5))
    series = Transients(signal=spectrum(4), sampling=sampling)
    write_dicom(tmp_path / "se7", series, placed(115.0), series_number=7, description="press L2-L3")
    images(tmp_path / "se2", sagittal=True, words="t2_tse_sag", n=7)
    images(tmp_path / "se1", sagittal=True, words="localizer", n=9)
    images(tmp_path / "se3", sagittal=False, words="t2_tse_tra", n=12)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "spectra" / "cut.rda").write_bytes(b">>> Begin of header <<<\r\nTE: 30\r\n")
    return tmp_path


def images(folder, *, sagittal, words, n):
    from pydicom.dataset import Dataset, FileMetaDataset

    folder.mkdir()
    for i in range(n):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{i + 1}"
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        dataset.SOPInstanceUID = f"2.25.{i + 1}"
        dataset.SeriesInstanceUID = f"2.25.{abs(hash(words)) % 10**9}"
        dataset.SeriesDescription = words
        dataset.Rows, dataset.Columns = 8, 6
        dataset.PixelSpacing, dataset.SliceThickness = [1.0, 2.0], 4.0
        place = [4.0 * i, -10.0, 50.0] if sagittal else [0.0, -10.0, 4.0 * i]
        dataset.ImagePositionPatient = place
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1] if sagittal else [1, 0, 0, 0, 1, 0]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = 0
        dataset.PixelData = (np.arange(48, dtype="<u2") + 100 * i).tobytes()
        dataset.save_as(folder / f"{i:03d}.dcm", enforce_file_format=True)


def test_init_drafts_a_study_that_reads(export):
    result = run(init_module.command, export)
    draft = (export / "study.toml").read_text()
    assert str(export / "study.toml") in result.output
    assert "GUESS" in draft
    study = read_study(export)
    assert [(d.level, d.run) for d in study] == [
        ("L2-L3", 1),
        ("L3-L4", 1),
        ("L4-L5", 1),
        ("L5-S1", 1),
        ("L5-S1", 2),
    ]
    for entry in study:
        disc = entry.load()
        assert (disc.water is None) == (entry.level == "L2-L3")
    assert study["L2-L3"].metabolite.signal.shape == (4, 512)
    assert re.search(r'anatomy = "se2" .*sagittal T2, 7 slices', draft)
    anatomy = study.load_anatomy()
    assert anatomy.image.shape == (6, 8, 7)
    assert "cut.rda" in draft  # found and not used, with the reason
    assert "not used: cut.rda" in result.output or "not used: spectra/cut.rda" in result.output


def test_the_image_lies_where_its_header_says(export):
    """DICOM PS3.3 C.7.6.2.1.1: pixel (column i, row j) of slice k, LPS, here in RAS."""
    run(init_module.command, export)
    anatomy = read_study(export).load_anatomy()
    for i, j, k in ((0, 0, 0), (5, 7, 6), (2, 3, 4)):
        lps = np.array([4.0 * (6 - k) if anatomy.affine[0, 2] > 0 else 4.0 * k, 0, 0])
        lps += [0, -10.0 + 2.0 * i, 50.0 - 1.0 * j]
        ras = anatomy.affine @ [i, j, k, 1]
        np.testing.assert_allclose(ras[1:3], [-lps[1], lps[2]], atol=1e-6)
        assert anatomy.image[i, j, k] == 100 * round(-ras[0] / 4.0) + 6 * j + i


def test_init_replaces_nothing(export):
    run(init_module.command, export)
    before = (export / "study.toml").read_text()
    with pytest.raises(OutputError, match="already"):
        run(init_module.command, export)
    assert (export / "study.toml").read_text() == before


def test_init_says_why_there_is_no_spectrum(export):
    for name in ("spectra", "se7"):
        shutil.rmtree(export / name)
    with pytest.raises(ReadError, match="no spectrum"):
        run(init_module.command, export)
    assert not (export / "study.toml").exists()


def test_init_takes_levels_from_names(tmp_path, spectrum, sampling):
    for name in ("L4-L5_act", "L4-L5_act_run-2", "l5s1"):
        signal = Transients(signal=spectrum(2), sampling=sampling)
        write_nifti_mrs(tmp_path / f"{name}.nii.gz", signal)
    run(init_module.command, tmp_path)
    draft = (tmp_path / "study.toml").read_text()
    assert "echo_time_s" in draft  # the files are silent on it
    assert [(d.level, d.run) for d in read_study(tmp_path)] == [
        ("L4-L5", 1),
        ("L4-L5", 2),
        ("L5-S1", 1),
    ]


def test_init_takes_the_weaker_of_two_waters_for_the_metabolites(
    tmp_path, spectrum, sampling, protocol
):
    """Metabolites that noise hides beside a tenth of the water, and the reference."""
    rng = np.random.default_rng(1)
    for name, water in (("se1", 3000.0), ("se2", 30000.0)):
        rows = spectrum(2, water=water)
        rows = rows + 4e4 * (rng.normal(size=rows.shape) + 1j * rng.normal(size=rows.shape))
        signal = Transients(signal=rows.astype(np.complex64), sampling=sampling)
        write_nifti_mrs(tmp_path / f"{name}.nii.gz", signal, protocol)
    run(init_module.command, tmp_path)
    draft = (tmp_path / "study.toml").read_text()
    assert 'metabolite = "se1.nii.gz"' in draft
    assert 'water = "se2.nii.gz"' in draft


def test_init_claims_no_place_for_a_spectrum_without_neighbours(tmp_path, spectrum, sampling):
    write_nifti_mrs(tmp_path / "press.nii.gz", Transients(signal=spectrum(2), sampling=sampling))
    run(init_module.command, tmp_path)
    draft = (tmp_path / "study.toml").read_text()
    assert "neither name nor neighbour says it" in draft
    assert "by the voxel's place" not in draft
