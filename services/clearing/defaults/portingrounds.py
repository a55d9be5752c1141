"""What happens to all clients of a member in default at once: the window opens everywhere, and when it is over one
decision says who moves and who is closed out (truetape/default/porting.py).

Both are rounds, asked for by the member's partition. They have a home of their own, so that a client who cannot be
margined now never keeps the waterfall waiting: whoever cannot be decided is decided by the next round, a minute later.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.clearing.across import requests
from services.clearing.across.kind import Decision, Kind, Stated, no_legs
from services.clearing.booking import trades
from services.clearing.defaults.portbook import Verdict, Window
from services.clearing.defaults.waterfalls import in_default
from services.clearing.margining import margin
from services.clearing.margining.watch import ask
from services.clearing.state import UNKNOWN, State
from truetape import ids
from truetape.default import porting as rules
from truetape.default.porting import Client, Need, Receiver
from truetape.margin.account import AssetMargin
from truetape.messages import (
    ActOnPorting,
    ClearingRefused,
    DefaultChanged,
    RoundHolding,
    RoundRequested,
    RoundSettling,
    RoundTerms,
)
from truetape.reference import Reference
from truetape.service import Input
from truetape.topics import PARTITIONS

HOME: Final = "house:porting"
OPENING: Final = "PORTING_WINDOW"
DECIDING: Final = "PORTING"
WINDOW_US: Final = 4 * 3_600_000_000
"""How long clients have to find a member, unless the house ends it before."""
AGAIN_US: Final = 60_000_000
"""After how long those who could not be decided are decided again."""
OUTCOMES_MAX: Final = 3_000
"""Clients that one round decides; the others are left to the next."""
OPEN: Final = "OPEN"
MOVE: Final = "MOVE"
LIMIT: Final = "limit_e8"
"""How an outcome names the limits that it kept: limit_e8/RECEIVER/ASSET."""
LEFT: Final = "left"
"""How many clients a round could not decide."""
UNDECIDED: Final = ("REQUESTED", "ACCEPTED", "REFUSED")
RECEIVER: Final = "receiver/"


def clients_of(reference: Reference, member_id: str) -> Iterator[str]:
    """Accounts that a member answers for, beside its own."""
    return (name for name, member in sorted(reference.members.items()) if member == member_id != name)


# -- the window, in the member's partition -----------------------------------------------------------------------------


def tick(state: State, given: Input) -> RoundRequested | None:
    """Open the window of a member that is in default, or decide when it is over."""
    for member_id, known in sorted(state.defaults.items()):
        window = state.portings.windows.get(member_id)
        if window is None or (window.default_id != known.default_id and member_id not in state.borne):
            if known.state != "ENDED" and any(clients_of(given.tables.reference, member_id)):
                return _opening(given, known)
        elif _lasts(state, window) and given.at_us >= window.expires_at_us:
            return _deciding(given, member_id, window, "clock", "clearing")
    return None


def _lasts(state: State, window: Window) -> bool:
    """Whether a window is open and no round of it runs."""
    return not window.closed and not requests.waits(state, window.round_id)


def _opening(given: Input, known: DefaultChanged) -> RoundRequested:
    names = {"account_id": known.account_id, "default_id": known.default_id}
    numbers = {"expires_at_us": given.at_us + WINDOW_US}
    terms = RoundTerms(f"{known.default_id}/{OPENING}", OPENING, HOME, known.asset, numbers, names, "clearing")
    return requests.request(given, known.account_id, terms)


def _deciding(
    given: Input, member_id: str, window: Window, actor: str, by: str, command_id: str = "", reason: str = ""
) -> RoundRequested:
    names = {"account_id": member_id, "default_id": window.default_id, "actor": actor, "reason": reason}
    round_id = f"{window.default_id}/{DECIDING}/{window.deciding + 1}"
    terms = RoundTerms(
        round_id, DECIDING, HOME, window.asset, {"expires_at_us": window.expires_at_us}, names, by
    )  # fmt: skip
    return requests.request(given, member_id, terms, command_id)


def end(state: State, given: Input, command: ActOnPorting) -> RoundRequested | ClearingRefused:
    """The house's word: the window is over now."""
    window = state.portings.windows.get(command.account_id)
    if window is None or not _lasts(state, window):
        detail = f"{command.account_id} has no window that is open, or it is being decided"
        return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)
    if not command.reason.strip():
        detail = "say why: it stands on the tape for ever"
        return trades.refused(given, command.command_id, command.account_id, command, "REASON_MISSING", detail)
    return _deciding(
        given, command.account_id, window, "house", command.requested_by, command.command_id, command.reason
    )


def requested(state: State, event: RoundRequested) -> None:
    """The window as it is now."""
    terms, windows = event.round, state.portings.windows
    if terms.kind == OPENING and event.attempt == 0:
        windows[event.account_id] = Window(
            terms.ids["default_id"], terms.asset, terms.numbers["expires_at_us"], terms.round_id
        )
    elif terms.kind == DECIDING and event.attempt == 0:
        windows[event.account_id].round_id = terms.round_id
        windows[event.account_id].deciding += 1


def settling(state: State, event: RoundSettling) -> None:
    """The clients of this partition are due, one record each; the member's window goes on while some are left."""
    terms, book = event.round, state.portings
    if terms.kind == OPENING:
        found = [(one.account_id, Verdict(terms, OPEN)) for one in state.rounds.here[terms.round_id].holdings]
    elif terms.kind == DECIDING:
        found = [*_verdicts(terms, event.outcome, event.partition)]
        window = book.windows.get(terms.ids["account_id"])
        if window is not None and window.round_id == terms.round_id:
            window.closed = event.outcome.get(LEFT) == 0
            window.expires_at_us = event.meta.decided_at_us + AGAIN_US
    else:
        return
    run_id = f"{event.meta.epoch}.{event.meta.sequence}"
    for account_id, verdict in found:
        book.verdicts[account_id] = verdict
        ask(state.watch, run_id, account_id, terms.asset, "PORT", "")


def _verdicts(terms: RoundTerms, outcome: Mapping[str, int], partition: int) -> Iterator[tuple[str, Verdict]]:
    for name in sorted(outcome):
        kind, _, rest = name.partition("/")
        account_id, _, receiver_id = rest.partition("/")
        if account_id and kind != LIMIT and ids.partition_of(account_id, PARTITIONS) == partition:
            yield account_id, Verdict(terms, kind, receiver_id)


# -- what each partition states ----------------------------------------------------------------------------------------


def _here(given: Input) -> Iterator[tuple[str, str]]:
    """Clients whose partition this is, with their members."""
    for name, member_id in sorted(given.tables.reference.members.items()):
        if member_id != name and ids.partition_of(name, PARTITIONS) == given.partition:
            yield name, member_id


def _clients(_: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """The member's clients."""
    return [RoundHolding(name, "", {}) for name, member in _here(given) if member == terms.ids["account_id"]]


def _stated(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """The member's clients with what they have and need; what the clients of others need already; who is in default."""
    found = [RoundHolding(name, "", {"defaulted": 1}) for name in sorted(state.defaults) if _barred(state, given, name)]
    taken: dict[tuple[str, str], int] = {}
    unsure: dict[str, None] = {}
    for name, member_id in _here(given):
        known = state.portings.open.get(name)
        if known is not None and known.state == "MOVING":
            member_id = known.receiver_id  # Decided; reference data may not say so yet.
        if member_id == terms.ids["account_id"]:
            if known is None or known.state in UNDECIDED:
                found.append(RoundHolding(name, "", _numbers(state, given, name)))
        elif member_id in given.tables.reference.member_limits:
            needs = margins_of(state, given, name)
            if isinstance(needs, str):
                unsure[member_id] = None
                continue
            for asset, one in needs.items():
                taken[member_id, asset] = taken.get((member_id, asset), 0) + one.initial_e8
    found += [RoundHolding(name, asset, {"taken_e8": sum_e8}) for (name, asset), sum_e8 in sorted(taken.items())]
    return [*found, *(RoundHolding(name, "", {"unsure": 1}) for name in unsure)]


def _barred(state: State, given: Input, account_id: str) -> bool:
    """Whether reference data gives nobody to an account any more, or will not."""
    return in_default(state, account_id) or account_id in given.tables.reference.defaulted


def _numbers(state: State, given: Input, account_id: str) -> dict[str, int]:
    known = state.portings.open.get(account_id)
    numbers = evidence(state, given, account_id)
    receiver_id = known.receiver_id if known is not None else state.portings.chosen.get(account_id, "")
    if receiver_id:
        numbers[f"{RECEIVER}{receiver_id}"] = int(known is not None and known.state == "ACCEPTED")
    return numbers


def evidence(state: State, given: Input, account_id: str) -> dict[str, int]:
    """What a client has in contracts and needs for them: `doubt` where that cannot be said now."""
    needs = margins_of(state, given, account_id)
    if isinstance(needs, str):
        return {"doubt": 1}
    numbers: dict[str, int] = {}
    for asset, one in sorted(needs.items()):
        numbers |= {
            f"margin_e8/{asset}": one.equity_e8, f"initial_e8/{asset}": one.initial_e8,
            f"maintenance_e8/{asset}": one.maintenance_e8,
        }  # fmt: skip
    for name, position in sorted(state.accounts.get(account_id, UNKNOWN).positions.items()):
        if position.quantity_e8:
            numbers[f"quantity_e8/{name}"] = position.quantity_e8
    return numbers


def margins_of(state: State, given: Input, account_id: str) -> dict[str, AssetMargin] | str:
    """An account's margin by settlement asset, or why it cannot be said."""
    if account_id not in state.accounts:
        return {}
    return margin.margins_of(state, given, account_id)


# -- what home decides -------------------------------------------------------------------------------------------------


def _opened(_: Input, __: RoundTerms, stated: Stated) -> Decision:
    """Nobody is refused a window."""
    return Decision((), {"clients": len(stated)})


def _decide(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Who moves and who is closed out; who cannot be judged now is left."""
    holdings = [one for _, one in stated]
    defaulted = {one.account_id for one in holdings if "defaulted" in one.numbers}
    unsure = {one.account_id for one in holdings if "unsure" in one.numbers}
    others = ("defaulted", "unsure", "taken_e8")
    clients = [one for one in holdings if not any(name in one.numbers for name in others)]
    ready = [one for one in clients if not _left(one, defaulted, unsure)]
    outcome = rules.port([_client(one) for one in ready], [*_receivers(given, ready, holdings, defaulted)], terms.asset)
    said = [f"{MOVE}/{one.client.account_id}/{one.receiver_id}" for one in outcome.ported]
    said += [f"{one.reason}/{one.client.account_id}" for one in outcome.closed_out]
    said = said[:OUTCOMES_MAX]
    taking = sorted({one.receiver_id for one in outcome.ported})
    kept = {
        f"{LIMIT}/{name}/{asset}": limit_e8
        for name in taking
        for asset, limit_e8 in given.tables.reference.member_limits.get(name, {}).items()
    }
    return Decision((), dict.fromkeys(said, 1) | kept | {LEFT: len(clients) - len(said)})


def _left(one: RoundHolding, defaulted: set[str], unsure: set[str]) -> bool:
    """Whether only a margin that cannot be said stands between a client and the member that takes him."""
    receiver_id, accepted = _chosen(one)
    return accepted and receiver_id not in defaulted and ("doubt" in one.numbers or receiver_id in unsure)


def _chosen(one: RoundHolding) -> tuple[str, bool]:
    for name, accepted in one.numbers.items():
        if name.startswith(RECEIVER):
            return name.removeprefix(RECEIVER), bool(accepted)
    return "", False


def _client(one: RoundHolding) -> Client:
    numbers = one.numbers
    assets = [name.removeprefix("margin_e8/") for name in numbers if name.startswith("margin_e8/")]
    needs = {
        asset: Need(numbers[f"margin_e8/{asset}"], numbers[f"initial_e8/{asset}"], numbers[f"maintenance_e8/{asset}"])
        for asset in assets
    }
    held = {
        name.removeprefix("quantity_e8/"): amount_e8
        for name, amount_e8 in numbers.items()
        if name.startswith("quantity_e8/")
    }
    return Client(one.account_id, held, needs, _chosen(one)[0])


def _receivers(
    given: Input, clients: Sequence[RoundHolding], stated: Sequence[RoundHolding], defaulted: set[str]
) -> Iterator[Receiver]:
    """Every member that is chosen, with the room that its limits leave beside the clients that it has."""
    taken: dict[tuple[str, str], int] = {}
    for one in stated:
        key = one.account_id, one.asset
        taken[key] = taken.get(key, 0) + one.numbers.get("taken_e8", 0)
    chosen = {one.account_id: _chosen(one) for one in clients}
    for member_id in sorted({receiver_id for receiver_id, _ in chosen.values() if receiver_id}):
        limits = given.tables.reference.member_limits.get(member_id, {})
        room_e8 = {asset: limit_e8 - taken.get((member_id, asset), 0) for asset, limit_e8 in limits.items()}
        accepts = frozenset(name for name, (receiver_id, yes) in chosen.items() if yes and receiver_id == member_id)
        yield Receiver(member_id, accepts, room_e8, member_id in defaulted)


KINDS: Final[Mapping[str, Kind]] = {
    OPENING: Kind(_clients, _opened, no_legs),
    DECIDING: Kind(_stated, _decide, no_legs),
}
