"""The clock: ticks follow one another, step back is exact, nothing runs while nothing moves."""

from __future__ import annotations

import pytest

from app.player import Player


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Hand:
    """A player with thirteen ticks, its clock, and every tick that it went through."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.player = Player(clock=self.clock)
        self.player.set_last(13)
        self.seen: list[float] = []
        self.player.moved.connect(self.seen.append)

    def wait(self, seconds: float, frame: float = 0.016) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end - 1e-9:
            self.clock.now = min(self.clock.now + frame, end)
            self.player.advance()


@pytest.fixture
def hand(qapp: object) -> Hand:
    return Hand()


def running(player: Player) -> bool:
    return player._timer.isActive()


def test_playing_takes_600_ms_a_tick(hand: Hand) -> None:
    hand.player.play()
    hand.wait(1.5)
    assert hand.player.tick == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize(("speed", "tick"), [(0.5, 1.0), (2.0, 4.0), (4.0, 8.0)])
def test_the_speed_multiplies(hand: Hand, speed: float, tick: float) -> None:
    hand.player.set_speed(speed)
    hand.player.play()
    hand.wait(1.2)
    assert hand.player.tick == pytest.approx(tick, abs=0.05)


def test_playing_ends_at_the_last_tick_and_stops_the_timer(hand: Hand) -> None:
    hand.player.play()
    hand.wait(20)
    assert hand.player.tick == 13
    assert not hand.player.playing
    assert not running(hand.player)


def test_play_at_the_end_begins_again(hand: Hand) -> None:
    hand.player.to_last()
    hand.player.play()
    assert hand.player.tick == 0
    assert hand.player.playing


def test_a_step_moves_to_the_next_tick_and_rests_there(hand: Hand) -> None:
    hand.player.step()
    assert running(hand.player)
    hand.wait(0.3)
    assert hand.player.tick == pytest.approx(0.5)
    hand.wait(0.4)
    assert hand.player.tick == 1
    assert not running(hand.player)


def test_n_steps_and_n_steps_back_are_where_we_were(hand: Hand) -> None:
    hand.player.seek(3)
    for _ in range(5):
        hand.player.step()
        hand.wait(0.7)
    assert hand.player.tick == 8
    for _ in range(5):
        hand.player.back()
        hand.wait(0.3)
    assert hand.player.tick == 3


def test_a_step_back_takes_240_ms_and_goes_through_the_tick_reversed(hand: Hand) -> None:
    hand.player.seek(3)
    hand.seen.clear()
    hand.player.back()
    hand.wait(0.12)
    assert hand.player.tick == pytest.approx(2.5)
    hand.wait(0.12)
    assert hand.player.tick == 2
    assert hand.seen == sorted(hand.seen, reverse=True)


def test_two_quick_steps_are_two_ticks(hand: Hand) -> None:
    hand.player.step()
    hand.wait(0.1)
    hand.player.step()
    hand.wait(0.7)
    assert hand.player.tick == 2


def test_two_quick_steps_back_are_two_ticks(hand: Hand) -> None:
    hand.player.seek(5)
    hand.player.back()
    hand.wait(0.1)
    hand.player.back()
    hand.wait(0.3)
    assert hand.player.tick == 3


def test_a_step_back_within_a_tick_returns_to_its_start(hand: Hand) -> None:
    hand.player.seek(5)
    hand.player.step()
    hand.wait(0.3)
    hand.player.back()
    hand.wait(0.3)
    assert hand.player.tick == 5


def test_there_is_nothing_before_the_first_and_behind_the_last_tick(hand: Hand) -> None:
    hand.player.back()
    hand.wait(0.3)
    assert hand.player.tick == 0
    hand.player.to_last()
    hand.player.step()
    assert hand.player.tick == 13
    assert not running(hand.player)


def test_seeking_cuts_and_stops_playing(hand: Hand) -> None:
    hand.player.play()
    hand.wait(0.7)
    hand.seen.clear()
    hand.player.seek(9)
    hand.wait(1)
    assert hand.seen == [9.0]
    assert not hand.player.playing


def test_pausing_finishes_the_tick_that_has_begun(hand: Hand) -> None:
    hand.player.play()
    hand.wait(0.9)
    hand.player.pause()
    hand.wait(2)
    assert hand.player.tick == 2
    assert not running(hand.player)


def test_groups_are_prepare_run_and_answer(hand: Hand) -> None:
    reached = []
    for _ in range(3):
        hand.player.next_group()
        reached.append(hand.player.tick)
    assert reached == [1, 13, 13]
    hand.player.seek(7)
    hand.player.previous_group()
    assert hand.player.tick == 1
    hand.player.previous_group()
    assert hand.player.tick == 0


def test_other_groups_can_be_given(hand: Hand) -> None:
    hand.player.set_groups((0, 2, 12, 99))
    reached = []
    for _ in range(4):
        hand.player.next_group()
        reached.append(hand.player.tick)
    assert reached == [2, 12, 13, 13]
    hand.player.previous_group()
    assert hand.player.tick == 12


def test_speeds_end_at_both_sides(hand: Hand) -> None:
    for _ in range(9):
        hand.player.faster()
    assert hand.player.speed == 4
    for _ in range(9):
        hand.player.slower()
    assert hand.player.speed == 0.5


def test_a_new_speed_while_playing_does_not_jump(hand: Hand) -> None:
    hand.player.play()
    hand.wait(0.3)
    hand.player.set_speed(2)
    assert hand.player.tick == pytest.approx(0.5)
    hand.wait(0.15)
    assert hand.player.tick == pytest.approx(1.0, abs=0.02)


def test_reduced_motion_has_whole_ticks_only(hand: Hand) -> None:
    hand.player.set_reduced(True)
    hand.player.step()
    hand.player.back()
    hand.player.play()
    hand.wait(3.7)
    assert hand.player.tick == 3
    assert all(tick == int(tick) for tick in hand.seen)


def test_held_still_while_a_result_is_awaited(hand: Hand) -> None:
    hand.player.play()
    hand.wait(0.3)
    hand.player.hold(True)
    hand.wait(5)
    assert hand.player.tick == pytest.approx(0.5)
    assert not running(hand.player)
    hand.player.hold(False)
    hand.wait(0.15)
    assert hand.player.tick == pytest.approx(0.75, abs=0.02)


def test_a_machine_that_slept_skips_no_tick(hand: Hand) -> None:
    hand.player.play()
    hand.wait(0.3)
    hand.clock.now += 60
    hand.player.advance()
    assert hand.player.tick == 1
    hand.player.advance()
    assert hand.player.tick < 1.2


def test_fewer_ticks_keep_us_within_them(hand: Hand) -> None:
    hand.player.seek(9)
    hand.player.set_last(4)
    assert hand.player.tick == 4


def test_at_the_end_we_stay_at_the_end(hand: Hand) -> None:
    hand.player.to_last()
    hand.player.set_last(20)
    assert hand.player.tick == 20


def test_without_ticks_nothing_plays(qapp: object) -> None:
    player = Player()
    player.play()
    player.step()
    assert (player.tick, player.playing, running(player)) == (0, False, False)
