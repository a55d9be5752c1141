"""Settlement in the simulated world: value dates by a calendar that changes, and netting runs that come early, twice,
and again for what came late."""

from typing import TYPE_CHECKING, Final

from tests.simulation.derivatives import ASSET
from tests.simulation.reference import ACCOUNTS
from truetape import calendars
from truetape import messages as m

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem

OFTEN: Final = 0.3
"""What the settlement desk does, per virtual second."""
MOVED: Final = 0.3
"""Share of it that changes the calendar; the rest nets."""
DAYS: Final = 3
"""Lags, and how far ahead netting is tried."""
DAY_US: Final = 86_400_000_000


class Settlement:
    """The settlement desk of the house. With each lag that grows, a date that was open can be netted."""

    def __init__(self, system: "ContractSystem") -> None:
        self._system, self._chance = system, system.chance
        self._version = 0
        self._asked = 0

    def act(self) -> None:
        """A new version of the calendar, or a netting run of one account."""
        if self._chance.random() < MOVED:
            self._version += 1
            calendar = m.SettlementCalendar(ASSET, self._version, self._chance.randrange(DAYS), (), ())
            reference = self._system.reference
            reference.append(m.SettlementCalendarSet(reference.next_meta(), "k", "x", calendar))
        else:
            self._net()

    def _net(self) -> None:
        self._asked += 1
        account = self._chance.choice(list(ACCOUNTS))
        at_us = self._system.broker.wall_us() + self._chance.randrange(DAYS) * DAY_US
        command = m.NetPayments(f"net-{self._asked}", account, calendars.day_of(at_us), "simulated")
        self._system.operator.tell(ACCOUNTS[account], account, command)
