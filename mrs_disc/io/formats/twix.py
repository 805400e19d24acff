"""Siemens twix (.dat) of VB, VD, VE and XA, through spec2nii and pymapVBVD.

A header of texts, then a chain of records, each a readout of all coils behind its own short header
(loop counters, column of the echo's centre, columns to cut off). Five lines of the texts::

    tSequenceFileName = "%CustomerSeq%/svs_slaser_dkd"
    sTXSPEC.asNucleusInfo[0].lFrequency = 297205946
    alTE[0] = 19960
    sRXSPEC.alDwellTime[0] = 100000
    sSpecPara.lVectorSize = 4096

All columns are kept as stored; those before the echo give `start_time_s`. spec2nii 0.8.15 takes no
note of them, and for ``svs_slaser_dkd`` takes the first part of the echo time (see `twix_header`).
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.files import opened
from mrs_disc.io.formats import vendor
from mrs_disc.io.formats.scan import Scan, head
from mrs_disc.record.findings import Finding, finding

FORMAT = "siemens-twix"


def sniff(path: Path) -> bool:
    """Say whether the content starts as a twix header of VB, or as a multi-raid file of VD on."""
    start = head(path, 64)
    if len(start) < 32:
        return False
    first, second = (int(v) for v in np.frombuffer(start, "<u4", 2))
    size = path.stat().st_size
    if first < _MIN_HEADER and 1 <= second <= 64:
        offset, length = (int(v) for v in np.frombuffer(start, "<u8", 2, 16))
        return _MIN_HEADER <= offset < 1 << 40 and length > 0 and size > _MIN_HEADER
    named = start[8:].split(b"\x00")[0]
    return 1 <= second <= 64 and 1000 < first < 100_000_000 and named.isalnum() and len(named) > 2


def read(path: Path) -> Scan:
    """Read a twix file."""
    notes = _check_records(path)
    return vendor.twix(path).noted(*notes)


def _check_records(path: Path) -> list[Finding]:
    """Refuse a file whose chain of records breaks off or does not lead on; return what to say.

    pymapVBVD takes the whole readouts of a cut file for all, and follows a circle for ever.

    Raises
    ------
    ReadError
        If the file ends inside a record, or a record says that it is shorter than its own header.
    """
    notes = []
    with opened(path) as file:
        start = file.read(16 + 64 * _RAID_ENTRY)
        first, n_scans = (int(v) for v in np.frombuffer(start, "<u4", 2))
        is_vd = first < _MIN_HEADER
        entries = range(16, 16 + _RAID_ENTRY * n_scans, _RAID_ENTRY) if is_vd else [0]
        for entry in entries:
            where = start[entry : entry + 8]
            place = int.from_bytes(where, "little") if is_vd and len(where) == 8 else 0
            file.seek(min(place, path.stat().st_size))
            place += int.from_bytes(file.read(4), "little")
            notes += _follow(path, file, place, is_vd=is_vd)
    return notes


_RAID_ENTRY = 152
_MIN_HEADER = 10_000
"""The length of VB's header, which comes first in its files, is never less; VD and later begin with
a number of their kind of file."""
_ENDS, _SYNC = 0x01, 0x20  # bits of the evaluation mask: last record, synchronisation data


def _follow(path: Path, file: BinaryIO, place: int, *, is_vd: bool) -> list[Finding]:
    """Follow the records of one measurement as pymapVBVD does, each step forward."""
    size, shift, extra = (192, 20, 192) if is_vd else (128, 0, 0)
    per_channel = 32 if is_vd else 128
    end = path.stat().st_size
    while place + size <= end:
        file.seek(place)
        record = file.read(size)
        length = int.from_bytes(record[:3], "little") + ((record[3] & 1) << 24)
        mask = record[20 + shift]
        if mask & _ENDS or length == 0:
            return []
        if not mask & _SYNC:
            columns, channels = (int(v) for v in np.frombuffer(record, "<u2", 2, 28 + shift))
            length = extra + (8 * columns + per_channel) * channels
        if length < size:
            raise ReadError(
                path,
                f"is damaged: the record at byte {place} has {length} bytes, fewer than its head",
            )
        place += length
    if place != end:
        raise ReadError(path, f"ends inside the record before byte {place}: cut off; copy it again")
    return [finding("no_end_mark")]
