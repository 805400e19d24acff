"""What is written as TOML is read back as it was, by a reader that this package did not write."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.toml_text import toml_text, toml_value

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_reads_back(value):
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


@given(st.dictionaries(TEXT, VALUES, max_size=6))
def test_any_table_reads_back(content):
    assert tomllib.loads(toml_text(content)) == content


def test_toml_text_reads_back():
    content = {
        "name": 'a "quoted" name',
        "limits": ["one", "two"],
        "r_range": [-5.0, 1.0],
        "scope": {"field_t": [3.0], "sources": {"a b": {"source": "s", "status": "D"}}},
        "class": [{"name": "x", "painful": True, "n": 3}, {"name": "y", "painful": False, "n": 4}],
    }
    assert tomllib.loads(toml_text(content)) == content
