"""Effects of clearing: commands to other partitions, after the record that they follow is in place.

A leg's partition is outside of the one that decides, as a venue is: it is told by a command under an id of its own, and
told again until it has answered. Commands topics have many writers, so a command that is lost or comes twice harms
nobody. The same holds for a liquidation's order, which goes to risk.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import structlog

from services.clearing.across import parcels, requests, roundcommands
from services.clearing.across.pursuit import Sent as Command
from services.clearing.across.pursuit import told_home
from services.clearing.closeout import auction, deleveraging, liquidations
from services.clearing.defaults import default, porting
from services.clearing.otc import bilateral
from services.clearing.state import State
from truetape import ids
from truetape.codec import Message, encode
from truetape.happenings import Part
from truetape.liquidation import ALARM_ASKED
from truetape.messages import (
    AuctionChanged,
    CancelAllOrders,
    ClearingRefused,
    DefaultChanged,
    DeleveragingChanged,
    EntryBooked,
    LegChanged,
    LegsAskedAgain,
    LiquidationChanged,
    MoveChanged,
    OpenRound,
    ParcelAnswered,
    ParcelsAskedAgain,
    PortingChanged,
    RoundRequested,
    SetMember,
    SetMemberDefaulted,
    SubmitOrder,
    TradeChanged,
)
from truetape.service import Sent
from truetape.topics import CLEARING_COMMANDS, ORDERS_COMMANDS, REFERENCE_COMMANDS, Topic

_log = structlog.get_logger()
Append = Callable[[Part, bytes, bytes, Sequence[tuple[str, bytes]], Any], None]
"""How a record is written, as `Log.append`."""
IN_PLACE: Final = Sent(lambda _: None)
"""Nobody waits for a command's report, but a wrong one makes the loop step down: nothing gets through behind it."""


def _alarm(event: Message) -> None:
    """Something was asked so often without an answer that somebody has to look; said once, and shown until it comes."""
    match event:
        case LiquidationChanged() if event.asked == ALARM_ASKED:
            order_id = event.order.order_id if event.order is not None and event.state == "SELLING" else ""
            _log.error("liquidation not answered", account_id=event.account_id, order_id=order_id, detail=event.detail)
        case DefaultChanged(state="DECLARED") if event.command_id and event.waived:
            who, names = event.waived_by, list(event.waived)
            _log.warning("a default waits no longer for orders", account_id=event.account_id, by=who, order_ids=names)
        case DefaultChanged(state="DECLARED") if event.attempt == ALARM_ASKED:
            _log.error("orders of a default have not ended", account_id=event.account_id, detail=event.detail)
        case _:
            pass


class Session:
    """Sends what follows from records of clearing."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: dict[int, State] = {}

    def heeds(self, event: Message) -> bool:
        """Entries of spot concern nobody else."""
        return type(event) is not EntryBooked or event.contract is not None

    def act(self, partition: int, event: Message) -> None:
        """The event is on the tape, in place: tell the other partitions."""
        _alarm(event)
        match event:
            case TradeChanged() | MoveChanged() | LegsAskedAgain():
                self._send(bilateral.commands_after(self._waiting.get(partition), event))
            case EntryBooked() | ClearingRefused() | LegChanged():
                told = told_home(event)
                self._send([told] if told is not None else ())
            case LiquidationChanged(state="SELLING"):
                self._submit(liquidations.submitted(self._waiting[partition], event))
            case DefaultChanged():
                self._default(default.commands_after(event))
                self._set_member(porting.barred(event))
            case RoundRequested():
                self._default([requests.command_after(event)])
            case PortingChanged():
                self._set_member(porting.command_after(event))
            case AuctionChanged() if event.change == "OFFERED":
                parcel = auction.offered(event)
                self._send([parcels.asked(parcel, parcel.parcel_id)])
            case DeleveragingChanged():
                self._deleverage(deleveraging.commands_after(event))
            case ParcelAnswered():
                self._send([parcels.told(event)])
                if (cancelled := deleveraging.cancelled(event)) is not None:
                    self._to(ORDERS_COMMANDS, cancelled.account_id, cancelled)
            case ParcelsAskedAgain():
                self._send(parcels.asked_of(self._waiting[partition], event.subject_id))
            case _:
                for number, command in roundcommands.commands_after(self._waiting.get(partition) or State(), event):
                    self._write(CLEARING_COMMANDS, number, b"", command)

    def resume(self, partition: int, state: State) -> None:
        """The partition is ours: ask for all that its trades still wait for."""
        self._waiting[partition] = state
        self._send(bilateral.commands_left(state))
        for _, one in sorted(state.watch.liquidations.items()):
            self._submit(liquidations.order_out(one))
        self._default(default.commands_left(state))
        self._default(requests.commands_left(state))
        for command_left in porting.commands_left(state):
            self._set_member(command_left)
        for number, command in roundcommands.commands_left(state):
            self._write(CLEARING_COMMANDS, number, b"", command)
        self._deleverage(deleveraging.commands_left(state))
        self._send(parcels.asked_of(state))

    def release(self, partition: int) -> None:
        """Somebody else asks."""
        self._waiting.pop(partition, None)

    def _send(self, found: Iterable[Command | parcels.Sent]) -> None:
        for one in found:
            self._to(CLEARING_COMMANDS, one.account_id, one.command)

    def _submit(self, command: SubmitOrder | None) -> None:
        if command is not None:
            self._to(ORDERS_COMMANDS, command.order.account_id, command)

    def _default(self, found: Iterable[OpenRound | CancelAllOrders]) -> None:
        for command in found:
            topic = ORDERS_COMMANDS if isinstance(command, CancelAllOrders) else CLEARING_COMMANDS
            self._to(topic, command.account_id, command)

    def _deleverage(self, found: Iterable[OpenRound | parcels.Sent]) -> None:
        for one in found:
            self._to(CLEARING_COMMANDS, one.account_id, one if isinstance(one, OpenRound) else one.command)

    def _set_member(self, command: SetMember | SetMemberDefaulted | None) -> None:
        if command is not None:
            self._write(REFERENCE_COMMANDS, 0, b"", command)

    def _to(self, topic: Topic, account_id: str, command: Message) -> None:
        self._write(topic, ids.partition_of(account_id, topic.partitions), account_id.encode(), command)

    def _write(self, topic: Topic, number: int, key: bytes, command: Message) -> None:
        headers = [("event_type", type(command).__name__.encode())]
        self._append(Part(topic.name, number), key, encode(command), headers, IN_PLACE)
