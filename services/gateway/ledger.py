"""A command to the ledger, and the event that answers it."""

from services.gateway.bus import Answer
from services.gateway.problems import Problem
from services.gateway.routing import Call
from services.gateway.submission import unknown_outcome
from truetape import messages as m

LedgerCommand = m.ReleaseParked | m.DismissParked | m.TellTrade | m.EndTrade


async def ask_ledger(call: Call, command: LedgerCommand) -> Answer:
    """Send a command and wait for clearing's answer.

    Raises Problem overloaded, broker_unavailable, outcome_unknown, or command_set_aside when it was parked.
    """
    bus = call.gateway.bus
    with bus.tail.awaiting(command.account_id):
        answer = await bus.answer(bus.send_to_ledger(command.command_id, command.account_id, command))
    if answer is None:
        raise unknown_outcome("the command", command_id=command.command_id)
    if isinstance(answer.event, m.InputParked):
        raise Problem("command_set_aside", answer.event.reason, command_id=command.command_id)
    return answer
