"""The common pass criterion: what must hold after every fault, in one place.

`quiesce` lets everything come to rest, `judge` then asks the tape (by the independent reader), the venues, the views,
the audit and the reconciler. Each promise gets the list of what breaks it; all lists must be empty.
"""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import psycopg

from tests.chaos import reader
from tests.chaos.load import Acknowledged, Load
from tests.chaos.stage import Stage, wait_until
from truetape import demo
from truetape.client import Refused, Unreachable

ENDED: Final = ("REJECTED", "FILLED", "CANCELLED", "EXPIRED")
QUIET_SECONDS: Final = 120.0
CANCELLED_SECONDS: Final = 30.0
"""How long an acknowledged cancel may take once everything works again, before everything is cancelled."""
AUDIT_SECONDS: Final = 300.0
RETRIES: Final = 12
SHOWN_MAX: Final = 5
Findings = dict[str, list[str]]


def quiesce(stage: Stage, load: Load) -> list[str]:
    """Until no order is open and every fill is booked, in the views. What acknowledged cancels have not ended by then,
    before everything is cancelled again: ids of orders."""
    deadline = time.monotonic() + CANCELLED_SECONDS
    while (uncancelled := _open_of(stage, load.cancelled)) and time.monotonic() < deadline:
        time.sleep(0.2)

    def quiet() -> bool:
        if rows(stage, "SELECT 1 FROM view.orders WHERE NOT (status = ANY(%s)) LIMIT 1", list(ENDED)):
            _cancel_everything(stage)
            return False
        fills, booked = rows(stage, "SELECT count(*) FROM view.fills UNION ALL SELECT count(*) FROM view.entries "
                                    "WHERE execution_id IS NOT NULL")  # fmt: skip
        return bool(fills == booked)

    wait_until(quiet, "all orders ended and all fills booked", QUIET_SECONDS)
    return uncancelled


def _open_of(stage: Stage, order_ids: list[str]) -> list[str]:
    query = "SELECT order_id FROM view.orders WHERE order_id = ANY(%s) AND NOT (status = ANY(%s))"
    return [order_id for (order_id,) in rows(stage, query, order_ids, list(ENDED))]


def _cancel_everything(stage: Stage) -> None:
    for account in stage.keys:
        with stage.client(account) as client:
            try:
                client.cancel_all()
            except (Refused, Unreachable):
                continue  # The next round tries again.


def rows(stage: Stage, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of the views, asked of PostgreSQL itself."""
    with psycopg.connect(stage.postgres, connect_timeout=10) as connection:
        return connection.execute(query.encode(), values).fetchall()


def judge(stage: Stage, load: Load, tape: reader.Verdict, uncancelled: Iterable[str]) -> Findings:
    """What breaks each promise, after `quiesce`, which says what was not cancelled."""
    since_us = time.time_ns() // 1000
    found = {
        "every acknowledged order is there and has ended": _acknowledged(stage, load),
        "what was refused came to nothing": _refused(stage, load),
        "every acknowledged cancel ended its order, or the venue refused it": _cancelled(tape, uncancelled),
        "a retry gives the same order, or the same refusal": _retried(stage, load),
        "the venues' fills are booked once, none is invented": _fills(stage, tape),
        "the independent reader finds nothing": _read(stage, tape),
        "money sums to zero": _sums(stage),
        "nothing stays reserved": _reservations(stage),
        "the audit is equal, live and rebuilt alike, views too": _audit(stage),
        "exactly the planted breaks are open": _breaks(stage, since_us),
    }
    return {promise: _short(broken) for promise, broken in found.items()}


def _short(broken: Iterable[str]) -> list[str]:
    listed = list(broken)
    hidden = len(listed) - SHOWN_MAX
    return listed[:SHOWN_MAX] + ([f"and {hidden} more"] if hidden > 0 else [])


def _acknowledged(stage: Stage, load: Load) -> list[str]:
    found = [f"{one} was never answered definitely" for one in load.doubtful]
    found += [f"{one} was answered with two order ids" for one in load.differing]
    known = _orders(stage)
    for one in load.acknowledged:
        order_id, status = known.get((one.account_id, one.client_order_id), ("", "lost"))
        if order_id != one.order_id or status not in ENDED:
            found.append(
                f"{one.client_order_id}: acknowledged as {one.order_id}, found {order_id or 'nothing'} {status}"
            )
    return found


def _orders(stage: Stage) -> dict[tuple[str, str], tuple[str, str]]:
    """Order id and status by account and client order id."""
    query = "SELECT account_id, client_order_id, order_id, status FROM view.orders"
    return {(account, name): (order_id, status) for account, name, order_id, status in rows(stage, query)}


def _refused(stage: Stage, load: Load) -> list[str]:
    known = _orders(stage)
    return [
        f"{account} was told {code} for {name}, whose order is {known[account, name][1]}"
        for (account, name), code in load.refusals.items()
        if known.get((account, name), ("", "REJECTED"))[1] != "REJECTED"
    ]


def _cancelled(tape: reader.Verdict, uncancelled: Iterable[str]) -> list[str]:
    """The router gives a cancel up after some tries, and says so on the tape."""
    given_up = {raw.body["order_id"] for raw in tape.accepted["orders.executions"]
                if raw.kind == "CancelRejectedByVenue"}  # fmt: skip
    return [f"the cancel of {order_id} was acknowledged, and it stayed open" for order_id in uncancelled
            if order_id not in given_up]  # fmt: skip


def _retried(stage: Stage, load: Load) -> list[str]:
    found = []
    [(before,)] = rows(stage, "SELECT count(*) FROM view.orders")
    for one in load.acknowledged[:: max(1, len(load.acknowledged) // RETRIES)]:
        wanted = load.refusals.get((one.account_id, one.client_order_id), one.order_id)
        if (again := _again(stage, one)) != wanted:
            found.append(f"{one.client_order_id} was answered {wanted}, and now {again}")
    [(after,)] = rows(stage, "SELECT count(*) FROM view.orders")
    return found + ([f"{after - before} orders came from retries"] if after != before else [])


def _again(stage: Stage, one: Acknowledged) -> str:
    """The order id that a retry is told; the code where a 202 turned out to be a refusal, which is told again too."""
    with stage.client(one.account_id) as client:
        try:
            return client.submit(**one.terms, client_order_id=one.client_order_id).order_id
        except Refused as refusal:
            return refusal.code


def _fills(stage: Stage, tape: reader.Verdict) -> list[str]:
    theirs: Counter[str] = Counter()
    for venue in stage.venues:
        theirs.update(
            f"{venue}:{trade['symbol']}:{trade['id']}:{'B' if trade['isBuyer'] else 'S'}"
            for trade in stage.admin(venue, "GET", f"/trades?account={demo.VENUE_ACCOUNT}")
            if trade["clientOrderId"].startswith("TT")
        )
    on_tape = Counter(r.body["execution_id"] for r in tape.accepted["orders.executions"] if r.kind == "OrderFilled")
    in_view = Counter(one for (one,) in rows(stage, "SELECT execution_id FROM view.fills"))
    booked = Counter(one for (one,) in rows(stage, "SELECT execution_id FROM view.entries WHERE kind = 'TRADE'"))
    sides = {"the tape": on_tape, "the view of fills": in_view, "the journal": booked}
    return [
        f"{one}: the venue has it {theirs[one]} times, {side} {ours[one]} times"
        for side, ours in sides.items()
        for one in sorted(theirs.keys() | ours.keys())
        if theirs[one] != ours[one]
    ] or ([] if theirs else ["there is no fill at all"])


def _read(stage: Stage, tape: reader.Verdict) -> list[str]:
    return reader.check(tape, received(stage))


def received(stage: Stage) -> list[str]:
    """Client order ids of the orders that reached the venues, as the venues tell."""
    return [one["client_order_id"] for venue in stage.venues for one in stage.admin(venue, "GET", "/received")]


def _sums(stage: Stage) -> list[str]:
    query = "SELECT asset, sum(amount_e8)::text FROM view.balances GROUP BY 1 HAVING sum(amount_e8) <> 0"
    return [f"{asset}: {total} in all" for asset, total in rows(stage, query)]


def _reservations(stage: Stage) -> list[str]:
    query = "SELECT account_id, asset, reserved_e8::text FROM view.credit WHERE reserved_e8 <> 0"
    return [f"{account} has {held} {asset} reserved" for account, asset, held in rows(stage, query)]


def _audit(stage: Stage) -> list[str]:
    _, report = stage.cli("audit", "--json", "--require-live", timeout=AUDIT_SECONDS)
    found = [f"{one['check']} {one['where']} {one['account_id']} {one['what']}: {one['tape']} / {one['other']}"[:300]
             for one in report["differences"]]  # fmt: skip
    found += report["gaps"] + [f"{view['view']}: {view['verdict']}" for view in report["views"]
                               if view["verdict"] != "equal"]  # fmt: skip
    for one in report["partitions"]:
        if one["records"] and one["live"] != "equal":
            found.append(f"{one['service']} {one['partition']}: live is {one['live']}")
        if one["snapshot"] not in ("equal", "none"):
            found.append(f"{one['service']} {one['partition']}: snapshot is {one['snapshot']}")
    found += [f"{number} {what}" for what, number in report["pending"].items()]
    return found if found or report["equal"] else ["the audit is not equal"]


def _breaks(stage: Stage, since_us: int) -> list[str]:
    """Empty once comparisons with both venues, begun after everything was quiet, show the planted breaks alone."""
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        _, told = stage.cli("breaks", "--json")
        found = {(one["break_class"], one["venue"], one["key"]) for one in told["breaks"]}
        fresh = set(told["newest"]) == set(stage.venues) and min(told["newest"].values()) > since_us
        if fresh and not any(told["pending"].values()) and found == stage.planted:
            return []
        if time.monotonic() > deadline:
            late = [] if fresh else [f"no comparison since {since_us}: {told['newest']}"]
            return [f"open {sorted(found)}, planted {sorted(stage.planted)}, pending {told['pending']}", *late]
        time.sleep(0.5)
