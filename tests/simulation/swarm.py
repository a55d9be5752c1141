"""What goes wrong in one run, drawn from its seed: which kinds of fault are on, and how often.

Of twenty seeds one is calm, two have a single kind of fault (so that a failure points at it), one loses records by
truncation, and in the rest every kind is on with a chance of one half, at a rate from a wide range.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, Literal

from truetape.simbroker import CALM, Faults

MS, SECOND = 1_000, 1_000_000
NETWORK: Final = {
    "lost_reports": 0.05,
    "late_reports": 0.10,
    "lost_packets": 0.03,
    "late_packets": 1.0,
    "stale_ends": 0.5,
    "slow_reads": 0.10,
}
"""Kafka's network: greatest probability of each, per packet or call."""
EVENTS: Final = {
    "crash": 0.12,
    "crash_in_mid_work": 0.10,
    "blackout": 0.01,
    "pause": 0.15,
    "suspend": 0.08,
    "freeze_in_mid_work": 0.06,
    "stop": 0.08,
    "rebalance": 0.5,
    "double": 0.2,
    "elect": 0.3,
    "outage": 0.05,
    "cut_off": 0.10,
    "lose_replies": 0.08,
    "clock": 0.10,
}
"""What happens to a node or to the cluster: greatest rate of each, per virtual second over all nodes."""
LINE: Final = {
    "slow": 0.2,
    "lost_request": 0.15,
    "torn": 0.1,
    "lost_reply": 0.15,
    "silent": 0.1,
    "reset": 0.02,
    "half_open": 0.01,
}
"""The way to the venue: greatest probability of each, per request or message."""
VENUE: Final = {
    "drop_request": 0.15,
    "drop_reply": 0.15,
    "error_after": 0.1,
    "duplicate_event": 0.4,
    "reorder_event": 0.3,
    "late_event": 0.3,
    "drop_event": 0.3,
    "depth_gap": 0.05,
    "rate_limit": 0.05,
}
"""The venue's own faults (venues/faults.py): greatest probability of each, per request or event."""
VENUE_EVENTS: Final = {"venue_crash": 0.04, "venue_cut": 0.08, "venue_reset": 0.1}
"""What happens to the venue as a whole: greatest rate of each, per virtual second."""
KINDS: Final = (*NETWORK, *EVENTS, *LINE, *VENUE, *VENUE_EVENTS)
LATENCIES_US: Final = (1_500, 20_000, 250_000)
"""Longest way through the network. A slow one has much under way when something happens."""
PACES_US: Final = ((200, 1_500), (1_000, 10_000), (5_000, 80_000))
"""How long one turn of a process takes."""
LEAST_SECONDS: Final = 60.0
"""No run is shorter in virtual time."""
TROUBLE_SECONDS: Final = (50.0, 54.0)
"""Of load and faults; what follows, until all is answered, takes seconds more."""
TRUNCATION_SECONDS: Final = 12.0
"""So much longer is a run that a truncation ends: nothing follows it."""
Kind = Literal["calm", "one fault", "truncation", "swarm"]


@dataclass(frozen=True)
class Plan:
    """Kinds and rates of one run."""

    kind: Kind
    network: Faults
    events: dict[str, float]
    """Kind -> how often per virtual second."""
    line: dict[str, float]
    """Kind -> probability; what is not here does not happen."""
    venue: dict[str, float]
    """Kind -> probability."""
    venue_events: dict[str, float]
    """Kind -> how often per virtual second."""
    venue_slowest_us: int
    nodes: int
    """Instances of each service."""
    pace_us: tuple[int, int]
    seconds: float
    """Of trouble."""
    orders_per_second: float

    def __str__(self) -> str:
        on = ", ".join(f"{name} {rate:.2f}/s" for name, rate in self.events.items())
        return (
            f"{self.kind}: {self.nodes} nodes a service, {self.seconds:.0f} s, pace {self.pace_us} us, "
            f"{on or 'no events'}, {self.line}, {self.venue}, {self.venue_events}, {self.network}"
        )


def plan_of(seed: int) -> Plan:
    """The same seed gives the same plan, for ever."""
    chance = Random(seed ^ 0x5EED)
    kind, on = _kinds(seed, chance)
    rates = {name: chance.uniform(0.2, 1.0) for name in KINDS}
    probabilities: dict[str, Any] = {name: NETWORK[name] * rates[name] * (name in on) for name in NETWORK}
    swarm = kind == "swarm"
    latency_us = (100, chance.choice(LATENCIES_US) if swarm else LATENCIES_US[0])
    return Plan(
        kind=kind,
        network=replace(CALM, latency_us=latency_us, **probabilities),
        events={name: EVENTS[name] * rates[name] for name in EVENTS if name in on},
        line={name: LINE[name] * rates[name] for name in LINE if name in on},
        venue={name: VENUE[name] * rates[name] for name in VENUE if name in on},
        venue_events={name: VENUE_EVENTS[name] * rates[name] for name in VENUE_EVENTS if name in on},
        venue_slowest_us=chance.choice((3, 30, 400)) * MS if swarm else 3 * MS,
        nodes=chance.choice((1, 1, 2, 2, 2, 3)),
        pace_us=chance.choice(PACES_US) if swarm else PACES_US[0],
        seconds=chance.uniform(*TROUBLE_SECONDS) + TRUNCATION_SECONDS * (kind == "truncation"),
        orders_per_second=chance.uniform(0.2, 0.9),
    )


def _kinds(seed: int, chance: Random) -> tuple[Kind, frozenset[str]]:
    match seed % 20:
        case 0:
            return "calm", frozenset()
        case 1 | 2:
            return "one fault", frozenset({KINDS[(seed // 20 * 2 + seed % 20 - 1) % len(KINDS)]})
        case 3:
            return "truncation", frozenset(name for name in ("crash", "rebalance") if chance.random() < 0.5)
        case _:
            return "swarm", frozenset(name for name in KINDS if chance.random() < 0.5)
