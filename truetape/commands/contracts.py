"""`truetape contracts`: what operators do with derivatives, with access to Kafka alone."""

import getpass
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import clock, facts, housetrade, ids, reports
from truetape import messages as m
from truetape.codec import encode
from truetape.commands.parked import states
from truetape.errors import SetupError
from truetape.fixing import Observation, fix
from truetape.funding import average
from truetape.instruments import without_schedule
from truetape.journal import entries
from truetape.log import KafkaLog, Log, Part
from truetape.money import from_e8, to_e8
from truetape.operator import NoAnswer, Operator, Refused, operator
from truetape.restore import accepted
from truetape.sampling import RATES, fixing_terms, funding_terms, premiums
from truetape.settings import settings
from truetape.tape import Reader
from truetape.topics import CLEARING_ENTRIES, MARKET_MARKS

app = typer.Typer(help="Contracts.", no_args_is_help=True)

READ_SECONDS: Final = 60.0
MARKS_TAIL: Final = 500_000
"""Marks that are looked through, newest ones."""
MINUTE_US: Final = 60_000_000
ASSIGNMENTS: Final = "house:assignment"
"""Home of the rounds that assign (services/clearing/booking/assigning.py)."""
E10: Final = 10**10
Contract = Annotated[str, typer.Argument(help="Instrument id, such as BTC-USDT-PERP")]
Price = Annotated[str, typer.Option(help="Decimal [what is recorded of the index]")]
MarkPrice = Annotated[str, typer.Option(help="Decimal [the contract's newest recorded mark]")]
NeededPrice = Annotated[str, typer.Option(help="Decimal")]
FactId = Annotated[str, typer.Option(help="Send the same fact again under its id: every partition takes it once")]
By = Annotated[str, typer.Option(help="Your name; it stands on the tape [your login]")]


@app.command()
def trade(
    buyer: Annotated[str, typer.Argument(help="Account that buys")],
    seller: Annotated[str, typer.Argument(help="Account that sells")],
    quantity: Annotated[str, typer.Argument(help="Contracts")], contract: Contract,
    price: Annotated[str, typer.Argument(help="Decimal")],
    reference: Annotated[str, typer.Option(help="The trade as both know it; sent again, the rest is booked")] = "",
    force: Annotated[bool, typer.Option(help="Whatever the mark: the collar is not asked")] = False,
    by: By = "",
) -> None:  # fmt: skip
    """Book a trade of two accounts as the house's own entry: it passes by risk and margin. Trades that two parties
    agree on belong to `truetape trades` or POST /v1/trades."""
    name, price_e8, quantity_e8 = reference or ids.random_id(), to_e8(price), to_e8(quantity)
    books = {account: found for one in (buyer, seller) for _, account, found in states(one)}
    with operator(settings().kafka) as hand:
        housetrade.require_parties(hand.reference, books, buyer, seller)
        housetrade.require_contract(hand.reference, contract)
        done = hand.booked((buyer, seller), _legs(name)) if reference else {}
        if not force and not done:
            mark_e8 = _newest(contract, clock.now_us(), "--force books it without one").price_e8
            housetrade.require_price(hand.reference, (buyer, seller), price_e8, mark_e8)
        _book(hand, (buyer, seller), name, contract, quantity_e8, price_e8, by, done)


def _legs(name: str) -> tuple[str, str]:
    """Ids of the entries of both legs: the buyer's, then the seller's."""
    return f"{name}/BUY", f"{name}/SELL"


def _book(
    hand: Operator, accounts: tuple[str, str], name: str, contract: str, quantity_e8: int, price_e8: int, by: str,
    done: Mapping[str, m.EntryBooked],
) -> None:  # fmt: skip
    """One leg after the other, but for what is booked already; when one fails, the error says what to do next."""
    now_us, booked = clock.now_us(), ""
    sides: tuple[m.Side, m.Side] = ("BUY", "SELL")
    for account, side, leg in zip(accounts, sides, _legs(name), strict=True):
        if leg in done:
            housetrade.require_same(done[leg], account, contract, side, quantity_e8, price_e8)
            print(f"{leg} was booked for {account} before")
        else:
            command = m.BookTrade(
                ids.random_id(), account, leg, contract, side, quantity_e8, price_e8, "TAKER", now_us, _by(by), name
            )
            _clear(hand, command, accounts[0] if booked else "")
            print(f"{leg} is booked for {account}")
        booked = leg


def _clear(hand: Operator, command: m.BookTrade, buyer: str) -> None:
    """Book one leg; `buyer` has the first one already. Raises Refused or NoAnswer with what to do next."""
    first, _ = _legs(command.reference)
    undo = f'truetape contracts bust {buyer} {first} --ours --reason "the other leg is not booked"'
    try:
        hand.clear(command)
    except Refused as error:
        if not buyer:
            raise
        raise Refused(
            f"{command.account_id}: {error}. The leg of {buyer} is booked; this undoes it: `{undo}`"
        ) from error
    except NoAnswer as error:
        on = f"the same command with --reference {command.reference} goes on with what is not booked"
        undone = f"; or undo the leg of {buyer}, once `truetape ledger export --account {command.account_id}` shows " \
            f"that the other was not booked: `{undo}`" if buyer else ""  # fmt: skip
        raise NoAnswer(f"{command.account_id}: {error}. It may still be booked: {on}{undone}") from error


@app.command()
def assign(
    contract: Contract, quantity: Annotated[str, typer.Argument(help="Contracts that are exercised")],
    price: Annotated[str, typer.Option(help="Price of the underlying at which they pay")],
    exerciser: Annotated[str, typer.Option(help="Account that is long and exercises")] = "",
    venue: Annotated[str, typer.Option(help="Venue that has assigned the firm's account there")] = "",
    seed: Annotated[str, typer.Option(help="Of a lot; drawn by the operating system when absent")] = "", by: By = "",
) -> None:  # fmt: skip
    """Exercise an AMERICAN option before its expiry: those that are short are assigned by the contract's rule."""
    if bool(exerciser) == bool(venue):
        raise SetupError("say either --exerciser, the account that exercises, or --venue, which has assigned us")
    names = {"seed": seed or ids.random_id(), "counterparty": f"venue:{venue}" if venue else "house:clearing"}
    terms = m.RoundTerms(
        f"assignment:{ids.random_id()}", "ASSIGNMENT", ASSIGNMENTS, contract,
        {"exercised_e8": to_e8(quantity), "price_e8": to_e8(price)},
        names | ({"exerciser": exerciser} if exerciser else {}), _by(by),
    )  # fmt: skip
    with operator(settings().kafka) as hand:
        opened = hand.open_round(terms)
    print(f"{opened.round.round_id} is open, seed {names['seed']}: `truetape rounds` says what it waits for")


@app.command()
def settle(contract: Contract, price: MarkPrice = "", fact_id: FactId = "", by: By = "") -> None:
    """Settle to the market: pay every account its profit up to the price, by default the contract's newest mark."""
    with operator(settings().kafka) as hand:
        now_us = clock.now_us()
        seen = _given(price, now_us) or _newest(contract, now_us)
        _publish(hand, _fact("SETTLEMENT_PRICE", contract, now_us, seen, fact_id, by))


@app.command()
def fund(
    contract: Contract,
    rate: Annotated[str, typer.Option(help="Per funding interval; from recorded marks and index when absent")] = "",
    price: Price = "",
    minutes: Annotated[int, typer.Option(min=1, help="How long the rate has held")] = 60,
    fact_id: FactId = "",
    by: By = "",
) -> None:
    """Move a perpetual's funding index. The rate is the mean premium of the minutes, a missing one counting as zero."""
    with operator(settings().kafka) as hand:
        terms = _terms(hand, contract)
        now_us, elapsed_us = clock.now_us(), minutes * MINUTE_US
        numbers = {"elapsed_us": elapsed_us}
        if rate:
            numbers["rate_e18"] = to_e8(rate) * E10
        else:
            numbers |= _rate(contract, terms, now_us - elapsed_us, minutes)
        seen = _given(price, now_us) or _newest(terms.index, now_us)
        _publish(hand, _fact("FUNDING", contract, now_us, seen, fact_id, by, numbers))


@app.command()
def expire(contract: Contract, price: Price = "", fact_id: FactId = "", by: By = "") -> None:
    """Let a contract expire at its fixing: the mean of its index over its window before expiry (half an hour when its
    terms name none)."""
    with operator(settings().kafka) as hand:
        expires_at_us = _terms(hand, contract).expires_at_us
        if expires_at_us is None:
            raise SetupError(f"{contract} is a perpetual: `truetape contracts delist` ends it")
        seen, numbers = _given(price, expires_at_us), dict[str, int]()
        if seen is None:
            terms = _terms(hand, contract)
            fixing = fix(fixing_terms(terms, "EXPIRY"), expires_at_us, _observed(terms.index))
            seen = Observation(fixing.last_us, fixing.price_e8)
            numbers = {
                "coverage_e8": fixing.coverage_e8, "observations": fixing.observations, "first_us": fixing.first_us,
                "last_us": fixing.last_us,
            }  # fmt: skip
        _publish(hand, _fact("EXPIRY", contract, expires_at_us, seen, fact_id, by, numbers))


@app.command()
def delist(contract: Contract, price: NeededPrice, fact_id: FactId = "", by: By = "") -> None:
    """End a contract that is not tradable any more: every position closes at the price."""
    with operator(settings().kafka) as hand:
        now_us = clock.now_us()
        seen = Observation(now_us, to_e8(price))
        _publish(hand, _fact("DELISTING", contract, now_us, seen, fact_id, by))
        _unschedule(hand, contract, by)


@app.command()
def move(
    contract: Contract,
    to: Annotated[str, typer.Argument(help="The contract that takes its place")],
    price: NeededPrice,
    ratio: Annotated[int, typer.Option(min=1, help="So many new contracts ...")] = 1,
    per: Annotated[int, typer.Option(min=1, help="... for so many old ones")] = 1,
    fact_id: FactId = "",
    by: By = "",
) -> None:
    """Rename a contract or change its size: every position moves to another contract and is settled at the price."""
    kind: m.ContractFactKind = "RENAME" if ratio == per else "CONTRACT_SIZE"
    with operator(settings().kafka) as hand:
        now_us = clock.now_us()
        numbers, names = {"ratio": ratio, "ratio_per": per}, {"new_instrument_id": to}
        seen = Observation(now_us, to_e8(price))
        _publish(hand, _fact(kind, contract, now_us, seen, fact_id, by, numbers, names))
        _unschedule(hand, contract, by)


def _unschedule(hand: Operator, contract: str, by: str) -> None:
    """Pricing makes no more facts of a contract that has ended before its expiry."""
    known = hand.reference.instruments[contract]
    if (ended := without_schedule(known)) != known:
        hand.ask(m.SetInstrument(ids.random_id(), _by(by), ended))


@app.command()
def bust(
    account: Annotated[str, typer.Argument(help="Account that the entry is of")],
    entry: Annotated[str, typer.Argument(help="Id of the entry; of a venue's fill its execution id")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
    ours: Annotated[bool, typer.Option(help="A correction of ours, not a bust by the venue")] = False,
    by: By = "",
) -> None:
    """Take an entry back by one that names it."""
    log = KafkaLog(settings().kafka)
    try:
        found = [one for _, _, one in entries(log, READ_SECONDS, account) if one.entry_id == entry]
    finally:
        log.close()
    if not found:
        raise SetupError(f"{account} has no entry {entry}: `truetape ledger export --account {account}` lists them")
    command = m.CorrectEntry(ids.random_id(), account, entry, encode(found[0]), not ours, _by(by), reason)
    with operator(settings().kafka) as hand:
        print(f"{hand.clear(command).entry_id} is booked")


@app.command("close-out")
def close_out(
    account: Annotated[str, typer.Argument(help="Account, whose terms say HEDGING")], contract: Contract,
    quantity: Annotated[str, typer.Argument(help="Contracts of each side")], by: By = "",
) -> None:  # fmt: skip
    """Close long contracts of an account against its short ones: profit is realised, no money moves."""
    command = m.CloseOut(ids.random_id(), account, contract, to_e8(quantity), _by(by))
    with operator(settings().kafka) as hand:
        done = hand.close_out(command)
    print(f"realised {from_e8(done.realised_e8)}; left long {from_e8(done.long_e8)}, short {from_e8(done.short_e8)}")


@app.command("facts")
def list_facts(
    contract: Contract,
    kind: Annotated[str, typer.Option(help="SETTLEMENT_PRICE, FUNDING, EXPIRY, ... [all]")] = "",
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Settlement prices, funding and ends of a contract, newest first, and what is missing: from the tape alone."""
    with reports.reading(form, "facts") as (log, seconds):
        found = [one for one in facts.history(told(log, seconds, contract)) if kind in ("", one.kind)]
    if form == "json":
        print(json.dumps([facts.plain(one) for one in found]))
    elif form == "csv":
        print(facts.as_csv(found), end="")
    else:
        table = Table(*facts.COLUMNS[:8], "accounts", "reason", box=None, pad_edge=False)
        for one in found:
            cells = facts.cells(one)
            table.add_row(*cells[:8], cells[10], cells[12])
        Console(highlight=False).print(table if found else f"nothing is known of {contract}")


def told(log: Log, seconds: float, contract: str) -> Iterator[facts.Told]:
    """What pricing missed and what partitions took, of one contract, by the reader's rule."""
    for topic in (MARKET_MARKS, CLEARING_ENTRIES):
        for partition in range(topic.partitions):
            part = Part(topic.name, partition)
            reader = Reader(*part)
            for record in log.read({part: log.ends([part])[part]}, seconds):
                event: Any = accepted(record, reader)
                if isinstance(event, m.FixingMissing) and event.instrument_id == contract:
                    yield facts.of_missing(event)
                elif isinstance(event, m.ContractFactTaken) and event.fact.instrument_id == contract:
                    yield facts.of_taken(event)


# -- facts ------------------------------------------------------------------------------------------------------------


def _fact(
    kind: m.ContractFactKind, contract: str, effective_at_us: int, seen: Observation, fact_id: str, by: str,
    numbers: dict[str, int] | None = None, names: dict[str, str] | None = None,
) -> m.ContractFact:  # fmt: skip
    name = fact_id or facts.fact_id(kind, contract, effective_at_us, (names or {}).get("new_instrument_id", ""))
    return m.ContractFact(
        name, kind, contract, effective_at_us, seen.at_us, _by(by), seen.price_e8, numbers or {}, names or {}
    )


def _publish(hand: Operator, fact: m.ContractFact) -> None:
    """Send it, and say what came of it as one JSON object."""
    Console(stderr=True).print(f"sending {fact.fact_id}; when it is interrupted, send it again with --fact-id")
    taken = hand.publish(fact)
    shown = {
        "fact_id": fact.fact_id, "kind": fact.kind, "instrument_id": fact.instrument_id,
        "price": None if fact.price_e8 is None else from_e8(fact.price_e8), "numbers": fact.numbers,
        "taken_by_partitions": len(taken), "accounts": sum(len(set(event.due) - {""}) for event in taken),
        "funding_index_e18": taken[0].funding_index_e18 if taken else None,
    }  # fmt: skip
    print(json.dumps(shown))


def _terms(hand: Operator, contract: str) -> m.ContractTerms:
    terms = hand.reference.require_contract(contract).contract
    assert terms is not None
    return terms


def _given(price: str, at_us: int) -> Observation | None:
    return Observation(at_us, to_e8(price)) if price else None


def _newest(name: str, now_us: int, otherwise: str = "name the price with --price") -> Observation:
    seen = max((one for one in _observed(name) if one.at_us <= now_us), default=None)
    if seen is None:
        raise SetupError(f"no mark of {name} is recorded: {otherwise}")
    return seen


def _rate(contract: str, terms: m.ContractTerms, start_us: int, minutes: int) -> dict[str, int]:
    """The rate of the minutes by the contract's rule, from a premium for each; and how many were missing."""
    marks, indices, bounds = list(_observed(contract)), list(_observed(terms.index)), funding_terms(terms)
    at = range(start_us + MINUTE_US, start_us + (minutes + 1) * MINUTE_US, MINUTE_US)
    samples = list(premiums(bounds, marks, indices, at))
    rate_e18 = RATES[terms.funding_rule](bounds, average(samples, minutes))
    return {"rate_e18": rate_e18, "samples": minutes, "missing": sum(sample is None for sample in samples)}


def _observed(name: str) -> Iterator[Observation]:
    """All recorded marks of an instrument or index."""
    log: Log = KafkaLog(settings().kafka)
    try:
        yield from observed(log, name)
    finally:
        log.close()


def observed(log: Log, name: str) -> Iterator[Observation]:
    """Marks of an instrument or index on this log, by the reader's rule."""
    part = Part(MARKET_MARKS.name, 0)
    low, high = log.ends([part])[part]
    start = max(low, high - MARKS_TAIL)
    reader = Reader(*part, joining=start > 0)
    for record in log.read({part: (start, high)}, READ_SECONDS):
        event: Any = accepted(record, reader)
        if isinstance(event, m.MarkPublished) and event.instrument_id == name:
            yield Observation(event.observed_at_us, event.price_e8)


def _by(name: str) -> str:
    return f"operator:{name or getpass.getuser()}"
