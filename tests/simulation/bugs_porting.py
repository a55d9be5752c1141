"""Bugs about members in default and their clients by name, for the general invariants to find; in the table with those
of bugs.py. Their seeds are those of the world with clients of a member."""

from collections.abc import Mapping
from typing import Any, Final

from services.clearing.defaults import portingrounds
from services.gateway import core as gateway
from services.risk import core as risk
from tests.simulation.bug import Bug, nothing, rule
from truetape import messages as m

_evidence = portingrounds.evidence
_chosen = portingrounds._chosen


def half_of_it(state: Any, given: Any, account_id: str) -> dict[str, int]:
    """A client's last position is not seen."""
    found = _evidence(state, given, account_id)
    held = [name for name in found if name.startswith("quantity_e8/")]
    return {name: number for name, number in found.items() if name not in held[-1:]}


def whom_he_has_chosen(one: Any) -> tuple[str, bool]:
    """Nobody asks the receiver."""
    return _chosen(one)[0], True


def _bug(what: str, *patches: tuple[Any, str, Any]) -> Bug:
    return Bug(what, patches, world="porting")


BUGS_OF_PORTING: Final[Mapping[str, Bug]] = {
    "window not known to risk": _bug("a client's orders pass", *rule(risk, m.PortingChanged, nothing)),
    "client moves without asking": _bug("whom he has chosen takes him", (portingrounds, "_chosen", whom_he_has_chosen)),
    "members in default get clients": _bug(
        "reference data does not take it in",
        (gateway, "CHECKS", {**gateway.CHECKS, m.SetMemberDefaulted: lambda *_: iter("x")}),
    ),
    "a position is forgotten": _bug("what a client moves with", (portingrounds, "evidence", half_of_it)),
}
"""By name."""
