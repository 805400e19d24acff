"""The three forms of a study, their pairing, their laziness and what is wrong in them."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.data import Fid, RawSignal, Transients
from mrs_disc.errors import InputError, ReadError
from mrs_disc.io.convert import convert
from mrs_disc.io.describe import describe
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.io.studies.study import find_studies, read_study
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
from mrs_disc.record.findings import finding_of, plain

STUDY = """\
schema_version = 1
study_id = "demo-01"
region = "lumbar"
[[disc]]
level = "l4/5"
metabolite = "{metabolite}"
{rest}
"""


@pytest.fixture
def put(tmp_path, build, spectrum, protocol):
    """Write a file of a format under a name; return its path."""

    def write(kind, name, n=1, water=0.5, **changes):
        folder = tmp_path / ".made" / name
        folder.mkdir(parents=True)
        path = build(kind)(folder, spectrum(n, water=water, **changes), protocol)
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for made in folder.iterdir():
            made.rename(target.with_name(target.stem + made.suffix) if made != path else target)
        return target

    return write


def study_toml(folder, metabolite="l45.rda", rest=""):
    (folder / "study.toml").write_text(STUDY.format(metabolite=metabolite, rest=rest))
    return folder


# --------------------------------------------------------------------------- study.toml


@pytest.mark.parametrize("day", ["2025-01-31", '"2025-01-31"', '"20250131"'])
def test_the_clinical_frame_is_kept_as_given(day, tmp_path):
    rest = f"""[clinical]
examination_date = {day}
accession_number = "ACC-99120"
age = 47
sex = "female"
referring_question = "Which disc?"
comparison = "MRI of 2024"
"""
    assert read_study(study_toml(tmp_path, rest=rest)).clinical == {
        "examination_date": "2025-01-31",
        "accession_number": "ACC-99120",
        "age": 47,
        "sex": "female",
        "referring_question": "Which disc?",
        "comparison": "MRI of 2024",
    }


def test_a_study_file_is_read_lazily(tmp_path):
    study = read_study(study_toml(tmp_path, "absent.rda"))
    assert (study.study_id, study.region, study.levels) == ("demo-01", "lumbar", ("L4-L5",))
    assert study.discs[0].inputs() == ()
    with pytest.raises(InputError, match="there is no such file"):
        study["L4-L5"]


def test_a_level_with_its_water(tmp_path, put):
    put("siemens-rda", "l45.rda")
    put("siemens-rda", "l45_ref.rda", water=5000.0)
    study = read_study(study_toml(tmp_path, rest='water = "l45_ref.rda"') / "study.toml")
    disc = study["L4-L5"]
    assert isinstance(disc.metabolite, Fid)
    assert isinstance(disc.water, Fid)
    assert disc.protocol.echo_time_s == pytest.approx(0.03)
    assert disc.protocol.given_by_user == ()
    names = [(i.path, i.reader, i.role) for i in study.discs[0].inputs()]
    assert names == [
        ("L4-L5/metabolite.rda", "siemens-rda", "metabolite"),
        ("L4-L5/water.rda", "siemens-rda", "water"),
    ]
    assert all(len(i.sha256) == 64 for i in study.discs[0].inputs())


def test_lists_patterns_and_folders_are_one_series(tmp_path, put, spectrum):
    for i in range(3):
        put("siemens-rda", f"series/t{i}.rda", seed=i)
    wanted = np.concatenate([spectrum(1, seed=i) for i in range(3)])
    for named in (
        '"series"',
        '"series/t*.rda"',
        '["series/t0.rda", "series/t1.rda", "series/t2.rda"]',
    ):
        (tmp_path / "study.toml").write_text(
            STUDY.format(metabolite="x", rest="").replace('"x"', named)
        )
        disc = read_study(tmp_path)["L4-L5"]
        assert isinstance(disc.metabolite, Transients)
        np.testing.assert_allclose(disc.metabolite.signal, wanted, rtol=1e-5)


def test_what_the_file_is_silent_on_may_be_given_and_is_marked(tmp_path, put):
    put("plain-text", "fid.dat", n_points=1024)
    with pytest.raises(InputError, match="echo_time_s under"):
        read_study(study_toml(tmp_path, "fid.dat"))["L4-L5"]
    values = (
        "[disc.acquisition]\necho_time_s = 0.03\nspectrometer_mhz = 127.75\ndwell_time_s = 0.0005"
    )
    disc = read_study(study_toml(tmp_path, "fid.dat", values))["L4-L5"]
    assert disc.protocol.given_by_user == ("echo_time_s", "spectrometer_mhz", "dwell_time_s")
    assert disc.metabolite.sampling.spectrometer_mhz == 127.75


@pytest.mark.parametrize(
    ("of_all", "of_disc", "pulse", "hz"),
    [
        ('refocusing_pulse = "ideal"', "", "ideal", None),
        ('refocusing_pulse = "ideal"', "refocusing_bandwidth_hz = 1200", None, 1200.0),
        ("refocusing_bandwidth_hz = 1200", "mixing_time_s = 0.01", None, 1200.0),
        ("refocusing_bandwidth_hz = 1200", 'refocusing_pulse = "ideal"', "ideal", None),
    ],
)
def test_what_no_file_says_is_given_once_and_a_disc_may_differ(
    of_all, of_disc, pulse, hz, tmp_path, put
):
    put("siemens-rda", "l45.rda")
    path = study_toml(tmp_path, rest=f"[disc.acquisition]\n{of_disc}")
    where = tmp_path / "study.toml"
    where.write_text(where.read_text().replace("[[disc]]", f"[acquisition]\n{of_all}\n[[disc]]", 1))
    protocol = read_study(path)["L4-L5"].protocol
    assert (protocol.refocusing_pulse, protocol.refocusing_bandwidth_hz) == (pulse, hz)
    assert "refocusing_pulse" in protocol.given_by_user or pulse is None


def test_a_contradiction_names_both_values(tmp_path, put):
    put("siemens-rda", "l45.rda")
    study = read_study(study_toml(tmp_path, rest="[disc.acquisition]\necho_time_s = 0.136"))
    with pytest.raises(InputError, match=r"0\.136.*0\.03"):
        study["L4-L5"]


def test_what_is_overruled_counts_against_the_file_and_is_marked(tmp_path, put):
    put("siemens-rda", "l45.rda")
    values = '[disc.acquisition]\necho_time_s = 0.136\nsequence = "STEAM"\nmixing_time_s = 0.01\n'
    with pytest.raises(InputError, match="overrule"):
        read_study(study_toml(tmp_path, rest=values))["L4-L5"]
    values += 'overrule = ["echo_time_s", "sequence"]'
    disc = read_study(study_toml(tmp_path, rest=values))["L4-L5"]
    protocol = disc.protocol
    assert (protocol.echo_time_s, protocol.sequence) == (0.136, "STEAM")
    assert protocol.mixing_time_s == 0.01
    assert set(protocol.given_by_user) == {"echo_time_s", "sequence", "mixing_time_s"}
    found = {one.subject: dict(one.values) for one in disc.findings if one.kind == "overruled"}
    assert found == {
        "echo_time_s": {"given": 0.136, "file": 0.03},
        "sequence": {"given": "STEAM", "file": "PRESS"},
    }


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ('overrule = ["echo_time_s"]', "overrule names echo_time_s, which is not given"),
        ('echo_time_s = 0.03\noverrule = ["phase"]', "overrule names phase"),
        ('sequence = "press"', "one of PRESS, STEAM"),
    ],
)
def test_what_may_be_given_is_told(values, says, tmp_path):
    with pytest.raises(InputError, match=says):
        read_study(study_toml(tmp_path, rest=f"[disc.acquisition]\n{values}"))


@pytest.mark.parametrize("where", ["file", "inside"])
def test_a_start_that_is_given_cuts_what_lies_before_the_echo(
    where, tmp_path, spectrum, sampling, protocol
):
    """Six points before the echo, told by the user: the signal is as without them."""

    def early(rows):
        before = np.repeat(rows[:, :1], 6, axis=1)
        return np.concatenate([before, rows], axis=1)

    metabolites, water = early(spectrum(6)), early(spectrum(2, water=3000.0))
    rest = "[disc.acquisition]\nstart_time_s = -0.003"
    if where == "inside":
        metabolites = np.concatenate([water, metabolites])
    else:
        raw = RawSignal(signal=water[None], sampling=sampling)
        write_nifti_mrs(tmp_path / "ref.nii.gz", raw, protocol)
        rest = 'water = "ref.nii.gz"\n' + rest
    raw = RawSignal(signal=metabolites[None], sampling=sampling)
    write_nifti_mrs(tmp_path / "l45.nii.gz", raw, protocol)
    disc = read_study(study_toml(tmp_path, "l45.nii.gz", rest))["L4-L5"]
    assert "start_time_s" in disc.protocol.given_by_user
    assert np.array_equal(disc.metabolite.signal[0], spectrum(6))
    assert np.array_equal(disc.water.signal[0], spectrum(2, water=3000.0))
    assert disc.metabolite.sampling.start_time_s == pytest.approx(0.0, abs=1e-12)
    assert {"early_samples"} <= {one.kind for one in disc.findings}


def test_a_doubtful_echo_time_is_asked_for(tmp_path, spectrum, sampling, protocol):
    raw = RawSignal(signal=spectrum(4)[None], sampling=sampling)
    short = replace(protocol, sequence="sLASER", echo_time_s=0.008)
    path = write_nifti_mrs(tmp_path / "l45.nii.gz", raw, short)
    (asked,) = (one for one in describe(path)["findings"] if one["subject"] == "echo_time_s")
    assert asked == {
        "kind": "short_semi_laser", "subject": "echo_time_s", "values": {"ms": 8.0}
    }  # fmt: skip
    with pytest.raises(InputError, match="give echo_time_s") as caught:
        read_study(study_toml(tmp_path, "l45.nii.gz"))["L4-L5"]
    assert finding_of(caught.value).kind == "short_semi_laser"
    for given in (0.008, 0.03):
        rest = f"[disc.acquisition]\necho_time_s = {given}"
        disc = read_study(study_toml(tmp_path, "l45.nii.gz", rest))["L4-L5"]
        assert disc.protocol.echo_time_s == given
        assert disc.protocol.given_by_user == ("echo_time_s",)
        assert describe(tmp_path)["problems"] == ["L4-L5: no water reference"]


def test_a_water_file_of_a_scheme_is_left_out_and_said(tmp_path, spectrum, sampling, protocol):
    rows = spectrum(8, water=3000.0)
    rows[1::2] *= 0.09
    for name, signal in (("l45", spectrum(8)), ("ref", rows)):
        raw = RawSignal(signal=signal[None], sampling=sampling)
        write_nifti_mrs(tmp_path / f"{name}.nii.gz", raw, protocol)
    disc = read_study(study_toml(tmp_path, "l45.nii.gz", 'water = "ref.nii.gz"'))["L4-L5"]
    assert disc.water is None
    (left_out,) = (one for one in disc.findings if one.kind == "water_not_used")
    assert left_out.values["why"].kind == "alternates"
    entry = describe(tmp_path / "ref.nii.gz")
    assert (entry["n_transients"], entry["is_water"]) == (8, True)
    (made,) = convert([tmp_path / "ref.nii.gz"], tmp_path / "out.nii.gz")
    assert read_scan(made).n_transients == 8


def test_plain_text_that_lies_mirrored_is_turned_over(tmp_path, put, spectrum):
    path = put("plain-text", "fid.dat")
    rows = np.loadtxt(path)
    np.savetxt(path, rows * [1, -1], fmt="%.7e", delimiter="\t")
    values = (
        "[disc.acquisition]\necho_time_s = 0.03\nspectrometer_mhz = 127.75\ndwell_time_s = 0.0005"
    )
    disc = read_study(study_toml(tmp_path, "fid.dat", values))["L4-L5"]
    assert any("mirrored" in note for note in disc.notes)
    np.testing.assert_allclose(disc.metabolite.signal, spectrum(1)[0], atol=1e-2)


def test_the_water_reference_is_turned_over_with_its_metabolites(
    tmp_path, spectrum, sampling, protocol
):
    """Else each coil's phase differs between the two, and the coils cancel when combined."""
    coils = np.array([1.0, 0.5j, -0.8 + 0.3j])[:, None, None]
    written = {
        "l45.nii.gz": coils * spectrum(4, water=0.5),
        "l45_water.nii.gz": coils * spectrum(1, water=3000.0) * np.exp(0.4j),
    }
    for name, signal in written.items():
        mirrored = RawSignal(signal=np.conj(signal), sampling=sampling)
        write_nifti_mrs(tmp_path / name, mirrored, protocol)
    disc = read_study(study_toml(tmp_path, "l45.nii.gz", 'water = "l45_water.nii.gz"'))["L4-L5"]
    assert any("mirrored" in note for note in disc.notes)
    np.testing.assert_allclose(disc.metabolite.signal, written["l45.nii.gz"], rtol=1e-5)
    np.testing.assert_allclose(disc.water.signal, written["l45_water.nii.gz"], rtol=1e-5)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ('metabolites = "x"', "Did you mean 'metabolite'"),
        ("run = 0", "run"),
        ("[disc.morphology]\npfirrmann = 6", "pfirrmann"),
        ('[disc.morphology]\nherniation = "huge"', "herniation"),
        ('[disc.provocation]\nresult = "maybe"', "result"),
        ('[[disc]]\nlevel = "L4-L5"\nmetabolite = "y"', "named twice"),
        ('[[disc]]\nlevel = "L9"\nmetabolite = "y"', "not a disc level"),
        (
            '[[disc]]\nlevel = "L3-L4"\nmetabolite = 3',
            "[[disc]] 2 metabolite should be a file, a pattern or a folder in quotes, or a list of "
            "files. Came: 3.",
        ),
        ("[disc.acquisition]\necho_time_s = 30", "echo_time_s"),
        ('[clinical]\nexamination_date = "31.1.2025"', "should be a day, as 2026-01-31"),
        ("[clinical]\nexamination_date = 2025-01-31T10:00:00", "should be a day"),
        ("[clinical]\nage = 470", "age"),
        ('[clinical]\nsex = "f"', "sex"),
        ('[clinical]\nname = "Jane Doe"', "has no"),
    ],
)
def test_mistakes_in_a_study_file_are_one_sentence(rest, says, tmp_path):
    with pytest.raises(InputError) as caught:
        read_study(study_toml(tmp_path, rest=rest))
    assert says in str(caught.value)
    assert "study.toml" in str(caught.value)


def test_a_study_file_without_a_disc_is_told_so_in_plain_words(tmp_path):
    (tmp_path / "study.toml").write_text('schema_version = 1\nstudy_id = "a"\ndisc = []\n')
    with pytest.raises(InputError, match=r"study.toml: \[disc\] should have at least 1 item\."):
        read_study(tmp_path)


def test_a_persons_file_name_stays_out_of_messages_and_labels(tmp_path, put):
    path = put("siemens-rda", "MEYER_HANS_l45.rda")
    put("siemens-rda", "MEYER_HANS_ref.rda")  # its water is small: no reference
    study = read_study(study_toml(tmp_path, path.name, 'water = "MEYER_HANS_ref.rda"'))
    disc = study["L4-L5"]
    assert any("L4-L5/water.rda is not used" in note for note in disc.notes)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"^L4-L5/metabolite\.rda: ") as caught:
        study["L4-L5"]
    assert "MEYER" not in f"{caught.value}{study.discs[0].inputs()}{disc.notes}"


SPOIL = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a head alone": lambda path: path.write_bytes(path.read_bytes()[:400]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_text("MEYER_HANS"),
    "absent": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "no partner": lambda path: [p.unlink() for p in path.parent.glob("MEYER*") if p != path],
}


@pytest.mark.parametrize(
    ("way", "where"),
    [
        *((way, "MEYER_HANS") for way in SPOIL),
        *((way, where) for way in ("cut", "absent") for where in ("MEYER_*", "MEYER")),
    ],
)
def test_no_readers_error_carries_a_file_name_into_a_report(way, where, built, tmp_path):
    """Of every format: a person's name in that of a file, a pattern or a folder."""
    kind, path, _ = built
    folder = tmp_path / "study" / ("MEYER" if where == "MEYER" else "")
    folder.mkdir(parents=True)
    for file in path.parent.iterdir():
        if file.is_file():
            file.rename(folder / f"MEYER_HANS{''.join(file.suffixes)}")
    file = folder / f"MEYER_HANS{''.join(path.suffixes)}"
    SPOIL[way](file)
    suffix = "" if where == "MEYER" else "".join(path.suffixes)
    study = read_study(study_toml(tmp_path / "study", f"{where}{suffix}"))
    for given in ("", "[disc.acquisition]\necho_time_s = 0.03"):
        study = read_study(study_toml(tmp_path / "study", f"{where}{suffix}", given))
        try:
            said = f"{study['L4-L5'].findings}"
        except InputError as error:
            said = f"{error}{plain(finding_of(error))}"
        assert "MEYER" not in said, kind


def test_other_dwell_time_of_the_water_is_an_error(tmp_path, put):
    put("siemens-rda", "l45.rda")
    path = put("siemens-rda", "ref.rda", water=5000.0)
    path.write_bytes(path.read_bytes().replace(b"DwellTime: 500", b"DwellTime: 400"))
    with pytest.raises(InputError, match="dwell time"):
        read_study(study_toml(tmp_path, rest='water = "ref.rda"'))["L4-L5"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"PatientID: simulated", b"PatientID: someone", "another subject"),
        (b"StudyDate: 20000101", b"StudyDate: 20000303", "another day"),
        (b"MRFrequency: 127.75", b"MRFrequency: 123.25", "spectrometer frequency"),
        (b"SliceThickness: 15", b"SliceThickness: 30", "its voxel has"),
        (b"VOIPositionTra: 12", b"VOIPositionTra: 52", "40 mm away"),
    ],
)
def test_a_false_pair_is_noticed_and_not_used(old, new, says, tmp_path, put):
    put("siemens-rda", "l45.rda")
    path = put("siemens-rda", "ref.rda", water=5000.0)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    disc = read_study(study_toml(tmp_path, rest='water = "ref.rda"'))["L4-L5"]
    assert disc.water is None
    assert any("not used" in note and says in note for note in disc.notes)
    assert "someone" not in repr(disc.notes)


@pytest.mark.parametrize("copied", [False, True])
def test_a_metabolite_file_with_much_water_left_is_no_reference_of_its_own(copied, tmp_path, put):
    """Its residual water is too high to tell it from a reference by the spectrum alone."""
    path = put("siemens-rda", "l45.rda", water=60.0)
    name = path.name
    if copied:
        name = "ref.rda"
        (tmp_path / name).write_bytes(path.read_bytes())
    disc = read_study(study_toml(tmp_path, rest=f'water = "{name}"'))["L4-L5"]
    assert disc.water is None
    assert any("it holds the samples of the metabolite file" in note for note in disc.notes)


def test_water_transients_of_the_metabolite_file_become_the_reference(
    tmp_path, spectrum, sampling, protocol
):
    rows = np.concatenate([spectrum(2, water=3000.0), spectrum(6)])
    write_nifti_mrs(
        tmp_path / "l45.nii.gz", RawSignal(signal=rows[None], sampling=sampling), protocol
    )
    disc = read_study(study_toml(tmp_path, "l45.nii.gz"))["L4-L5"]
    assert isinstance(disc.metabolite, RawSignal)
    assert disc.metabolite.signal.shape == (1, 6, 512)
    assert disc.water.signal.shape == (1, 2, 512)
    assert disc.protocol.n_transients == 6
    assert any("2 of 8 transients" in note for note in disc.notes)


def test_files_of_two_acquisitions_do_not_mix(tmp_path, put):
    put("siemens-rda", "a.rda")
    path = put("siemens-rda", "b.rda")
    path.write_bytes(path.read_bytes().replace(b"TE: 30.0", b"TE: 90.0"))
    (tmp_path / "study.toml").write_text(STUDY.format(metabolite="*.rda", rest=""))
    with pytest.raises(InputError, match="echo time"):
        read_study(tmp_path)["L4-L5"]


def test_files_of_two_voxels_do_not_mix(tmp_path, put):
    put("siemens-rda", "a.rda")
    path = put("siemens-rda", "b.rda")
    path.write_bytes(path.read_bytes().replace(b"VOIPositionTra: 12.0", b"VOIPositionTra: 47.0"))
    (tmp_path / "study.toml").write_text(STUDY.format(metabolite="*.rda", rest=""))
    with pytest.raises(InputError, match="its voxel lies 35 mm away"):
        read_study(tmp_path)["L4-L5"]


# --------------------------------------------------------------------------- BIDS


@pytest.fixture
def dataset(tmp_path, spectrum, sampling, protocol):
    """Two subjects, one with two sessions, one with a repeated disc; sidecars and tables."""

    def write(path, water):
        rows = spectrum(3, water=water)
        raw = RawSignal(signal=rows[None], sampling=sampling)
        write_nifti_mrs(path, raw, protocol)

    for stem in (
        "sub-01/mrs/sub-01",
        "sub-02/ses-1/mrs/sub-02_ses-1",
        "sub-02/ses-2/mrs/sub-02_ses-2",
    ):
        write(tmp_path / f"{stem}_voi-L4L5_svs.nii.gz", 0.5)
        write(tmp_path / f"{stem}_voi-L4L5_mrsref.nii.gz", 3000.0)
    write(tmp_path / "sub-01/mrs/sub-01_voi-L5S1_run-1_svs.nii.gz", 0.5)
    write(tmp_path / "sub-01/mrs/sub-01_voi-L5S1_run-2_svs.nii.gz", 0.5)
    write(tmp_path / "sub-01/mrs/sub-01_voi-L5S1_mrsref.nii.gz", 3000.0)
    (tmp_path / "morphology.tsv").write_text(
        "participant_id\tsession_id\tlevel\tpfirrmann\tmodic\thiz\therniation\tprovocation\n"
        "sub-01\tn/a\tL4-L5\t4\t1\tyes\tnone\tpositive\n"
        "sub-02\tses-2\tl4l5\t2\tn/a\tn/a\tn/a\tn/a\n"
    )
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tage\tname\tindication\nsub-01\t44\tJane Doe\tback pain\n"
    )
    return tmp_path


def test_bids_study(dataset):
    study = read_study(dataset / "sub-01")
    assert study.study_id == "sub-01"
    assert [(d.level, d.run) for d in study] == [("L4-L5", 1), ("L5-S1", 1), ("L5-S1", 2)]
    assert study.clinical == {"age": "44", "indication": "back pain"}
    first = study.discs[0]
    assert (first.morphology.pfirrmann, first.morphology.hiz) == (4, True)
    assert first.morphology.herniation == "none"
    assert first.provocation.result == "positive"
    assert [i.path for i in first.inputs()] == [
        "sub-01/mrs/sub-01_voi-L4L5_svs.nii.gz",
        "sub-01/mrs/sub-01_voi-L4L5_mrsref.nii.gz",
    ]
    for key in ("L4-L5", ("L5-S1", 1), ("L5-S1", 2)):  # one reference serves both runs
        disc = study[key]
        assert disc.metabolite.signal.shape == (1, 3, 512)
        assert disc.water is not None


def test_bids_sessions(dataset):
    study = read_study(dataset / "sub-02" / "ses-2")
    assert (study.study_id, study.session_id) == ("sub-02_ses-2", "ses-2")
    assert study.discs[0].morphology.pfirrmann == 2
    assert read_study(dataset / "sub-02" / "ses-1").discs[0].morphology is None
    with pytest.raises(InputError, match="ses-1, ses-2"):
        read_study(dataset / "sub-02")


def test_studies_of_a_dataset(dataset):
    found = find_studies(dataset)
    assert [f.relative.as_posix() for f in found] == ["sub-01", "sub-02/ses-1", "sub-02/ses-2"]
    assert [f.session_id for f in found] == [None, "ses-1", "ses-2"]
    assert found[0].read().study_id == "sub-01"
    with pytest.raises(ReadError, match="dataset of several subjects"):
        read_study(dataset)


def test_the_sidecars_word_comes_before_names(dataset):
    mrs = dataset / "sub-01" / "mrs"
    reference = mrs / "sub-01_acq-other_voi-L3L4_mrsref.nii.gz"
    (mrs / "sub-01_voi-L5S1_mrsref.nii.gz").rename(reference)
    uri = f"bids::sub-01/mrs/{reference.name}"
    (mrs / "sub-01_voi-L5S1_run-2_svs.json").write_text(json.dumps({"ReferenceSignal": uri}))
    study = read_study(dataset / "sub-01")
    assert study["L5-S1", 2].water is not None
    assert study["L5-S1", 1].water is None
    outside = {"ReferenceSignal": "../../../../etc/passwd"}
    (mrs / "sub-01_voi-L5S1_run-1_svs.json").write_text(json.dumps(outside))
    assert any("not there" in n for n in read_study(dataset / "sub-01")["L5-S1", 1].notes)


def test_a_broken_sidecar_fails_its_own_level_alone(dataset):
    (dataset / "sub-01" / "mrs" / "sub-01_voi-L4L5_svs.json").write_text("{")
    study = read_study(dataset / "sub-01")
    with pytest.raises(InputError, match="is not a JSON sidecar"):
        study["L4-L5"]
    assert study["L5-S1", 1].water is not None
    assert study.load_anatomy() is None


def test_sidecars_are_inherited(dataset, spectrum, sampling):
    """The header is silent on the echo time; a file at the top speaks for all."""
    path = dataset / "sub-01/mrs/sub-01_voi-L3L4_svs.nii.gz"
    write_nifti_mrs(path, Fid(signal=spectrum(1)[0], sampling=sampling))
    with pytest.raises(InputError, match="no echo time"):
        read_study(dataset / "sub-01")["L3-L4"]
    (dataset / "svs.json").write_text('{"EchoTime": 0.035, "RepetitionTime": 3}')
    disc = read_study(dataset / "sub-01")["L3-L4"]
    assert disc.protocol.echo_time_s == pytest.approx(0.035)
    assert disc.protocol.given_by_user == ()


def test_a_wrong_table_names_its_row(dataset):
    (dataset / "morphology.tsv").write_text("participant_id\tlevel\tpfirrmann\nsub-01\tL4-L5\t9\n")
    with pytest.raises(InputError, match=r"morphology\.tsv row 2"):
        read_study(dataset / "sub-01")


def test_a_thousand_studies_are_listed_without_reading(tmp_path):
    for n in range(1000):
        folder = tmp_path / f"sub-{n:04d}" / "mrs"
        folder.mkdir(parents=True)
        (folder / f"sub-{n:04d}_voi-L4L5_svs.nii.gz").write_bytes(b"not read")
    found = find_studies(tmp_path)
    assert len(found) == 1000
    assert found[999].read().levels == ("L4-L5",)


# --------------------------------------------------------------------------- folder


def test_a_folder_whose_files_name_their_level(tmp_path, put):
    put("siemens-rda", "L4-L5_press.rda")
    put("siemens-rda", "L4-L5_ref.rda", water=5000.0)
    put("siemens-rda", "l5s1/t0.rda", seed=0)
    put("siemens-rda", "l5s1/t1.rda", seed=1)
    study = read_study(tmp_path)
    assert study.levels == ("L4-L5", "L5-S1")
    assert study["L4-L5"].water is not None
    assert study["L5-S1"].metabolite.signal.shape == (2, 512)


def test_a_file_that_may_not_be_opened_is_not_left_out_in_silence(tmp_path, put, monkeypatch):
    """Otherwise the water reference would stand for the metabolites."""
    put("siemens-rda", "L4-L5_press.rda")
    put("siemens-rda", "L4-L5_ref.rda", water=5000.0)
    locked, plain = tmp_path / "L4-L5_press.rda", os.open

    def open_unless_locked(path, *arguments, **options):
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied")
        return plain(path, *arguments, **options)

    monkeypatch.setattr("os.open", open_unless_locked)  # root may open all files
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != locked)
    study = read_study(tmp_path)
    with pytest.raises(InputError, match=r"metabolite\.rda: .*Permission denied"):
        study["L4-L5"]


def test_two_files_of_a_level_need_to_be_told_apart(tmp_path, put):
    put("siemens-rda", "L4-L5_a.rda")
    put("siemens-rda", "L4-L5_b.rda")
    with pytest.raises(InputError, match="init"):
        read_study(tmp_path)


def test_no_study(tmp_path):
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(InputError, match="no study"):
        read_study(tmp_path)
    with pytest.raises(ReadError, match="no such"):
        read_study(tmp_path / "absent")
    with pytest.raises(ReadError, match="not a study"):
        read_study(tmp_path / "readme.md")


def test_errors_of_reading_cross_process_borders(tmp_path):
    with pytest.raises(ReadError) as caught:
        read_study(tmp_path / "absent")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_weak_looking_reference_is_used_where_it_is_far_stronger(tmp_path, put):
    """Lipid may hide the water of a disc; the strength of the file tells it all the same."""
    put("siemens-rda", "l45.rda")
    put("siemens-rda", "same.rda", water=2.0)
    rest = 'water = "same.rda"'
    disc = read_study(study_toml(tmp_path, rest=rest))["L4-L5"]
    assert disc.water is None
    path = tmp_path / "same.rda"
    head, tail = path.read_bytes().split(b">>> End of header <<<\r\n")
    louder = np.frombuffer(tail, "<f8") * 50
    path.write_bytes(head + b">>> End of header <<<\r\n" + louder.tobytes())
    assert read_study(tmp_path)["L4-L5"].water is not None
