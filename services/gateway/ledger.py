"""A command to the ledger, and the event that answers it."""

import asyncio

from services.gateway.bus import Answer, Waiter
from services.gateway.problems import Problem
from services.gateway.routing import Call
from services.gateway.submission import unknown_outcome
from truetape import messages as m
from truetape.topics import CLEARING_COMMANDS

NOBODYS = ""
"""The account of records that are nobody's, such as what moves the house's capital."""

LedgerCommand = (
    m.ReleaseParked | m.DismissParked | m.TellTrade | m.EndTrade | m.CorrectEntry | m.MoveLeg | m.EndMove | m.AnswerLeg
    | m.EndBilateral | m.StartCompression | m.AnswerCompression
    | m.AgreeMoves | m.CompressLegs | m.NetPayments | m.CloseOut | m.ActOnCall
    | m.StartAuction | m.BidAuction | m.EndAuction | m.DeclareDefault | m.MoveFund | m.ActOnPorting
    | m.WaiveOrders
)  # fmt: skip


async def ask_ledger(call: Call, command: LedgerCommand) -> Answer:
    """Send a command and wait for clearing's answer.

    Raises Problem overloaded, broker_unavailable, outcome_unknown, or command_set_aside when it was parked.
    """
    bus = call.gateway.bus
    with bus.tail.awaiting(command.account_id), bus.tail.awaiting(NOBODYS):
        answer = await bus.answer(bus.send_to_ledger(command.command_id, command.account_id, command))
    if answer is None:
        raise unknown_outcome("the command", command_id=command.command_id)
    if isinstance(answer.event, m.InputParked):
        raise Problem("command_set_aside", answer.event.reason, command_id=command.command_id)
    return answer


async def carried_out(call: Call, command: LedgerCommand, code: str) -> Answer:
    """Send a command and wait for the event that carries it out. Raises Problem as ask_ledger does, and this one, with
    clearing's reason, when it was refused."""
    answer = await ask_ledger(call, command)
    if isinstance(refused := answer.event, m.ClearingRefused):
        raise Problem(code, refused.detail, command_id=command.command_id, reason=refused.reason)
    return answer


async def ask_every_partition(call: Call, fact: m.ContractFact) -> list[Answer]:
    """Send a fact to every partition of the ledger, and wait for all their answers.

    Raises Problem overloaded or broker_unavailable when nothing was sent, and outcome_unknown when some partition has
    not answered: the same fact may be sent again.
    """
    bus = call.gateway.bus
    waiters: list[Waiter] = []
    with bus.tail.awaiting(NOBODYS):
        try:
            for partition in range(CLEARING_COMMANDS.partitions):
                waiters.append(bus.send_fact(fact, partition))
        except Problem:
            if not waiters:
                raise
        answers = await asyncio.gather(*map(bus.answer, waiters))
    found = [answer for answer in answers if answer is not None]
    if len(found) < CLEARING_COMMANDS.partitions:
        raise unknown_outcome("the fact", fact_id=fact.fact_id)
    return found
