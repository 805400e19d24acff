"""A row is enough for a new regime, and a mistake in one is told in a line."""

import tomllib
from math import log

import numpy as np
import pytest
from pydantic import TypeAdapter

from mrs_disc.errors import InputError
from mrs_disc.toml_text import toml_text
from mrs_disc.validate import regimes
from mrs_disc.validate.regimes import REGIMES, load_regimes
from mrs_disc.validate.rows import Draw

SHIPPED = tomllib.loads((regimes.model_path().parent / "regimes.toml").read_text())
HEAD = {"source": "this test", "status": "P", "disc": SHIPPED["disc"], "humps": SHIPPED["humps"]}
ROW = {"name": "mine", "text": "mine", "stream": 100, "coverage": [90, 98]}


def load(tmp_path, *rows, **head):
    path = tmp_path / "mine.toml"
    path.write_text(toml_text({**HEAD, **head, "regime": list(rows)}))
    return load_regimes(path)


@pytest.mark.parametrize(
    ("value", "mean", "sd"),
    [
        (3.0, 3.0, 0.0),
        ([2.0, 5.0], 3.5, 3 / np.sqrt(12)),
        ({"log": [1.0, 10.0]}, 9 / log(10), np.sqrt(99 / (2 * log(10)) - (9 / log(10)) ** 2)),
        ({"normal": [-1.0, 0.5]}, -1.0, 0.5),
        ({"about": [10.0, 0.1]}, 10.0, 2 / np.sqrt(12)),
    ],
)
def test_each_way_to_draw_has_the_moments_of_its_distribution(value, mean, sd):
    """4,000 numbers: four standard errors of the mean, and 8 % of the spread."""
    drawn = TypeAdapter(Draw).validate_python(value).some(np.random.default_rng(1), 4000)
    assert drawn.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(4000) + 1e-12)
    assert drawn.std() == pytest.approx(sd, rel=0.08, abs=1e-12)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"disc": {"snr": [25, 14]}},
            "disc snr a range has to rise, as in [14, 25]. Came: [25, 14]",
        ),
        ({"disc": {"snr": "high"}}, "should be a number, a range [low, high], or one of"),
        ({"disc": {"snr": {"log": [0, 2]}}}, "has to lie above 0"),
        ({"disc": {"snr": {"cauchy": [0, 2]}}}, "or one of { log = [..] }"),
        ({"disc": {"snrr": 5}}, "has no option 'snrr'. Did you mean 'snr'?"),
        ({"disc": {"factor": {"LACC": 2.0}}}, "no component is named 'LACC'. Did you mean 'LAC'?"),
        ({"disc": {"humps": "randm"}}, "no humps are named 'randm'. Did you mean 'random'?"),
        ({"disc": {"humps": {"absent": 0.5}}}, "give either the list 'hump' or the table 'kind'"),
        ({"scan": {"n_coils": 4}, "disc": {"snr": 5}}, "give either 'disc' or 'scan'"),
        ({"scan": {"n_coils": 0}}, "n_coils = 0"),
        ({"coverage": [90]}, "coverage has 1 numbers, which is too few"),
        ({"stream": -1}, "stream should be greater than or equal to 0"),
    ],
)
def test_a_mistake_in_a_row_is_one_line(tmp_path, row, words):
    with pytest.raises(InputError) as caught:
        load(tmp_path, {**ROW, **row})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("name", "mine"), ("stream", 100)])
def test_two_rows_share_neither_name_nor_random_numbers(tmp_path, key, value):
    other = {**ROW, "name": "other", "stream": 101, key: value}
    with pytest.raises(InputError, match=f"{key} = .* stands in two regimes"):
        load(tmp_path, ROW, other)


@pytest.mark.slow
def test_ratios_are_drawn_within_their_range_and_leave_all_else_as_it_is(tmp_path):
    plain = load(tmp_path, ROW)["mine"]
    row = load(tmp_path, {**ROW, "disc": {"factor": {"LAC": [1.0, 2.0], "ALA": 0}}})["mine"]
    factors = []
    for index in range(200):
        one, other = plain.make(1, index).truth, row.make(1, index).truth
        factors.append(other["LAC"] / one["LAC"])
        assert other["ALA"] == 0
        assert [other[name] for name in ("PG", "PA", "CHO")] == [
            one[n] for n in ("PG", "PA", "CHO")
        ]
    assert 1.0 <= min(factors) < 1.1  # 200 draws: not within a tenth of an end once in 1e9
    assert 1.9 < max(factors) <= 2.0


def test_a_line_lies_where_its_row_moves_it(tmp_path):
    """Seen in the spectrum: the highest point of PG alone, without noise to speak of."""
    alone = dict.fromkeys(("LAC", "ALA", "CARB", "COL", "PA", "CHO", "LIP"), 0)
    disc = {"snr": 1e5, "phase_rad": 0, "shift_hz": 0, "factor": alone}
    tops = []
    for move in (0.0, 0.03):
        row = load(tmp_path, {**ROW, "disc": {**disc, "move_ppm": {"PG": move}}})["mine"]
        fid = np.array(row.make(1, 0).acquisition.metabolite.signal)
        top = np.argmax(np.fft.fft(fid, 65536).real)
        tops.append(np.fft.fftfreq(65536, 1 / 2500.0)[top] / 127.7)
    assert tops[1] - tops[0] == pytest.approx(0.03, abs=0.0004)  # a point of the spectrum


def test_a_row_of_its_own_humps_and_coils_is_made_and_judged(tmp_path):
    humps = {"hump": [{"ppm": [1.0, 2.0], "fwhm_hz": 3.0, "area": {"log": [0.1, 0.2]}}]}
    coils = SHIPPED["regime"][4]["disc"]["coils"] | {"n_coils": 2, "n_transients": 4}
    row = {**ROW, "judged": "ratios to PG", "disc": {"humps": humps, "coils": coils}}
    case = load(tmp_path, row)["mine"].make(1, 0)
    assert case.acquisition.metabolite.signal.shape == (2, 4, 2048)
    assert case.acquisition.water is None
    assert "LAC/PG" in case.truth


def test_shipped_rows_are_those_of_the_file():
    assert list(REGIMES) == [row["name"] for row in SHIPPED["regime"]]
