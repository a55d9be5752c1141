"""The gateway's pure core: reference commands become reference events, or are refused by name."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from services.gateway import contracts, margining, settlement_days
from truetape import cuts
from truetape import messages as m
from truetape.codec import Message
from truetape.money import ONE_E8
from truetape.reference import EVERYBODY, Reference, fold
from truetape.service import Input, Service
from truetape.topics import REFERENCE_COMMANDS, REFERENCE_EVENTS

COMMANDS_KEPT: Final = 10_000
"""Newest command ids that are remembered, so that a repeated command gives no second event."""
SCOPES: Final = ("read", "trade", "admin")
CALL_US_MAX: Final = 30 * 86_400 * 1_000_000
RATE_MAX_E8: Final = ONE_E8 // 10
"""No fee is above 10 %, and no rebate."""
TIERS_MAX: Final = 20
REQUESTS_PER_SECOND_MAX: Final = 100_000

ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
ASSET: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)
KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
NAME: Final = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)
SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
TEXT_MAX: Final = 500


class State(Struct):
    """Everything that reference.events says, and which commands it answered last."""

    reference: Reference = field(default_factory=Reference)
    commands: list[str] = field(default_factory=list)
    """Ids of the newest commands answered, oldest first."""


def decide(state: State, given: Input) -> Message | None:
    """The event that answers a reference command; None when its command id was answered before."""
    command = given.message
    if command.command_id in state.commands:
        return None
    meta = given.meta(command.command_id)
    if isinstance(command, m.SetMember):
        command = _leaving(state.reference, command)
    if isinstance(command, m.SetMemberDefaulted) and command.account_id in state.reference.defaulted:
        return None
    problem = next(CHECKS[type(command)](state.reference, command, given.at_us), None)
    if problem is not None:
        return m.ReferenceRejected(meta, command.command_id, command.requested_by, problem)
    return EVENTS[type(command)](meta, *(getattr(command, name) for name in type(command).__struct_fields__))


def _leaving(reference: Reference, command: m.SetMember) -> m.SetMember:
    """The command with the member that the account leaves, as far as nobody has named it."""
    return replace(command, from_member_id=command.from_member_id or reference.member_of(command.account_id))


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    fold(state.reference, event)
    if not isinstance(event, m.InputParked):
        state.commands.append(event.command_id)
        del state.commands[:-COMMANDS_KEPT]
    return state


def accounts(state: State) -> dict[str, Any]:
    """What is set for each account; of keys only their ids, since this is shown to operators."""
    reference = state.reference
    keys: dict[str, list[str]] = {}
    for key in reference.api_keys.values():
        keys.setdefault(key.account_id, []).append(f"{key.key_id}{' revoked' if key.revoked else ''}")
    return {
        account_id: {
            "name": reference.accounts.get(account_id, ""),
            "limits": to_builtins(reference.limits.get(account_id)),
            "fees": to_builtins(reference.fees.get(account_id)),
            "trading_state": reference.trading_states.get(account_id, "ACTIVE"),
            "keys": sorted(keys.get(account_id, [])),
        }
        for account_id in sorted({*reference.accounts, EVERYBODY})
    }


# -- checks: each yields what is wrong, most basic first -----------------------------------------------------


def _instrument(reference: Reference, command: m.SetInstrument, _: int) -> Iterator[str]:
    new = command.instrument
    if not (ASSET.fullmatch(new.base) and ASSET.fullmatch(new.quote)) or new.base == new.quote:
        yield "base and quote must be two different assets, each of 1 to 20 capitals and digits"
    if new.contract is None and new.instrument_id != f"{new.base}-{new.quote}":
        yield f"instrument_id must be {new.base}-{new.quote}"
    if new.contract is not None:
        yield from contracts.problems(new, new.contract)
        yield from margining.fits(reference, new, new.contract)
    if (known := reference.instruments.get(new.instrument_id)) is not None:
        yield from contracts.changes(known, new)
    if min(new.tick_e8, new.lot_e8, new.min_quantity_e8) <= 0:
        yield "tick, lot and min_quantity must be above zero"
    if new.min_quantity_e8 % new.lot_e8 or new.max_quantity_e8 % new.lot_e8:
        yield "min_quantity and max_quantity must be multiples of lot"
    if new.max_quantity_e8 < new.min_quantity_e8:
        yield "max_quantity is below min_quantity"
    if not 0 <= new.min_notional_e8 <= new.max_notional_e8:
        yield "min_notional must be from zero to max_notional"
    yield from settlement_days.of_instrument(new)
    if not new.listings and new.contract is None:
        yield "at least one listing is needed"
    if len({listing.venue for listing in new.listings}) < len(new.listings):
        yield "a venue is listed twice"
    for listing in new.listings:
        yield from _listing(new, listing)


def _listing(new: m.Instrument, listing: m.Listing) -> Iterator[str]:
    where = f"listing at {listing.venue[:40]!r}"
    if not NAME.fullmatch(listing.venue) or not 1 <= len(listing.symbol) <= 40:
        yield f"{where}: a venue is 1 to 32 of a-z, 0-9, _ and -, a symbol 1 to 40 characters"
    if min(listing.tick_e8, listing.lot_e8) <= 0 or min(listing.min_quantity_e8, listing.min_notional_e8) < 0:
        yield f"{where}: tick and lot must be above zero, the minima not below"
    if new.tick_e8 % listing.tick_e8 or new.lot_e8 % listing.lot_e8:
        yield f"{where}: the instrument's tick and lot must be multiples of the venue's, or the venue refuses orders"
    if max(abs(listing.maker_rate_e8), abs(listing.taker_rate_e8)) > RATE_MAX_E8:
        yield f"{where}: a fee rate is beyond 10 %"


def _account(reference: Reference, command: m.OpenAccount, _: int) -> Iterator[str]:
    if not ACCOUNT_ID.fullmatch(command.account_id):
        yield "account_id must be 1 to 40 letters, digits, _ and -"
    if not 1 <= len(command.name) <= TEXT_MAX:
        yield f"name must have 1 to {TEXT_MAX} characters"
    if command.account_id in reference.accounts:
        yield f"account {command.account_id} is open already"


def _known(reference: Reference, account_id: str) -> Iterator[str]:
    if account_id != EVERYBODY and account_id not in reference.accounts:
        yield f"account {account_id[:40]!r} is not open; * is everybody"


def _limits(reference: Reference, command: m.SetLimits, _: int) -> Iterator[str]:
    yield from _known(reference, command.account_id)
    new = command.limits
    if min(new.max_order_notional_e8, new.max_open_orders, new.max_messages_per_second) < 0:
        yield "no limit may be negative"
    if not 0 < new.collar_rate_e8 < ONE_E8:
        yield "collar_rate must be above 0 and below 1"
    if new.mark_max_age_us <= 0:
        yield "mark_max_age must be above zero"


def _fees(reference: Reference, command: m.SetFees, _: int) -> Iterator[str]:
    yield from _known(reference, command.account_id)
    base = command.fees
    if max(abs(base.maker_rate_e8), abs(base.taker_rate_e8)) > RATE_MAX_E8:
        yield "a fee rate is beyond 10 %"
    if len(base.tiers) > TIERS_MAX:
        yield f"at most {TIERS_MAX} tiers"
    for tier in base.tiers:
        if not ASSET.fullmatch(tier.asset) or tier.volume_e8 <= 0:
            yield "a tier needs an asset of 1 to 20 capitals and digits, and a volume above zero"
        if min(tier.maker_rate_e8, tier.taker_rate_e8) < -RATE_MAX_E8:
            yield "a tier's rebate is beyond 10 %"
        if tier.maker_rate_e8 > base.maker_rate_e8 or tier.taker_rate_e8 > base.taker_rate_e8:
            yield "a tier's rates must not be above the base rates: orders reserve the fee at those"
    if len({(tier.asset, tier.volume_e8) for tier in base.tiers}) < len(base.tiers):
        yield "two tiers have the same asset and volume"


def _call_terms(reference: Reference, command: m.SetCallTerms, _: int) -> Iterator[str]:
    yield from _known(reference, command.account_id)
    new = command.terms
    if not 0 < new.notice_us <= CALL_US_MAX or not 0 <= new.grace_us <= CALL_US_MAX:
        yield "notice must be above zero, grace not below; each at most 30 days"
    if not 0 < new.level_rate_e8 <= ONE_E8:
        yield "level_rate must be above 0 and at most 1"
    if new.least_e8 < 1:
        yield "least must be above zero"


def _account_terms(reference: Reference, command: m.SetAccountTerms, _: int) -> Iterator[str]:
    if command.account_id not in reference.accounts:
        yield f"account {command.account_id[:40]!r} is not open"
    if command.terms.positions not in cuts.POSITIONS or command.terms.costs not in cuts.COSTS:
        yield f"positions must be {' or '.join(cuts.POSITIONS)}, costs {' or '.join(cuts.COSTS)}"


def _trading_state(reference: Reference, command: m.SetTradingState, _: int) -> Iterator[str]:
    yield from _known(reference, command.account_id)
    if not 1 <= len(command.reason) <= TEXT_MAX:
        yield f"reason must have 1 to {TEXT_MAX} characters"


def _api_key(reference: Reference, command: m.CreateApiKey, at_us: int) -> Iterator[str]:
    new = command.api_key
    if not KEY_ID.fullmatch(new.key_id) or not SHA256_HEX.fullmatch(new.secret_sha256):
        yield "key_id must be 1 to 64 letters, digits, _ and -, and secret_sha256 64 hex digits"
    if new.key_id in reference.api_keys:
        yield f"key {new.key_id} exists already; ids are never used again"
    if not new.scopes or not set(new.scopes) <= set(SCOPES) or len(set(new.scopes)) < len(new.scopes):
        yield f"scopes must be some of {', '.join(SCOPES)}, each once"
    if new.account_id and new.account_id not in reference.accounts:
        yield f"account {new.account_id[:40]!r} is not open"
    if not new.account_id and new.scopes != ("admin",):
        yield "a key with scope read or trade needs an account"
    if not 1 <= new.requests_per_second <= REQUESTS_PER_SECOND_MAX:
        yield f"requests_per_second must be from 1 to {REQUESTS_PER_SECOND_MAX}"
    if new.revoked:
        yield "a new key cannot be revoked already"
    if new.expires_at_us is not None and new.expires_at_us <= at_us:
        yield "expires_at is in the past"


def _revocation(reference: Reference, command: m.RevokeApiKey, _: int) -> Iterator[str]:
    if command.key_id not in reference.api_keys:
        yield f"there is no key {command.key_id[:64]!r}"


def _member(reference: Reference, command: m.SetMember, _: int) -> Iterator[str]:
    for name in (command.account_id, command.member_id):
        if name not in reference.accounts:
            yield f"account {name[:40]!r} is not open"
    if command.member_id not in (command.account_id, reference.member_of(command.member_id)):
        yield f"{command.member_id[:40]} is itself a client of {reference.member_of(command.member_id)}: name a member"
    if command.member_id != command.account_id and (default_id := reference.defaulted.get(command.member_id)):
        yield f"{command.member_id[:40]} is in default ({default_id}) and takes no clients: name another member"
    clients = [one for one, member in reference.members.items() if member == command.account_id != one]
    if command.member_id != command.account_id and clients:
        yield f"{command.account_id} is the member of {clients[0]}: move its clients first"
    if (known := reference.member_of(command.account_id)) != command.from_member_id:
        yield f"{command.account_id} belongs to {known} now, and not to {command.from_member_id[:40]}"


def _member_limit(reference: Reference, command: m.SetMemberLimit, _: int) -> Iterator[str]:
    name = command.account_id
    if name not in reference.accounts:
        yield f"account {name[:40]!r} is not open"
    if reference.member_of(name) != name:
        yield f"{name} is itself a client of {reference.member_of(name)}: name a member"
    if not ASSET.fullmatch(command.asset):
        yield "asset must be 1 to 20 capitals and digits"
    if command.initial_max_e8 < 0:
        yield "the limit must not be negative; 0: it takes nobody over"


def _member_defaulted(reference: Reference, command: m.SetMemberDefaulted, _: int) -> Iterator[str]:
    if command.account_id not in reference.accounts:
        yield f"account {command.account_id[:40]!r} is not open"


CHECKS: Final[dict[type, Callable[[Reference, Any, int], Iterator[str]]]] = {
    m.SetInstrument: _instrument,
    m.OpenAccount: _account,
    m.SetLimits: _limits,
    m.SetFees: _fees,
    m.SetAccountTerms: _account_terms,
    m.SetTradingState: _trading_state,
    m.SetCallTerms: _call_terms,
    m.CreateApiKey: _api_key,
    m.RevokeApiKey: _revocation,
    m.SetMarginClass: margining.margin_class,
    m.SetCollateral: margining.collateral,
    m.SetMember: _member,
    m.SetMemberLimit: _member_limit,
    m.SetMemberDefaulted: _member_defaulted,
    m.SetSettlementCalendar: settlement_days.calendar,
}
"""What may be wrong with each command."""

EVENTS: Final[dict[type, Callable[..., Message]]] = {
    m.SetInstrument: m.InstrumentSet,
    m.OpenAccount: m.AccountOpened,
    m.SetLimits: m.LimitsSet,
    m.SetFees: m.FeesSet,
    m.SetAccountTerms: m.AccountTermsSet,
    m.SetTradingState: m.TradingStateSet,
    m.SetCallTerms: m.CallTermsSet,
    m.CreateApiKey: m.ApiKeyCreated,
    m.RevokeApiKey: m.ApiKeyRevoked,
    m.SetMarginClass: m.MarginClassSet,
    m.SetCollateral: m.CollateralSet,
    m.SetMember: m.MemberSet,
    m.SetMemberLimit: m.MemberLimitSet,
    m.SetMemberDefaulted: m.MemberDefaulted,
    m.SetSettlementCalendar: m.SettlementCalendarSet,
}
"""The event that each command leads to: its meta, then the command's fields."""

SERVICE: Final[Service[State]] = Service(
    name="gateway",
    owns=REFERENCE_EVENTS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    inputs=(REFERENCE_COMMANDS,),
    accounts=accounts,
)
