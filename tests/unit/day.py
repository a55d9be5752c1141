"""A random day, booked by clearing itself: for what is made of entries alone."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from services.clearing.booking import ledger
from services.clearing.core import SERVICE
from services.clearing.state import State
from truetape import journal, marks, reference
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.service import Input, Tables
from truetape.simbroker import SimBroker
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

PART = Part(CLEARING_ENTRIES.name, 0)
DAY_US = 1_764_000_000_000_000
ACCOUNTS = ("ann", "Bob-2", "X-ray", "c 3;po|é")
PAIRS = (("BTC", "USDT"), ("ETH", "USDT"), ("1inch", "usdt"), ("A", "VERY.LONG-ASSET_NAME.OF-30-CHARS"))


class Day:
    """A random day, booked by clearing itself."""

    def __init__(self, seed: int, events: int = 250, seconds_between: int = 1) -> None:
        self._random, self._apart_us = random.Random(seed), seconds_between * 10**6
        self.broker, self.state = SimBroker(1), State()
        self.entries: list[m.EntryBooked] = []
        self._tables = Tables(reference.Reference(), marks.Marks())
        self._tables.reference.fees["*"] = m.Fees(-5_000, 100_000)
        self._produce(m.Began(m.Meta(1, 0, m.Cause("group", 0, -1, "day"), DAY_US, "began", ""), "day"))
        for number in range(events):
            self._one(number)

    def _one(self, number: int) -> None:
        kind = self._random.random()
        if kind < 0.9 or not self.entries:
            self._book(self._fill(number), ORDERS_EXECUTIONS.name, number)
        elif kind < 0.97:
            self._book(self._transfer(number), ORDERS_DECISIONS.name, number)
        elif (last := self.entries[-1]).kind != "CORRECTION":
            position = last.position
            self._keep(ledger.reversal(last, position, self._meta(m.Cause("operator", 0, -1, str(number)))))

    def _meta(self, cause: m.Cause) -> m.Meta:
        sequence = len(self.entries) + 1
        return m.Meta(1, sequence, cause, DAY_US + sequence * self._apart_us, f"event-{sequence}", "")

    def _book(self, message: Any, topic: str, number: int) -> None:
        given = Input(message, m.Cause(topic, 0, number, ""), DAY_US + (len(self.entries) + 1) * self._apart_us,
                      CLEARING_ENTRIES.name, 1, len(self.entries) + 1, self._tables)  # fmt: skip
        event = SERVICE.decide(self.state, given)
        assert isinstance(event, m.EntryBooked)
        self._keep(event)

    def _keep(self, entry: m.EntryBooked) -> None:
        self.state = SERVICE.evolve(self.state, entry)
        self.entries.append(entry)
        self._produce(entry)

    def _produce(self, event: Any) -> None:
        self.broker.produce(PART, b"", encode(event))

    def _fill(self, number: int) -> m.OrderFilled:
        base, quote = self._random.choice(PAIRS)
        quantity_e8, price_e8 = self._random.randint(1, 10**10), self._random.randint(10**4, 10**12)
        meta = m.Meta(1, number + 1, m.Cause("venue:alpha", 0, -1, str(number)), DAY_US, f"f{number}", "")
        return m.OrderFilled(
            meta, f"order-{number}", self._random.choice(ACCOUNTS), 0, self._random.choice(("alpha", "beta")),
            f"{base}-{quote}", base, quote, self._random.choice(("BUY", "SELL")), f'alpha:"{number}"; |x', "v",
            quantity_e8, price_e8, quantity_e8 * price_e8 // 10**8, quantity_e8, 0, self._random.choice((base, quote)),
            self._random.randint(-5, 10**6), self._random.choice(("MAKER", "TAKER")), "FILLED",
            DAY_US + number * 10**6, "stream",
        )  # fmt: skip

    def _transfer(self, number: int) -> m.TransferApproved:
        amount_e8 = self._random.randint(1, 10**14) * self._random.choice((1, -1))
        location = self._random.choice(("venue:alpha", "bank:settlement", "custody:vault"))
        asset = self._random.choice(("USDT", "BTC"))
        terms = m.TransferTerms(f"t{number}", self._random.choice(ACCOUNTS), asset, amount_e8, location, "ref")
        return m.TransferApproved(m.Meta(1, 1, m.Cause("x", 0, 0, ""), DAY_US, "t", ""), terms)

    def export(self, form: journal.Format, path: Path, **options: Any) -> Path:
        """The day as a file."""
        found = journal.entries(self.broker.log("exporter"), 10.0, **options)
        path.write_text("".join(journal.written(found, form)))
        return path

    def balances(self, account: Any) -> dict[tuple[str, str], int]:
        """Clearing's balances under the names of the exported journal; zeros left out."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        for name, assets in self.state.balances.items():
            for asset, amount_e8 in assets.items():
                found[account(name), journal.commodity(asset)] += amount_e8
        return {key: amount_e8 for key, amount_e8 in found.items() if amount_e8}
