"""What must hold for parcels: what a decision lets an account get and give is booked at once, leg by leg, and once; the
two sides of an auction's bid cancel out but for what the insurance fund pays."""

from collections.abc import Callable, Iterable

from truetape import ids
from truetape import messages as m

Expect = Callable[..., None]
DUE = "due"
PREFIX = "parcel:"


class ParcelRules:
    """Parcels of one partition."""

    def __init__(self, expect: Expect) -> None:
        self._expect = expect
        self._waiting: list[tuple[str, str, m.ParcelLeg]] = []
        """(entry id, account, leg) of what must be booked next."""

    def taken(self, where: str, event: m.ParcelAnswered) -> None:
        """A parcel that this partition's account gets."""
        if event.state == "TAKEN" and not event.repeated:
            self._begin(where, event.parcel.parcel_id, event.parcel.account_id, event.parcel.legs)

    def decided(self, where: str, event: m.AuctionChanged) -> None:
        """What a home books of its own."""
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
