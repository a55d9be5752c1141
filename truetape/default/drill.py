"""The default drill: the two members that a stress hits hardest default on recorded books, one after the other.

From entries, funding that is due, reference data and marks alone. Accounts that belong to another clearing member are
its clients, and take no part; every other account is a member, whose margin is its balance in the contracts' settlement
asset. In each scenario all marks of that asset's contracts move by one shock at once; options follow (`premiums`). The
clearing fund is sized for the two largest losses beyond initial margin (`fund.size`) and shared by initial margin; then
the defaulters' positions are closed at the stressed prices and the waterfall bears what they cannot pay. Nothing is
written anywhere: a drill shows what would happen, and that every sum is kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from truetape import funding
from truetape.contracts import Contract, notional, value
from truetape.default import fund, waterfall
from truetape.default.fund import Sizing, Stressed
from truetape.default.premiums import Premium, premiums
from truetape.default.waterfall import Member, Outcome, Resources
from truetape.errors import ContractError, MoneyError, SetupError
from truetape.messages import ContractFactTaken, ContractTerms, EntryBooked
from truetape.money import ONE_E8, divide, from_e8, portion
from truetape.reference import Reference

SHOCKS_E8: Final = (-30_000_000, -20_000_000, -10_000_000, 10_000_000, 20_000_000, 30_000_000)
"""Moves of all marks together, in parts of 1e8: 10, 20 and 30 % down and up."""


FEES: Final = "house:fees"


def whose(ledger_account: str) -> str:
    """Under which name Books keep a client's balances, or what the house has earned in fees."""
    return waterfall.HOUSE if ledger_account == FEES else ledger_account.removeprefix("client:")


class Held(Struct, frozen=True):
    """A position in a contract as its newest entry has it."""

    quantity_e8: int
    cost_e8: int
    unpaid_e8: int
    """Realised profit that is not paid in cash yet."""


class Books(Struct):
    """What accounts have, from entries and the funding that is due."""

    balances: dict[str, dict[str, int]] = field(default_factory=dict)
    """By account and asset; "house" is what the house has earned."""
    held: dict[str, dict[str, Held]] = field(default_factory=dict)
    """By account and instrument."""
    since: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    """By account and instrument, its partition and the funding index (1e-18) up to which the position has paid."""
    newest: dict[tuple[int, str], str] = field(default_factory=dict)
    """By partition and instrument, the newest funding index."""

    def take(self, event: Any, partition: int) -> None:
        """One more record, in the order of the tape of its partition."""
        if isinstance(event, ContractFactTaken):
            self.newest[partition, event.fact.instrument_id] = event.funding_index_e18
        elif isinstance(event, EntryBooked):
            self._book(event, partition)

    def owing(self, account_id: str) -> dict[str, Held]:
        """An account's positions with the funding that has accrued and no entry has booked, as clearing margins them.
        Raises MoneyError beyond 64 bits."""
        held, since = self.held.get(account_id, {}), self.since.get(account_id, {})
        return {name: self._funded(name, one, *since[name]) if name in since else one for name, one in held.items()}

    def _funded(self, name: str, held: Held, partition: int, since_e18: str) -> Held:
        newest_e18 = self.newest.get((partition, name), since_e18)
        unpaid_e8 = funding.unpaid(held.quantity_e8, held.unpaid_e8, int(since_e18), int(newest_e18))
        return replace(held, unpaid_e8=unpaid_e8)

    def _book(self, entry: EntryBooked, partition: int) -> None:
        for line in entry.lines:
            if line.account.startswith("client:") or line.account == FEES:
                assets = self.balances.setdefault(whose(line.account), {})
                assets[line.asset] = assets.get(line.asset, 0) + line.amount_e8
        if entry.position is not None and entry.contract is not None:
            at = entry.position
            unpaid_e8 = at.realised_e8 - entry.contract.settled_e8
            self.held.setdefault(entry.account_id, {})[at.instrument_id] = Held(at.quantity_e8, at.cost_e8, unpaid_e8)
            if index_e18 := entry.contract.funding_index_e18:
                self.since.setdefault(entry.account_id, {})[at.instrument_id] = partition, index_e18


class Setting(Struct, frozen=True):
    """What a drill assumes."""

    asset: str
    """The settlement asset; contracts that settle in others are left out."""
    shocks_e8: tuple[int, ...] = SHOCKS_E8
    capital_e8: int = 0
    """The house's own capital in the waterfall."""
    floor_e8: int = 0
    """Least share of the fund."""
    assessment_rate_e8: int = ONE_E8
    """What a member can be asked for on top, as a part of its share."""
    defaulters: tuple[str, ...] = ()
    """Who defaults, in order; the two largest losses when empty."""
    at_us: int = 0
    """The moment of the drill: how long options have to live."""


class Default(Struct, frozen=True):
    """One member's default in the drill."""

    member_id: str
    loss_e8: int
    """What closing its positions costs beyond what they bring."""
    resources: Resources
    outcome: Outcome


class Drill(Struct, frozen=True):
    """The drill's whole result."""

    setting: Setting
    shock_e8: int
    """The move in which the two default."""
    margins_e8: Mapping[str, int]
    """Initial margin by member."""
    sizing: Sizing
    shares_e8: Mapping[str, int]
    defaults: tuple[Default, ...]
    left: Mapping[waterfall.Layer, int]
    """What every layer still holds at the end, and of the last defaulter."""


class _Market(Struct, frozen=True):
    """Contracts that settle in the drill's asset, with their marks."""

    contracts: Mapping[str, Contract]
    prices_e8: Mapping[str, int]
    rates_e8: Mapping[str, int]
    options: Mapping[str, Premium]

    def price_e8(self, instrument_id: str, shock_e8: int) -> int:
        return divide(self.prices_e8[instrument_id] * (ONE_E8 + shock_e8), ONE_E8, "half_even")[0]

    def worth_e8(self, held: Mapping[str, Held], shock_e8: int) -> int:
        """What closing everything brings in cash, with what is realised and not yet paid; rounded down."""
        return sum(self._worth_e8(name, one, shock_e8) for name, one in held.items())

    def _worth_e8(self, name: str, one: Held, shock_e8: int) -> int:
        if (option := self.options.get(name)) is not None:
            return option.worth_e8(one.quantity_e8, shock_e8) + one.unpaid_e8
        price_e8 = self.price_e8(name, shock_e8)
        return value(self.contracts[name], one.quantity_e8, price_e8, "down") - one.cost_e8 + one.unpaid_e8

    def margin_e8(self, held: Mapping[str, Held]) -> int:
        """Initial margin: the rate of each contract's notional at its mark, rounded up; of options `Premium`'s."""
        return sum(self._margin_e8(name, one.quantity_e8) for name, one in held.items())

    def _margin_e8(self, name: str, quantity_e8: int) -> int:
        if (option := self.options.get(name)) is not None:
            return option.margin_e8(quantity_e8)
        return portion(notional(self.contracts[name], quantity_e8, self.prices_e8[name]), self.rates_e8[name], "up")


def run(books: Books, reference: Reference, marks_e8: Mapping[str, int], setting: Setting) -> Drill:
    """Run a drill. Raises SetupError when nothing can default, an input of a contract that is held is missing, or what
    is assumed cannot be."""
    if (wrong := next(_wrong(reference, setting), None)) is not None:
        raise SetupError(wrong)
    try:
        return _run(books, reference, marks_e8, setting)
    except (ContractError, MoneyError) as error:
        raise SetupError(f"no drill with these marks and moves: {error}") from error


def _wrong(reference: Reference, setting: Setting) -> Iterator[str]:
    """What of the assumptions cannot be."""
    amounts = {"capital": setting.capital_e8, "floor": setting.floor_e8, "assessment": setting.assessment_rate_e8}
    yield from (f"{name} {from_e8(e8)}: it is zero or above" for name, e8 in amounts.items() if e8 < 0)
    lowest_e8 = min(setting.shocks_e8, default=0)
    if lowest_e8 < -ONE_E8:
        yield f"shock {from_e8(lowest_e8)}: no mark falls by more than all of it, which is -1"
    told = {"shock": map(from_e8, setting.shocks_e8), "member": setting.defaulters}
    for kind, names in told.items():
        yield from (f"{kind} {name} stands there twice" for name, count in Counter(names).items() if count > 1)
    if clients := [one for one in setting.defaulters if reference.member_of(one) != one]:
        yield f"{clients[0]} is a client of {reference.member_of(clients[0])}: name a clearing member"


def _run(books: Books, reference: Reference, marks_e8: Mapping[str, int], setting: Setting) -> Drill:
    market, held = _open(books, reference, marks_e8, setting)
    margins_e8 = {member: market.margin_e8(positions) for member, positions in held.items()}
    stressed = [
        Stressed(named(shock_e8), {member: -market.worth_e8(mine, shock_e8) for member, mine in held.items()})
        for shock_e8 in setting.shocks_e8
    ]
    sizing = fund.size(stressed, margins_e8)
    shock_e8, losses_e8 = _worst(setting, stressed, sizing)
    shares_e8 = fund.shares(sizing.size_e8, margins_e8, setting.floor_e8)
    defaulters = setting.defaulters or _hit(losses_e8, margins_e8)
    if unknown := [member for member in defaulters if member not in held]:
        raise SetupError(f"{unknown[0]} holds no contract that settles in {setting.asset}; holders: {', '.join(held)}")
    members = [
        _member(member, shares_e8[member], market, held[member], shock_e8, setting)
        for member in sorted(held)
        if member != defaulters[0]
    ]
    defaults = _defaults(books, setting, members, defaulters, losses_e8, shares_e8)
    last = defaults[-1]
    left = waterfall.left(last.resources, last.outcome)
    return Drill(setting, shock_e8, margins_e8, sizing, shares_e8, defaults, left)


def _open(
    books: Books, reference: Reference, marks_e8: Mapping[str, int], setting: Setting
) -> tuple[_Market, dict[str, dict[str, Held]]]:
    terms: dict[str, ContractTerms] = {
        name: one.contract
        for name, one in reference.instruments.items()
        if one.contract is not None and one.contract.settlement_asset == setting.asset
    }
    members = [member for member in sorted(books.held) if reference.member_of(member) == member]
    held = {
        member: {
            name: one for name, one in books.owing(member).items()
            if name in terms and (one.quantity_e8 or one.unpaid_e8)
        }
        for member in members
    }  # fmt: skip
    held = {member: positions for member, positions in held.items() if positions}
    names = sorted({name for positions in held.values() for name in positions})
    if not names:
        raise SetupError(f"no member holds a contract that settles in {setting.asset}: nothing can default")
    if unmarked := [name for name in names if name not in marks_e8]:
        raise SetupError(f"{unmarked[0]} has no mark on the tape: give one with --mark {unmarked[0]}=PRICE")
    options = [name for name in names if terms[name].kind == "OPTION"]
    if options and not setting.at_us:
        raise SetupError(f"{options[0]} is an option: say at which time the drill is")
    priced = premiums(options, reference, marks_e8, setting.at_us)
    contracts = {name: Contract(terms[name].style, terms[name].multiplier_e8) for name in names}
    rates = {name: terms[name].initial_rate_e8 for name in names}
    return _Market(contracts, {name: marks_e8[name] for name in names}, rates, priced), held


def named(shock_e8: int) -> str:
    """A shock as a scenario's name: -20 %."""
    return f"{from_e8(shock_e8 * 100)} %" if shock_e8 < 0 else f"+{from_e8(shock_e8 * 100)} %"


def _worst(setting: Setting, stressed: Sequence[Stressed], sizing: Sizing) -> tuple[int, Mapping[str, int]]:
    """The scenario that sizes the fund; where none needs one, the one with the largest loss of all."""
    number = next((n for n, one in enumerate(stressed) if one.scenario == sizing.scenario), None)
    if number is None:
        number = max(range(len(stressed)), key=lambda n: max(stressed[n].losses_e8.values()))
    return setting.shocks_e8[number], stressed[number].losses_e8


def _hit(losses_e8: Mapping[str, int], margins_e8: Mapping[str, int]) -> tuple[str, ...]:
    """The two that lose most beyond their initial margin, the largest first."""
    ranked = sorted(losses_e8, key=lambda member: (margins_e8[member] - losses_e8[member], member))
    return tuple(ranked[: fund.COVERED])


def _member(
    member: str, share_e8: int, market: _Market, held: Mapping[str, Held], shock_e8: int, setting: Setting
) -> Member:
    """A survivor: its share, what it can be assessed, the variation margin that the shock owes it, and what its
    contracts were worth to it before.
    """
    before_e8 = market.worth_e8(held, 0)
    gain_e8 = max(0, market.worth_e8(held, shock_e8) - before_e8)
    assessed_e8 = portion(share_e8, setting.assessment_rate_e8, "down")
    return Member(member, share_e8, assessed_e8, gain_e8, max(0, before_e8))


def _defaults(
    books: Books, setting: Setting, members: Iterable[Member], defaulters: Sequence[str],
    losses_e8: Mapping[str, int], shares_e8: Mapping[str, int],
) -> tuple[Default, ...]:  # fmt: skip
    def margin_e8(member: str) -> int:
        return max(0, books.balances.get(member, {}).get(setting.asset, 0))

    first = defaulters[0]
    resources = Resources(first, margin_e8(first), shares_e8[first], setting.capital_e8, tuple(members))
    found = [_borne(first, losses_e8, resources)]
    for member in defaulters[1:]:
        last = found[-1]
        found.append(
            _borne(member, losses_e8, waterfall.without(last.resources, member, last.outcome, margin_e8(member)))
        )
    return tuple(found)


def _borne(member: str, losses_e8: Mapping[str, int], resources: Resources) -> Default:
    loss_e8 = max(0, losses_e8[member])
    return Default(member, loss_e8, resources, waterfall.absorb(loss_e8, resources))


# -- shown -------------------------------------------------------------------------------------------------------------

COLUMNS: Final = ("default", "member", "layer", "payer", "amount")
SIZE_COLUMNS: Final = ("member", "initial_margin", "beyond_margin", "share")


def sized(drill: Drill) -> list[tuple[str, str, str, str]]:
    """What each member brings to the fund, in the order of SIZE_COLUMNS; beyond_margin of those two that decide."""
    beyond = dict(drill.sizing.covered)
    return [
        (member, from_e8(margin_e8), from_e8(beyond.get(member, 0)), from_e8(drill.shares_e8[member]))
        for member, margin_e8 in sorted(drill.margins_e8.items())
    ]


def rows(drill: Drill) -> list[tuple[str, ...]]:
    """Every payment, in order, and what is uncovered: they sum to the losses."""
    found: list[tuple[str, ...]] = []
    for number, one in enumerate(drill.defaults, 1):
        head = (str(number), one.member_id)
        found += [(*head, step.layer, step.payer_id, from_e8(step.amount_e8)) for step in one.outcome.steps]
        if one.outcome.uncovered_e8:
            found.append((*head, "UNCOVERED", "", from_e8(one.outcome.uncovered_e8)))
    return found


def plain(drill: Drill) -> dict[str, Any]:
    """As JSON: decimals are strings."""
    return {
        "asset": drill.setting.asset,
        "scenario": named(drill.shock_e8),
        "fund": {
            "size": from_e8(drill.sizing.size_e8),
            "covered": [{"member": who, "beyond_margin": from_e8(e8)} for who, e8 in drill.sizing.covered],
            "shares": {member: from_e8(e8) for member, e8 in drill.shares_e8.items()},
        },
        "initial_margins": {member: from_e8(e8) for member, e8 in drill.margins_e8.items()},
        "defaults": [
            {
                "member": one.member_id, "loss": from_e8(one.loss_e8),
                "uncovered": from_e8(one.outcome.uncovered_e8),
                "borne_by_layer": {
                    layer: from_e8(one.outcome.borne_e8(layer)) for layer in waterfall.LAYERS
                },
            }
            for one in drill.defaults
        ],
        "steps": [dict(zip(COLUMNS, row, strict=True)) for row in rows(drill)],
        "left_by_layer": {layer: from_e8(e8) for layer, e8 in drill.left.items()},
    }  # fmt: skip
