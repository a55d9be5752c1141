"""Deposits and withdrawals that clients ask for through the gateway, again under the same reference when no answer
comes, sometimes with other terms; and what they were told."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from tests.simulation.gateways import Answer
from truetape import messages as m
from truetape.money import from_e8

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence

DESK: Final = "desk"
"""The key with which the house records what arrived and left."""
BANK: Final = "bank:settlement"
REUSED: Final = "external_reference_reused"


class Asked(Protocol):
    """What clients ask for."""

    transfer: m.TransferTerms | None


def request_of(terms: m.TransferTerms, chance: Random) -> tuple[str, str, bytes]:
    """Key, path and body: a client withdraws by itself, or the desk does it; deposits are recorded by the desk."""
    withdrawal = terms.amount_e8 < 0
    asked = {
        "asset": terms.asset, "amount": from_e8(abs(terms.amount_e8)), "location": terms.location,
        "external_reference": terms.external_reference,
    }  # fmt: skip
    if withdrawal and chance.random() < 0.7:
        return terms.account_id, "/v1/withdrawals", msgspec.json.encode(asked)
    path = "/v1/admin/withdrawals" if withdrawal else "/v1/admin/deposits"
    return DESK, path, msgspec.json.encode(asked | {"account_id": terms.account_id})


def otherwise(terms: m.TransferTerms, chance: Random) -> m.TransferTerms:
    """The same reference, by mistake, for another amount."""
    return replace(terms, amount_e8=terms.amount_e8 * chance.choice((2, 3, -1)))


@dataclass
class Transfers:
    """What clients were told of their transfers."""

    counts: Counter[str]
    approved: dict[str, tuple[m.TransferTerms, bytes]] = field(default_factory=dict)
    """By transfer id: what was asked for, and the first answer that it is approved."""
    refused: list[tuple[m.TransferTerms, str]] = field(default_factory=list)
    """With risk's reason."""
    reused: list[m.TransferTerms] = field(default_factory=list)
    """Refused because the reference belongs to other terms."""
    lies: list[str] = field(default_factory=list)

    def heard(self, ask: Asked, answer: Answer, told: dict[str, Any]) -> None:
        """An answer that is the last word."""
        terms = ask.transfer
        assert terms is not None
        if told.get("transfer_id") != terms.transfer_id or answer.status not in (201, 422):
            self.lies.append(f"transfer {terms}: {answer.status} {answer.body!r}")
        elif answer.status == 201:
            first = self.approved.setdefault(terms.transfer_id, (terms, answer.body))
            if first != (terms, answer.body):
                self.lies.append(f"transfer {terms.transfer_id} was told {first}, then {(terms, answer.body)}")
            self.counts["transfer told again"] += answer.headers.get("idempotency-hit") == "true"
        elif told["code"] == REUSED:
            self.reused.append(terms)
        else:
            self.refused.append((terms, told["reason"]))

    def untrue(self, found: "Evidence") -> Iterator[str]:
        """What a client was told that the tape does not say; what was approved and is not booked once."""
        yield from self.lies
        on_tape: dict[str, m.TransferApproved] = {}
        for event in found.events(m.TransferApproved):
            if event.transfer.transfer_id in on_tape:
                yield f"transfer {event.transfer.transfer_id} was approved twice"
            on_tape[event.transfer.transfer_id] = event
        yield from self._untrue_approvals(on_tape)
        yield from self._untrue_refusals(found, on_tape)
        yield from self._not_booked_once(found, on_tape)

    def _untrue_approvals(self, on_tape: dict[str, m.TransferApproved]) -> Iterator[str]:
        for transfer_id, (terms, body) in self.approved.items():
            event = on_tape.get(transfer_id)
            told = msgspec.json.decode(body)
            if event is None or (event.transfer, event.meta.event_id) != (terms, told["decision_id"]):
                yield f"transfer {terms} was told as approved, the tape says {event}"

    def _untrue_refusals(self, found: "Evidence", on_tape: dict[str, m.TransferApproved]) -> Iterator[str]:
        for terms in self.reused:
            if terms.transfer_id not in on_tape or on_tape[terms.transfer_id].transfer == terms:
                yield f"{terms} was refused as another's reference, the tape says {on_tape.get(terms.transfer_id)}"
        rejected = [(event.transfer, event.reason) for event in found.events(m.TransferRejected)]
        yield from (
            f"{one} was told as refused, the tape has no such refusal" for one in self.refused if one not in rejected
        )
        yield from (
            f"withdrawal {terms} was told as refused for {reason} and approved all the same"
            for terms, reason in self.refused
            if terms.amount_e8 < 0 and terms.transfer_id in on_tape and on_tape[terms.transfer_id].transfer == terms
        )

    def _not_booked_once(self, found: "Evidence", on_tape: dict[str, m.TransferApproved]) -> Iterator[str]:
        booked: dict[str, list[int]] = {}
        for _, entry in found.entries:
            if entry.kind in ("DEPOSIT", "WITHDRAWAL"):
                sums = (line.amount_e8 for line in entry.lines if line.account == f"client:{entry.account_id}")
                booked.setdefault(entry.entry_id, []).append(sum(sums))
        for transfer_id, event in on_tape.items():
            if booked.pop(transfer_id, []) != [event.transfer.amount_e8]:
                yield f"transfer {event.transfer} is not booked once as approved"
        yield from (f"{entry_id} is booked, and was never approved" for entry_id in booked)
