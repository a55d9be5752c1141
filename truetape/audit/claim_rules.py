"""What must hold for claims of a compression: each participant's is booked as it was told, payments follow from what
was stated, and nobody gets more than has come in."""

from collections.abc import Callable

from truetape import messages as m
from truetape.claims import settlement
from truetape.remainder import carried

Expect = Callable[..., None]
KIND = "COMPRESSION_REST"
CLAIMED, PAID = "COMPRESSION", "SETTLEMENT_PAYMENT"
OLDER = "value_day"
"""In the outcome of a run that an older version has decided: it booked no claims."""
SILENT = ("COMPRESSED", "OPEN")
"""Legs of trades that end and that are left: they have no entries."""


def claimed(expect: Expect, where: str, event: m.RoundDecided, told: m.CompressionChanged | None) -> None:
    """The claims of a run are the payments that its participants have accepted."""
    if event.detail or told is None or OLDER in event.outcome:
        return
    wanted = {one.account_id: one.amount_e8 for one in told.payments if one.amount_e8}
    found = {leg.account_id: leg.amount_e8 for leg in event.legs if leg.event == CLAIMED}
    expect(found == wanted, "a compression claims what it said", where, event.account_id, wanted, found)


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding]) -> None:
    """A decision, from what all partitions have stated."""
    terms, home = event.round, event.account_id
    wanted, told = settlement(terms.numbers, stated), {leg.account_id: leg.amount_e8 for leg in event.legs}
    expect(told == wanted.legs, "claims are paid from what has come in", where, home, wanted.legs, told)
    follows, goes_on = bool(carried(event.outcome)), bool(wanted.left_e8)
    expect(follows == goes_on, "a round follows until all claims are settled", where, home, goes_on, follows)


def booked(expect: Expect, where: str, leg: m.RoundLeg, entry: m.EntryBooked) -> None:
    """A claim stands against the house; what pays one moves cash, at most what its leg says."""
    account, sums = entry.account_id, dict[str, int]()
    for line in entry.lines:
        sums[line.account] = sums.get(line.account, 0) + line.amount_e8
    claim_e8 = sums.pop(f"claim:{account}", 0)
    if leg.event == CLAIMED:
        wanted = {"house:compression": -leg.amount_e8}
        expect((claim_e8, sums) == (leg.amount_e8, wanted), "a claim is booked whole", where, account, wanted, sums)
        return
    paid_e8 = sums.pop(f"client:{account}", 0)
    within = min(0, leg.amount_e8) <= paid_e8 <= max(0, leg.amount_e8)
    expect(within and not sums and claim_e8 == -paid_e8, "a claim is paid in cash", where, account, leg, sums)
