"""The second half of the table of `test_faults.py`: descriptions, names, and what lies around.

Rows of the study's description end before a signal is read; the others are tried in the slow suite.
"""

from __future__ import annotations

import gzip
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import spoil as s

DIGITS = "9" * 5_000
DISC = 'level = "L4-L5"\n'
NAMED = f'metabolite = "{s.PRESS}"'
MORPHOLOGY = "pfirrmann = 3"


def disc(line: str) -> Callable[[Path], None]:
    """Return a fault that adds a line to the spoilt disc."""
    return s.text(DISC, f"{DISC}{line}\n")


def given(line: str) -> Callable[[Path], None]:
    """Return a fault that adds a line to what the user gives of the acquisition."""
    table = f'water = "{s.WATER}"\n'
    return s.text(table, f"{table}[disc.acquisition]\n{line}\n")


def study(line: str) -> Callable[[Path], None]:
    """Return a fault that adds a line at the head of the study."""
    return s.text('region = "lumbar"\n', f'region = "lumbar"\n{line}\n')


def named(value: str) -> Callable[[Path], None]:
    """Return a fault that names another file for the metabolites."""
    return s.text(NAMED, f"metabolite = {value}")


def a_socket(path: Path) -> None:
    """Put a socket in a file's place; its name is bound from within, as long ones are refused."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def every_second(signal: np.ndarray) -> np.ndarray:
    """Lose every second point."""
    signal[:, :, :, 1::2] = 0
    return signal


def half(value: complex | None) -> Callable[[np.ndarray], np.ndarray]:
    """Return a change of the second half of the transients; `None` makes it the first."""

    def change(signal: np.ndarray) -> np.ndarray:
        n = signal.shape[-1] // 2
        signal[..., n:] = signal[..., :n] if value is None else value
        return signal

    return change


def deflated(folder: Path) -> None:
    """Deflate all files of a DICOM series behind their first group."""
    import pydicom

    for path in sorted((folder / "L4-L5_press").iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
        content = path.read_bytes()
        length = struct.unpack("<I", content[140:144])[0]
        head, rest = content[: 144 + length], content[144 + length :]
        head = head.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
        grown = len(head) - 144
        head = head[:140] + struct.pack("<I", grown) + head[144:]
        at = head.index(b"1.2.840.10008.1.2.1.99") - 2
        head = head[:at] + struct.pack("<H", 22) + head[at + 2 :]
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        path.write_bytes(head + packer.compress(rest) + packer.flush())


def extension(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return a fault that changes the text of the header extension, its length kept."""

    def change_all(content: bytes) -> bytes:
        size = struct.unpack("<i", content[352:356])[0]
        text = change(content[360 : 352 + size])
        return content[:360] + text[: size - 8].ljust(size - 8) + content[352 + size :]

    return s.replaced(change_all)


def dimension(value: int) -> Callable[[Path], None]:
    """Return a fault that declares another number of points."""
    return s.replaced(lambda b: b[:48] + struct.pack("<h", value) + b[50:])


def anatomy(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return a fault that names an image, and makes it."""

    def spoil(folder: Path) -> None:
        make(folder / "t2.nii.gz")
        study('anatomy = "t2.nii.gz"')(folder)

    return spoil


def huge_image(path: Path) -> None:
    """An image of 4 GB that packs to nothing."""
    head = bytearray(348)
    head[:4] = struct.pack("<i", 348)
    head[40:56] = struct.pack("<8h", 3, 1600, 1600, 1600, 1, 1, 1, 1)
    head[70:74] = struct.pack("<2h", 2, 8)
    head[108:112], head[344:348] = struct.pack("<f", 352), b"n+1\0"
    path.write_bytes(gzip.compress(bytes(head) + bytes(4) + bytes(2**22)))


DESCRIPTIONS: list[tuple[str, Callable[[Path], None], str]] = [
    ("no version of the schema", s.text("schema_version = 1\n", ""), "schema_version"),
    ("a version of the future", s.text("schema_version = 1", "schema_version = 2"), "schema_ver"),
    ("no disc", s.replaced(b'schema_version = 1\nstudy_id = "whole"\n', "study.toml"), "disc"),
    ("one table in place of a list", s.replaced(
        lambda b: b.split(b"[[disc]]")[0] + b"[disc]\n" + b'level = "L4-L5"\n', "study.toml"),
     "disc"),
    ("an empty description", s.replaced(b"", "study.toml"), "schema_version"),
    ("a zero byte in the description", s.replaced(lambda b: b + b"\0", "study.toml"), "TOML"),
    ("a key twice", s.text(DISC, DISC + DISC), "not valid TOML"),
    ("a bracket that is never closed", s.replaced(lambda b: b + b"[[disc", "study.toml"), "TOML"),
    ("an integer of 5,000 digits", disc(f"run = {DIGITS}"), "not valid TOML"),
    ("a level that is a number", s.text('"L5-S1"', "5"), "level"),
    ("a level of 1 MB", s.text('"L5-S1"', f'"{"L" * 1_000_000}"'), "is not a disc level"),
    ("a level of escape sequences", s.text('"L5-S1"', '"\\u001b[2J"'), "is not a disc level"),
    ("run 0", disc("run = 0"), "run"),
    ("half a run", disc("run = 1.5"), "run"),
    ("confirmed by a word", disc('confirmed = "perhaps"'), "confirmed"),
    ("a number for a file", named("45"), "metabolite"),
    ("an empty list of files", named("[]"), "names no file"),
    ("a blank for a file", named('" "'), "names no file"),
    ("a date for a name", s.text('"whole"', "2020-01-01"), "study_id"),
    ("a line feed in a name", s.text('"whole"', '"whole\\n"'), "study_id"),
    ("an echo time in ms from the user", given("echo_time_s = 30"), "echo_time_s"),
    ("an endless echo time", given("echo_time_s = inf"), "echo_time_s"),
    ("an echo time that is no number", given("echo_time_s = nan"), "echo_time_s"),
    ("a dwell time in us", given("dwell_time_s = 400"), "dwell_time_s"),
    ("a frequency in Hz from the user", given("spectrometer_mhz = 127.7e6"), "spectrometer_mhz"),
    ("a bandwidth in kHz", given("refocusing_bandwidth_hz = 2.0"), "written in kHz"),
    ("an unknown fact overruled", given('overrule = ["colour"]'), "overrule"),
    ("a fact overruled that is not given", given('overrule = ["echo_time_s"]'), "overrule"),
    ("Pfirrmann grade 6", s.text(MORPHOLOGY, "pfirrmann = 6"), "pfirrmann"),
    ("a grade in Roman numbers", s.text(MORPHOLOGY, 'pfirrmann = "III"'), "pfirrmann"),
    ("a misspelt herniation", s.text('"bulge"', '"bulgde"'), "herniation"),
    ("a region of another animal", s.text('"lumbar"', '"caudal"'), "region"),
    ("an indication of a page", s.replaced(
        lambda b: b + b'[clinical]\nindication = "' + b"x" * 600 + b'"\n', "study.toml"),
     "indication"),
    ("a description that is a folder in a folder", s.both(
        s.instead(Path.mkdir, "study.toml"), lambda f: [p.unlink() for p in f.glob("*.nii")]),
     "no study"),
]  # fmt: skip

FILES: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("a pattern that finds nothing", named('"IM_*.dcm"'), "the pattern finds no file", "nifti"),
    ("an absolute pattern", named('"/data/export/IM_*.dcm"'), "no pattern that can", "nifti"),
    ("a broken pattern", named('"**x["'), "no pattern that can be looked for", "nifti"),
    ("a name of 400 letters", named(f'"{"n" * 400}.nii"'), "no file can have this name", "nifti"),
    ("a zero byte in a file's name", named('"L4\\u0000.nii"'), "no such file", "nifti"),
    ("a path of Windows", named("'C:\\export\\L4.nii'"), "not at a drive", "nifti"),
    ("the folder of everything", named('"/"'), "holds no spectroscopy", "nifti"),
    ("a socket", s.instead(a_socket), "is no regular file", "nifti"),
    ("a sidecar that is a pipe", lambda f: os.mkfifo(f / "L4-L5_press.json"), "pipe", "nifti"),
    ("a sidecar of 5,000 digits",
     lambda f: (f / "L4-L5_press.json").write_text(f'{{"EchoTime": {DIGITS}}}'),
     "is not a JSON sidecar", "nifti"),
    ("an extension that is a list", extension(lambda _: b"[]"), "is not a JSON object", "nifti"),
    ("an extension of digits", extension(lambda b: b"9" * len(b)), "is not a JSON object", "nifti"),
    ("an extension beyond the file",
     s.replaced(lambda b: b[:352] + struct.pack("<i", 2**30) + b[356:]), "extension", "nifti"),
    ("a negative number of points", dimension(-5), "shape|dimension|points", "nifti"),
    ("no points", dimension(0), "shape|dimension|points", "nifti"),
    ("one point", s.samples(lambda x: x[:, :, :, :1]), "point", "nifti"),
    ("a deflated DICOM series", deflated, "deflated", "dicom"),
    ("a header that never ends",
     s.replaced(lambda b: b.split(b">>> End")[0], "L4-L5_press.rda"), "", "rda"),
    ("a frequency of zero",
     s.text("synthesizer_frequency : 127700000", "synthesizer_frequency : 0", "L4-L5_act.SPAR"),
     "synthesizer_frequency", "sdat"),
    ("samples of 1e-30", s.samples(lambda x: (x * np.complex64(1e-30))), "scaled back", "nifti"),
    ("an echo time in thousandths", s.header(EchoTime=3e-5), "written in another unit", "nifti"),
    ("an echo time of each transient that is another",
     s.header(dim_6_header={"EchoTime": [0.144] * 32}), "said otherwise for all", "nifti"),
    ("every second sample lost", s.samples(every_second), "zero amid the signal", "nifti"),
    ("a difference spectrum",
     s.header(ProcessingApplied=[{"Method": "Subtraction of sub-spectra"}]),
     "a difference spectrum is not", "nifti"),
    ("an echo time twice in a header",
     s.text("TM: 0.000000", "TE: 135.000000", "L4-L5_press.rda"), "neither is used", "rda"),
    ("half of the points declared",
     s.text("VectorSize: 2048", "VectorSize: 1024", "L4-L5_press.rda"), "number of points", "rda"),
    ("two voxels", s.text("volumes : 1", "volumes : 2", "L4-L5_act.SPAR"), "2 voxels", "sdat"),
]  # fmt: skip

BORNE: list[tuple[str, Callable[[Path], None], str]] = [
    ("water by a pattern that finds nothing",
     s.text(f'"{s.WATER}"', '"w_*.nii"'), "is not used: the pattern finds no file"),
    ("an image that is absent", anatomy(lambda _: None), "there is no such image"),
    ("an image that is text", anatomy(lambda p: p.write_text("no image")), "is no NIfTI"),
    ("an image that is a pipe", anatomy(os.mkfifo), "is no regular file"),
    ("an image that unpacks to 4 GB", anatomy(huge_image), "declares 4096 MB"),
    ("a repetition time in thousandths", s.header(RepetitionTime=0.0015), "in another unit"),
    ("a field of another frequency", s.header(MagneticFieldStrength=7), "the frequency counts"),
    ("a mixing time without a stimulated echo", s.header(MixingTime=0.01), "which has none"),
    ("half of the transients silent", s.samples(half(0)), "16 of 32 transients hold nothing"),
    ("half of the transients copies", s.samples(half(None)), "16 of 32 transients are copies"),
    ("a level's name in another's header",
     s.header(ProtocolName="press L3L4"), "is named L3-L4 by its file's name or header"),
    ("a water reference that is cut off", s.replaced(lambda b: b[:5000], s.WATER), "ends after"),
    ("a water reference that lies mirrored", s.samples(np.conj, s.WATER), "turned over, as the"),
    ("a folder in a circle beside the spectra", lambda f: (f / "again").symlink_to(f), ""),
    ("a comment in every script", s.replaced(
        lambda b: b + "# 椎間板 ü \u202e רווח\n".encode(), "study.toml"), ""),
]  # fmt: skip
