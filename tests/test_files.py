"""The door to files: what is no regular file of its kind and size is refused at once, in words."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc import files, tables
from mrs_disc.errors import InputError, OutputError, ReadError


def irregular(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "link to a pipe":
        os.mkfifo(folder / "p")
        path.symlink_to(folder / "p")
    elif kind == "loop of links":
        path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    "kind", ["pipe", "socket", "folder", "device", "link to a pipe", "loop of links", "absent"]
)
@pytest.mark.parametrize("read", [files.read_bytes, files.read_text, files.read_json])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind, read):
    path = irregular(tmp_path, kind)
    outcome: list[BaseException] = []

    def attempt() -> None:
        try:
            read(path, "table")
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it waits for a pipe"
    assert isinstance(outcome[0], ReadError)
    assert kind in str(outcome[0])  # the file's name


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\udcff"])
def test_names_that_no_file_can_have_are_refused_in_words(tmp_path, name):
    with pytest.raises(InputError):
        files.read_bytes(tmp_path / name, "table")


def test_size_is_bounded_by_kind_before_reading(tmp_path):
    path = tmp_path / "levels.tsv"
    with path.open("wb") as file:
        file.truncate(int(files.MOST_BYTES["table"]) + 1)  # sparse: takes no space
    with pytest.raises(
        ReadError, match=r"levels\.tsv: is too large: 200 MB, larger than the 200 MB"
    ):
        tables.read_table(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[1, 2]", "is not a JSON object"),
        (b'{"a": NaN}', "it holds NaN"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not a results.json"),
        (b"[" * 100_000, "is not a results.json"),
        (b'{"a": "\xff"}', "is not a results.json"),
        (b"", "is not a results.json"),
    ],
)
def test_json_that_is_none_is_refused_in_words(tmp_path, text, problem):
    path = tmp_path / "results.json"
    path.write_bytes(text)
    with pytest.raises(ReadError, match=problem):
        files.read_json(path, "results.json")


@pytest.mark.parametrize(
    ("suffix", "text", "problem"),
    [
        (".tsv", "a\tb\n1\n", "line 2 has 1 cells, but 2 columns are named"),
        (".tsv", "a\tb\n1\t2\t3\n", "line 2 has 3 cells"),
        (".csv", 'a,b\n1,"2\n3,4\n', "line 2 cannot be taken apart"),
        (".tsv", "a\ta\n1\t2\n", "'a' is there twice"),
        (".tsv", "a\t\n1\t2\n", "no name"),
        (".tsv", "", "is empty"),
        (".tsv", "b\tc\n1\t2\n", "no column 'a'"),
    ],
)
def test_tables_that_do_not_fit_their_header_name_the_line(tmp_path, suffix, text, problem):
    path = tmp_path / f"morphology{suffix}"
    path.write_text(text)
    with pytest.raises(ReadError, match=problem):
        tables.read_table(path, needed=("a",))


CELL = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='\t,;"'),
    max_size=8,
).map(str.strip)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), mark=st.sampled_from("\t,;"))
def test_tables_are_read_as_they_were_written(tmp_path_factory, rows, mark):
    path = tmp_path_factory.mktemp("t") / ("t.tsv" if mark == "\t" else "t.csv")
    kept = [row for row in rows if any(row)]
    lines = [f"first{mark}second", *(mark.join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = tables.read_table(path)
    assert [tuple(row.cells.values()) for row in found] == kept
    assert [lines[row.line - 1] for row in found] == [mark.join(row) for row in kept]


def test_a_mark_that_is_no_line_feed_stays_in_its_cell(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("a\tb\r\n1\tx\u2028y\x0bz\r\n", encoding="utf-8", newline="")
    assert tables.read_table(path)[0].cells == {"a": "1", "b": "x\u2028y\x0bz"}


def test_a_stray_quotation_mark_costs_no_row(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('participant_id\tgrade\n"01"\t4\n"02\t3\n03\t5"\n')
    rows = [tuple(row.cells.values()) for row in tables.read_table(path)]
    assert rows == [("01", "4"), ('"02', "3"), ("03", '5"')]


def test_a_table_that_changed_is_read_again(tmp_path):
    path = tmp_path / "t.tsv"
    for grade in "45":
        path.write_text(f"level\tgrade\nL4-L5\t{grade}\n")
        os.utime(path, ns=(0, int(grade)))
        assert tables.read_table(path)[0].cells["grade"] == grade


def test_a_quoted_cell_may_hold_the_separator(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('level,note\nL4-L5,"bulge, broad"\n')
    assert tables.read_table(path)[0].cells == {"level": "L4-L5", "note": "bulge, broad"}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "results.json"
    assert files.write_whole(path, b"one") == path
    with pytest.raises(OutputError, match="is there already"):
        files.write_whole(path, b"two")

    def fails():
        yield "half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        files.write_whole(path, fails(), overwrite=True)
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["results.json"]


def test_compressing_knows_no_clock():
    assert files.gzipped(b"abc") == files.gzipped(b"abc")
    assert files.gzipped(b"abc")[4:8] == b"\0\0\0\0"
