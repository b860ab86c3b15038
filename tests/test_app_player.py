"""The clock, by a clock that the test holds."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from app.player import SECONDS_BACK, SECONDS_PER_TICK, SECONDS_REDUCED, Player


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def player(qapp: object, clock: Clock) -> Player:
    made = Player(clock=clock)
    made.set_last(13)
    return made


def wait(player: Player, clock: Clock, seconds: float) -> float:
    clock.now += seconds
    player.advance()
    return player.tick


def test_a_step_takes_600_ms_and_ends_on_a_whole_tick(player: Player, clock: Clock) -> None:
    player.step()
    assert wait(player, clock, SECONDS_PER_TICK / 2) == pytest.approx(0.5)
    assert wait(player, clock, SECONDS_PER_TICK) == 1.0
    assert not player.moving


def test_a_step_back_is_the_same_way_in_240_ms(player: Player, clock: Clock) -> None:
    player.seek(5)
    player.back()
    assert wait(player, clock, SECONDS_BACK / 4) == pytest.approx(4.75)
    assert wait(player, clock, SECONDS_BACK) == 4.0


def test_no_press_is_lost_when_keys_come_fast(player: Player, clock: Clock) -> None:
    for _ in range(5):
        player.step()
        wait(player, clock, 0.02)
    wait(player, clock, 1)
    assert player.tick == 5
    for _ in range(3):
        player.back()
        wait(player, clock, 0.02)
    wait(player, clock, 1)
    assert player.tick == 2


def test_playing_goes_on_to_the_last_tick_and_stops(player: Player, clock: Clock) -> None:
    player.set_speed(4.0)
    player.play()
    seen = [wait(player, clock, 0.016) for _ in range(300)]
    assert seen == sorted(seen)
    assert seen[-1] == 13
    assert not player.playing
    assert not player.moving


def test_playing_from_the_end_begins_again(player: Player, clock: Clock) -> None:
    player.seek(13)
    player.play()
    assert player.tick == 0
    assert player.playing


def test_a_seek_cuts_and_stays_within_the_run(player: Player, clock: Clock) -> None:
    player.play()
    player.seek(99)
    assert player.tick == 13
    assert not player.playing
    player.seek(-1)
    assert player.tick == 0


def test_pausing_ends_on_a_whole_tick(player: Player, clock: Clock) -> None:
    player.play()
    wait(player, clock, SECONDS_PER_TICK * 1.4)
    player.pause()
    wait(player, clock, 5)
    assert player.tick == int(player.tick)
    assert not player.moving


def test_reduced_motion_shows_whole_ticks_only(player: Player, clock: Clock) -> None:
    player.set_reduced(True)
    player.play()
    seen = {wait(player, clock, 0.1) for _ in range(int(13 * SECONDS_REDUCED / 0.1) + 20)}
    assert all(tick == int(tick) for tick in seen)
    assert player.tick == 13


def test_a_shorter_run_keeps_the_tick_where_it_can(player: Player) -> None:
    player.seek(12)
    player.set_last(7)
    assert player.tick == 7
    player.set_last(13)
    assert player.tick in (7, 13)


def test_the_timer_runs_only_while_something_moves(qtbot: QtBot) -> None:
    player = Player()
    player.set_last(2)
    player.step()
    qtbot.waitUntil(lambda: player.tick == 1, timeout=5000)
    assert not player._timer.isActive()
