"""The exported journal: hledger and beancount themselves add up a random day, and come to clearing's balances."""

import csv
import random
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from services.clearing import ledger
from services.clearing.core import SERVICE
from services.clearing.state import State
from truetape import journal, marks, reference
from truetape import messages as m
from truetape.codec import encode
from truetape.commands.ledger import microseconds
from truetape.errors import SetupError, TapeGap
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.service import Input, Tables
from truetape.simbroker import SimBroker
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

PART = Part(CLEARING_ENTRIES.name, 0)
DAY_US = 1_764_000_000_000_000
ACCOUNTS = ("ann", "Bob-2", "X-ray", "c 3;po|é")
PAIRS = (("BTC", "USDT"), ("ETH", "USDT"), ("1inch", "usdt"), ("A", "VERY.LONG-ASSET_NAME.OF-30-CHARS"))


class Day:
    """A random day, booked by clearing itself."""

    def __init__(self, seed: int, events: int = 250) -> None:
        self._random = random.Random(seed)
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
        return m.Meta(1, sequence, cause, DAY_US + sequence * 10**6, f"event-{sequence}", "")

    def _book(self, message: Any, topic: str, number: int) -> None:
        given = Input(message, m.Cause(topic, 0, number, ""), DAY_US + (len(self.entries) + 1) * 10**6,
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


def hledger(*words: str) -> str:
    done = subprocess.run(["hledger", *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_hledger = pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed: scripts/setup")


@needs_hledger
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hledger_reproduces_every_balance(seed: int, tmp_path: Path) -> None:
    day = Day(seed)
    path = str(day.export("hledger", tmp_path / "day.journal"))
    hledger("check", "--strict", "-f", path)
    table = hledger("balance", "-f", path, "--no-total", "--flat", "--layout=bare", "-O", "csv")
    rows = list(csv.reader(table.splitlines()))[1:]
    found = {(account, asset): to_e8(amount.replace(",", "")) for account, asset, amount in rows if to_e8(amount)}
    assert found == day.balances(lambda name: "".join("_" if one in " ;" else one for one in name))
    assert len(found) > 20


@pytest.mark.parametrize("seed", [4, 5])
def test_beancount_reproduces_every_balance(seed: int, tmp_path: Path) -> None:
    loader = pytest.importorskip("beancount.loader")
    data = pytest.importorskip("beancount.core.data")
    day = Day(seed)
    found, errors, _ = loader.load_file(str(day.export("beancount", tmp_path / "day.beancount")))
    assert errors == []
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for entry in found:
        if isinstance(entry, data.Transaction):
            for posting in entry.postings:
                sums[posting.account, posting.units.currency] += to_e8(format(posting.units.number, "f"))
    assert {key: amount for key, amount in sums.items() if amount} == day.balances(journal.beancount_account)
    trades = [entry for entry in found if isinstance(entry, data.Transaction) and entry.payee == "TRADE"]
    fills = {one.execution_id for one in day.entries if one.kind == "TRADE"}
    assert {entry.meta["fill"] for entry in trades} == fills
    assert all(entry.meta["event"] and entry.meta["rule"] and entry.meta["tape"] for entry in trades)


def test_one_account_and_a_time_choose_entries(tmp_path: Path) -> None:
    day = Day(6, 60)
    log = day.broker.log("reader")
    assert [entry for _, _, entry in journal.entries(log, 10.0)] == day.entries
    ann = [entry for entry in day.entries if entry.account_id == "ann"]
    assert [entry for _, _, entry in journal.entries(log, 10.0, "ann")] == ann
    until_us = day.entries[30].meta.decided_at_us
    assert [entry for _, _, entry in journal.entries(log, 10.0, None, until_us)] == day.entries[:30]


def test_what_does_not_count_is_not_exported_and_a_gap_ends_it() -> None:
    day = Day(7, 20)
    day.broker.produce(PART, b"", encode(day.entries[3]))
    log = day.broker.log("reader")
    assert [entry for _, _, entry in journal.entries(log, 10.0)] == day.entries
    last = day.entries[-1]
    meta = m.Meta(1, last.meta.sequence + 2, last.meta.cause, 0, "", "")
    day.broker.produce(PART, b"", encode(m.Began(m.Meta(3, 0, meta.cause, 0, "", ""), "x")))
    day.broker.produce(PART, b"", encode(m.InputParked(m.Meta(3, 2, meta.cause, 0, "", ""), "a", "r", False)))
    with pytest.raises(TapeGap):
        list(journal.entries(day.broker.log("other"), 10.0))


def test_names_are_valid_and_never_shared() -> None:
    assets = ["BTC", "btc", "Btc", "X-1", "1INCH", "B", "USD.T", "A" * 40, "A" * 41, "é"]
    assert len({journal.commodity(asset) for asset in assets}) == len(assets)
    accounts = ["client:ann", "client:Ann", "client:X-ann", "venue:ann", "bank:ann", "client:a:b", "client:a b"]
    assert len({journal.beancount_account(account) for account in accounts}) == len(accounts)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert microseconds("1970-01-02") == 86_400 * 10**6
    assert microseconds("1970-01-01T01:00:00+01:00") == 0
    with pytest.raises(SetupError, match="is no time"):
        microseconds("yesterday")
