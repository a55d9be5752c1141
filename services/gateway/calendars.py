"""Routes of settlement calendars: on which days each asset is paid."""

from msgspec import convert, to_builtins
from starlette.responses import Response

from services.gateway.administration import PROBLEMS, by, changed, command_id_of
from services.gateway.margin_requests import SettlementCalendarRequest
from services.gateway.routing import Call, Routes, reply
from truetape import api as a
from truetape import api_reports as reports
from truetape import messages as m
from truetape.calendars import calendar_from

routes = Routes("calendars")


@routes.add("POST", "/v1/admin/settlement-calendars", "admin", body=SettlementCalendarRequest,
            answers={200: a.Changed}, problems=PROBLEMS)  # fmt: skip
async def set_settlement_calendar(call: Call) -> Response:
    """Define or change on which days an asset is paid, and how many business days after booking.

    What is booked already keeps its value date.
    """
    new = calendar_from(to_builtins(call.body(SettlementCalendarRequest)))
    return await changed(call, m.SetSettlementCalendar(command_id_of(call), by(call), new))


@routes.add("GET", "/v1/admin/settlement-calendars", "admin", answers={200: reports.SettlementCalendars})
async def list_settlement_calendars(call: Call) -> Response:
    """All calendars that are set; an asset without one is paid on every day, on the day of booking."""
    shown = to_builtins(await call.listed(lambda known: known.calendars))
    return reply(convert({"calendars": shown}, reports.SettlementCalendars))
