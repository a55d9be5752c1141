"""One scenario: steady state, fault, recovered, quiet, criterion; and the line that it leaves in the report.

    with scenario(stage, trial) as run:
        with run.fault("kill -9 risk"):
            stage.stack.kill("risk")
            stage.stack.start("risk")

At the end of each `fault` an order per account must go all the way through again; how long that took since the fault
began is the recovery time. `trial` is the parameter that every scenario's test has (`conftest.py`): what the catalogue
calls it, and its load: idle, light or full. Set TRUETAPE_CHAOS_SEED to repeat what a run's traders did.
"""

import itertools
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.chaos import reader
from tests.chaos.catalogue import REPORT, Trial, code
from tests.chaos.criterion import Findings, judge, quiesce
from tests.chaos.load import Attempt, Level, Load
from tests.chaos.stage import Stage

STEADY_SECONDS: Final = 3.0
AFTER_SECONDS: Final = 2.0
BUCKET_SECONDS: Final[Mapping[Level, float]] = {"idle": 1.0, "light": 0.1, "full": 0.1}
LONG_SECONDS, LONG_FACTOR = 150.0, 5
"""A run that is longer has wider buckets, by the factor, so that a curve can show them."""
COLUMNS: Final = ("accepted", "pending", "refused", "busy", "failed", "p50_ms", "max_ms")
"""Of the series, per bucket of answers: 201, 202, 4xx, 429 and 503, no answer or another 5xx; latencies of answers."""


@dataclass
class Fault:
    """One fault: times in seconds since the run began."""

    what: str
    at_s: float
    at_us: int
    requests_under_way: int
    amid: str = ""
    """What it must meet half way, one of the names in `in_flight`; empty for a fault that may come at any moment."""
    healed_s: float = 0.0
    """When what was broken had been put right again, as far as the test does that."""
    recovered_s: float = 0.0
    """When an order of each account had gone all the way again."""
    silent_s: float = 0.0
    """From the fault until recovered: the longest time in which nobody was told of an accepted order."""
    in_flight: dict[str, int] = field(default_factory=dict)
    """What the tape says was half way when the fault came."""


@dataclass(kw_only=True)
class Course:
    """A scenario under way, on any system."""

    trial: Trial
    seed: int
    load: Load
    probe: Callable[[str], None]
    """Sends something of each account all the way, under a name of its own, and waits until it is there."""
    began: float = field(default_factory=time.monotonic)
    faults: list[Fault] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    """Whatever else is worth a line in the report."""

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    @contextmanager
    def fault(self, what: str, *, amid: str = "") -> Iterator[Fault]:
        """The fault, from its first moment until it is put right; then wait until an order of each account goes all
        the way again. `amid`: at least one of the scenario's faults must find some of this half way."""
        fault = Fault(what, self.now_s, time.time_ns() // 1000, self.load.under_way, amid)
        self.faults.append(fault)
        yield fault
        fault.healed_s = self.now_s
        self.probe(f"{self.load.name}.probe.{len(self.faults)}.{time.time_ns() // 1000}")
        fault.recovered_s = self.now_s

    def attempts_since(self, at_s: float) -> list[Attempt]:
        """Attempts that were sent since then."""
        return [one for one in self.load.attempts() if one.at - self.began >= at_s]


@dataclass(kw_only=True)
class Run(Course):
    """A scenario under way on the stage."""

    stage: Stage


@contextmanager
def scenario(stage: Stage, trial: Trial, steady_seconds: float = STEADY_SECONDS) -> Iterator[Run]:
    """Load around a block with faults, then quiet, the criterion and a line in the report. Raises AssertionError."""
    seed = drawn()
    load = Load(stage.url, stage.keys, name_of(trial.number), seed, trial.load)
    run = Run(trial=trial, seed=seed, load=load, probe=stage.probe, stage=stage)
    with reported(run, stage.said) as findings:
        with under_load(run, steady_seconds):
            yield run
        uncancelled = quiesce(stage, load)
        tape = look_back(run, stage.kafka)
        findings |= judge(stage, load, tape, uncancelled) | {"the faults met what they had to": missed(run.faults)}


def name_of(number: str) -> str:
    """A name for what a scenario sends, of this run alone."""
    return f"s{number}-{time.time_ns() // 1_000_000:x}"


@contextmanager
def under_load(course: Course, steady_seconds: float = STEADY_SECONDS) -> Iterator[None]:
    """Load before, during and after; at the end everything that was sent is answered, or its time is over."""
    course.load.start()
    try:
        time.sleep(steady_seconds)
        yield
        time.sleep(AFTER_SECONDS)
    finally:
        course.load.stop()


def look_back(course: Course, kafka: str) -> reader.Verdict:
    """The tape by the independent reader, and with it what was half way when the faults came."""
    tape = reader.read(kafka)
    for fault in course.faults:
        fault.in_flight = {"requests": fault.requests_under_way} | in_flight(tape, fault.at_us)
    course.notes |= {"records": sum(map(len, tape.accepted.values())), "void_records": tape.void}
    return tape


@contextmanager
def reported(course: Course, said: Callable[[], str]) -> Iterator[Findings]:
    """A line in the report, with the findings that the block adds or the error that ended it. Raises AssertionError."""
    print(f"\n{course.trial.number} {course.trial.title}: load {course.load.level}, seed {course.seed}", flush=True)
    findings: Findings = {}
    try:
        yield findings
    except BaseException as error:
        findings["the scenario ran to its end"] = [f"{type(error).__name__}: {error}"[:2_000]]
        raise
    finally:
        _report(course, findings)
    broken = {promise: found for promise, found in findings.items() if found}
    assert not broken, f"{json.dumps(broken, indent=1)}\nload {course.load.level}, seed {course.seed}; {said()}"


def drawn() -> int:
    """The seed that TRUETAPE_CHAOS_SEED gives, or another one each time."""
    return int(os.environ.get("TRUETAPE_CHAOS_SEED", 0)) or random.SystemRandom().getrandbits(31)


def missed(faults: Sequence[Fault]) -> list[str]:
    """What faults had to find half way, and none of them did."""
    wanted = {fault.amid for fault in faults if fault.amid}
    return [f"no fault found {what} half way" for what in sorted(wanted)
            if not any(fault.amid == what and fault.in_flight[what] for fault in faults)]  # fmt: skip


# -- what was half way -------------------------------------------------------------------------------------------


def in_flight(tape: reader.Verdict, at_us: int) -> dict[str, int]:
    """What had begun and not ended at a moment, by the times on the tape."""
    decided, outcome, booked = _answered(tape)
    commands = [one for one in originals(tape.commands) if one.body.get("received_at_us", 0) <= at_us]
    executions = [raw for raw in tape.accepted["orders.executions"] if _time(raw) <= at_us]
    return {
        "commands": sum(decided.get((one.partition, one.offset), 1 << 62) > at_us for one in commands),
        "at_venue": sum(
            outcome.get(raw.body["order"]["order_id"], 1 << 62) > at_us
            for raw in executions
            if raw.kind == "OrderRouted"
        ),
        "fills_unbooked": sum(
            booked.get(raw.body["execution_id"], 1 << 62) > at_us for raw in executions if raw.kind == "OrderFilled"
        ),
    }


def originals(commands: Sequence[reader.Raw]) -> list[reader.Raw]:
    """Without the copies that somebody wrote again to the letter: their time is that of the first."""
    first: dict[tuple[int, str], reader.Raw] = {}
    for one in commands:
        first.setdefault((one.partition, str(one.body)), one)
    return list(first.values())


def _answered(tape: reader.Verdict) -> tuple[dict[tuple[int, int], int], dict[str, int], dict[str, int]]:
    """When each command was decided, each order had its first outcome, and each fill was booked."""
    decided = {
        (cause["partition"], cause["offset"]): _time(raw)
        for raw in tape.accepted["orders.decisions"]
        if (cause := raw.body["meta"]["cause"])["source"] == reader.COMMANDS
    }
    outcome: dict[str, int] = {}
    for raw in tape.accepted["orders.executions"]:
        if raw.kind != "OrderRouted" and "order_id" in raw.body:
            outcome.setdefault(raw.body["order_id"], _time(raw))
    booked = {raw.body["execution_id"]: _time(raw) for raw in tape.accepted["clearing.entries"]
              if raw.kind == "EntryBooked"}  # fmt: skip
    return decided, outcome, booked


def _time(raw: reader.Raw) -> int:
    at: int = raw.body["meta"]["decided_at_us"]
    return at


# -- the report --------------------------------------------------------------------------------------------------


def _report(course: Course, findings: Findings) -> None:
    attempts = course.load.attempts()
    for fault in course.faults:
        fault.silent_s = silence(told(course, attempts), fault.at_s, fault.recovered_s or course.now_s)
    bucket_seconds = BUCKET_SECONDS[course.load.level] * (LONG_FACTOR if course.now_s > LONG_SECONDS else 1)
    recoveries = [round(fault.recovered_s - fault.at_s, 2) for fault in course.faults if fault.recovered_s]
    statuses = Counter(str(one.status) for one in attempts)
    row = {
        **course.trial._asdict(),
        "seed": course.seed,
        "code": code(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(course.now_s, 1),
        "faults": [_rounded(asdict(fault)) for fault in course.faults],
        "recovery_seconds": max(recoveries, default=None),
        "steady_per_second": round(steady(course, attempts), 1),
        "outage_seconds": round(outage(course, attempts), 2),
        "answers": dict(statuses),
        "unanswered_share": round(unanswered_share(attempts), 4),
        "acknowledged": len(course.load.acknowledged),
        "refused": dict(course.load.refused),
        "notes": course.notes,
        "criterion": findings,
        "passed": not any(findings.values()),
        "columns": COLUMNS,
        "bucket_seconds": bucket_seconds,
        "series": series(attempts, course.began, bucket_seconds),
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with REPORT.open("a") as report:
        report.write(json.dumps(row, separators=(",", ":")) + "\n")
    _say(course, row)


def _say(course: Course, row: dict[str, Any]) -> None:
    for fault in course.faults:
        flying = ", ".join(f"{number} {what}" for what, number in fault.in_flight.items())
        healed, recovered = fault.healed_s - fault.at_s, fault.recovered_s - fault.at_s
        print(f"  at {fault.at_s:.1f} s {fault.what}; in flight: {flying or 'not known'};", end=" ")
        print(f"put right after {healed:.1f} s, recovered after {recovered:.1f} s, silent {fault.silent_s:.1f} s")
    verdict = "passed" if row["passed"] else "FAILED"
    print(f"  {row['load']} load: {row['steady_per_second']} orders/s accepted before the first fault", end="; ")
    print(f"{row['acknowledged']} orders acknowledged, answers {row['answers']}, {row['notes']}")
    print(f"  longest time without an answer {row['outage_seconds']} s: {verdict} in {row['seconds']} s", flush=True)


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items()}


def steady(course: Course, attempts: Sequence[Attempt]) -> float:
    """Orders accepted per second until the first fault; 0 where there was none."""
    until = course.faults[0].at_s if course.faults else 0.0
    accepted = sum(one.status == 201 and one.at + one.seconds - course.began < until for one in attempts)
    return accepted / until if until else 0.0


def outage(course: Course, attempts: Sequence[Attempt]) -> float:
    """The longest time after the first fault in which no client was told of an accepted order."""
    return silence(told(course, attempts), course.faults[0].at_s, course.now_s) if course.faults else 0.0


def told(course: Course, attempts: Sequence[Attempt]) -> list[float]:
    """When clients were told of an accepted order."""
    return sorted(one.at + one.seconds - course.began for one in attempts if one.status == 201)


def silence(told: Sequence[float], from_s: float, until_s: float) -> float:
    """The longest time without an answer that begins in a span, the load's end apart; the span when none came."""
    times = [from_s, *(at for at in told if at > from_s)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times) if earlier < until_s]
    return max(gaps, default=until_s - from_s)


def unanswered_share(attempts: Sequence[Attempt]) -> float:
    """Of all requests, those that got no definite answer: none, a 202, a 429 or a 5xx. What the fault cost clients."""
    definite = sum(one.status == 201 or (400 <= one.status < 500 and one.status != 429) for one in attempts)
    return 1 - definite / len(attempts) if attempts else 0.0


def series(attempts: Sequence[Attempt], began: float, bucket_seconds: float) -> list[list[float]]:
    """COLUMNS of each bucket, by the time of the answer."""
    buckets: dict[int, list[Attempt]] = {}
    for one in attempts:
        buckets.setdefault(int((one.at + one.seconds - began) / bucket_seconds), []).append(one)
    return [_bucket(buckets.get(number, [])) for number in range(max(buckets, default=-1) + 1)]


def _bucket(attempts: Sequence[Attempt]) -> list[float]:
    kinds = Counter(_kind(one.status) for one in attempts)
    times = sorted(one.seconds * 1e3 for one in attempts if one.status)
    middle, longest = (round(times[len(times) // 2], 1), round(times[-1], 1)) if times else (0, 0)
    return [*(kinds[kind] for kind in COLUMNS[:5]), middle, longest]


def _kind(status: int) -> str:
    match status:
        case 201:
            return "accepted"
        case 202:
            return "pending"
        case 429 | 503:
            return "busy"
        case _ if 400 <= status < 500:
            return "refused"
        case _:
            return "failed"
