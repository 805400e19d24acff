"""A few studies of each confusion of `confusions.py`; the whole count stands in the page."""

from __future__ import annotations

import pytest

from .confusions import CONFUSIONS, README, confused


@pytest.mark.parametrize("name", CONFUSIONS)
def test_each_confusion_is_noticed(name, tmp_path):
    found = []
    for seed in range(4):
        place = tmp_path / str(seed)
        place.mkdir()
        found.append(bool(confused(seed, name, place)))
    assert sum(found) >= 3


def test_sound_studies_of_every_region_raise_no_alarm(tmp_path):
    for seed in range(6):
        place = tmp_path / str(seed)
        place.mkdir()
        assert confused(seed + 20_000, None, place) == set()


def test_the_page_counts_two_hundred_studies():
    text = README.read_text()
    assert " of 200 (" in text.partition("<!-- begin: confusions -->")[2]
