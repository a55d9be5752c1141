"""The exported journal: hledger and beancount themselves add up a random day, and come to clearing's balances."""

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.unit.day import PART, Day
from truetape import journal
from truetape import messages as m
from truetape.codec import encode
from truetape.commands.ledger import microseconds
from truetape.errors import SetupError, TapeGap
from truetape.money import to_e8


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
