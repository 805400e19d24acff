"""Ways to spoil a study on disk: each takes the study's folder and changes it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

EXTENSION_AT = 352
LEVEL = "L4-L5"
PRESS, WATER = "L4-L5_press.nii", "L4-L5_water.nii"


class Nifti:
    """A NIfTI-MRS file taken apart: 348 bytes of header, extension as JSON, samples."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self.path = path
        self.header = bytearray(content[:348])
        size, self.code = struct.unpack("<2i", content[EXTENSION_AT : EXTENSION_AT + 8])
        text = content[EXTENSION_AT + 8 : EXTENSION_AT + size]
        self.extension: dict[str, Any] = json.loads(text.rstrip(b"\0"))
        start = int(struct.unpack("<f", self.header[108:112])[0])
        shape = [n for n in self.shape if n > 0]
        self.signal = np.frombuffer(content[start:], "<c8").reshape(shape, order="F").copy()

    @property
    def shape(self) -> tuple[int, ...]:
        n, *sizes = struct.unpack("<8h", self.header[40:56])
        return tuple(sizes[:n])

    @shape.setter
    def shape(self, sizes: tuple[int, ...]) -> None:
        full = (len(sizes), *sizes, *[1] * (7 - len(sizes)))
        self.header[40:56] = struct.pack("<8h", *full)

    def write(self) -> None:
        text = json.dumps(self.extension).encode()
        text += b" " * (-(len(text) + 8) % 16)
        start = EXTENSION_AT + 8 + len(text)
        self.header[108:112] = struct.pack("<f", start)
        self.path.write_bytes(
            bytes(self.header)
            + b"\1\0\0\0"
            + struct.pack("<2i", len(text) + 8, self.code)
            + text
            + self.signal.astype("<c8").tobytes(order="F")
        )


def samples(change: Callable[[np.ndarray], np.ndarray], name: str = PRESS):
    """Return a fault that changes the samples, axes (x, y, z, point, coil, transient)."""

    def spoil(folder: Path) -> None:
        file = Nifti(folder / name)
        file.signal = np.asarray(change(file.signal))
        file.shape = file.signal.shape
        file.write()

    return spoil


def header(name: str = PRESS, **values: Any):
    """Return a fault that sets entries of the header extension; `None` takes one out."""

    def spoil(folder: Path) -> None:
        file = Nifti(folder / name)
        for key, value in values.items():
            if value is None:
                file.extension.pop(key, None)
            else:
                file.extension[key] = value
        file.write()

    return spoil


def replaced(content: bytes | Callable[[bytes], bytes], name: str = PRESS):
    """Return a fault that gives a file other bytes."""

    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_bytes(content(path.read_bytes()) if callable(content) else content)

    return spoil


def text(old: str, new: str, name: str = "study.toml"):
    """Return a fault that replaces words in a text file; they have to be there."""

    def spoil(folder: Path) -> None:
        path = folder / name
        before = path.read_bytes()
        assert old.encode() in before, f"{old!r} is not in {name}"
        path.write_bytes(before.replace(old.encode(), new.encode()))

    return spoil


def instead(make: Callable[[Path], object], name: str = PRESS):
    """Return a fault that puts something else in a file's place."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def both(*faults: Callable[[Path], None]):
    """Return all faults in turn."""

    def spoil(folder: Path) -> None:
        for fault in faults:
            fault(folder)

    return spoil


def renamed(old: str, new: str | bytes, *, told: bool = True):
    """Return a fault that renames a file, in study.toml as well where `told`."""

    def spoil(folder: Path) -> None:
        os.rename(folder / old, os.fsencode(folder) + b"/" + os.fsencode(new))  # noqa: PTH104
        if told:
            assert isinstance(new, str)
            text(old, new)(folder)

    return spoil


def swapped(folder: Path) -> None:
    press, water = folder / PRESS, folder / WATER
    a, b = press.read_bytes(), water.read_bytes()
    press.write_bytes(b)
    water.write_bytes(a)


def clipped(signal: np.ndarray) -> np.ndarray:
    limit = 0.2 * np.abs(signal).max()
    return np.clip(signal.real, -limit, limit) + 1j * np.clip(signal.imag, -limit, limit)


def dead_coil(signal: np.ndarray) -> np.ndarray:
    signal[..., 0, :] = 0
    return signal


def twin_coils(signal: np.ndarray) -> np.ndarray:
    signal[..., 1, :] = signal[..., 0, :]
    return signal


def with_value(value: complex):
    def change(signal: np.ndarray) -> np.ndarray:
        signal[..., 100, 0, 0] = value
        return signal

    return change


def other_field(signal: np.ndarray) -> np.ndarray:
    return signal


def gzip_bomb(folder: Path) -> None:
    """4 GB of zeros behind an honest header, in a file of 4 MB."""
    path = folder / PRESS
    content = path.read_bytes()
    bomb(path.with_name(PRESS + ".gz"), content, zeros=4 * 2**30)
    path.unlink()
    text(PRESS, PRESS + ".gz")(folder)


def gzip_bomb_declared(folder: Path) -> None:
    """The same with a header that declares the 4 GB."""
    file = Nifti(folder / PRESS)
    file.shape = (1, 1, 1, 32767, 64, 256)
    file.write()
    gzip_bomb(folder)


def bomb(path: Path, start: bytes, zeros: int) -> None:
    """Write a gzip file of many members, each of which unpacks to 64 MB."""
    member = gzip.compress(bytes(2**26), mtime=0)
    path.write_bytes(gzip.compress(start, mtime=0) + member * (zeros // 2**26))


def dwell_time(seconds: float, name: str):
    """Return a fault that gives a file another dwell time."""

    def spoil(folder: Path) -> None:
        file = Nifti(folder / name)
        file.header[92:96] = struct.pack("<f", seconds)
        file.write()

    return spoil


def declared(folder: Path) -> None:
    """A header that declares far more than the file holds."""
    file = Nifti(folder / PRESS)
    file.shape = (1, 1, 1, 32767, 512, 32767)
    file.write()


class Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def pickled(folder: Path) -> None:
    (folder / PRESS).write_bytes(pickle.dumps(Attack(folder / "executed")))


def yaml_tag(folder: Path) -> None:
    (folder / PRESS).write_text(f"!!python/object/apply:os.mkdir ['{folder / 'executed'}']\n")


def image_dicom(path: Path) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["image"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    image.Modality, image.PatientName = "MR", "Mustermann^Erika"
    image.Rows = image.Columns = 8
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = bytes(128)
    image.save_as(path, enforce_file_format=True)


ENCRYPTED_PDF = (
    b"%PDF-1.6\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R/Encrypt<</Filter/Standard"
    b"/V 4/R 4/O(" + bytes(32) + b")/U(" + bytes(32) + b")/P -44>>>>\n%%EOF\n"
)
