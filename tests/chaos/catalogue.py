"""All scenarios by number and title, and which of them are wanted: by load, by number, or what no run has shown yet."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.chaos.load import LEVELS, Level

REPORT: Final = Path(os.environ.get("TRUETAPE_CHAOS_REPORT", ".truetape/chaos/report.jsonl"))
Row = dict[str, Any]
"""A line of the report."""


class Trial(NamedTuple):
    """A scenario at one load: what each of its tests is given."""

    number: str
    """Of the kind of fault."""
    title: str
    load: Level


CATALOGUE: Final[Mapping[str, tuple[str, str]]] = {
    "test_the_gateway_is_killed_five_times": ("1", "kill -9 gateway, five times"),
    "test_each_service_is_killed_in_turn": ("1-5", "kill -9 of each service in turn"),
    "test_risk_is_killed": ("2", "kill -9 risk"),
    "test_the_router_is_killed_with_orders_on_their_way": ("3", "kill -9 router, orders on their way to the venue"),
    "test_clearing_is_killed_over_a_pile_of_fills": ("4", "kill -9 clearing in the middle of a batch"),
    "test_the_projection_is_killed_between_commit_and_what_follows": (
        "4", "kill -9 projection, its commit done and not yet told",
    ),
    "test_the_reconciler_is_killed": ("5", "kill -9 reconciler while a break opens and closes"),
    "test_everything_is_killed_at_once": ("6", "kill -9 of everything at once, again and again"),
    "test_the_broker_is_killed": ("7", "kill -9 Kafka, twice"),
    "test_the_broker_sleeps": ("8", "SIGSTOP Kafka for thirty seconds"),
    "test_a_leader_is_lost_and_then_one_broker_too_many": (
        "9", "three brokers: leader lost, then below min.insync.replicas",
    ),
    "test_postgres_is_restarted_in_order": ("10", "PostgreSQL restarted, fast"),
    "test_postgres_is_restarted_without_order": ("10", "PostgreSQL restarted, immediate"),
    "test_postgres_is_away": ("10", "PostgreSQL away for twenty seconds, the views catch up"),
    "test_the_connection_is_cut_during_commit": ("11", "the connection to PostgreSQL is cut during COMMIT"),
    "test_redis_is_flushed": ("12", "Redis FLUSHALL, three times"),
    "test_redis_is_away": ("12", "Redis away for ten seconds"),
    "test_the_brokers_disk_is_full": ("13", "Kafka's disk full"),
    "test_the_view_databases_disk_is_full": ("14", "PostgreSQL's disk full"),
    "test_the_clock_of_each_service_is_set": ("15", "the clock of each service set: +1 h, -1 h, -5 min"),
    "test_owners_and_kafka_cannot_reach_each_other": ("16", "partition between owners and Kafka for thirty seconds"),
    "test_kafkas_replies_are_lost": ("17", "Kafka's replies to owners lost for thirty seconds"),
    "test_one_venue_cannot_be_reached": ("18", "partition between the router and one venue, replies first"),
    "test_no_venue_can_be_reached": ("18", "partition between the router and both venues for thirty seconds"),
    "test_connections_to_the_venues_are_reset": ("18", "connections to the venues reset, twenty times"),
    "test_the_end_of_every_topic_comes_again": (
        "20", "the last records of every topic written again, partitions in any order",
    ),
    "test_poison_on_every_topic": ("21", "poison on every topic"),
    "test_instances_come_and_go_every_two_seconds": ("24", "a rebalance every two seconds"),
    "test_the_views_are_dropped": ("26", "the views dropped, and read again from the tape"),
    "test_an_older_backup_is_restored": ("27", "an older backup of the views restored"),
    "test_a_flipped_byte_is_named_and_its_owner_does_not_start": ("28", "a bit changed in two records"),
    "test_a_truncated_tape_is_named_and_nobody_starts_on_it": ("28", "the tape cut at its end"),
    "test_a_changed_row_of_the_journal_is_refused_and_a_forged_one_is_named": ("28", "a row of the journal forged"),
    "test_owners_that_slept_past_their_sessions_harm_nothing": (
        "zombie", "SIGSTOP owners past their sessions, others take over, SIGCONT",
    ),
}  # fmt: skip
"""Number and title by the name of the test."""
NUMBERS: Final = tuple(dict.fromkeys(number for number, _ in CATALOGUE.values()))


def trials(test: str, loads: Iterable[Level] = LEVELS) -> list[Trial]:
    """The scenario of a test at these loads."""
    return [Trial(*CATALOGUE[test], load) for load in loads]


def numbers(words: str) -> frozenset[str]:
    """The numbers that words such as "6,8,zombie" name. Raises ValueError."""
    named = frozenset(word.strip() for word in words.split(","))
    if not named <= set(NUMBERS):
        unknown = ", ".join(sorted(named - set(NUMBERS))) or "nothing"
        raise ValueError(f"no scenario has the number {unknown!r}; give some of {','.join(NUMBERS)}")
    return named


def shown(lines: Iterable[str], code: str) -> set[Trial]:
    """What the last run of this code, by these lines of the report, has passed."""
    rows = newest(row for line in lines if (row := json.loads(line)).get("code") == code)
    return {trial for trial, row in rows.items() if row["passed"]}


def newest(rows: Iterable[Row]) -> dict[Trial, Row]:
    """The last run of each scenario at each load, in the catalogue's order."""
    found = {Trial(row["number"], row["title"], row["load"]): row for row in rows}
    titles = [title for _, title in CATALOGUE.values()]
    place = {title: number for number, title in enumerate(titles)}
    return dict(
        sorted(found.items(), key=lambda one: (place.get(one[0].title, len(titles)), LEVELS.index(one[0].load)))
    )


@cache
def code() -> str:
    """Which code this is: the commit, and a digest of what differs from it; "unknown" outside a repository."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD").decode().strip()
        differs = _git("diff", "HEAD", "--", ".", ":!docs")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+{hashlib.sha256(differs).hexdigest()[:8]}" if differs else commit


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=True, timeout=30).stdout
