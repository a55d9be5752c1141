"""Reference data of the simulated system, as the gateway's administration would have written it."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.simbroker import SimBroker
from truetape.topics import REFERENCE_EVENTS

VENUE, SYMBOL = "alpha", "BTCUSDT"
PARTITIONS: Final = 2
"""Of the topics keyed by account: takeovers of eight say no more than those of two."""
ACCOUNTS: Final = {"leo": 0, "ivy": 0, "kim": 1, "tom": 1}
"""Account -> its partition, by the real partitioner over all eight."""
LISTING: Final = m.Listing(VENUE, SYMBOL, 10**6, 10_000, 10_000, 5 * ONE_E8, 100_000, 100_000)
BTC: Final = m.Instrument(
    "BTC-USDT", "BTC", "USDT", 10**6, 10_000, 10_000, 100 * ONE_E8, 10 * ONE_E8, 2_000_000 * ONE_E8, True, (LISTING,)
)
LIMITS: Final = m.Limits(1_000_000 * ONE_E8, 50, 1_000, 10**7, 5_000_000)
FEES: Final = m.Fees(50_000, 100_000)
REBATE: Final = m.Fees(-20_000, 150_000)
"""Of one account: it is paid for making."""


class ReferenceData:
    """Writes the topic, in one epoch."""

    def __init__(self, broker: SimBroker, more: Iterable[m.Instrument] = ()) -> None:
        self._broker = broker
        self._sequence = 0
        self._write(m.Began(self._meta(), "0"))
        self.append(m.InstrumentSet(self._meta(), "k", "x", BTC))
        self.append(m.LimitsSet(self._meta(), "k", "x", "*", LIMITS))
        self.append(m.FeesSet(self._meta(), "k", "x", "*", FEES))
        self.append(m.FeesSet(self._meta(), "k", "x", "leo", REBATE))
        for account in ACCOUNTS:
            self.append(m.AccountOpened(self._meta(), "k", "x", account, account))
        for instrument in more:
            self.append(m.InstrumentSet(self._meta(), "k", "x", instrument))

    def switch(self, account: str, state: m.TradingState) -> None:
        """Move the kill switch of an account, or of everybody ("*")."""
        self.append(m.TradingStateSet(self._meta(), "k", "x", account, state, "simulated"))

    def fees_of(self, account: str) -> m.Fees:
        """The house's rates for an account."""
        return REBATE if account == "leo" else FEES

    def append(self, event: Any) -> None:
        """Write an event as the next of its epoch."""
        self._sequence += 1
        self._write(replace(event, meta=self._meta()))

    def next_meta(self) -> m.Meta:
        """For an event that is to be appended, which gets its own."""
        return self._meta()

    def _meta(self) -> m.Meta:
        cause = m.Cause("reference.commands", 0, self._sequence, "")
        event_id = f"{REFERENCE_EVENTS.name}<reference.commands/0/{self._sequence}"
        return m.Meta(1, self._sequence, cause, self._broker.wall_us(), event_id, "")

    def _write(self, event: Any) -> None:
        self._broker.produce(Part(REFERENCE_EVENTS.name, 0), b"", encode(event))
