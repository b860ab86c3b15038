"""The choices about the models: their ids, and what stands in where no weights were trained."""

from __future__ import annotations

from itertools import product

import pytest

from app import CELLS, DEFAULT_PAIR, SETS
from app.setting import Setting, of_models
from engine.weights import available


def test_the_first_setting_is_the_default_pair() -> None:
    assert (Setting().chain, Setting().grid) == DEFAULT_PAIR


def test_every_setting_is_found_again_by_its_ids() -> None:
    for cell, both, attention, size, causal in product(
        CELLS, (False, True), (False, True), SETS, (False, True)
    ):
        setting = Setting(cell, both, attention, size, causal)
        assert of_models(setting.chain, setting.grid) == setting


@pytest.mark.parametrize(
    "ids", [("rnn", "gru"), ("", "transformer"), ("rnn-50k-bi", "transformer")]
)
def test_ids_that_no_setting_has_are_refused(ids: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="on no stage"):
        of_models(*ids)


def test_what_has_no_weights_gives_way_and_the_cell_stays() -> None:
    some = {"rnn", "rnn-plain", "gru", "transformer"}
    assert Setting(attention=False).nearest(some) == Setting(attention=False)
    assert Setting("gru", attention=False).nearest(some) == Setting("gru")
    assert Setting("gru", both=True, size="-50k").nearest(some) == Setting("gru")
    assert not Setting("lstm").nearest(some).possible(some)


def test_every_cell_has_weights_in_both_sets() -> None:
    for cell, size in product(CELLS, SETS):
        assert Setting(cell)._replace(size=size).possible(available())
