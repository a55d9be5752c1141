"""The demo: an account, money at two venues, some seconds of trading by REST, and proof that the books are right.

It uses what every user has: the command line's reference commands, the typed client, the audit. It ends with True
only if orders were filled at both venues, the reconciler found nothing different, and the audit is equal.
"""

import hashlib
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from truetape import ids
from truetape.api_reports import Fact
from truetape.client import Client, Order, Refused
from truetape.errors import SetupError
from truetape.instruments import instrument_from
from truetape.log import KafkaLog, Part
from truetape.messages import (
    ApiKey,
    BookTrade,
    CreateApiKey,
    Fees,
    Instrument,
    Listing,
    OpenAccount,
    ReconciliationCompleted,
    SetFees,
    SetInstrument,
    Side,
    TransferTerms,
)
from truetape.money import from_e8, to_e8
from truetape.operator import BY, Operator, operator
from truetape.restore import readable
from truetape.topics import RECONCILIATION_BREAKS

VENUES = ("alpha", "beta")
VENUE_ACCOUNT = "truetape"
FUNDS = {"USDT": "250000", "BTC": "4", "ETH": "60"}
"""What the demo's account has at each venue."""
SIZES = {"BTC-USDT": "0.002", "ETH-USDT": "0.04"}
PERPETUAL = "BTC-USDT-PERP"
CONTRACTS = "50"
"""Of 0.001 BTC each, that the demo buys."""
MEMBERS = {
    "demo-north": ("600", "4500"), "demo-west": ("300", "2250"), "demo-east": ("200", "1500"),
    "demo-south": ("-366", "2750"), "demo-river": ("-367", "2750"), "demo-harbour": ("-367", "2750"),
}  # fmt: skip
"""Clearing members beside the demo's account: contracts that they hold against each other, and their USDT, a quarter
more than their initial margin. So a default drill has something to tell."""
DEFAULTERS = ("demo-north", "demo-west", "demo-east")
"""Who defaults in the demo's drill: those who are long, in the worst scenario, a fall of 30 %."""
MEMBER_FEES = Fees(maker_rate_e8=0, taker_rate_e8=50_000)
"""0.05 %: what the house earns is its own capital in the drill."""
SCHEDULE_SECONDS = 10
"""Between settlements, and between funding steps, while the demo lasts; then daily, and by the hour."""
SETTLE_SECONDS = 20.0
DAY_US = 86_400_000_000
Say = Callable[[str], None]


@dataclass
class Traded:
    """What the demo did."""

    account_id: str
    first_fill_seconds: float | None = None
    answers: Counter[str] = field(default_factory=Counter)
    orders: list[Order] = field(default_factory=list)
    venues: Counter[str] = field(default_factory=Counter)
    cleared: int = 0


def listing(venue: str, base: str, lot: str) -> Listing:
    """How the simulated venues list an instrument: `python -m venues` has the same numbers."""
    return Listing(
        venue=venue, symbol=f"{base}USDT", tick_e8=to_e8("0.01"), lot_e8=to_e8(lot), min_quantity_e8=to_e8(lot),
        min_notional_e8=to_e8("5"), maker_rate_e8=to_e8("0.001"), taker_rate_e8=to_e8("0.001"),
    )  # fmt: skip


def instruments() -> list[Instrument]:
    """BTC-USDT and ETH-USDT at both venues."""
    return [
        Instrument(
            instrument_id=f"{base}-USDT", base=base, quote="USDT", tick_e8=to_e8("0.01"), lot_e8=to_e8(lot),
            min_quantity_e8=to_e8(lot), max_quantity_e8=to_e8(largest), min_notional_e8=to_e8("5"),
            max_notional_e8=to_e8("5000000"), tradable=True,
            listings=tuple(listing(venue, base, lot) for venue in VENUES),
        )
        for base, lot, largest in (("BTC", "0.00001", "50"), ("ETH", "0.0001", "1000"))
    ]  # fmt: skip


def perpetual(seconds: int | None = None) -> Instrument:
    """BTC-USDT-PERP at both venues; pricing settles and funds it every so many seconds, else daily and by the hour."""
    listings = [
        {
            "venue": venue, "symbol": "BTCUSDTPERP", "tick": "0.1", "lot": "1", "min_quantity": "1",
            "min_notional": "0", "maker_rate": "0.001", "taker_rate": "0.001",
        }
        for venue in VENUES
    ]  # fmt: skip
    often = {"settlement_interval_seconds": seconds, "settlement_offset_seconds": 0, "funding_step_seconds": seconds,
             "fixing_window_seconds": 5}  # fmt: skip
    return instrument_from(
        {
            "instrument_id": PERPETUAL, "base": "BTC", "quote": "USDT", "tick": "0.1", "lot": "1", "min_quantity": "1",
            "max_quantity": "100000", "min_notional": "0", "max_notional": "100000000", "tradable": True,
            "listings": listings,
            "contract": {
                "kind": "PERPETUAL", "style": "LINEAR", "multiplier": "0.001", "settlement_asset": "USDT",
                "index": "BTC-USDT", "margin_class": "flat", "initial_rate": "0.1", "maintenance_rate": "0.05",
                "funding_cap_rate": "0.0075", "funding_interval_seconds": 28_800,
            }
            | (often if seconds else {}),
        }
    )  # fmt: skip


def calm(kafka: str) -> None:
    """From here on the perpetual is settled daily and funded by the hour."""
    with operator(kafka) as hand:
        hand.ask(SetInstrument(ids.random_id(), BY, perpetual()))


def introduce(kafka: str, account_id: str, contracts: bool = False) -> tuple[str, str]:
    """Instruments, with the perpetual if wanted, an account and two keys; returns the trading and the administrator's
    credentials."""
    with operator(kafka) as hand:
        for instrument in (*instruments(), *([perpetual(SCHEDULE_SECONDS)] if contracts else ())):
            if hand.reference.instruments.get(instrument.instrument_id) != instrument:
                hand.ask(SetInstrument(ids.random_id(), BY, instrument))
        if account_id not in hand.reference.accounts:
            hand.ask(OpenAccount(ids.random_id(), BY, account_id, "Demo"))
        return create_key(hand, account_id, ("read", "trade")), create_key(hand, "", ("admin",))


def seat_members(kafka: str, price_e8: int) -> None:
    """Members open their accounts, pay in, and get their contracts at a price, as the house's own entries; once."""
    with operator(kafka) as hand:
        for name, (contracts, cash) in MEMBERS.items():
            if name in hand.reference.accounts:
                continue
            hand.ask(OpenAccount(ids.random_id(), BY, name, name.removeprefix("demo-").capitalize()))
            hand.ask(SetFees(ids.random_id(), BY, name, MEMBER_FEES))
            paid = TransferTerms(ids.transfer_id(name, "demo"), name, "USDT", to_e8(cash), "bank:settlement", "demo")
            hand.transfer(paid)
            quantity_e8, now_us = to_e8(contracts), time.time_ns() // 1000
            side: Side = "BUY" if quantity_e8 > 0 else "SELL"
            hand.clear(
                BookTrade(
                    ids.random_id(), name, f"{name}/{side}", PERPETUAL, side, abs(quantity_e8), price_e8, "TAKER",
                    now_us, BY, "demo-members",
                )
            )  # fmt: skip


def reading_key(kafka: str, account_id: str) -> str:
    """A key that lasts a day and may only read: for the page that shows the account."""
    with operator(kafka) as hand:
        return create_key(hand, account_id, ("read",))


def create_key(hand: Operator, account_id: str, scopes: tuple[str, ...]) -> str:
    """A key that lasts a day; what its holder sends."""
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        key_id=f"tk-{ids.random_id()[:16]}", secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        account_id=account_id, scopes=scopes, requests_per_second=50_000, revoked=False,
        expires_at_us=time.time_ns() // 1000 + DAY_US,
    )  # fmt: skip
    hand.ask(CreateApiKey(ids.random_id(), BY, key))
    return f"{key.key_id}.{secret}"


def fund(gateway: Client, account_id: str, venues: Mapping[str, str], admin_token: str) -> None:
    """Money arrives at the venues, and is recorded as deposits: the same references on both sides."""
    for venue, url in venues.items():
        for asset, amount in FUNDS.items():
            reference = f"{account_id}-{venue}-{asset}"
            answer = httpx.post(
                f"{url}/admin/accounts/{VENUE_ACCOUNT}/deposit",
                headers={"Authorization": f"Bearer {admin_token}"},
                json={"asset": asset, "amount": amount, "reference": reference},
                timeout=10.0,
            )
            if answer.status_code != 200:
                raise SetupError(f"venue {venue} did not take a deposit: {answer.status_code} {answer.text[:200]}")
            gateway.deposit(account_id, asset, amount, f"venue:{venue}", reference)


def trade(client: Client, traded: Traded, seconds: float, seed: int, began: float) -> None:
    """Submit orders of every kind for some seconds; cancel what rests at the end."""
    chance = random.Random(seed)
    contracts = PERPETUAL in {instrument.instrument_id for instrument in client.instruments()}
    _await_marks(client, {*SIZES, *([PERPETUAL] if contracts else ())})
    if contracts:
        _buy_perpetual(client, traded)
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        number += 1
        _submit(client, traded, chance, number)
        if traded.first_fill_seconds is None and next(client.fills(), None):
            traded.first_fill_seconds = time.monotonic() - began
        time.sleep(0.03)
    traded.answers["cancelled"] = len(client.cancel_all())


def _await_marks(client: Client, wanted: set[str]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not wanted <= {mark.instrument_id for mark in client.marks()}:
        if time.monotonic() > deadline:
            raise SetupError("pricing has published no marks: look at `truetape dev logs pricing`")
        time.sleep(0.1)


def _buy_perpetual(client: Client, traded: Traded) -> None:
    """One order in the perpetual, so that there is something to settle and to fund."""
    mark = next(m for m in client.marks() if m.instrument_id == PERPETUAL)
    price = from_e8(to_e8(mark.price) * 101 // 100 // 10**7 * 10**7)
    name = f"demo-{traded.account_id}-perpetual"
    decision = client.submit(PERPETUAL, "BUY", CONTRACTS, price=price, time_in_force="IOC", client_order_id=name)
    traded.answers[decision.status.lower()] += 1


def contract_facts(client: Client) -> dict[str, Fact]:
    """The newest settlement price and funding step of the perpetual that the ledger took; waits for the first ones."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = {fact.kind: fact for fact in reversed(list(client.facts(PERPETUAL))) if fact.state == "TAKEN"}
        if {"SETTLEMENT_PRICE", "FUNDING"} <= found.keys():
            return found
        if time.monotonic() > deadline:
            raise SetupError("pricing has settled no contract: look at `truetape dev logs pricing`")
        time.sleep(0.2)


def _submit(client: Client, traded: Traded, chance: random.Random, number: int) -> None:
    """One order of a kind drawn by chance: market, marketable IOC or FOK, resting, post-only."""
    instrument_id = chance.choice(sorted(SIZES))
    side = "BUY" if chance.random() < 0.5 else "SELL"
    mark = next(m for m in client.marks() if m.instrument_id == instrument_id)
    far = 1 if side == "BUY" else -1
    kind = chance.choice(["market", "ioc", "fok", "cross", "rest", "post"])
    aside = far * (-0.02 if kind in ("rest", "post") else 0.002)
    price = None if kind == "market" else from_e8(round(to_e8(mark.price) * (1 + aside) / 10**6) * 10**6)
    time_in_force = {"ioc": "IOC", "fok": "FOK"}.get(kind)
    try:
        decision = client.submit(
            instrument_id, side, SIZES[instrument_id], price=price, time_in_force=time_in_force,
            post_only=kind == "post", client_order_id=f"demo-{traded.account_id}-{number}-{chance.getrandbits(32):08x}",
        )  # fmt: skip
    except Refused as refusal:
        traded.answers[refusal.code] += 1
        return
    traded.answers[decision.status.lower()] += 1


def settle(client: Client, traded: Traded) -> None:
    """Wait until no order is open and every fill is cleared; collect what happened."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        traded.orders = list(client.orders())
        traded.cleared = sum(1 for entry in client.entries() if entry.kind == "TRADE")
        fills = list(client.fills())
        traded.venues = Counter(fill.venue for fill in fills)
        open_orders = [o for o in traded.orders if o.status in ("ACCEPTED", "WORKING", "PARTIALLY_FILLED", "UNKNOWN")]
        if not open_orders and traded.cleared == len(fills):
            return
        if open_orders:
            client.cancel_all()
        time.sleep(0.2)
    raise SetupError(f"after {SETTLE_SECONDS:g} s orders are still open or not cleared: look at `truetape dev logs`")


def reconciled(kafka: str, after_us: int, timeout_seconds: float = 40.0) -> dict[str, ReconciliationCompleted]:
    """The first comparison with each venue decided after a time with nothing pending; empty values when none came."""
    part = Part(RECONCILIATION_BREAKS.name, 0)
    found: dict[str, ReconciliationCompleted] = {}
    log = KafkaLog(kafka)
    try:
        low, _ = log.ends([part])[part]
        log.follow({part: low})
        deadline = time.monotonic() + timeout_seconds
        while len(found) < len(VENUES) and time.monotonic() < deadline:
            for record in log.poll(0.2):
                message: Any = readable(record)  # type: ignore[arg-type]
                late = isinstance(message, ReconciliationCompleted) and message.meta.decided_at_us > after_us
                if late and not message.pending:
                    found[message.venue] = message
    finally:
        log.close()
    return found


def audit(environment: Mapping[str, str]) -> dict[str, Any]:
    """`truetape audit --json --require-live`, as a script would run it."""
    command = [sys.executable, "-m", "truetape.cli", "audit", "--json", "--require-live"]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False, timeout=300)
    if not done.stdout.strip():
        raise SetupError(f"the audit said nothing (exit status {done.returncode}): {done.stderr.strip()[-500:]}")
    report: dict[str, Any] = msgspec.json.decode(done.stdout)
    return report
