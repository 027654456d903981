"""Settling with scripted readings and a clock that only passes when something waits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from conformance.lab.miniatures.clock import VirtualClock
from conformance.model.flow import Flow
from conformance.model.matrix import CellVerdict, Observation, Observed
from conformance.model.world import Protocol
from conformance.runner.settling import CONFIRMATIONS, Settled, Settling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Seen = Callable[[float], str]

DEADLINE, HOLD = 30.0, 0.5
A = Flow("x/a", "y/a", 80, Protocol.TCP)
B = Flow("x/b", "y/a", 80, Protocol.TCP)
LETTERS = {
    "+": Observation(Observed.ALLOWED, 0.002),
    "-": Observation(Observed.DROPPED, 0.5),
    "!": Observation(Observed.REJECTED, 0.001),
    "?": Observation(Observed.FAILED, 0.0, "the stream broke"),
    "x": Observation(Observed.MISDELIVERED, 0.001, "z/c#1 answered"),
}


class Readings:
    """What each reading sees, as a function of the moment at which it begins; reading takes `seconds`."""

    def __init__(self, clock: VirtualClock, seen: Mapping[Flow, Seen], seconds: Callable[[float], float]) -> None:
        self._clock, self._seen, self._seconds = clock, seen, seconds
        self.moments: list[float] = []
        self.sizes: list[int] = []

    def __call__(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        now = self._clock.now()
        self.moments.append(now)
        self.sizes.append(len(flows))
        observations = {flow: LETTERS[self._seen[flow](now)] for flow in flows}
        self._clock.sleep(self._seconds(now))
        return observations


class Watch:
    """A settling run to its end."""

    def __init__(
        self,
        seen: Mapping[Flow, Seen],
        *,
        expected: Mapping[Flow, bool] | None = None,
        deadline: float = DEADLINE,
        hold: float = HOLD,
        seconds: Callable[[float], float] = lambda _: 0.01,
        patient: Mapping[Flow, Seen] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.readings = Readings(self.clock, seen, seconds)
        self.patient = Readings(self.clock, patient or seen, seconds)
        wanted = expected or dict.fromkeys(seen, True)
        settling = Settling(self.readings, wanted, self.clock, patient=self.patient if patient else None)
        self.settled: Settled = settling.run(deadline=deadline, hold=hold)
        self.verdicts = dict(self.settled.verdicts)


def at(*changes: tuple[float, str]) -> Seen:
    """`at((0, "-"), (3, "+"))`: nothing passes until three seconds have."""

    def seen(now: float) -> str:
        return [letter for moment, letter in changes if moment <= now][-1]

    return seen


def nth(*letters: str) -> Seen:
    """One letter a reading of this flow; the last stays."""
    left = list(letters)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def until_late(letter: str, then: str) -> Seen:
    """One letter up to the first reading that begins after the deadline, that one too; then another."""
    late = nth(letter, then)
    return lambda now: letter if now < DEADLINE else late(now)


def test_immediate_agreement_is_read_again_after_the_hold() -> None:
    watch = Watch({A: at((0, "+")), B: at((0, "-"))}, expected={A: True, B: False})
    assert watch.verdicts == {}
    assert watch.readings.sizes == [2, 2]
    assert watch.readings.moments[1] - watch.readings.moments[0] >= HOLD
    assert watch.settled.attempts == Counter({A: 2, B: 2})
    assert (watch.settled.latencies, watch.settled.flipped, watch.settled.readings) == ({}, Counter(), 2)


def test_a_slow_change_within_the_deadline_agrees_and_only_what_disagreed_is_read_again() -> None:
    watch = Watch({A: at((0, "-"), (12, "+")), B: at((0, "+"))})
    assert watch.verdicts == {}
    assert watch.readings.sizes[0] == watch.readings.sizes[-1] == 2
    assert set(watch.readings.sizes[1:-1]) == {1}
    assert watch.settled.attempts[A] > watch.settled.attempts[B] == 2


def test_latency_ends_with_the_first_agreeing_probe_and_knows_nothing_of_the_hold() -> None:
    watch = Watch({A: at((0, "-"), (2, "+")), B: at((0, "+"))}, hold=7.0)
    assert set(watch.settled.latencies) == {A}
    assert 2 <= watch.settled.latencies[A] < 2.6


def test_latency_of_a_block_does_not_count_how_long_silence_was_waited_for() -> None:
    """A flow that is silent from the beginning of a reading was blocked when the reading began, not when it ended."""
    watch = Watch({A: at((0, "+"), (0.01, "-"))}, expected={A: False}, seconds=lambda now: 3.0 if now else 0.01)
    assert 0.01 <= watch.settled.latencies[A] < 0.2


def test_latency_is_not_given_to_a_cell_that_only_could_not_be_measured() -> None:
    watch = Watch({A: at((0, "?"), (2, "+"))})
    assert (watch.verdicts, watch.settled.latencies) == ({}, {})


@pytest.mark.parametrize(
    ("letter", "expected", "verdict"),
    [
        ("+", False, CellVerdict.LEAK),
        ("-", True, CellVerdict.BREAK),
        ("!", True, CellVerdict.BREAK),
        ("x", True, CellVerdict.BREAK),
        ("x", False, CellVerdict.UNKNOWN),
        ("?", True, CellVerdict.UNKNOWN),
        ("?", False, CellVerdict.UNKNOWN),
    ],
)
def test_what_never_agrees_is_read_to_the_deadline_and_confirmed(
    letter: str, expected: bool, verdict: CellVerdict
) -> None:
    watch = Watch({A: at((0, letter)), B: at((0, "+"))}, expected={A: expected, B: True})
    assert watch.verdicts == {A: verdict}
    assert watch.settled.observations[A] == LETTERS[letter]
    assert watch.clock.now() >= DEADLINE
    assert len([moment for moment in watch.readings.moments if moment >= DEADLINE]) >= CONFIRMATIONS
    assert watch.settled.attempts[A] == watch.settled.readings


def test_a_change_that_comes_only_after_the_deadline_is_a_finding_that_shows_what_was_wrong() -> None:
    for late in (until_late("+", "-"), at((0, "+"), (DEADLINE + 0.6, "-"))):
        watch = Watch({A: late}, expected={A: False})
        assert watch.verdicts == {A: CellVerdict.UNSTABLE}
        assert watch.settled.observations[A].observed is Observed.ALLOWED


def test_a_flip_in_the_hold_that_settles_is_remembered_and_no_finding() -> None:
    watch = Watch({A: nth("+", "-", "-", "+"), B: at((0, "+"))})
    assert watch.verdicts == {}
    assert watch.settled.flipped == Counter({A: 1})
    assert watch.readings.sizes[-1] == 2, "the last word has a full reading"


@pytest.mark.parametrize(("expected", "letters"), [(True, "+-"), (False, "-+")])
def test_what_flips_for_ever_is_unstable_and_shows_what_was_against_it(expected: bool, letters: str) -> None:
    count = iter(range(10**6))
    watch = Watch({A: lambda _: letters[next(count) % 2]}, expected={A: expected})
    assert watch.verdicts == {A: CellVerdict.UNSTABLE}
    assert watch.settled.observations[A] == LETTERS[letters[1]]


def test_what_agrees_in_every_short_reading_and_flips_in_every_long_one_is_unstable() -> None:
    """Else a leak could hide from the readings that only look at what disagreed."""
    turns = iter([*"-+" * 500])
    watch = Watch({A: lambda _: next(turns), B: at((0, "+"))}, expected={A: False, B: True})
    assert watch.verdicts == {A: CellVerdict.UNSTABLE}


def test_it_ends_although_everything_flips_and_nothing_is_waited_for() -> None:
    turns = iter([*"+-" * 5000])
    watch = Watch({A: lambda _: next(turns)}, hold=1e-9, deadline=1.0, seconds=lambda _: 0.0)
    assert watch.verdicts == {A: CellVerdict.UNSTABLE}


# What must not be held against an implementation.


def test_a_reading_that_outlasts_the_deadline_does_not_take_the_time_of_the_implementation() -> None:
    """The first reading hangs on a broken stream for forty seconds; what it saw is of its first moment."""
    watch = Watch({A: at((0, "-"), (1, "+"))}, seconds=lambda now: 40.0 if now < 1 else 0.01)
    assert watch.verdicts == {}


def test_every_reading_hangs_and_the_change_comes_in_time() -> None:
    watch = Watch({A: at((0, "+"), (25, "-")), B: at((0, "+"))}, expected={A: False, B: True}, seconds=lambda _: 20.0)
    assert watch.verdicts == {}


def test_what_could_not_be_measured_at_the_deadline_and_agrees_after_it_is_no_finding() -> None:
    watch = Watch({A: until_late("?", "+"), B: at((0, "+"))})
    assert watch.verdicts == {}
    assert watch.readings.sizes[-1] == 2, "what is excused still has to hold in a full reading"


def test_a_stream_that_breaks_in_the_hold_is_no_flip() -> None:
    watch = Watch({A: nth("+", "?", "+")})
    assert (watch.verdicts, watch.settled.flipped) == ({}, Counter())


def test_a_stream_that_breaks_in_a_hold_after_the_deadline_is_no_finding() -> None:
    watch = Watch({A: nth("-", "+", "?", "+")}, deadline=0.05, hold=5.0)
    assert watch.verdicts == {}


def test_one_lost_packet_in_a_hold_after_the_deadline_is_no_finding() -> None:
    watch = Watch({A: at((0, "-"), (29.9, "+")), B: nth("+", "-", "+")})
    assert watch.verdicts == {}
    assert watch.settled.flipped == Counter({B: 1})


def test_one_leak_in_a_hold_after_the_deadline_is_a_finding() -> None:
    """No lost packet answers with the right name."""
    watch = Watch({A: at((0, "-"), (29.9, "+")), B: nth("-", "+", "-")}, expected={A: True, B: False})
    assert watch.verdicts == {B: CellVerdict.UNSTABLE}
    assert watch.settled.observations[B].observed is Observed.ALLOWED


def test_two_lost_packets_of_one_flow_are_a_finding() -> None:
    watch = Watch({A: nth("+", "-", "+", "-", "+")}, deadline=0.7, hold=0.5)
    assert watch.verdicts == {A: CellVerdict.UNSTABLE}


def test_doubt_in_a_confirmation_is_no_accusation() -> None:
    for doubtful in range(CONFIRMATIONS):
        letters = ["-"] * CONFIRMATIONS
        letters[doubtful] = "?"
        watch = Watch({A: nth("-", *letters)}, deadline=0.0)
        assert watch.verdicts == {A: CellVerdict.UNKNOWN}
        assert watch.settled.observations[A].detail == "the stream broke"


def test_an_accusation_rests_on_patient_readings() -> None:
    watch = Watch({A: at((0, "-"))}, patient={A: at((0, "-"))})
    assert watch.verdicts == {A: CellVerdict.BREAK}
    assert len(watch.patient.moments) >= CONFIRMATIONS
    assert max(watch.readings.moments) < min(watch.patient.moments)


def test_one_lost_packet_in_the_only_reading_that_measured_anything_is_no_finding() -> None:
    watch = Watch({A: nth("?", "-", "+")}, seconds=lambda now: 0.01 if now else 45.0)
    assert watch.verdicts == {}


# What must not be hidden.


def test_what_agreed_once_and_then_broke_up_to_the_deadline_is_a_finding() -> None:
    """Many readings in a row are no lost packet."""
    late = until_late("-", "+")
    watch = Watch({A: lambda now: "+" if now < 0.1 else late(now)})
    assert watch.verdicts == {A: CellVerdict.UNSTABLE}


def test_a_leak_that_begins_while_another_cell_is_waited_for_is_found_by_the_full_reading() -> None:
    watch = Watch({A: at((0, "-"), (10, "+")), B: at((0, "-"), (5, "+"))}, expected={A: True, B: False})
    assert watch.verdicts == {B: CellVerdict.LEAK}


def test_a_leak_that_begins_after_the_deadline_is_not_hidden_by_a_cell_that_was_excused() -> None:
    watch = Watch({A: until_late("?", "+"), B: at((0, "-"), (5, "+"))}, expected={A: True, B: False})
    assert watch.verdicts == {B: CellVerdict.LEAK}


def test_no_patience_at_all_still_gives_every_accusation_its_confirmations() -> None:
    watch = Watch({A: at((0, "+"))}, expected={A: False}, deadline=0.0, hold=0.0)
    assert watch.verdicts == {A: CellVerdict.LEAK}
    assert watch.settled.readings == 1 + CONFIRMATIONS
