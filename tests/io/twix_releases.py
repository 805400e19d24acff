"""A twix file of VB in the layout of VD and later: what no public file of 4 MB shows.

Layout: a table of measurements (raid), each with its own header; one record per readout of 192
bytes and 32 bytes before each channel, instead of 128 bytes before each channel. Source: the
published readers mapVBVD and siemens_to_ismrmrd. Header texts and samples are those of a real file.
"""

import struct

import numpy as np

_NOISE = 1 << 25


def header_blocks(raw):
    """Return the header's texts by name."""
    (count,) = struct.unpack_from("<I", raw, 4)
    at, blocks = 8, {}
    for _ in range(count):
        stop = raw.index(b"\x00", at)
        (size,) = struct.unpack_from("<I", raw, stop + 1)
        blocks[raw[at:stop]] = raw[stop + 5 : stop + 5 + size]
        at = stop + 5 + size
    return blocks


def header(blocks):
    """Return a header of these texts, its length first."""
    body = b"".join(n + b"\x00" + struct.pack("<I", len(t)) + t for n, t in blocks.items())
    size = -(-(8 + len(body)) // 32) * 32
    return (struct.pack("<II", size, len(blocks)) + body).ljust(size, b"\x00")


def records(raw):
    """Return the records of a VB file up to its end mark: (record header, samples by channel)."""
    (at,) = struct.unpack_from("<I", raw, 0)
    found = []
    while not raw[at + 20] & 1:
        columns, channels = struct.unpack_from("<HH", raw, at + 28)
        step = 128 + 8 * columns
        parts = [raw[at + c * step : at + (c + 1) * step] for c in range(channels)]
        found.append((parts[0][:128], [p[128:] for p in parts]))
        at += channels * step
    return found


def record(old, channels, *, mask=0, counters=None):
    """Return a record in the later layout; `counters` replaces loop counters by their place."""
    loops = bytearray(old[32:60])
    for place, value in (counters or {}).items():
        struct.pack_into("<H", loops, 2 * place, value)
    flags = struct.unpack_from("<Q", old, 20)[0] | mask
    size = 192 + sum(32 + len(c) for c in channels)
    start = struct.pack("<I", size & 0x1FFFFFF) + old[4:20] + bytes(20) + struct.pack("<Q", flags)
    new = start + old[28:32] + bytes(loops) + old[60:80] + old[96:124] + old[80:88] + bytes(40)
    new += old[88:96] + bytes(8)
    assert len(new) == 192
    return new + b"".join(bytes(32) + c for c in channels)


def end(old):
    """Return the record that ends a measurement."""
    return record(old, [bytes(128)], mask=1)


def as_vd(raw, release, *, counters=lambda _: None, times=1):
    """Return the file in the later layout: a noise scan, then the measurement, `times` over."""
    blocks = {
        name: text.replace(b"syngo MR B17", release.encode())
        for name, text in header_blocks(raw).items()
    }
    found = records(raw) * times
    first = found[0]
    noise = np.random.default_rng(5).normal(size=len(first[1][0]) // 4).astype("<f4").tobytes()
    scans = [
        record(first[0], [noise] * len(first[1]), mask=_NOISE) + end(first[0]),
        b"".join(record(o, c, counters=counters(i)) for i, (o, c) in enumerate(found))
        + end(first[0]),
    ]
    table, body, at = struct.pack("<II", 0, len(scans)), b"", 10240
    for scan in scans:
        whole = header(blocks) + scan
        whole += bytes(-len(whole) % 512)
        table += struct.pack("<IIQQ", 1, 2, at + len(body), len(whole)) + bytes(128)
        body += whole
    return table.ljust(at, b"\x00") + body
