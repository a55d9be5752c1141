"""Margin of one account: balances, positions and what is published in; per settlement asset equity and needs out.

The one place that risk, clearing and reports ask. All amounts are integers of 1e-8 of the settlement asset; needs are
rounded up and rights down, against the account. Contracts of several margin classes are added without offsets between
them. Collateral (reference data: `CollateralAsset`) backs one settlement asset; of an asset that margins contracts
itself only what exceeds their initial need is left for that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from truetape.collateral import CollateralTerms, Counted, Posted, valued
from truetape.errors import MarginError, MarginPositionUnfit, TruetapeError
from truetape.margin import flat
from truetape.margin.classed import SCANNED, ClassBook, Coin, Held, Need
from truetape.margin.published import MarkUsed, Published
from truetape.margin.quoted import quoted
from truetape.margin.shelf import book_of
from truetape.messages import CollateralAsset, ContractTerms, MarginClass

Positions = Mapping[str, Held]
__all__ = ["Account", "AssetMargin", "Held", "assess", "assess_all"]


class Account(NamedTuple):
    """What margin looks at."""

    balances: Mapping[str, int]
    """By asset."""
    positions: Positions
    """In contracts, by instrument."""


class AssetMargin(Struct, frozen=True):
    """All contracts of an account that settle in one asset."""

    asset: str
    balance_e8: int
    gains_e8: int
    """What positions gained or lost since their cost, and profit not yet paid; all that an option of a model's class is
    worth."""
    initial_e8: int
    """Equity must reach this to take new risk."""
    maintenance_e8: int
    """Equity below this: the account is called."""
    worst: str
    """The scenario or position that decides the initial need."""
    models: tuple[str, ...]
    """`flat`, and margin classes as NAME (MODEL, version N)."""
    contributions: dict[str, int]
    """Each position's part of the initial need; they sum to it, negative ones relieve the others."""
    marks: tuple[MarkUsed, ...]
    """Evidence, by name."""
    collateral: tuple[Counted, ...] = ()
    """What other assets count for."""
    scenarios: dict[str, float] = {}
    """Profit of the positions of models with scenarios, by scenario."""
    funding: dict[str, int] = {}
    """Of the gains, by position: funding that has accrued and that no entry has booked. Told by reports."""

    @property
    def collateral_e8(self) -> int:
        """What all other assets count for."""
        return sum(one.counted_e8 for one in self.collateral)

    @property
    def equity_e8(self) -> int:
        """What counts against the needs."""
        return self.balance_e8 + self.gains_e8 + self.collateral_e8

    @property
    def initial_excess_e8(self) -> int:
        """Equity over the initial need; negative: no new risk."""
        return self.equity_e8 - self.initial_e8

    @property
    def maintenance_excess_e8(self) -> int:
        """Equity over the maintenance need; negative: a call."""
        return self.equity_e8 - self.maintenance_e8


def assess(balances: Mapping[str, int], positions: Positions, seen: Published) -> dict[str, AssetMargin]:
    """Margin of an account by settlement asset, for each asset in which it holds contracts.

    Raises MarginError: MarkWanted for a missing mark and, where the model has no contingency for it, a stale one.
    """
    account = Account(balances, positions)
    split = divided(positions, seen)
    alone = {asset: _assess(asset, account, parts, [], seen) for asset, parts in split.items()}
    found = dict(alone)
    for asset, parts in split.items():
        if posted := posted_for(asset, partial(unused_e8, account=account, alone=alone), seen):
            found[asset] = _assess(asset, account, parts, posted, seen)
    return found


class Parts(NamedTuple):
    """The positions that settle in one asset: those of the flat schedule, and those of each margin class."""

    flat: dict[str, Held]
    classed: dict[str, dict[str, Held]]


def divided(positions: Positions, seen: Published) -> dict[str, Parts]:
    """Positions by settlement asset and margin class, in order of name. Raises MarginPositionUnfit."""
    found: dict[str, Parts] = {}
    classes, instruments = seen.reference.margin_classes, seen.reference.instruments
    homes: dict[tuple[str, str], dict[str, Held]] = {}
    for name in sorted(positions):
        instrument = instruments.get(name)
        terms = instrument.contract if instrument is not None else None
        if terms is None:
            terms = terms_of(name, seen)
        home = homes.get((terms.settlement_asset, terms.margin_class))
        if home is None:
            parts = found.setdefault(terms.settlement_asset, Parts({}, {}))
            named = classes.get(terms.margin_class)
            home = parts.flat if named is None else parts.classed.setdefault(named.name, {})
            homes[terms.settlement_asset, terms.margin_class] = home
        home[name] = positions[name]
    return found


def terms_of(name: str, seen: Published) -> ContractTerms:
    """The terms of a contract; MarginPositionUnfit for what is none."""
    terms = seen.terms_of(name)
    if terms is None:
        raise MarginPositionUnfit(f"{name} is no contract of the reference data: define it again")
    return terms


def class_of(terms: ContractTerms, seen: Published) -> MarginClass | None:
    """The margin class of a contract; None for the flat schedule, which also has contracts older than all classes."""
    return seen.reference.margin_classes.get(terms.margin_class)


def _assess(asset: str, account: Account, parts: Parts, posted: list[Coin], seen: Published) -> AssetMargin:
    made = _flat(asset, account.balances.get(asset, 0), parts.flat, seen)
    made, taken = _posted(made, posted, parts, seen)
    for name, held in sorted(parts.classed.items()):
        coins = taken.get(name, [])
        book = book_of(seen.reference.margin_classes[name], held, seen, coins)
        made = _with(made, book.named, book.need(held, coins), book.marks)
    return made


def _flat(asset: str, balance_e8: int, positions: Positions, seen: Published) -> AssetMargin:
    initial: dict[str, int] = {}
    gains_e8 = maintenance_e8 = 0
    marks: dict[str, MarkUsed] = {}
    for name, held in positions.items():
        terms = terms_of(name, seen)
        initial[name] = flat.need_e8(terms, name, held.quantity_e8, terms.initial_rate_e8, seen)
        maintenance_e8 += flat.need_e8(terms, name, held.quantity_e8, terms.maintenance_rate_e8, seen)
        gains_e8 += held.unpaid_e8 + flat.gain_e8(terms, name, held.quantity_e8, held.cost_e8, seen)
        marks |= {used: seen.used(used, terms) for used in flat.looks_at(terms, name, held.quantity_e8)}
    return AssetMargin(
        asset=asset,
        balance_e8=balance_e8,
        gains_e8=gains_e8,
        initial_e8=sum(initial.values()),
        maintenance_e8=maintenance_e8,
        worst=max(initial, key=lambda name: initial[name], default=""),
        models=(flat.NAME,) if positions else (),
        contributions=initial,
        marks=tuple(marks[name] for name in sorted(marks)),
    )


def _with(made: AssetMargin, named: MarginClass, need: Need, marks: Mapping[str, MarkUsed]) -> AssetMargin:
    """With one more class: needs are added."""
    heavier = need.initial_e8 > made.initial_e8 or not made.worst
    return replace(
        made,
        gains_e8=made.gains_e8 + need.gains_e8,
        initial_e8=made.initial_e8 + need.initial_e8,
        maintenance_e8=made.maintenance_e8 + need.maintenance_e8,
        worst=f"{named.name}: {need.worst}" if heavier else made.worst,
        models=(*made.models, f"{named.name} ({named.model}, version {named.version})"),
        contributions=made.contributions | need.contributions,
        marks=_merged(made.marks, marks),
        scenarios=made.scenarios | {f"{named.name}: {name}": gain for name, gain in need.scenarios.items()},
    )


def _merged(known: Iterable[MarkUsed], more: Mapping[str, MarkUsed]) -> tuple[MarkUsed, ...]:
    used = {one.instrument_id: one for one in known} | dict(more)
    return tuple(used[name] for name in sorted(used))


# -- collateral -------------------------------------------------------------------------------------------------------


def posted_for(asset: str, left: Callable[[str], int], seen: Published) -> list[Coin]:
    """What of other assets backs this one, in order; `left` says how much of an asset is free for that.

    What has no fresh mark counts for nothing.
    """
    found = []
    for name in sorted(seen.reference.collateral):
        terms = seen.reference.collateral[name]
        if terms.counts_for == asset and (quantity_e8 := left(name)) > 0:
            mark = seen.marks.newest.get(terms.index)
            if mark is not None and mark.price_e8 > 0:
                age_us = abs(seen.at_us - mark.observed_at_us)
                stale = age_us > terms.mark_max_age_us
                used = MarkUsed(
                    terms.index, mark.price_e8, mark.observed_at_us, mark.meta.epoch, mark.meta.sequence, stale
                )
                found.append(Coin(terms, quantity_e8, used))
    return [coin for coin in found if not coin.used.stale]


def unused_e8(name: str, account: Account, alone: Mapping[str, AssetMargin]) -> int:
    """What of a balance is not needed for contracts that settle in it."""
    balance_e8 = account.balances.get(name, 0)
    own = alone.get(name)
    return balance_e8 if own is None else min(balance_e8, own.initial_excess_e8)


def shared(posted: list[Coin], parts: Parts, seen: Published) -> tuple[dict[str, list[Coin]], list[Coin]]:
    """Collateral that portfolio models shock with the positions on it, by class, and the rest."""
    taken: dict[str, list[Coin]] = defaultdict(list)
    rest = []
    for coin in posted:
        home = next((name for name, held in sorted(parts.classed.items()) if _cancels(coin, name, held, seen)), None)
        if home is None:
            rest.append(coin)
        else:
            taken[home].append(_limited(coin))
    return dict(taken), rest


def _cancels(coin: Coin, name: str, positions: Positions, seen: Published) -> bool:
    if not coin.terms.cancels_risk or seen.reference.margin_classes[name].model not in SCANNED:
        return False
    return any(seen.reference.instruments[held].base == coin.terms.asset for held in positions)


def _limited(coin: Coin) -> Coin:
    """At most what the asset may count for."""
    if not coin.terms.limit_e8:
        return coin
    most_e8 = coin.terms.limit_e8 * 10**8 // coin.used.price_e8
    return coin._replace(quantity_e8=min(coin.quantity_e8, most_e8))


def counted(rest: list[Coin]) -> tuple[Counted, ...]:
    """What collateral counts for that no model shocks: haircuts, limits, concentration. Raises CollateralRefused."""
    posted = [Posted(coin.terms.asset, coin.quantity_e8, coin.used.price_e8) for coin in rest]
    terms = {coin.terms.asset: _terms(coin.terms) for coin in rest}
    return valued(posted, terms, rest[0].terms.counts_for).assets if rest else ()


def _terms(asset: CollateralAsset) -> CollateralTerms:
    """The haircut of the terms is all that is taken off for another currency."""
    return CollateralTerms(
        asset.haircut_e8,
        asset.counts_for,
        asset.limit_e8 or None,
        asset.share_max_e8,
        asset.cancels_risk,
        asset.lot_e8,
    )


def _posted(
    made: AssetMargin, posted: list[Coin], parts: Parts, seen: Published
) -> tuple[AssetMargin, dict[str, list[Coin]]]:
    """With what collateral counts for, and what portfolio models take of it by class. Raises CollateralRefused."""
    if not posted:
        return made, {}
    taken, rest = shared(posted, parts, seen)
    whole = [coin for own in taken.values() for coin in own]
    assets = [*counted(rest), *(Counted(coin.terms.asset, coin.worth_e8, 0, 0, coin.worth_e8) for coin in whole)]
    marks = {coin.terms.index: coin.used for coin in posted}
    return replace(made, collateral=tuple(assets), marks=_merged(made.marks, marks)), taken


# -- all accounts -----------------------------------------------------------------------------------------------------


def assess_all(accounts: Mapping[str, Account], seen: Published) -> dict[str, dict[str, AssetMargin] | TruetapeError]:
    """Margin of every account as `assess` says it, without the evidence of models (contributions, scenarios, marks):
    ask `assess` for those that matter. Portfolio models take all accounts in one pass.

    An account whose margin cannot be computed has its error, also one with a number that fits nowhere; that concerns no
    other.
    """
    whole = _Whole(accounts, seen)
    alone = whole.margins({})
    coins = whole.coins(alone)
    return whole.margins(coins) if coins else alone


Key = tuple[str, str]
"""Account and settlement asset."""


class _Whole:
    """The accounts of one pass."""

    def __init__(self, accounts: Mapping[str, Account], seen: Published) -> None:
        self.accounts, self.seen = accounts, seen
        self.split: dict[str, dict[str, Parts]] = {}
        self.failed: dict[str, TruetapeError] = {}
        wrong: dict[str, TruetapeError | None] = {}
        for account_id, account in accounts.items():
            try:
                self.split[account_id] = divided(account.positions, seen)
                for name in account.positions:
                    if name not in wrong:
                        wrong[name] = _wrong(name, seen)
                    if (error := wrong[name]) is not None:
                        raise error
            except TruetapeError as error:
                self.failed[account_id] = error
                self.split.pop(account_id, None)

    def margins(self, coins: Mapping[Key, list[Coin]]) -> dict[str, dict[str, AssetMargin] | TruetapeError]:
        """Margin of all, with this collateral."""
        made: dict[Key, AssetMargin] = {}
        failed = dict(self.failed)
        taken: dict[Key, dict[str, list[Coin]]] = {}
        groups: dict[Key, list[str]] = defaultdict(list)
        for account_id, split in self.split.items():
            for asset, parts in split.items():
                key = account_id, asset
                balance_e8 = self.accounts[account_id].balances.get(asset, 0)
                try:
                    made[key] = _flat(asset, balance_e8, parts.flat, self.seen)
                    made[key], taken[key] = _posted(made[key], coins.get(key, []), parts, self.seen)
                except TruetapeError as error:
                    failed[account_id] = error
                for name in parts.classed:
                    groups[name, asset].append(account_id)
        for (name, asset), ids in sorted(groups.items()):
            named = self.seen.reference.margin_classes[name]
            for account_id, need in zip(ids, self._needs(named, asset, ids, taken), strict=True):
                if isinstance(need, TruetapeError):
                    failed[account_id] = need
                elif (account_id, asset) in made:
                    made[account_id, asset] = _with(made[account_id, asset], named, need, {})
        return {
            account_id: failed.get(account_id) or {asset: made[account_id, asset] for asset in self.split[account_id]}
            for account_id in self.accounts
        }

    def _needs(
        self, named: MarginClass, asset: str, ids: list[str], taken: Mapping[Key, Mapping[str, list[Coin]]]
    ) -> Sequence[Need | TruetapeError]:
        positions = [self.split[account_id][asset].classed[named.name] for account_id in ids]
        coins = [taken.get((account_id, asset), {}).get(named.name, []) for account_id in ids]
        names = {name for one in positions for name in one}
        distinct = {coin.terms.asset: coin for own in coins for coin in own}
        try:
            book = book_of(named, sorted(names), self.seen, list(distinct.values()))
        except TruetapeError as error:
            return [error] * len(ids)
        try:
            return book.needs(positions, coins)
        except TruetapeError:  # Somebody's number fits nowhere: each by himself.
            return [_need(book, held, own) for held, own in zip(positions, coins, strict=True)]

    def coins(self, alone: Mapping[str, dict[str, AssetMargin] | TruetapeError]) -> dict[Key, list[Coin]]:
        """What backs each account's assets; nothing where its margin has an error."""
        found = {}
        for account_id, margins in alone.items():
            if isinstance(margins, dict) and self.seen.reference.collateral:
                account = self.accounts[account_id]
                for asset in margins:
                    posted = posted_for(asset, partial(unused_e8, account=account, alone=margins), self.seen)
                    if posted:
                        found[account_id, asset] = posted
        return found


def _need(book: ClassBook, positions: Positions, coins: Sequence[Coin]) -> Need | TruetapeError:
    try:
        return book.need(positions, coins)
    except TruetapeError as error:
        return error


def _wrong(name: str, seen: Published) -> MarginError | None:
    """Why a contract of a model's class cannot be margined at all; the flat schedule finds out by itself."""
    terms = terms_of(name, seen)
    named = class_of(terms, seen)
    if named is None:
        return None
    try:
        quoted(name, terms, named, seen)
        seen.newest(terms.index)
    except MarginError as error:
        return error
    return None
