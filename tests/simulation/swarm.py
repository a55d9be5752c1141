"""What goes wrong in one run, drawn from its seed: which kinds of fault are on, and how often."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from truetape.simbroker import CALM, Faults

NETWORK = {
    "lost_reports": 0.05,
    "late_reports": 0.10,
    "lost_packets": 0.05,
    "late_packets": 1.0,
    "stale_ends": 0.5,
    "slow_reads": 0.10,
}
"""Greatest probability of each."""
EVENTS = {
    "crash": 0.4,
    "pause": 0.4,
    "suspend": 0.2,
    "rebalance": 1.0,
    "double": 0.5,
    "elect": 0.8,
    "outage": 0.2,
    "clock": 0.4,
    "stop": 0.2,
}
"""Greatest rate of each, per virtual second over all nodes."""


LATENCIES_US = (1_500, 20_000, 250_000)
"""Longest way through the network. A slow one has much under way when something happens."""


@dataclass(frozen=True)
class Plan:
    """Kinds and rates of one run."""

    network: Faults
    events: dict[str, float]
    nodes: int
    seconds: float
    inputs_per_second: float

    def __str__(self) -> str:
        on = ", ".join(f"{name} {rate:.2f}/s" for name, rate in self.events.items())
        return f"{self.nodes} nodes a service, {self.seconds:.0f} s, {on or 'no events'}, {self.network}"


def plan_of(seed: int) -> Plan:
    """The first seeds are calm, then come ones with a single kind of event, then everything in random company."""
    chance = Random(seed ^ 0x5EED)
    kinds = [*NETWORK, *EVENTS]
    if seed < 3:
        on = []
    elif seed < 3 + len(kinds):
        on = [kinds[seed - 3]]
    else:
        on = [kind for kind in kinds if chance.random() < 0.5]
    rates = {kind: chance.uniform(0.2, 1.0) for kind in kinds}
    probabilities: dict[str, Any] = {kind: NETWORK[kind] * rates[kind] * (kind in on) for kind in NETWORK}
    latency_us = (100, chance.choice(LATENCIES_US) if seed >= 3 else LATENCIES_US[0])
    network = replace(CALM, latency_us=latency_us, **probabilities)
    events = {kind: EVENTS[kind] * rates[kind] for kind in EVENTS if kind in on}
    return Plan(network, events, chance.randint(1, 3), chance.uniform(6, 14), chance.uniform(3, 12))
