"""Files of every format that can be built, from one known signal; the real files where they are."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.data import Fid, Protocol, RawSignal, Sampling, Scanner, Transients
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
from mrs_disc.simulate.write_philips import write_sdat
from mrs_disc.simulate.write_siemens import write_dicom, write_rda

MHZ, DWELL, ECHO, REPETITION = 127.75, 1 / 2000, 0.03, 2.0


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real scanner files."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data" / "real"
    folder = Path(os.environ.get("MRS_DISC_REAL_DATA", default)).resolve()
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no real scanner files in {folder}; set MRS_DISC_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def spectrum():
    """Return (transients, points) with N-acetyl at 2.01, choline at 3.21 ppm and a small water."""

    def make(n_transients=1, n_points=512, seed=1, water=0.5):
        time = DWELL * np.arange(n_points)
        fid = sum(
            area * np.exp(2j * np.pi * (ppm - 4.65) * MHZ * time - 12.0 * time)
            for ppm, area in ((2.01, 3.0), (3.02, 2.0), (3.21, 1.5), (4.65, water))
        )
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(2, n_transients, n_points)) * 0.02
        return (fid + noise[0] + 1j * noise[1]).astype(np.complex64) * 1000

    return make


@pytest.fixture(scope="session")
def protocol():
    affine = np.diag([-20.0, -25.0, 15.0, 1.0])
    affine[:3, 3] = [4.0, -30.0, 12.0]
    return Protocol(
        sequence="PRESS",
        echo_time_s=ECHO,
        repetition_time_s=REPETITION,
        voxel_affine=affine,
        voxel_size_mm=(20.0, 25.0, 15.0),
        scanner=Scanner(manufacturer="Siemens"),
        field_strength_t=3.0,
    )


SAMPLING = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ)


def fid_of(rows):
    return Fid(signal=rows[0], sampling=SAMPLING)


def transients_of(rows):
    return Transients(signal=rows, sampling=SAMPLING)


def nifti_mrs(folder, rows, protocol):
    raw = RawSignal(signal=rows[None], sampling=SAMPLING)
    return write_nifti_mrs(folder / "built.nii.gz", raw, protocol)


def sdat(folder, rows, protocol):
    return write_sdat(folder / "built.SDAT", transients_of(rows), protocol)[0]


def rda(folder, rows, protocol):
    return write_rda(folder / "built.rda", fid_of(rows), protocol)


def dicom_standard(folder, rows, protocol):
    return write_dicom(folder, fid_of(rows), protocol, series_number=3, description="built")[0]


def dicom_uih(folder, rows, protocol):
    """United Imaging: the sign of NIfTI-MRS, water in a private element."""
    import pydicom

    path = dicom_standard(folder, rows, protocol)
    dataset = pydicom.dcmread(path)
    dataset.Manufacturer = "UIH"
    dataset.SpectroscopyData = np.conj(rows[0]).astype("<c8").tobytes()
    dataset.add_new((0x0065, 0x0010), "LO", "Image Private Header")
    dataset.add_new((0x0065, 0xFF07), "OB", np.conj(100 * rows[0]).astype("<c8").tobytes())
    dataset.save_as(path)
    return path


def dicom_philips_pair(folder, rows, protocol):
    """Philips enhanced: frame 0 metabolites, frame 1 water, one localisation item."""
    import pydicom

    path = dicom_standard(folder, rows, protocol)
    dataset = pydicom.dcmread(path)
    dataset.Manufacturer = "Philips Medical Systems"
    dataset.NumberOfFrames = 2
    dataset.WaterReferencedPhaseCorrection = "YES"
    both = np.concatenate([rows[0], 100 * rows[0]]).astype("<c8")
    dataset.SpectroscopyData = both.tobytes()
    if "VolumeLocalizationSequence" in dataset:
        dataset.VolumeLocalizationSequence = dataset.VolumeLocalizationSequence[:1]
    dataset.save_as(path)
    return path


def csa_block(tags):
    """Return a Siemens CSA2 header of these tags."""
    out = [b"SV10\x04\x03\x02\x01", struct.pack("<II", len(tags), 77)]
    for name, values in tags.items():
        kind = b"UT" if isinstance(values[0], str) else b"FD"
        out.append(
            struct.pack("<64sI4siII", name.encode(), len(values), kind + b"\x00\x00", 0, 6, 77)
        )
        for value in [*values, *[None] * (6 - len(values))]:
            text = b"" if value is None else str(value).encode() + b"\x00"
            out.append(struct.pack("<IIII", len(text), len(text), 77, len(text)))
            out.append(text + b"\x00" * (-len(text) % 4))
    return b"".join(out)


def dicom_csa(
    folder,
    rows,
    protocol,
    *,
    without=(),
    alte=(30000,),
    program="svs_se",
    told=(),
    text="MrPhoenixProtocol",
    **extra,
):
    """Siemens VA to VE: a private class with CSA headers; `told` are lines of the protocol."""
    from pydicom.dataset import Dataset, FileMetaDataset

    tags = {
        "EchoTime": [30.0],
        "RepetitionTime": [2000.0],
        "ImagingFrequency": [MHZ],
        "ImagedNucleus": ["1H"],
        "RealDwellTime": [round(DWELL * 1e9)],
        "DataPointColumns": [rows.shape[1]],
        "Rows": [1],
        "Columns": [1],
        "NumberOfFrames": [1],
        "VoiPosition": [-4.0, 30.0, 12.0],
        "VoiReadoutFoV": [20.0],
        "VoiPhaseFoV": [25.0],
        "VoiThickness": [15.0],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "SequenceName": ["*svs_se"],
    } | extra
    lines = [f"alTE[{i}] = {v}" for i, v in enumerate(alte)]
    begin = f'### ASCCONV BEGIN ###\ntSequenceFileName = "%SiemensSeq%\\{program}"'
    phoenix = "\n".join([begin, *lines, *told])
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = "1.3.12.2.1107.5.9.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPClassUID = "1.3.12.2.1107.5.9.1"
    dataset.SOPInstanceUID = "2.25.7"
    dataset.Modality = "MR"
    dataset.Manufacturer = "SIEMENS"
    dataset.InstanceNumber = 1
    dataset.SeriesNumber = 1
    dataset.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
    image = {k: v for k, v in tags.items() if k not in without}
    dataset.add_new((0x0029, 0x1010), "OB", csa_block(image))
    dataset.add_new((0x0029, 0x1020), "OB", csa_block({text: [phoenix]}))
    dataset.add_new((0x7FE1, 0x0010), "LO", "SIEMENS CSA NON-IMAGE")
    dataset.add_new((0x7FE1, 0x1010), "OB", np.conj(rows[0]).astype("<c8").tobytes())
    path = folder / "built.IMA"
    dataset.save_as(path, enforce_file_format=True)
    return path


def jmrui_text(folder, rows, protocol):
    head = (
        f"jMRUI Data Textfile\n\nFilename: built.txt\n\nPointsInDataset: {rows.shape[1]}\n"
        f"DatasetsInFile: {len(rows)}\nSamplingInterval: {DWELL * 1e3}\n"
        f"TransmitterFrequency: {MHZ * 1e6}\nMagneticField: 3.0E0\nTypeOfNucleus: 0E0\n"
        "NameOfPatient: Doe^Jane\n\n\nSignal and FFT\nsig(real)\tsig(imag)\tfft(real)\tfft(imag)\n"
    )
    blocks = [
        f"Signal {i} out of {len(rows)} in file\n"
        + "\n".join(f"{z.real:.7e}\t{z.imag:.7e}\t0\t0" for z in row)
        for i, row in enumerate(rows, start=1)
    ]
    path = folder / "built.txt"
    path.write_text(head + "\n".join(blocks) + "\n")
    return path


def jmrui_binary(folder, rows, protocol):
    header = np.zeros(64)
    header[:8] = [0, rows.shape[1], DWELL * 1e3, 0, 0, MHZ * 1e6, 3.0, 1]
    path = folder / "built.mrui"
    path.write_bytes(header.astype(">f8").tobytes() + rows.astype(">c16").tobytes() + b"Doe^Jane")
    return path


def lcmodel_raw(folder, rows, protocol):
    values = "\n".join(f" {z.real:14.6e} {-z.imag:14.6e}" for z in rows[0])
    path = folder / "built.RAW"
    path.write_text(
        f" $SEQPAR\n ECHOT= {ECHO * 1e3}\n SEQ= 'PRESS'\n HZPPPM= {MHZ}\n"
        f" NUNFIL= {rows.shape[1]}\n DELTAT= {DWELL}\n $END\n"
        f" $NMID\n id='Doe', fmtdat='(2E15.6)'\n volume=1.0\n tramp=1.0\n $END\n{values}\n"
    )
    return path


def text(folder, rows, protocol):
    path = folder / "built.dat"
    path.write_text("".join(f"{z.real:.7e}\t{z.imag:.7e}\n" for z in rows[0]))
    return path


def ge_pfile(folder, rows, protocol, *, revision=9.0, sequence=b"probe-p", coils=1):
    """GE: per coil one baseline frame, two water frames, then the metabolites.

    The places of the header's fields are spec2nii's, which real files of revision 9 agree with.
    """
    import ctypes

    from spec2nii.GE.ge_hdr_fields import get_pfile_hdr_fields

    fields = {"_pack_": 1, "_fields_": get_pfile_hdr_fields(np.float32(revision))}
    header = type("Header", (ctypes.LittleEndianStructure,), fields)()
    start = {9: 61_464, 11: 66_072, 16: 145_908, 24: 157_276, 26: 213_684, 28: 228_020}
    start = start[int(revision)]
    names = [name for name, _ in header._fields_]
    values = {
        names[0]: revision,
        "rhr_rh_logo": b"GE_MED_NMR",
        "rhr_rdb_hdr_off_data": start,
        "rhr_rh_frame_size": rows.shape[1],
        "rhr_rh_point_size": 4,
        "rhr_rh_raw_pass_size": coils * (len(rows) + 3) * rows.shape[1] * 8,
        "rhr_rh_dab[0]_stop_rcv": coils - 1,
        "rhr_rh_user19": 2.0,
        "rhr_spectral_width": 1 / DWELL,
        "rhr_rh_ps_mps_freq": round(MHZ * 1e7),
        "rhe_magstrength": 30000,
        "rhe_patname": b"Doe^Jane",
        "rhi_psdname": sequence,
        "rhi_te": round(ECHO * 1e6),
        "rhi_tr": round(REPETITION * 1e6),
        "rhi_numecho": 1,
        "rhi_nex": 8.0,
        "rhi_user4": 8.0 * len(rows),
        "rhi_user8": 20.0,
        "rhi_user9": 25.0,
        "rhi_user10": 15.0,
        "rhi_trhc_R": 1.0,
        "rhi_brhc_A": 1.0,
    }
    for name, value in values.items():
        if name in names:
            setattr(header, name, value)
    frames = np.concatenate([0 * rows[:1], 100 * rows[:1], 100 * rows[:1], rows])
    channels = np.stack([frames * (coil + 1) for coil in range(coils)])
    parts = np.conj(channels).astype(np.complex128).view(np.float64)
    path = folder / "P12345.7"
    path.write_bytes(bytes(header).ljust(start, b"\x00") + np.round(parts).astype("<i4").tobytes())
    return path


def jcamp(entries):
    """Return a ParaVision parameter file; a list is written with its dimension."""
    lines = ["##TITLE=Parameter List, ParaVision", "##JCAMPDX=4.24", "##OWNER=Doe"]
    for name, value in entries.items():
        many = isinstance(value, (list, tuple))
        shown = f"( {len(value)} )\n" + " ".join(str(v) for v in value) if many else value
        lines.append(f"##${name}={shown}")
        lines.append(f"$$ @vis= {name}")
    return "\n".join([*lines, "##END=", ""])


def bruker(folder, rows, protocol, *, name="fid", coils=1, delay=0, water=None, **extra):
    """Bruker ParaVision: integers with the parameters beside them; `delay` samples come first.

    Rows are stored transient by transient, each of `coils` coils, the k-th times k. `extra`
    replaces entries of method and acqp; `None` takes one out.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    n = rows.shape[1] + delay
    stored = np.concatenate([np.zeros((len(rows), delay)), rows], axis=1)
    frames = np.stack([stored * (k + 1) for k in range(coils)], axis=1)
    kind = "<f8" if name.endswith(".64") else "<i4"
    numbers = frames.astype(np.complex128).view(np.float64)
    path.write_bytes((numbers if kind == "<f8" else np.round(numbers)).astype(kind).tobytes())
    method = {
        "Method": "<Bruker:PRESS>",
        "PVM_EchoTime": ECHO * 1e3,
        "PVM_RepetitionTime": REPETITION * 1e3,
        "PVM_NAverages": len(rows),
        "PVM_NRepetitions": 1,
        "PVM_Nucleus1": "( 8 )\n<1H>",
        "PVM_FrqWork": [MHZ, "@7*(0)"],
        "PVM_FrqWorkOffsetPpm": ["@8*(0)"],
        "PVM_SpecMatrix": [n],
        "PVM_SpecSWH": [1 / DWELL],
        "PVM_VoxArrSize": "( 1, 3 )\n20 25 15",
        "PVM_VoxArrPosition": "( 1, 3 )\n1 2 3",
        "PVM_VoxArrGradOrient": "( 1, 3, 3 )\n1 0 0 0 1 0 0 0 1",
        "PVM_EncNReceivers": coils,
        "PVM_WsOnOff": "On",
    }
    jobs = f"( 1 )\n({2 * n}, {len(rows)}, 0, {len(rows)}, 101, {1 / DWELL}, 2, 1, <job0>)"
    acqp = {
        "ACQ_sw_version": "( 65 )\n<PV-360.3.5>",
        "ACQ_dim_desc": "( 1 )\nSpectroscopic",
        "ACQ_size": [1024],
        "BYTORDA": "little",
        "ACQ_word_size": "_32_BIT",
        "GRPDLY": -1,
        "ACQ_RxFilterInfo": f"( 1 )\n({delay}, 0, 8, 19.44, 31)",
        "ACQ_jobs": jobs,
        "ACQ_abs_time": "(1740423723, 240, 60)",
    }
    if water is not None:
        pairs = np.stack([water * (k + 1) for k in range(coils)]).astype(np.complex128)
        flat = np.round(pairs.view(np.float64)).astype(int)
        method["PVM_RefScanYN"] = "Yes"
        method["PVM_RefScan"] = f"( {coils}, {2 * n} )\n" + " ".join(str(v) for v in flat.ravel())
        method["PVM_RefScanRG"] = 101
    for entries, file in ((method, "method"), (acqp, "acqp")):
        kept = {k: extra.get(k, v) for k, v in entries.items()}
        more = {k: v for k, v in extra.items() if k not in method and k not in acqp}
        kept |= more if file == "method" else {}
        text = jcamp({k: v for k, v in kept.items() if v is not None})
        (folder / file).write_text(text, encoding="latin-1")
    return path


def bruker_job(folder, rows, protocol):
    """Return single transients of ParaVision 360."""
    return bruker(folder, rows, protocol, name="rawdata.job0")


def ge_24(folder, rows, protocol):
    """Return a revision that is read through spec2nii."""
    return ge_pfile(folder, rows, protocol, revision=24.0)


def philips_data_list(folder, rows, protocol):
    """Philips raw data of one coil: vectors in the order of the list."""
    write_sdat(folder / "built.SDAT", fid_of(rows), protocol)
    (folder / "built.SDAT").unlink()
    size = rows.shape[1] * 8
    lines = ["# === DATA DESCRIPTION FILE ===", "# typ mix dyn card echo loca chan"]
    lines.append(" 0 0 0 number_of_mixes                    :   1")
    for i in range(len(rows)):
        words = ["STD", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, i, 1, 0, 0, 0, 0, 0, size, i * size]
        lines.append(" ".join(str(w) for w in words))
    (folder / "built.list").write_text("\n".join(lines) + "\n")
    path = folder / "built.data"
    path.write_bytes(rows.astype("<c8").tobytes())
    return path


def philips_classic(folder, rows, protocol):
    """Philips' private class of older releases."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence

    uid = "1.3.46.670589.11.0.0.12.1"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = uid
    dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.8"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid, "2.25.8"
    dataset.Modality, dataset.Manufacturer = "MR", "Philips Medical Systems"
    dataset.ManufacturerModelName, dataset.SoftwareVersions = "Achieva", "2.6.3"
    dataset.SeriesDescription = dataset.ProtocolName = "PRESS"
    dataset.InstitutionName, dataset.PatientPosition = "", "HFS"
    dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "Doe", "", ""
    dataset.FlipAngle, dataset.RepetitionTime = 90, 2
    dataset.Rows = dataset.Columns = 1
    dataset.PixelSpacing, dataset.SliceThickness = [20, 25], 15
    dataset.add_new((0x2001, 0x0010), "LO", "Philips Imaging DD 001")
    dataset.add_new((0x2001, 0x1083), "DS", str(MHZ))
    dataset.add_new((0x2001, 0x1087), "SH", "1H")
    dataset.add_new((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001")
    dataset.add_new((0x2005, 0x0013), "LO", "Philips MR Imaging DD 004")
    dataset.add_new((0x2005, 0x0014), "LO", "Philips MR Imaging DD 005")
    dataset.add_new((0x2005, 0x1270), "OB", rows[0].astype("<c8").tobytes())
    dataset.add_new((0x2005, 0x1310), "FL", ECHO)
    dataset.add_new((0x2005, 0x1357), "FL", 1 / DWELL)
    matrix = Dataset()
    matrix.SpectroscopyAcquisitionPhaseColumns = 1
    matrix.SpectroscopyAcquisitionPhaseRows = 1
    matrix.SpectroscopyAcquisitionOutOfPlanePhaseSteps = 1
    dataset.add_new((0x2005, 0x140F), "SQ", Sequence([matrix]))
    path = folder / "classic.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


BUILDERS = {
    "nifti-mrs": nifti_mrs,
    "philips-sdat": sdat,
    "siemens-rda": rda,
    "dicom-mrs": dicom_standard,
    "dicom-mrs:uih": dicom_uih,
    "dicom-mrs:philips": dicom_philips_pair,
    "dicom-mrs:csa": dicom_csa,
    "dicom-mrs:classic": philips_classic,
    "jmrui": jmrui_text,
    "jmrui:binary": jmrui_binary,
    "lcmodel-raw": lcmodel_raw,
    "plain-text": text,
    "ge-pfile": ge_pfile,
    "ge-pfile:24": ge_24,
    "philips-data-list": philips_data_list,
    "bruker": bruker,
    "bruker:job": bruker_job,
}


@pytest.fixture(params=sorted(BUILDERS))
def built(request, tmp_path, spectrum, protocol):
    """One file of each format that can be built: (kind, path, rows in our sign)."""
    rows = spectrum(1)
    return request.param, BUILDERS[request.param](tmp_path, rows, protocol), rows


@pytest.fixture(scope="session")
def build():
    """Return the builder of a format by its name."""
    return BUILDERS.__getitem__


@pytest.fixture(scope="session")
def sampling():
    return SAMPLING
