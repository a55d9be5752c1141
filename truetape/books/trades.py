"""Fills and the entries that book them, compared column by column: which entries need to be judged by themselves."""

from typing import Any

import numpy as np

from truetape.books.judge import ONE_E8, QUOTE_MAX_E8, RULE, Fill
from truetape.books.reading import Batch
from truetape.books.wide import is_ceiling, is_floor, is_half_even
from truetape.columns import NULL, Bools, Columns, Ints, Names, Text, Wire, fingerprints

SAFE_E8 = 1 << 60
"""Larger amounts are judged in plain integers, so that no sum of ours can pass 64 bits."""
FILL_FIELDS = frozenset(
    """
    account_id venue instrument_id base quote side execution_id quantity_e8 price_e8 quote_amount_e8
    cumulative_quantity_e8 fee_asset fee_e8 liquidity status transacted_at_us source position_effect
    """.split()  # noqa: SIM905
)
ENTRY_FIELDS = frozenset(
    """
    entry_id account_id kind rule execution_id lines.account lines.asset lines.amount_e8 lines.purpose
    position.instrument_id position.quantity_e8 position.cost_e8 position.realised_e8 realised_e8 filled_e8
    transacted_at_us release.left contract.settlement_asset
    """.split()  # noqa: SIM905
)
_NUMBERS = ("quantity_e8", "price_e8", "quote_amount_e8", "fee_e8", "side", "liquidity")
_NAMES = {"account_id": "accounts", "venue": "venues", "instrument_id": "instruments", "base": "assets",
          "quote": "assets", "fee_asset": "assets"}  # fmt: skip
_ENTRY_NUMBERS = (
    "kind", "meta.cause.partition", "meta.cause.offset", "position.quantity_e8", "position.cost_e8",
    "position.realised_e8", "realised_e8", "filled_e8",
)  # fmt: skip
_ENTRY_NAMES = {
    "account_id": "accounts", "rule": "rules", "meta.cause.source": "sources", "position.instrument_id": "instruments",
}  # fmt: skip
LIQUIDITIES = ("MAKER", "TAKER")


class Vocabulary:
    """Numbers for the strings of one partition."""

    def __init__(self) -> None:
        self.accounts, self.venues, self.instruments = Names(), Names(), Names()
        self.assets, self.purposes, self.rules, self.sources = Names(), Names(), Names(), Names()
        self.ledger = Names()
        self._clients: Ints = np.zeros(0, np.int64)
        self._mirrors: Ints = np.zeros(0, np.int64)
        self.rule_rates: list[tuple[int, int]] = []
        """(liquidity or NULL, rate) of each rule."""

    def clients(self) -> Ints:
        """Ledger account of each account."""
        self._clients = _grown(self._clients, self.accounts, "client:", self.ledger)
        return self._clients

    def mirrors(self) -> Ints:
        """Ledger account of each venue."""
        self._mirrors = _grown(self._mirrors, self.venues, "venue:", self.ledger)
        return self._mirrors

    def rated(self) -> tuple[Ints, Ints]:
        """(liquidity, rate) of each rule; liquidity NULL for what is no rule of a trade."""
        for text in self.rules.texts[len(self.rule_rates) :]:
            found = RULE.fullmatch(text)
            fits = found is not None and abs(int(found[2])) < SAFE_E8
            self.rule_rates.append((LIQUIDITIES.index(found[1]), int(found[2])) if found and fits else (NULL, 0))
        pairs = np.array(self.rule_rates or [(NULL, 0)], np.int64)
        return pairs[:, 0], pairs[:, 1]


def _grown(known: Ints, names: Names, kind: str, ledger: Names) -> Ints:
    """With ledger accounts of the names that are new: what is known of the others is not touched again."""
    if not (new := names.texts[len(known) :]):
        return known
    return np.concatenate([known, np.fromiter(map(ledger.number, map(kind.__add__, new)), np.int64, len(new))])


class Fills:
    """All fills of a partition, ascending by offset."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._offsets: list[Ints] = []
        self._columns: dict[str, list[Any]] = {}
        self.offsets: Ints = np.zeros(0, np.int64)
        self.columns: dict[str, Any] = {}

    def add(self, wire: Wire, offsets: Ints, found: Columns, rows: Ints) -> None:
        """Accepted fills of one batch: `rows` of `found`, which stand at these offsets."""
        self._offsets.append(offsets)
        for name in _NUMBERS:
            self._columns.setdefault(name, []).append(found.number(name)[rows])
        for name, kind in _NAMES.items():
            numbers = getattr(self._words, kind).numbers(wire, found.text(name).of(rows))
            self._columns.setdefault(name, []).append(numbers.astype(np.int32))
        for which in (0, 1):
            hashes = fingerprints(wire, found.text("execution_id").of(rows), which)
            self._columns.setdefault(f"execution{which}", []).append(hashes)

    def done(self) -> None:
        """All are there."""
        if self._offsets:
            self.offsets = np.concatenate(self._offsets)
            self.columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        self._columns.clear()

    def __len__(self) -> int:
        return len(self.offsets)

    def at(self, offsets: Ints) -> Ints:
        """Row of the fill at each offset; NULL where none is."""
        if not len(self):
            return np.full(len(offsets), NULL, np.int64)
        rows = np.minimum(np.searchsorted(self.offsets, offsets), len(self) - 1)
        return np.where(self.offsets[rows] == offsets, rows, NULL)

    def one(self, row: int) -> Fill:
        """A fill by itself."""
        number = {name: int(values[row]) for name, values in self.columns.items()}
        text = {name: getattr(self._words, kind).texts[number[name]] for name, kind in _NAMES.items()}
        return Fill(
            **text, sign=1 if number["side"] == 0 else -1, quantity_e8=number["quantity_e8"],
            price_e8=number["price_e8"], quote_amount_e8=number["quote_amount_e8"], fee_e8=number["fee_e8"],
            liquidity=LIQUIDITIES[number["liquidity"]],
        )  # fmt: skip

    def is_execution(self, row: int, text: str | None) -> bool:
        """Whether a fill has this execution id."""
        wire = Wire([(text or "").encode()])
        one = Text(wire.starts, wire.ends - wire.starts)
        return all(int(fingerprints(wire, one, n)[0]) == int(self.columns[f"execution{n}"][row]) for n in (0, 1))

    def summed(self, before: int) -> dict[str, dict[str, int]]:
        """count, quantity_e8, quote_amount_e8 and fee_e8 of each account's fills before an offset."""
        rows = slice(0, int(np.searchsorted(self.offsets, before)))
        if not rows.stop:
            return {}
        accounts = self.columns["account_id"][rows]
        counts = np.bincount(accounts, minlength=1)
        sums = {
            name: _sums(accounts, self.columns[name][rows]) for name in ("quantity_e8", "quote_amount_e8", "fee_e8")
        }
        return {
            self._words.accounts.texts[number]: {"count": int(counts[number])}
            | {name: values[number] for name, values in sums.items()}
            for number in np.flatnonzero(counts).tolist()
        }

    def repeated(self) -> Ints:
        """Rows of fills whose execution id an earlier fill has."""
        if not len(self):
            return np.zeros(0, np.int64)
        first, second = self.columns["execution0"], self.columns["execution1"]
        ascending = np.sort(first)
        if not np.any(ascending[1:] == ascending[:-1]):
            return np.zeros(0, np.int64)
        order = np.lexsort((self.offsets, second, first))
        same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
        return np.sort(order[1:][same])


def _sums(numbers: Ints, amounts: Ints) -> list[int]:
    """Sum of the amounts by number, in two limbs."""
    high, low = np.zeros(int(numbers.max()) + 1, np.int64), np.zeros(int(numbers.max()) + 1, np.int64)
    np.add.at(high, numbers, amounts >> 32)
    np.add.at(low, numbers, amounts & 0xFFFFFFFF)
    return [(one << 32) + other for one, other in zip(high.tolist(), low.tolist(), strict=True)]


class Journal:
    """The accepted entries of a batch, strings as numbers and hashes. `places` are their places in the batch."""

    def __init__(self, words: Vocabulary, batch: Batch) -> None:
        found, wire, places = batch.groups["EntryBooked"], batch.wire, batch.rows["EntryBooked"]
        rows = np.flatnonzero(batch.accepted[places])
        self.places: Ints = places[rows]
        self.ints = {name: found.number(name)[rows] for name in _ENTRY_NUMBERS}
        for name, kind in _ENTRY_NAMES.items():
            self.ints[name] = getattr(words, kind).numbers(wire, found.text(name).of(rows))
        self.hashes = {
            f"{name}{which}": fingerprints(wire, found.text(name).of(rows), which)
            for name in ("entry_id", "execution_id")
            for which in (0, 1)
        }
        self.contracts: Bools = found.text("contract.settlement_asset").of(rows).lengths >= 0
        """Which entries are about contracts."""
        self.count: Ints = found.counts["lines"][rows] if "lines" in found.counts else np.zeros(len(rows), np.int64)
        self.amounts: Ints = found.number("lines.amount_e8")[:, rows]
        self.accounts = _numbered(words.ledger, wire, found.text("lines.account"), rows)
        self.assets = _numbered(words.assets, wire, found.text("lines.asset"), rows)
        self.purposes = _numbered(words.purposes, wire, found.text("lines.purpose"), rows)

    def lines(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """(account, asset, amount) of every line of these entries."""
        there = np.arange(len(self.amounts))[:, None] < self.count[rows]
        if len(rows) == len(self.places):
            return self.accounts[there], self.assets[there], self.amounts[there]
        return self.accounts[:, rows][there], self.assets[:, rows][there], self.amounts[:, rows][there]


def _numbered(names: Names, wire: Wire, text: Text, rows: Ints) -> Ints:
    found = np.empty((len(text.starts), len(rows)), np.int64)
    for place in range(len(found)):
        found[place] = names.numbers(wire, text.at(place, rows))
    return found


class Entries:
    """Trades of a journal beside the fills that they book."""

    def __init__(self, words: Vocabulary, fills: Fills, journal: Journal, rows: Ints, fill_rows: Ints) -> None:
        """`rows` of the journal are trades; `fill_rows` says which fill each books."""
        self.words = words
        self.fill: dict[str, Any] = {name: column[fill_rows] for name, column in fills.columns.items()}
        some = slice(None) if len(rows) == len(journal.places) else rows  # All of them need no copy.
        self.ints = {name: column[some] for name, column in journal.ints.items()}
        self.hashes = {name: column[some] for name, column in journal.hashes.items()}
        self.said = {name: self.ints[f"position.{name}"] for name in ("quantity_e8", "cost_e8", "realised_e8")}
        self.said |= {"realised_now_e8": self.ints["realised_e8"], "filled_e8": self.ints["filled_e8"]}
        self.moved_e8: Ints = np.where(self.fill["side"] == 0, self.fill["quantity_e8"], -self.fill["quantity_e8"])
        """Signed quantity."""
        self.count, self.amounts = journal.count[some], journal.amounts[:, some]
        self.accounts, self.assets = journal.accounts[:, some], journal.assets[:, some]
        self.purposes = journal.purposes[:, some]
        self.paid_e8: Ints = -self.amounts[1] if len(self.amounts) > 1 else np.zeros(len(rows), np.int64)
        """What the client paid in the quote asset, as the entry says."""

    def doubtful(self, rates: Any) -> Bools:
        """Entries that differ from what their fill demands, or whose numbers are too large for columns.

        `rates(account number, liquidity)` gives the fee rates ever in force.
        """
        if len(self.amounts) < 4:
            return np.ones(len(self.moved_e8), np.bool_)
        fill, said = self.fill, self.said
        wrong: Bools = (self.ints["account_id"] != fill["account_id"]) | (said["filled_e8"] != fill["quantity_e8"])
        wrong |= (self.count < 4) | (self.ints["position.instrument_id"] != fill["instrument_id"])
        for name, hashes in self.hashes.items():
            wrong |= hashes != fill[f"execution{name[-1]}"]
        for amounts in (*self.amounts, fill["quantity_e8"], fill["price_e8"], fill["quote_amount_e8"], fill["fee_e8"],
                        *said.values()):  # fmt: skip
            wrong |= (amounts > SAFE_E8) | (amounts < -SAFE_E8)
        wrong |= ~self._priced() | self._fee_wrong(rates) | self._lines_wrong()
        return wrong

    def _priced(self) -> Bools:
        """Whether the client's quote amount is price times quantity, rounded against the client."""
        price, quantity = self.fill["price_e8"], self.fill["quantity_e8"]
        one = np.full(len(price), ONE_E8, np.int64)
        buys = self.fill["side"] == 0
        right = np.where(
            buys, is_ceiling(price, quantity, self.paid_e8, one), is_floor(price, quantity, -self.paid_e8, one)
        )
        found: Bools = right & (np.abs(np.abs(self.paid_e8) - self.fill["quote_amount_e8"]) <= QUOTE_MAX_E8)
        return found

    def _fee_wrong(self, rates: Any) -> Bools:
        rules = self.ints["rule"]
        liquidities, rated = self.words.rated()
        liquidity, self.rate_e8 = liquidities[rules], rated[rules]
        wrong: Bools = liquidity != self.fill["liquidity"]
        wrong |= ~rates(self.fill["account_id"], liquidity, self.rate_e8)
        return wrong

    def _lines_wrong(self) -> Bools:
        """Whether the lines are not these: principal of client and venue, rounding, venue's fee, house's fee."""
        fill, words, rows = self.fill, self.words, np.arange(len(self.moved_e8))
        client, venue = words.clients()[fill["account_id"]], words.mirrors()[fill["venue"]]
        rounding, house = words.ledger.number("house:rounding"), words.ledger.number("house:fees")
        purpose = {name: words.purposes.number(name) for name in ("principal", "rounding", "venue_fee", "house_fee")}
        mirrored: Ints = np.where(fill["side"] == 0, fill["quote_amount_e8"], -fill["quote_amount_e8"])
        remainder = self.paid_e8 - mirrored
        wrong: Bools = np.zeros(len(rows), np.bool_)
        columns = (self.accounts, self.assets, self.amounts, self.purposes)

        def line(at: Any, account: Any, asset: Any, amount: Any, why: str, where: Any = True) -> None:
            if isinstance(at, int):
                found = [column[at] for column in columns]
            else:
                cells = np.minimum(at, len(self.amounts) - 1) * len(rows) + rows
                found = [column.reshape(-1).take(cells) for column in columns]
            same = (found[0] == account) & (found[1] == asset) & (found[2] == amount) & (found[3] == purpose[why])
            wrong[...] |= ~same & where

        line(0, client, fill["base"], self.moved_e8, "principal")
        line(1, client, fill["quote"], -self.paid_e8, "principal")
        line(2, venue, fill["base"], -self.moved_e8, "principal")
        line(3, venue, fill["quote"], mirrored, "principal")
        at: Ints = np.full(len(rows), 4, np.int64)
        rounded, charged = remainder != 0, fill["fee_e8"] != 0
        line(at, rounding, fill["quote"], remainder, "rounding", rounded)
        at = at + rounded
        line(at, client, fill["fee_asset"], -fill["fee_e8"], "venue_fee", charged)
        line(at + 1, venue, fill["fee_asset"], fill["fee_e8"], "venue_fee", charged)
        at = at + 2 * charged
        fee: Ints = np.where(at + 1 < self.count, -self.amounts[np.minimum(at, len(self.amounts) - 1), rows], 0)
        due = is_ceiling(np.abs(self.paid_e8), self.rate_e8, fee, np.full(len(rows), ONE_E8, np.int64))
        levied = fee != 0
        line(at, client, fill["quote"], -fee, "house_fee", levied)
        line(at + 1, house, fill["quote"], fee, "house_fee", levied)
        wrong |= ~due | (self.count != at + 2 * levied)
        return wrong


def moves(held: tuple[Ints, Ints, Ints], said: tuple[Ints, Ints, Ints], moved_e8: Ints, paid_e8: Ints) -> Bools:
    """Whether a position `held` becomes what is `said` (quantity, cost, realised profit) by this trade.

    The divisions are checked, not made: the part of the cost that a reduction took out must be the nearest one.
    """
    (quantity, cost, realised), (left, cost_left, realised_now) = held, said
    adding = (quantity == 0) | ((quantity > 0) == (moved_e8 > 0))
    closing = ~adding & (np.abs(moved_e8) <= np.abs(quantity))
    part = np.where(closing, cost - cost_left, paid_e8 - cost_left)
    amount = np.where(closing, cost, paid_e8)
    share = np.where(closing, np.abs(moved_e8), np.abs(quantity))
    whole = np.maximum(np.where(closing, np.abs(quantity), np.abs(moved_e8)), 1)
    profit = np.where(closing, -paid_e8 - part, -part - cost)
    plain = adding & (cost_left == cost + paid_e8) & (realised_now == realised)
    reduced = ~adding & (realised_now == realised + profit)
    rows = np.flatnonzero(reduced)
    nearest = np.zeros(len(quantity), np.bool_)
    nearest[rows] = is_half_even(amount[rows], share[rows], part[rows], whole[rows])
    found: Bools = (left == quantity + moved_e8) & (plain | nearest)
    return found
