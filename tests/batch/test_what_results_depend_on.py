"""A result is kept only while all that it was made from is what it was: every byte, wherever."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.batch.plan import Task
from mrs_disc.batch.work import description_sha256
from mrs_disc.files import sha256_of

SAMPLES = Path(__file__).parents[2] / "sample_data"
IMAGE_BYTES = 700_000


@pytest.fixture
def toml_study(tmp_path):
    """Return a dataset of one study in scanner files, whose image lies beside the study."""
    dataset = tmp_path / "data"
    shutil.copytree(SAMPLES / "lumbar_nifti", dataset / "p1")
    (dataset / "shared").mkdir()
    noise = np.random.default_rng(1).bytes(IMAGE_BYTES)
    for path in (dataset / "shared" / "t2.nii", dataset / "p1" / "inside.nii.gz"):
        path.write_bytes(noise)
    text = (dataset / "p1" / "study.toml").read_text()
    head, mark, discs = text.partition("[[disc]]")
    lines = [line for line in head.splitlines() if not line.startswith("anatomy")]
    lines.append('anatomy = "../shared/t2.nii"')
    (dataset / "p1" / "study.toml").write_text("\n".join(lines) + "\n" + mark + discs)
    return dataset, Task(key="p1", path=str(dataset / "p1"), participant_id="p1")


@pytest.fixture
def bids_study(tmp_path):
    dataset = tmp_path / "bids"
    shutil.copytree(SAMPLES / "bids", dataset)
    for sidecar in (dataset / "sub-01").rglob("*_svs.json"):
        told = json.loads(sidecar.read_text()) | {"AnatomicalImage": "bids::shared/t2.nii"}
        sidecar.write_text(json.dumps(told))
    (dataset / "shared").mkdir()
    (dataset / "shared" / "t2.nii").write_bytes(np.random.default_rng(1).bytes(IMAGE_BYTES))
    (dataset / "svs.json").write_text('{"Manufacturer": "A"}')
    task = Task(key="sub-01", path=str(dataset / "sub-01"), participant_id="sub-01")
    return dataset, task


def digest(study):
    dataset, task = study
    listed = {"p1/L4-L5_press.nii.gz", "L4-L5/metabolite.nii.gz"}
    return description_sha256(task, str(dataset), listed)


def change(path: Path, place: int) -> None:
    """Change one byte; size and time stay, as a careless copy may leave them."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("place", [0, 70_000, IMAGE_BYTES // 2, IMAGE_BYTES - 1])
@pytest.mark.parametrize("name", ["shared/t2.nii", "p1/inside.nii.gz"])
def test_every_byte_of_an_image_counts(toml_study, name, place):
    before = digest(toml_study)
    change(toml_study[0] / name, place)
    assert digest(toml_study) != before


@pytest.mark.parametrize("name", ["shared/t2.nii", "svs.json", "sub-01"])
def test_what_a_bids_study_reads_outside_of_its_folder_counts(bids_study, name):
    dataset = bids_study[0]
    before = digest(bids_study)
    path = dataset / name
    change(path if path.is_file() else next(path.rglob("*_svs.json")), 15)
    assert digest(bids_study) != before


QUOTED = [str, lambda text: text.replace("sub-01", '"sub-01"', 1)]


@pytest.mark.parametrize("quoted", QUOTED)
@pytest.mark.parametrize(
    ("row", "counts"),
    [("sub-01\tL4-L5\t5\n", True), ("sub-02\tL4-L5\t5\n", False), ("\n", False)],
)
def test_of_a_table_the_rows_of_the_study_count_as_they_are_read(bids_study, quoted, row, counts):
    path = bids_study[0] / "morphology.tsv"
    base = "participant_id\tlevel\tpfirrmann\nsub-01\tL4-L5\t3\n"
    path.write_text(quoted(base))
    before = digest(bids_study)
    path.write_text(quoted(base) + quoted(row))
    assert (digest(bids_study) != before) == counts
    path.write_text(base)  # the same cells, spelt otherwise
    assert digest(bids_study) == before
    path.write_text(quoted(base.replace("\t3\n", "\t4\n")))
    assert digest(bids_study) != before


def test_a_digest_is_of_the_file_as_it_is_now(tmp_path):
    path = tmp_path / "a"
    seen = set()
    for n in range(50):
        path.write_bytes(b"%03d" % n)
        seen.add(sha256_of(path))
    assert len(seen) == 50
    os.utime(path, (1e9, 1e9))
    first = sha256_of(path)
    path.write_bytes(b"abc")
    os.utime(path, (1e9, 1e9))
    assert sha256_of(path) != first
