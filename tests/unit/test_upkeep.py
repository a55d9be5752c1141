"""When a partition's timer and snapshot are due: a turn of the loop that looks later would be late."""

from truetape.snapshots import Kept
from truetape.tape import Place
from truetape.upkeep import NEVER, Clock

KEEP = 60.0
WAITING = Kept(Place(1, 1), 0, {}, b"")


def test_nothing_is_due_without_a_timer_or_records() -> None:
    assert Clock(100.0).next_due(None, KEEP) == NEVER


def test_a_snapshot_is_due_from_the_first_record_on_until_it_waits_for_its_report() -> None:
    assert Clock(100.0, records=1).next_due(None, KEEP) == 160.0
    assert Clock(100.0, records=1, waiting=WAITING).next_due(None, KEEP) == NEVER


def test_the_timer_is_due_whatever_the_snapshot_does() -> None:
    assert Clock(100.0, ticked_at=130.0).next_due(1.0, KEEP) == 131.0
    assert Clock(100.0, records=1, ticked_at=130.0).next_due(1.0, KEEP) == 131.0
    assert Clock(100.0, records=1, ticked_at=130.0).next_due(100.0, KEEP) == 160.0
    assert Clock(100.0, records=1, waiting=WAITING, ticked_at=130.0).next_due(1.0, KEEP) == 131.0
