"""What must hold for parcels: what a decision lets an account get and give is booked at once, leg by leg, and once; the
two sides of an auction's bid cancel out but for what the insurance fund pays, and it keeps for takers what it has."""

from collections.abc import Callable, Iterable, Mapping

from truetape import ids
from truetape import messages as m

Expect = Callable[..., None]
DUE = "due"
PREFIX = "parcel:"
FUND = "house:insurance"


class ParcelRules:
    """Parcels of one partition."""

    def __init__(self, expect: Expect, balances: Mapping[str, Mapping[str, int]]) -> None:
        self._expect, self._balances = expect, balances
        self._insolvent: dict[str, m.AuctionChanged] = {}
        """Auctions that may pay takers, as the newest record of each says."""
        self._waiting: list[tuple[str, str, m.ParcelLeg]] = []
        """(entry id, account, leg) of what must be booked next."""

    def taken(self, where: str, event: m.ParcelAnswered) -> None:
        """A parcel that this partition's account gets."""
        if event.state == "TAKEN" and not event.repeated:
            self._begin(where, event.parcel.parcel_id, event.parcel.account_id, event.parcel.legs)

    def decided(self, where: str, event: m.AuctionChanged) -> None:
        """What a home books of its own."""
        self._kept(where, event)
        if event.bid is None:
            name = f"{event.auction_id}:fee"
        else:
            name = f"{ids.parcel_id(event.auction_id, event.bid.bid_id)}:home"
        if event.change == "TAKEN" and event.bid is not None:
            sums = summed([*event.bid.legs, *event.legs])
            self._expect(
                not any(sums.values()), "the two sides of a bid cancel out", where, event.account_id, "0 of each", sums
            )
        self._begin(where, name, event.account_id, event.legs)

    def _kept(self, where: str, event: m.AuctionChanged) -> None:
        """Takers are paid out of what is kept for them, and no unit is kept for two auctions."""
        before, account = self._insolvent.pop(event.auction_id, None), event.account_id
        if event.change == "TAKEN" and event.bid is not None and before is not None:
            wanted_e8 = before.insurance_e8 - event.bid.received_e8
            right = event.insurance_e8 == wanted_e8 >= 0
            self._expect(right, "takers get what is kept for them", where, account, wanted_e8, event.insurance_e8)
        if event.kind != "insolvent" or event.state == "ENDED":
            return
        self._insolvent[event.auction_id] = event
        kept_e8 = sum(one.insurance_e8 for one in self._insolvent.values() if one.asset == event.asset)
        has_e8 = self._balances.get(FUND, {}).get(event.asset, 0)
        self._expect(kept_e8 <= has_e8, "the fund keeps for takers what it has", where, account, has_e8, kept_e8)

    def deleveraged(self, where: str, event: m.DeleveragingChanged) -> None:
        """What a home decides of holders, and what it books of its own when one of them has closed his part."""
        account = event.account_id
        if event.change == "DECIDED":
            ranks, wanted = [part.rank for part in event.parts], list(range(1, len(event.parts) + 1))
            self._expect(ranks == wanted, "holders are asked in order", where, account, wanted, ranks)
            rates = [part.numbers.get("rate_e8", 0) for part in event.parts]
            falling = rates == sorted(rates, reverse=True)
            self._expect(falling, "the highest rank comes first", where, account, "falling rates", rates)
            asked_e8 = sum(part.quantity_e8 for part in event.parts)
            some = 0 < abs(asked_e8) <= abs(event.quantity_e8) and asked_e8 * event.quantity_e8 > 0
            self._expect(some, "no more is closed than is held", where, account, event.quantity_e8, asked_e8)
            for part in event.parts:
                held_e8 = part.numbers["held_e8"]
                only = abs(part.quantity_e8) <= abs(held_e8) and part.quantity_e8 * held_e8 < 0
                self._expect(only, "a holder only closes", where, part.account_id, held_e8, part.quantity_e8)
        if event.change == "TAKEN":
            (part,) = event.parts
            sums = {part.account_id: part.quantity_e8, account: sum(leg.quantity_e8 for leg in event.legs)}
            flat = not sum(sums.values())
            self._expect(flat, "the two sides of a deleveraging cancel out", where, account, "0 contracts", sums)
            self._begin(where, f"{part.parcel_id}:home", account, event.legs)

    def _begin(self, where: str, name: str, account: str, legs: tuple[m.ParcelLeg, ...]) -> None:
        self._expect(
            not self._waiting, "a parcel is booked at once, leg by leg", where, account, "nothing", self._waiting[:1]
        )
        self._waiting = [(f"{name}/{number}", account, leg) for number, leg in enumerate(legs)]

    def answered(self, where: str, meta: m.Meta, account: str, entry: m.EntryBooked | None) -> bool:
        """Any entry, or a leg that is set aside; whether it is a parcel's."""
        cause = meta.cause
        if cause.source != DUE or not cause.id.startswith(PREFIX):
            idle = not self._waiting or cause.source == DUE  # A leg may make the end of its contract due.
            self._expect(idle, "a parcel is booked at once, leg by leg", where, account, self._waiting[:1], cause.id)
            return False
        wanted = self._waiting.pop(0) if self._waiting else ("", "", None)
        says = (cause.id.removeprefix(PREFIX), account)
        self._expect(says == wanted[:2], "a parcel is booked at once, leg by leg", where, account, wanted[:2], says)
        if entry is not None and wanted[2] is not None:
            leg, moved = wanted[2], _moved(entry, wanted[2])
            right = leg.quantity_e8 if leg.instrument_id else leg.amount_e8
            self._expect(moved == right, "an entry books its leg", where, account, right, moved)
        return True


def _moved(entry: m.EntryBooked, leg: m.ParcelLeg) -> int:
    """What the entry does to who gets the leg: contracts, or money."""
    who = f"client:{entry.account_id}" if leg.instrument_id else leg.ledger
    what = leg.instrument_id or leg.asset
    return sum(line.amount_e8 for line in entry.lines if line.account == who and line.asset == what)


def summed(legs: Iterable[m.ParcelLeg]) -> dict[str, int]:
    """Contracts by instrument and money by asset, of all sides together."""
    found: dict[str, int] = {}
    for leg in legs:
        name, amount_e8 = (leg.instrument_id, leg.quantity_e8) if leg.instrument_id else (leg.asset, leg.amount_e8)
        found[name] = found.get(name, 0) + amount_e8
    return found
