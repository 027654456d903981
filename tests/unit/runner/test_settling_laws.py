"""Whatever a system, its network and the streams to it do: nobody is accused of what others did, and nothing is overlooked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.lab.miniatures.clock import VirtualClock
from conformance.model.flow import Flow
from conformance.model.matrix import CellVerdict, Observation, Observed
from conformance.model.world import Protocol
from conformance.runner.settling import Settled, Settling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE = 30.0
FLOWS = [Flow("x/a", f"y/{name}", 80, Protocol.TCP) for name in "abc"]
EXPECTED = dict(zip(FLOWS, (True, True, False), strict=True))
UNMEASURED = Observation(Observed.FAILED, 0.0, "the stream broke")
moments = st.floats(0, 2 * DEADLINE)


class System:
    """It does what it must from one moment on, and up to another. Readings take their time, and streams break."""

    def __init__(
        self,
        right: Mapping[Flow, tuple[float, float]],
        seconds: Sequence[float] = (),
        broken: Sequence[frozenset[Flow]] = (),
        lost: Mapping[Flow, int] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self._right, self._seconds, self._broken, self._lost = right, list(seconds), list(broken), dict(lost or {})
        self.readings: list[Mapping[Flow, Observation]] = []

    def read(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        now = self.clock.now()
        broken = self._broken.pop(0) if self._broken else frozenset()
        self.readings.append({flow: UNMEASURED if flow in broken else self._see(flow, now) for flow in flows})
        self.clock.sleep(self._seconds.pop(0) if self._seconds else 0.01)
        return self.readings[-1]

    def settled(self, hold: float) -> Settled:
        return Settling(self.read, EXPECTED, self.clock).run(deadline=DEADLINE, hold=hold)

    def _see(self, flow: Flow, now: float) -> Observation:
        since, until = self._right[flow]
        passes = EXPECTED[flow] is (since <= now < until)
        if flow in self._lost:
            self._lost[flow] -= 1
            passes &= self._lost[flow] != 0
        return Observation(Observed.ALLOWED, 0.001) if passes else Observation(Observed.DROPPED, 0.3)


#: The same examples in every run, and no deadline, since machines differ.
steady = settings(deadline=None, max_examples=200, derandomize=True, database=None)
in_time = st.fixed_dictionaries({flow: st.tuples(st.floats(0, DEADLINE), st.just(1e9)) for flow in FLOWS})
at_once = st.just(dict.fromkeys(FLOWS, (0.0, 1e9)))
durations = st.lists(st.sampled_from([0.0, 0.01, 0.3, 3.0, 45.0]), max_size=30)
breaks = st.lists(st.frozensets(st.sampled_from(FLOWS)), max_size=30)
holds = st.sampled_from([0.0, 0.5, 1.5])


@steady
@given(right=in_time, seconds=durations, hold=holds)
def test_who_is_in_time_is_accused_of_nothing(
    right: Mapping[Flow, tuple[float, float]], seconds: list[float], hold: float
) -> None:
    assert System(right, seconds).settled(hold).verdicts == {}


@steady
@given(right=in_time, seconds=durations, broken=breaks, hold=holds)
def test_who_is_in_time_is_accused_of_nothing_although_streams_break(
    right: Mapping[Flow, tuple[float, float]], seconds: list[float], broken: list[frozenset[Flow]], hold: float
) -> None:
    settled = System(right, seconds, broken).settled(hold)
    assert set(settled.verdicts.values()) <= {CellVerdict.UNKNOWN}
    assert settled.flipped == {}


@steady
@given(
    right=at_once,
    seconds=durations,
    broken=breaks,
    hold=holds,
    lost=st.dictionaries(st.sampled_from(FLOWS[:2]), st.integers(1, 40)),
)
def test_one_lost_packet_a_flow_is_no_accusation(
    right: Mapping[Flow, tuple[float, float]],
    seconds: list[float],
    broken: list[frozenset[Flow]],
    hold: float,
    lost: Mapping[Flow, int],
) -> None:
    settled = System(right, seconds, broken, lost).settled(hold)
    assert set(settled.verdicts.values()) <= {CellVerdict.UNKNOWN}


@steady
@given(
    right=st.fixed_dictionaries({flow: st.tuples(moments, moments) for flow in FLOWS}),
    seconds=durations,
    broken=breaks,
    hold=holds,
)
def test_what_passes_was_seen_to_be_right_in_a_last_full_reading(
    right: Mapping[Flow, tuple[float, float]], seconds: list[float], broken: list[frozenset[Flow]], hold: float
) -> None:
    system = System(right, seconds, broken)
    settled = system.settled(hold)
    if settled.verdicts:
        return
    full = [number for number, reading in enumerate(system.readings) if len(reading) == len(FLOWS)][-1]
    for flow in FLOWS:
        seen = [reading[flow] for reading in system.readings[full:] if flow in reading]
        last = next(each for each in reversed(seen) if each is not UNMEASURED)
        assert (last.observed is Observed.ALLOWED) is EXPECTED[flow]


@steady
@given(flow=st.sampled_from(FLOWS), seconds=durations, broken=breaks, hold=holds)
def test_what_is_wrong_all_the_time_never_passes(
    flow: Flow, seconds: list[float], broken: list[frozenset[Flow]], hold: float
) -> None:
    right = {**dict.fromkeys(FLOWS, (0.0, 1e9)), flow: (1e9, 1e9)}
    verdict = System(right, seconds, broken).settled(hold).verdicts[flow]
    wrong = CellVerdict.BREAK if EXPECTED[flow] else CellVerdict.LEAK
    assert verdict in {wrong, CellVerdict.UNKNOWN}


@steady
@given(flow=st.sampled_from(FLOWS), hold=holds, since=st.floats(DEADLINE + 5, 10 * DEADLINE))
def test_what_comes_much_too_late_is_found(flow: Flow, hold: float, since: float) -> None:
    right = {**dict.fromkeys(FLOWS, (0.0, 1e9)), flow: (since, 1e9)}
    wrong = CellVerdict.BREAK if EXPECTED[flow] else CellVerdict.LEAK
    assert System(right).settled(hold).verdicts == {flow: wrong}


@steady
@given(turns=st.lists(st.booleans(), min_size=1, max_size=400), hold=holds)
def test_it_always_ends(turns: list[bool], hold: float) -> None:
    clock = VirtualClock()

    def read(flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        clock.sleep(0.0)
        turn = turns.pop(0) if turns else True
        seen = Observation(Observed.ALLOWED if turn else Observed.DROPPED, 0.001)
        return dict.fromkeys(flows, seen)

    assert Settling(read, EXPECTED, clock).run(deadline=5.0, hold=hold).readings < 400
