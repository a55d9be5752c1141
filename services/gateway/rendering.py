"""From the tape's structs and the views' rows to answers: decimals as strings, times as RFC 3339."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET, convert

from services.gateway.known import Decided
from services.gateway.problems import Problem
from truetape import api as a
from truetape import api_marks as marks
from truetape import messages as m
from truetape.halts import halts
from truetape.instruments import contract_shown, marking_shown
from truetape.messages import OrderTerms
from truetape.money import ONE_E8, divide, from_e8
from truetape.reference import EVERYBODY, Reference
from truetape.shown import disagreement as disagreement
from truetape.shown import event as event
from truetape.shown import fill as fill
from truetape.shown import maybe_decimal as maybe_decimal
from truetape.shown import maybe_moment as maybe_moment
from truetape.shown import moment as moment
from truetape.shown import numbers as numbers
from truetape.shown import order as order

Row = dict[str, Any]
_SECOND_US: Final = 1_000_000


# -- orders ----------------------------------------------------------------------------------------------------------


def order_answer(order: OrderTerms, decision: Decided | None) -> a.Submitted:
    """The answer to a submission, from terms and decision alone, so that a repetition has the same bytes."""
    return a.Submitted(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        instrument_id=order.instrument_id,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        quantity=from_e8(order.quantity_e8),
        price=maybe_decimal(order.price_e8),
        position_effect=order.position_effect or UNSET,  # type: ignore[arg-type]
        status="PENDING" if decision is None else "ACCEPTED",
        decided_at=None if decision is None else moment(decision.decided_at_us),
        decision_id=None if decision is None else decision.event_id,
    )


def refusal(decision: Decided, more: str = "") -> Problem:
    """The problem document of an order that risk refused, from the decision alone; `more` says what to do next."""
    assert decision.reason is not None
    order = decision.order
    seen = numbers(decision.numbers)
    saw = f"; it saw {', '.join(f'{name} {value}' for name, value in seen.items())}" if seen else ""
    return Problem(
        decision.reason.lower(), f"risk refused the order: {decision.reason}{saw}{more}", reason=decision.reason,
        numbers=seen, order_id=order.order_id, client_order_id=order.client_order_id,
        decided_at=moment(decision.decided_at_us), decision_id=decision.event_id,
    )  # fmt: skip


def undecided(submission: Row) -> a.Order:
    """An order of which the views have the submission alone."""
    terms = submission["body"]["order"]
    return a.Order(
        order_id=terms["order_id"], client_order_id=terms["client_order_id"], account_id=terms["account_id"],
        instrument_id=terms["instrument_id"], side=terms["side"], order_type=terms["order_type"],
        time_in_force=terms["time_in_force"], post_only=terms["post_only"], quantity=from_e8(terms["quantity_e8"]),
        price=maybe_decimal(terms["price_e8"]), status="PENDING", filled="0", average_price=None, limit_price=None,
        reason=None, numbers=None, decided_at=None, updated_at=moment(submission["at_us"]), decision_id=None,
        position_effect=terms.get("position_effect") or UNSET,
    )  # fmt: skip


def decision_of(row: Row) -> Decided:
    """The decision that a row of view.orders holds."""
    known = {name: row[name] for name in OrderTerms.__struct_fields__}
    terms = OrderTerms(**known | {"position_effect": row["position_effect"] or ""})
    return Decided(
        terms, row["accepted"], row["decided_at_us"], row["decision_event_id"], row["decision_offset"],
        row["reason"], row["numbers"],
    )  # fmt: skip


def position(row: Row) -> a.Position:
    """A position of the views."""
    quantity_e8, cost_e8 = row["quantity_e8"], row["cost_e8"]
    sign = 1 if quantity_e8 > 0 else -1
    average_e8 = divide(sign * cost_e8 * ONE_E8, abs(quantity_e8), "half_even")[0] if quantity_e8 else None
    return a.Position(
        row["instrument_id"], from_e8(quantity_e8), from_e8(cost_e8), maybe_decimal(average_e8),
        from_e8(row["realised_e8"]), maybe_moment(row["updated_at_us"]),
    )  # fmt: skip


def balance(asset: str, balance_e8: int, reserved_e8: int) -> a.Balance:
    """A balance."""
    return a.Balance(asset, from_e8(balance_e8), from_e8(reserved_e8), from_e8(balance_e8 - reserved_e8))


def entry(row: Row, lines: Iterable[Row]) -> a.Entry:
    """A journal entry of the views."""
    return a.Entry(
        entry_id=row["entry_id"], kind=row["kind"], rule=row["rule"], order_id=row["order_id"],
        execution_id=row["execution_id"], external_reference=row["external_reference"],
        realised=from_e8(row["realised_e8"]), transacted_at=moment(row["transacted_at_us"]),
        booked_at=moment(row["booked_at_us"]),
        lines=[a.Line(x["account"], x["asset"], from_e8(x["amount_e8"]), x["purpose"]) for x in lines],
    )  # fmt: skip


# -- reference data --------------------------------------------------------------------------------------------------

_MONEY: Final = (
    "tick",
    "lot",
    "min_quantity",
    "max_quantity",
    "min_notional",
    "max_notional",
    "maker_rate",
    "taker_rate",
)


def _decimals(source: Any) -> dict[str, str]:
    return {name: from_e8(getattr(source, f"{name}_e8")) for name in _MONEY if hasattr(source, f"{name}_e8")}


def instrument(known: m.Instrument) -> a.Instrument:
    """An instrument of the reference table."""
    listings = [a.Listing(venue=one.venue, symbol=one.symbol, **_decimals(one)) for one in known.listings]
    return a.Instrument(
        instrument_id=known.instrument_id, base=known.base, quote=known.quote, tradable=known.tradable,
        listings=listings, **_decimals(known),
        contract=None if known.contract is None else a.Contract(**contract_shown(known.contract)),
        marking=None if known.marking is None else a.Marking(**marking_shown(known.marking)),
        settlement_lag_days=known.settlement_lag_days,
    )  # fmt: skip


def mark(known: m.MarkPublished) -> marks.Mark:
    """The newest mark of an instrument."""
    return marks.Mark(
        known.instrument_id, from_e8(known.price_e8), from_e8(known.bid_e8), from_e8(known.ask_e8), known.venue,
        moment(known.observed_at_us), known.age_us // 1000, list(map(_source, known.sources)),
    )  # fmt: skip


def withheld(known: m.MarkWithheld) -> marks.MarkWithheld:
    """Why an instrument has no mark now."""
    return convert(
        {
            "instrument_id": known.instrument_id, "reason": known.reason, "venues_least": known.venues_least,
            "outlier_rate": from_e8(known.outlier_rate_e8), "at": moment(known.meta.decided_at_us),
            "sources": list(map(_source, known.sources)),
        },
        marks.MarkWithheld,
    )  # fmt: skip


def _source(one: m.MarkSource) -> marks.MarkSource:
    said = {name: getattr(one, name) for name in ("venue", "status")}
    money = {"bid": from_e8(one.bid_e8), "ask": from_e8(one.ask_e8), "observed_at": moment(one.observed_at_us)}
    return convert(said | money, marks.MarkSource)


def key(known: m.ApiKey) -> a.Key:
    """An API key without anything secret."""
    return a.Key(
        known.key_id, known.account_id, list(known.scopes), known.requests_per_second, known.revoked,
        maybe_moment(known.expires_at_us),
    )  # fmt: skip


def account(reference: Reference, account_id: str, restrictions: Mapping[str, str]) -> a.Account:
    """An account and what holds for it, with what risk has restricted."""
    limits, fees = reference.limits_of(account_id), reference.fees_of(account_id)
    return a.Account(
        account_id=account_id,
        name=reference.accounts.get(account_id, ""),
        trading_state=reference.trading_state_of(account_id),
        limits={
            "max_order_notional": from_e8(limits.max_order_notional_e8),
            "max_open_orders": limits.max_open_orders,
            "max_messages_per_second": limits.max_messages_per_second,
            "collar_rate": from_e8(limits.collar_rate_e8),
            "mark_max_age_ms": limits.mark_max_age_us // 1000,
        },
        fees=fees_shown(fees),
        terms=_terms(reference.account_terms.get(account_id)),
        call_terms=_call_terms(reference.call_terms_of(account_id)),
        halts=halts(reference, account_id, restrictions),
    )


def _terms(terms: m.AccountTerms | None) -> dict[str, str]:
    """NETTING at AVERAGE costs where nothing is set."""
    return (
        {"positions": terms.positions, "costs": terms.costs} if terms else {"positions": "NETTING", "costs": "AVERAGE"}
    )


def _call_terms(terms: m.CallTerms) -> dict[str, Any]:
    return {
        "notice_seconds": terms.notice_us // _SECOND_US, "grace_seconds": terms.grace_us // _SECOND_US,
        "level_rate": from_e8(terms.level_rate_e8), "least": from_e8(terms.least_e8),
    }  # fmt: skip


def fees_shown(fees: m.Fees) -> dict[str, Any]:
    """Fees as the admin API takes them."""
    tiers = [
        {
            "asset": tier.asset, "volume": from_e8(tier.volume_e8), "maker_rate": from_e8(tier.maker_rate_e8),
            "taker_rate": from_e8(tier.taker_rate_e8),
        }
        for tier in fees.tiers
    ]  # fmt: skip
    return {"maker_rate": from_e8(fees.maker_rate_e8), "taker_rate": from_e8(fees.taker_rate_e8), "tiers": tiers}


def accounts(reference: Reference, restricted: Mapping[str, Mapping[str, str]]) -> a.Accounts:
    """All accounts; of those that risk has restricted, by what."""
    everybody, names = reference.trading_state_of(EVERYBODY), sorted(reference.accounts)
    return a.Accounts(everybody, [account(reference, name, restricted.get(name, {})) for name in names])


def transfer(terms: m.TransferTerms, decided_at_us: int | None, event_id: str | None) -> a.Transfer:
    """A deposit or withdrawal, from its terms and the decision alone."""
    return a.Transfer(
        transfer_id=terms.transfer_id, account_id=terms.account_id, asset=terms.asset, amount=from_e8(terms.amount_e8),
        location=terms.location, external_reference=terms.external_reference,
        status="PENDING" if event_id is None else "APPROVED", decided_at=maybe_moment(decided_at_us),
        decision_id=event_id,
    )  # fmt: skip


def difference(row: Row) -> a.Break:
    """A break of the views."""
    return a.Break(
        break_id=row["break_id"], break_class=row["break_class"], venue=row["venue"], key=row["key"],
        account_id=row["account_id"], ours=from_e8(row["ours_e8"]), theirs=from_e8(row["theirs_e8"]),
        first_seen_at=moment(row["first_seen_at_us"]), owner=row["owner"], evidence=row["evidence"],
        closed_at=maybe_moment(row["closed_at_us"]), closed_reason=row["closed_reason"],
    )  # fmt: skip
