"""Routes of administrators: reference commands, keys, and what is set."""

import hashlib
from typing import Any, Final

from msgspec import UNSET, to_builtins
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.bus import Answer
from services.gateway.parsing import decimal
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import BREAKS, RESTRICTIONS
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.submission import idempotency_key, unknown_outcome
from services.gateway.trading import HIT, SENDING
from truetape import api as a
from truetape import chance, clock, ids
from truetape import messages as m
from truetape.errors import MoneyError
from truetape.instruments import contract_terms

routes = Routes("administration")
PROBLEMS: Final = ("reference_rejected", "idempotency_key_reused", *SENDING)
_SECRET_BYTES: Final = 32
Command = (
    m.SetInstrument
    | m.OpenAccount
    | m.SetLimits
    | m.SetFees
    | m.SetAccountTerms
    | m.SetTradingState
    | m.SetCallTerms
    | m.CreateApiKey
    | m.RevokeApiKey
    | m.SetMarginClass
    | m.SetCollateral
    | m.SetMember
    | m.SetMemberLimit
    | m.SetSettlementCalendar
)


@routes.add("POST", "/v1/admin/instruments", "admin", body=r.InstrumentRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_instrument(call: Call) -> Response:
    """Define or change an instrument."""
    asked = call.body(r.InstrumentRequest)
    listings = tuple(_listing(number, listing) for number, listing in enumerate(asked.listings))
    names = ("tick", "lot", "min_quantity", "max_quantity", "min_notional", "max_notional")
    money = {f"{name}_e8": decimal(name, getattr(asked, name)) for name in names}
    instrument = m.Instrument(
        instrument_id=asked.instrument_id, base=asked.base, quote=asked.quote, tradable=asked.tradable,
        listings=listings, contract=None if asked.contract is UNSET else _contract(asked.contract), **money,
        marking=None if asked.marking is UNSET else _marking(asked.marking),
        settlement_lag_days=asked.settlement_lag_days,
    )  # fmt: skip
    return await changed(call, m.SetInstrument(command_id_of(call), by(call), instrument))


def _marking(asked: r.MarkingRequest) -> m.MarkTerms:
    return m.MarkTerms(asked.venues_least, decimal("marking.outlier_rate", asked.outlier_rate))


def _contract(asked: r.ContractRequest) -> m.ContractTerms:
    try:
        return contract_terms(to_builtins(asked))
    except (MoneyError, ValueError) as error:
        raise field_problem("contract", str(error)) from error


def _listing(number: int, asked: r.ListingRequest) -> m.Listing:
    names = ("tick", "lot", "min_quantity", "min_notional", "maker_rate", "taker_rate")
    money = {f"{name}_e8": decimal(f"listings[{number}].{name}", getattr(asked, name)) for name in names}
    return m.Listing(asked.venue, asked.symbol, **money)


@routes.add("POST", "/v1/admin/accounts", "admin", body=r.AccountRequest, answers={200: a.Changed}, problems=PROBLEMS)
async def open_account(call: Call) -> Response:
    """Open a client account."""
    asked = call.body(r.AccountRequest)
    return await changed(call, m.OpenAccount(command_id_of(call), by(call), asked.account_id, asked.name))


@routes.add("GET", "/v1/admin/accounts", "admin", answers={200: a.Accounts},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_accounts(call: Call) -> Response:
    """All client accounts, what is set for them, and why one takes no orders or only those that reduce."""
    await call.see_reference()
    await call.see_answers()
    restricted: dict[str, dict[str, str]] = {}
    for row in await call.gateway.reads.rows(RESTRICTIONS):
        restricted.setdefault(row["account_id"], {})[row["name"]] = row["because"]
    return reply(rendering.accounts(call.gateway.bus.reference, restricted))


@routes.add("POST", "/v1/admin/limits", "admin", body=r.LimitsRequest, answers={200: a.Changed}, problems=PROBLEMS)
async def set_limits(call: Call) -> Response:
    """Set all pre-trade limits of an account, or the default."""
    asked = call.body(r.LimitsRequest)
    limits = m.Limits(
        decimal("max_order_notional", asked.max_order_notional),
        asked.max_open_orders,
        asked.max_messages_per_second,
        decimal("collar_rate", asked.collar_rate),
        asked.mark_max_age_ms * 1000,
    )
    return await changed(call, m.SetLimits(command_id_of(call), by(call), asked.account_id, limits))


@routes.add("POST", "/v1/admin/fees", "admin", body=r.FeesRequest, answers={200: a.Changed}, problems=PROBLEMS)
async def set_fees(call: Call) -> Response:
    """Set what the house charges an account, or everybody."""
    asked = call.body(r.FeesRequest)
    tiers = tuple(
        m.FeeTier(
            tier.asset, decimal("tiers.volume", tier.volume), decimal("tiers.maker_rate", tier.maker_rate),
            decimal("tiers.taker_rate", tier.taker_rate),
        )
        for tier in asked.tiers
    )  # fmt: skip
    fees = m.Fees(decimal("maker_rate", asked.maker_rate), decimal("taker_rate", asked.taker_rate), tiers)
    return await changed(call, m.SetFees(command_id_of(call), by(call), asked.account_id, fees))


@routes.add("POST", "/v1/admin/account-terms", "admin", body=r.AccountTermsRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_account_terms(call: Call) -> Response:
    """Set how an account's positions are cut: netting or hedging, average costs or first in first out."""
    asked = call.body(r.AccountTermsRequest)
    terms = m.AccountTerms(asked.positions, asked.costs)
    return await changed(call, m.SetAccountTerms(command_id_of(call), by(call), asked.account_id, terms))


@routes.add("POST", "/v1/admin/call-terms", "admin", body=r.CallTermsRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_call_terms(call: Call) -> Response:
    """Set how an account, or everybody, is called for margin."""
    asked = call.body(r.CallTermsRequest)
    terms = m.CallTerms(
        asked.notice_seconds * 1_000_000, asked.grace_seconds * 1_000_000, decimal("level_rate", asked.level_rate),
        decimal("least", asked.least),
    )  # fmt: skip
    return await changed(call, m.SetCallTerms(command_id_of(call), by(call), asked.account_id, terms))


@routes.add("POST", "/v1/admin/trading-state", "admin", body=r.TradingStateRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_trading_state(call: Call) -> Response:
    """Move the kill switch of an account, or of everybody. Cancels pass in every state."""
    asked = call.body(r.TradingStateRequest)
    command = m.SetTradingState(command_id_of(call), by(call), asked.account_id, asked.state, asked.reason)
    return await changed(call, command)


@routes.add("POST", "/v1/admin/keys", "admin", body=r.KeyRequest, answers={201: a.KeyCreated},
            problems=("reference_rejected", "invalid_header", *SENDING))  # fmt: skip
async def create_key(call: Call) -> Response:
    """Create an API key. Its secret is in this answer and nowhere else.

    This cannot be repeated safely, since the secret is not kept: when the answer is lost, revoke and create another.
    """
    if call.header(b"idempotency-key"):
        raise Problem("invalid_header", "a key's secret cannot be told twice, so there is no Idempotency-Key here")
    asked = call.body(r.KeyRequest)
    secret = chance.token_urlsafe(_SECRET_BYTES)
    lifetime = asked.expires_in_seconds
    expires_at_us = None if lifetime is UNSET else clock.now_us() + lifetime * 1_000_000
    api_key = m.ApiKey(
        key_id=f"tk-{ids.random_id()[:16]}",
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        account_id="" if asked.account_id is UNSET else asked.account_id,
        scopes=tuple(asked.scopes),
        requests_per_second=asked.requests_per_second,
        revoked=False,
        expires_at_us=expires_at_us,
    )
    answer, _ = await _carry_out(call, m.CreateApiKey(ids.random_id(), by(call), api_key))
    created = a.KeyCreated(
        api_key.key_id, f"{api_key.key_id}.{secret}", api_key.account_id, list(api_key.scopes),
        api_key.requests_per_second, rendering.maybe_moment(api_key.expires_at_us), answer.event.command_id,
    )  # fmt: skip
    return reply(created, 201, position((answer.part, answer.offset)) | {"Cache-Control": "no-store"})


@routes.add("GET", "/v1/admin/keys", "admin", answers={200: a.Keys})
async def list_keys(call: Call) -> Response:
    """All API keys, without their secrets."""
    return reply(a.Keys([rendering.key(one) for one in await call.listed(lambda known: known.api_keys)]))


@routes.add("DELETE", "/v1/admin/keys/{key_id}", "admin", answers={200: a.Changed}, problems=PROBLEMS)
async def revoke_key(call: Call) -> Response:
    """Revoke an API key for ever, at once."""
    return await changed(call, m.RevokeApiKey(command_id_of(call), by(call), call.path("key_id")))


@routes.add("GET", "/v1/admin/breaks", "admin", query=r.BreaksQuery, answers={200: a.Breaks},
            problems=("view_unavailable",))  # fmt: skip
async def list_breaks(call: Call) -> Response:
    """Differences between the books and the venues, oldest first; at most 1 000."""
    rows = await call.gateway.reads.rows(BREAKS, bool(call.query(r.BreaksQuery).open))
    return reply(a.Breaks([rendering.difference(row) for row in rows]))


# -- commands --------------------------------------------------------------------------------------------------------


async def changed(call: Call, command: Command) -> Response:
    """Send a reference command and say what it changed. Raises Problem."""
    answer, hit = await _carry_out(call, command)
    meta: m.Meta = answer.event.meta
    changed = a.Changed(command.command_id, meta.event_id, rendering.moment(meta.decided_at_us))
    return reply(changed, 200, position((answer.part, answer.offset)) | (HIT if hit else {}))


async def _carry_out(call: Call, command: Command) -> tuple[Answer, bool]:
    """The event that answers a reference command, and whether it was there before. Raises Problem."""
    bus = call.gateway.bus
    answer = bus.outcomes.get(command.command_id)
    hit = answer is not None
    if answer is None:
        waiter = bus.send_reference(command)
        answer = await bus.answer(waiter)
        if answer is None:
            raise unknown_outcome("the command", command_id=command.command_id)
    event = answer.event
    if isinstance(event, m.ReferenceRejected):
        raise Problem("reference_rejected", event.reason, command_id=command.command_id)
    if isinstance(event, m.InputParked):
        raise Problem("command_set_aside", event.reason, command_id=command.command_id)
    if hit and _content(event) != _content(command):
        raise Problem("idempotency_key_reused", "the Idempotency-Key belongs to a command with another content")
    return answer, hit


def _content(message: Any) -> tuple[Any, ...]:
    """What a command asks for, or what an event says was done; the two compare."""
    ignored = ("meta", "requested_by", "from_member_id")
    return tuple(getattr(message, name) for name in message.__struct_fields__ if name not in ignored)


def command_id_of(call: Call) -> str:
    """Id of a command: from the Idempotency-Key, else random: a repeated command id gives no second event."""
    key = idempotency_key(call)
    if not key:
        return ids.random_id()
    text = f"{call.key.key_id}:{call.route.operation_id}:{key}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def known_account(call: Call) -> str:
    """The account that the path names. Raises Problem account_unknown."""
    account_id = call.path("account_id")
    if account_id not in call.gateway.bus.reference.accounts:
        raise Problem("account_unknown", f"there is no account {account_id[:64]!r}; GET /v1/admin/accounts lists all")
    return account_id


def by(call: Call) -> str:
    """Who asks, as the tape will say."""
    return call.key.key_id
