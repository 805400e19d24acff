"""What a user sees of every kind of damage: one table, through the public command line.

Each row spoils one level (L4-L5) of a whole study of two and says what `mrs-disc analyze` answers:
the exit status, and a pattern that its one line on stderr, or the reasons and notes of that level
in results.json, must match. The other level has to be unharmed wherever the study can be read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.cli import run
from mrs_disc.constants import RESEARCH_USE

from . import spoil as s
from .more_faults import BORNE, DESCRIPTIONS, FILES

RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Fault:
    """How a study is spoilt, and what a user sees."""

    name: str
    spoil: Callable[[Path], None]
    status: int
    sees: str
    form: str = "nifti"
    slow: bool = False


def file_fault(name: str, spoil: Callable[[Path], None], sees: str, form: str = "nifti") -> Fault:
    """Return a fault that costs its level: status 3."""
    return Fault(name, spoil, 3, rf"L4-L5 failed \(read\): .*{sees}", form)


def study_fault(name: str, spoil: Callable[[Path], None], sees: str) -> Fault:
    """Return a fault of the study's description: status 2, nothing is written."""
    return Fault(name, spoil, 2, sees)


def borne(name: str, spoil: Callable[[Path], None], sees: str = "", form: str = "nifti") -> Fault:
    """Return a fault that the analysis bears: status 0, `sees` stands among reasons and notes."""
    return Fault(name, spoil, 0, sees, form)


def crlf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def beside(name: str, content: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return spoil


SIDECAR = s.PRESS.replace(".nii", ".json")
NO_FORMAT = "is of no format that is read"

FAULTS = [
    # ---- damaged files
    file_fault("truncated", s.replaced(lambda b: b[: len(b) // 2]), "ends after"),
    file_fault("empty", s.replaced(b""), "is empty"),
    file_fault("random bytes", s.replaced(RANDOM.bytes(5000)), NO_FORMAT),
    file_fault("an image's dimensions", s.samples(lambda _: np.ones((9, 9, 9))), "the shape"),
    file_fault("size far beyond the data", s.declared, "declares 4397778 MB of samples"),
    file_fault("not a number", s.samples(s.with_value(np.nan)), "1 of 262144 samples are not numb"),
    file_fault("infinite", s.samples(s.with_value(np.inf)), "1 of 262144 samples are not numbers"),
    file_fault("all zero", s.samples(np.zeros_like), "all samples are zero"),
    file_fault("a level's file is missing", s.instead(lambda _: None), "there is no such file"),
    borne("water is missing", s.instead(lambda _: None, s.WATER), "there is no such file"),
    file_fault("half of a pair is missing", s.instead(lambda _: None, "L4-L5_act.SPAR"),
               "parameter file .* is not beside it", "sdat"),
    file_fault("a pair that declares too much",
               s.text("samples : 2048", "samples : 999999999", "L4-L5_act.SPAR"), "", "sdat"),
    # ---- something else in a file's place
    file_fault("a link to itself", s.instead(lambda p: p.symlink_to(p)), "there is no such file"),
    file_fault("a link to nothing", s.instead(lambda p: p.symlink_to("gone")), "no such file"),
    file_fault("a folder", s.instead(Path.mkdir), "the folder holds no spectroscopy file"),
    file_fault("a pipe", s.instead(os.mkfifo), "is no regular file"),
    file_fault("an endless device", s.instead(lambda p: p.symlink_to("/dev/zero")), "regular"),
    file_fault("a file that cannot be read", s.instead(lambda p: p.symlink_to("/proc/self/mem")),
               "cannot be read"),
    file_fault("an image in DICOM", s.instead(s.image_dicom), "another kind than spectroscopy"),
    file_fault("an encrypted PDF", s.replaced(s.ENCRYPTED_PDF), NO_FORMAT),
    file_fault("a pickle", s.pickled, NO_FORMAT),
    file_fault("a YAML tag", s.yaml_tag, NO_FORMAT),
    # ---- what a header says
    file_fault("another nucleus", s.header(ResonantNucleus=["31P"]), "nucleus 31P: only 1H"),
    file_fault("no echo time", s.header(EchoTime=None), "no echo time .* give echo_time_s"),
    file_fault("negative echo time", s.header(EchoTime=-0.03), "its EchoTime is -0.03: sec"),
    file_fault("echo time in ms", s.header(EchoTime=30.0), "its EchoTime is 30: seconds expected"),
    file_fault("echo time in words", s.header(EchoTime="30 ms"), "its EchoTime is no number"),
    file_fault("edited data", s.header(dim_6="DIM_EDIT"), "edited spectra .* not analysed"),
    file_fault("frequency in words", s.header(SpectrometerFrequency="3 T"), "Spectrometer"),
    file_fault("frequency of another kind", s.header(SpectrometerFrequency={"a": 1}), "Spectrome"),
    borne("frequency in Hz", s.header(SpectrometerFrequency=[127.7e6]), "stood in Hz"),
    file_fault("a dimension of another kind", s.header(dim_5=5), r"dimension 5 \(without a tag\)"),
    borne("fields of 4,000 characters", s.header(ProtocolName="x" * 4000, SequenceName="y" * 4000)),
    borne("markup in a field", s.header(Manufacturer="<script>alert(1)</script>" * 9)),
    borne("formulas and separators in fields",
          s.header(PatientName="=cmd|' /C calc'!A0", ProtocolName="../../../../etc/passwd\0\t\n")),
    borne("a header in Latin-1",
          s.replaced(lambda b: b.replace(b"!", b"! f\xfcr", 1), "L4-L5_act.SPAR"), form="sdat"),
    file_fault("deep JSON", beside(SIDECAR, b"[" * 100_000), "is not a JSON sidecar"),
    file_fault("a list for a sidecar", beside(SIDECAR, b"[1]"), "is not a JSON object"),
    file_fault("a sidecar of 100 MB", beside(SIDECAR, b" " * 100_000_000), "too large"),
    # ---- what was measured
    borne("constant", s.samples(lambda x: np.full_like(x, 1 + 1j)),
          "PG is 0.0 times its error|SNR of PG|holds no"),
    file_fault("no imaginary part", s.samples(lambda x: x.real.astype(x.dtype)),
               "the imaginary part of every sample is zero"),
    borne("clipped by the receiver", s.samples(s.clipped), "(?i)clipped|overdriven"),
    borne("one dead coil", s.both(s.samples(s.dead_coil), s.samples(s.dead_coil, s.WATER)),
          "coil 0 left out: silent"),
    borne("two identical coils", s.both(s.samples(s.twin_coils), s.samples(s.twin_coils, s.WATER)),
          "coil 1 left out: doubles coil 0"),
    borne("water in place of metabolites", s.swapped,
          "the two are swapped|measured without water suppression"),
    borne("water of another length", s.samples(lambda x: x[:, :, :, :1024], s.WATER)),
    file_fault("water of another dwell time", s.dwell_time(1 / 1000, s.WATER),
               "dwell time of L4-L5/water.nii is 0.001 s"),
    borne("water of other coils", s.samples(lambda x: x[..., :2, :], s.WATER),
          "water reference not used: it has 2 coils"),
    borne("water of another patient",
          s.text("patient_name : simulated", "patient_name : Other", "L4-L5_ref.SPAR"),
          "is not used: its header names another subject", "sdat"),
    borne("water of another field strength",
          s.header(s.WATER, SpectrometerFrequency=[63.87]), "its spectrometer frequency"),
    # ---- the study's description
    study_fault("a level twice", s.text('"L5-S1"\nmeta', '"L4/5"\nmeta'), "is named twice"),
    study_fault("a level unknown", s.text('"L5-S1"', '"L9-S9"'), "is not a disc level"),
    study_fault("a path for a name", s.text('"whole"', '"../../whole"'), r"\[study_id\]"),
    study_fault("a page for a name", s.text('"whole"', f'"{"x" * 4000}"'), r"\[study_id\]"),
    study_fault("markup for a name", s.text('"whole"', '"<b>whole</b>"'), r"\[study_id\]"),
    study_fault("an unknown key", s.text("water =", "watter ="), "Did you mean 'water'"),
    study_fault("TOML of 100 MB", lambda f: os.truncate(f / "study.toml", 10**8), "larger"),
    study_fault("deep TOML", s.replaced(b"a=" + b"[" * 100_000, "study.toml"), "too deeply"),
    study_fault("TOML in Latin-1", s.replaced(lambda b: b + b"#\xfc", "study.toml"), "not UTF-8"),
    borne("TOML that is a pipe", s.instead(os.mkfifo, "study.toml"), "level from the file's name"),
    study_fault("TOML that is none", s.replaced(b"<html>", "study.toml"), "not valid TOML"),
    borne("Windows line ends", s.replaced(crlf, "study.toml")),
    borne("a byte-order mark", s.replaced(lambda b: b"\xef\xbb\xbf" + b, "study.toml")),
    borne("Unix line ends in a scanner's file",
          s.replaced(lambda b: b.replace(b"\r\n", b"\n"), "L4-L5_act.SPAR"), form="sdat"),
    # ---- names
    borne("another case of letters", s.renamed("L4-L5_act.SPAR", "l4-l5_act.spar", told=False),
          form="sdat"),
    borne("blanks and unicode in a name", s.renamed(s.PRESS, "Bandscheibe ü 椎間板 ’.nii")),
    borne("a PDF beside the spectra", beside("L3-L4.pdf", s.ENCRYPTED_PDF)),
    borne("a file whose name is no unicode", lambda f: (f / os.fsdecode(b"\xff\xfe.nii")).touch()),
]  # fmt: skip
FAULTS += [study_fault(*row) for row in DESCRIPTIONS]
FAULTS += [replace(file_fault(*row), slow=True) for row in FILES]
FAULTS += [replace(borne(*row), slow=True) for row in BORNE]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, id=f.name, marks=pytest.mark.slow if f.slow else ()) for f in FAULTS],
)
def test_what_a_user_sees(fault, make_study, tmp_path, capsys):
    study = make_study(fault.form)
    fault.spoil(study)
    before = listing(study)
    status = run(["analyze", str(study), "-o", str(tmp_path / "out"), "--format", "json"])
    said = capsys.readouterr().err
    if fault.name == "TOML that is a pipe":  # a folder without a description has a neutral id
        said = re.sub(r"(?m)^mrs-disc: (names of folders|study-\w+ is study$).*\n", "", said)

    assert status == fault.status, said
    assert "Traceback" not in said
    assert "Warning" not in said
    assert len(said) < 1000
    assert listing(study) == before, "inputs are never written to"
    if status == 2:
        assert said.count("\n") == 1
        assert re.search(fault.sees, said)
        assert not (tmp_path / "out").exists()
        return
    levels, notices = results(tmp_path / "out")
    notes = {note for level in levels.values() for note in level["notes"] or ()}
    notes = {note for note in notes if not note.startswith("coupled spins evolved")}  # method
    told = (*notes, *notices)
    assert all(note in said for note in told), "what the report remarks is told at once"
    assert said.count("\n") == len(told) + (status == 3)
    assert levels["L5-S1"]["status"] == "ok"
    if status == 3:
        assert re.search(fault.sees, said)
        assert levels["L4-L5"]["error"]["message"] in said
    else:
        level = levels["L4-L5"]
        words = "; ".join([*level["quality"]["reasons"], *level["notes"], *notices])
        assert re.search(fault.sees, words), words


@pytest.mark.parametrize(
    ("words", "sees"),
    [
        (["analyze", "empty"], r"empty: no study\. Expected study\.toml"),
        (["analyze", "gone"], "gone: there is no such file or folder"),
        (["analyze", "whole", "-r", "odd.toml"], "has no option 'max_shift_ppm'. Did you mean"),
        (["analyze", "whole", "-r", "press_3t"], "no recipe is named 'press_3t'. Did you mean"),
        (["analyze", "whole", "--level", "L9-S9"], "'L9-S9' is not a disc level"),
        (["analyze", "whole/L4-L5_press.nii"], "is one file, not a study"),
        (["batch", "empty"], "empty: holds no study"),
        (["init", "empty"], "empty: holds no spectrum"),
        (["info", "empty"], "empty: holds no study and no spectroscopy"),
        (["convert", "empty"], "empty: the folder holds no spectroscopy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_one_line(words, sees, make_study, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("odd.toml").write_text("[align]\nmax_shift_ppm = 3\n")
    Path("whole").symlink_to(make_study("nifti"))
    output = [] if words[0] in ("init", "info") else ["-o", "out.nii"]
    assert run([*words, *output]) == 2
    said = capsys.readouterr().err
    assert re.search(sees, said)
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert not Path("out.nii").exists()


def results(out: Path) -> tuple[dict[str, dict], list[str]]:
    """Return the levels, and what is noticed of the study as a whole."""
    text = (out / "results.json").read_text()
    assert "<script>" not in text
    record = json.loads(text, parse_constant=pytest.fail)
    levels = {level["level"]: level for level in record["levels"]}
    return levels, [notice for notice in record["notices"] if notice != RESEARCH_USE]


def listing(folder: Path) -> list[str]:
    return sorted(os.fsdecode(p) for p in folder.rglob("*"))


def test_there_are_some_six_score_of_faults():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 120
