"""Routes of contracts: publish a fact, read a contract's settlement prices, funding and ends; take an entry back; close
one side of a position against the other."""

from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.administration import PROBLEMS, by, changed, command_id_of
from services.gateway.ledger import ask_every_partition, carried_out
from services.gateway.parsing import decimal, positive
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, position, reply, sheet_reply
from services.gateway.trading import SENDING
from truetape import api_reports as a
from truetape import clock, facts
from truetape import messages as m
from truetape.facts import Told
from truetape.instruments import moment_us, without_schedule
from truetape.log import Part
from truetape.money import from_e8
from truetape.topics import CLEARING_ENTRIES

routes = Routes("contracts")
E10: Final = 10**10
NEVER: Final = 2**63 - 1
ENDED: Final = ("DELISTING", "RENAME", "CONTRACT_SIZE")
"""Facts that end a contract before its expiry."""
_VIEWS: Final = ("view_behind", "view_unavailable")

TAKEN: Final = Query(
    "facts taken",
    """
SELECT (array_agg(body::text ORDER BY partition))[1] AS body, count(*) AS partitions,
    sum((body->>'due')::bigint)::bigint AS accounts
FROM view.events
WHERE type = 'ContractFactTaken' AND coalesce(body->'fact'->>'instrument_id', body->>'instrument_id') = %s
    AND (%s = '' OR body->'fact'->>'kind' = %s) AND (body->'fact'->>'effective_at_us')::bigint < %s
GROUP BY body->'fact'->>'fact_id' ORDER BY max((body->'fact'->>'effective_at_us')::bigint) DESC LIMIT %s
""",
)
"""Arguments: contract, kind twice (empty: all), before which time, how many."""
MISSING: Final = Query(
    "facts missing",
    """
SELECT body::text AS body FROM view.events
WHERE type = 'FixingMissing' AND coalesce(body->'fact'->>'instrument_id', body->>'instrument_id') = %s
    AND (%s = '' OR body->>'kind' = %s) AND (body->>'effective_at_us')::bigint < %s
ORDER BY (body->>'effective_at_us')::bigint DESC LIMIT %s
""",
)
"""Arguments as of TAKEN."""
PLACE_OF_ENTRY: Final = Query(
    "place of an entry", 'SELECT partition, "offset" FROM view.entries WHERE entry_id = %s AND account_id = %s'
)
_NO_META: Final = msgspec.to_builtins(m.Meta(0, 0, m.Cause("", 0, -1, ""), 0, "", ""))


@routes.add("GET", "/v1/contracts/{instrument_id}/facts", "read", query=r.FactsQuery, answers={200: a.Facts},
            problems=_VIEWS)  # fmt: skip
async def list_facts(call: Call) -> Response:
    """Settlement prices, funding steps and ends of a contract, newest first, with their evidence.

    What recorded prices did not give is listed as MISSING until an operator has named it. `form=csv` gives a table
    instead.
    """
    asked, name = call.query(r.FactsQuery), call.path("instrument_id")
    before_us = NEVER if asked.cursor is UNSET else int(asked.cursor)
    kind = "" if asked.kind is UNSET else asked.kind
    arguments = (name, kind, kind, min(before_us, NEVER), asked.limit + 1)
    taken = await call.gateway.reads.rows(TAKEN, *arguments)
    missing = await call.gateway.reads.rows(MISSING, *arguments)
    found = facts.history([*map(_missing, missing), *map(_taken, taken)])
    shown, cursor = _page(found, asked.limit)
    if asked.form == "csv":
        return sheet_reply(facts.as_csv(shown))
    return reply(a.Facts([msgspec.convert(facts.plain(one), a.Fact) for one in shown], cursor))


def _page(found: list[Told], limit: int) -> tuple[list[Told], str | None]:
    """At most so many, and where the next page begins: facts of one moment stay together."""
    if len(found) <= limit:
        return found, None
    cut_us = found[limit].effective_at_us
    shown = [one for one in found[:limit] if one.effective_at_us > cut_us] or found[:limit]
    return shown, str(shown[-1].effective_at_us)


def _taken(row: dict[str, Any]) -> Told:
    body = msgspec.json.decode(row["body"])
    event = msgspec.convert({**body, "meta": _NO_META, "due": []}, m.ContractFactTaken)
    return facts.of_taken(event, row["partitions"], row["accounts"])


def _missing(row: dict[str, Any]) -> Told:
    return facts.of_missing(msgspec.convert({**msgspec.json.decode(row["body"]), "meta": _NO_META}, m.FixingMissing))


@routes.add("POST", "/v1/admin/facts", "admin", body=r.FactRequest, answers={200: a.FactPublished},
            problems=("fact_refused", *PROBLEMS))  # fmt: skip
async def publish_fact(call: Call) -> Response:
    """Let a fact about a contract count: in every partition of the ledger, for everybody who holds it.

    Pricing makes settlement prices, funding and expiries by itself; this is for what it said to be missing, and for
    delistings and moves. A partition takes a fact once, by its id: sending the same again is safe.
    """
    fact = _fact(call, call.body(r.FactRequest))
    answers = await ask_every_partition(call, fact)
    taken = [answer.event for answer in answers if isinstance(answer.event, m.ContractFactTaken)]
    for event in (answer.event for answer in answers):
        if isinstance(event, m.ClearingRefused) and event.reason != "COMMAND_REPEATED":
            count = len(taken)
            raise Problem("fact_refused", event.detail, fact_id=fact.fact_id, reason=event.reason, taken=count)
    if fact.kind in ENDED:
        await _unschedule(call, fact)
    accounts = sum(len(set(event.due) - {""}) for event in taken)
    index = facts.decimal_e18(int(taken[0].funding_index_e18)) if taken else ""
    at = rendering.moment(fact.effective_at_us)
    return reply(a.FactPublished(fact.fact_id, at, len(taken), accounts, index))


async def _unschedule(call: Call, fact: m.ContractFact) -> None:
    """Pricing makes no more facts of a contract that has ended before its expiry; sending the fact again sees to it."""
    known = call.gateway.bus.reference.instruments.get(fact.instrument_id)
    if known is not None and (ended := without_schedule(known)) != known:
        await changed(call, m.SetInstrument(f"ended:{fact.fact_id}", by(call), ended))


def _fact(call: Call, asked: r.FactRequest) -> m.ContractFact:
    """Raises Problem for a time or number that cannot be."""
    at_us = _effective(call, asked)
    numbers: dict[str, int] = {}
    names: dict[str, str] = {}
    if asked.rate is not UNSET:
        numbers["rate_e18"] = decimal("rate", asked.rate) * E10
    if asked.elapsed_seconds is not UNSET:
        numbers["elapsed_us"] = asked.elapsed_seconds * 1_000_000
    if asked.new_instrument_id is not UNSET:
        numbers |= {"ratio": asked.ratio, "ratio_per": asked.ratio_per}
        names["new_instrument_id"] = asked.new_instrument_id
    to = names.get("new_instrument_id", "")
    name = facts.fact_id(asked.kind, asked.instrument_id, at_us, to) if asked.fact_id is UNSET else asked.fact_id
    return m.ContractFact(
        name, asked.kind, asked.instrument_id, at_us, at_us, call.key.key_id, decimal("price", asked.price), numbers,
        names,
    )  # fmt: skip


def _effective(call: Call, asked: r.FactRequest) -> int:
    if asked.effective_at is not UNSET:
        try:
            return moment_us(asked.effective_at)
        except (ValueError, OverflowError) as error:
            raise field_problem("effective_at", str(error)) from error
    known = call.gateway.bus.reference.instruments.get(asked.instrument_id)
    terms = known.contract if known is not None else None
    if asked.kind == "EXPIRY" and terms is not None and terms.expires_at_us is not None:
        return terms.expires_at_us
    return clock.now_us()


@routes.add("POST", "/v1/admin/corrections", "admin", body=r.CorrectionRequest, answers={200: a.Corrected},
            problems=("entry_not_found", "correction_refused", "view_unavailable", *SENDING))  # fmt: skip
async def correct_entry(call: Call) -> Response:
    """Take an entry back by one that names it: a trade that its venue busted, or one that was wrong."""
    asked = call.body(r.CorrectionRequest)
    rows = await call.gateway.reads.rows(PLACE_OF_ENTRY, asked.entry_id, asked.account_id)
    if not rows:
        raise Problem("entry_not_found", f"{asked.account_id} has no entry {asked.entry_id[:100]!r} in the views yet")
    part = Part(CLEARING_ENTRIES.name, rows[0]["partition"])
    if (entry := await call.gateway.record_at(part, rows[0]["offset"])) is None:
        raise Problem("broker_unavailable", "the entry cannot be read from the tape now; nothing was sent")
    command = m.CorrectEntry(
        command_id_of(call), asked.account_id, asked.entry_id, entry, asked.busted, call.key.key_id, asked.reason
    )
    answer = await carried_out(call, command, "correction_refused")
    event: Any = answer.event
    at = rendering.moment(event.meta.decided_at_us)
    done = a.Corrected(event.entry_id, asked.entry_id, asked.account_id, event.meta.event_id, at)
    return reply(done, 200, position((answer.part, answer.offset)))


@routes.add("POST", "/v1/contracts/close-outs", "trade", body=r.CloseOutRequest, answers={200: a.ClosedOut},
            problems=("close_out_refused", *SENDING))  # fmt: skip
async def close_out(call: Call) -> Response:
    """Close long contracts of a hedging account against its short ones: profit is realised, no money moves."""
    asked = call.body(r.CloseOutRequest)
    command = m.CloseOut(
        command_id_of(call), call.account_id, asked.instrument_id, positive("quantity", asked.quantity),
        call.key.key_id,
    )  # fmt: skip
    answer = await carried_out(call, command, "close_out_refused")
    event: Any = answer.event
    done = a.ClosedOut(
        command.command_id, event.instrument_id, from_e8(event.quantity_e8), from_e8(event.realised_e8),
        from_e8(event.long_e8), from_e8(event.short_e8), event.meta.event_id,
    )  # fmt: skip
    return reply(done, 200, position((answer.part, answer.offset)))
