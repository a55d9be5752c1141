"""One scenario: steady state, fault, recovered, quiet, criterion; and the line that it leaves in the report.

    with scenario(stage, "2", "kill -9 risk", rate="light") as run:
        with run.fault("kill -9 risk"):
            stage.stack.kill("risk")
            stage.stack.start("risk")

At the end of each `fault` an order per account must go all the way through again; how long that took since the fault
began is the recovery time. Set TRUETAPE_CHAOS_SEED to repeat a run's load.
"""

import itertools
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import reader
from tests.chaos.criterion import Findings, judge, quiesce
from tests.chaos.load import RATES, Attempt, Load
from tests.chaos.stage import Stage

REPORT: Final = Path(os.environ.get("TRUETAPE_CHAOS_REPORT", ".truetape/chaos/report.jsonl"))
STEADY_SECONDS: Final = 3.0
AFTER_SECONDS: Final = 2.0
BUCKET_SECONDS: Final = 0.1
COLUMNS: Final = ("accepted", "pending", "refused", "busy", "failed", "p50_ms", "max_ms")
"""Of the series, per 100 ms of answers: 201, 202, 4xx, 429 and 503, no answer or another 5xx; latencies of answers."""


@dataclass
class Fault:
    """One fault: times in seconds since the run began."""

    what: str
    at_s: float
    at_us: int
    requests_under_way: int
    healed_s: float = 0.0
    """When what was broken had been put right again, as far as the test does that."""
    recovered_s: float = 0.0
    """When an order of each account had gone all the way again."""
    in_flight: dict[str, int] = field(default_factory=dict)
    """What the tape says was half way when the fault came."""


@dataclass
class Run:
    """A scenario under way."""

    stage: Stage
    number: str
    title: str
    rate: str
    seed: int
    load: Load
    began: float
    faults: list[Fault] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    """Whatever else is worth a line in the report."""

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    @contextmanager
    def fault(self, what: str, *, probe: bool = True) -> Iterator[Fault]:
        """The fault, from its first moment until it is put right; then wait until orders go through again."""
        fault = Fault(what, self.now_s, time.time_ns() // 1000, self.load.under_way)
        self.faults.append(fault)
        yield fault
        fault.healed_s = self.now_s
        if probe:
            self.recovered(fault)

    def recovered(self, fault: Fault) -> None:
        """Wait until an order of each account goes all the way."""
        self.stage.probe(f"{self.load.name}.probe.{len(self.faults)}.{time.time_ns() // 1000}")
        fault.recovered_s = self.now_s

    def attempts_since(self, at_s: float) -> list[Attempt]:
        """Attempts that were sent since then."""
        return [one for one in self.load.attempts() if one.at - self.began >= at_s]


@contextmanager
def scenario(
    stage: Stage, number: str, title: str, rate: str = "light", steady_seconds: float = STEADY_SECONDS
) -> Iterator[Run]:
    """Load around a block with faults, then quiet, the criterion and a line in the report. Raises AssertionError."""
    seed = int(os.environ.get("TRUETAPE_CHAOS_SEED", 0)) or random.SystemRandom().getrandbits(31)
    name = f"s{number}-{time.time_ns() // 1_000_000:x}".replace(" ", "")
    load = Load(stage.url, stage.keys, name, seed, RATES[rate])
    run = Run(stage, number, title, rate, seed, load, time.monotonic())
    print(f"\n{number} {title}: seed {seed}, load {rate}", flush=True)
    findings: Findings = {"the scenario ran to its end": ["it did not"]}
    try:
        load.start()
        try:
            time.sleep(steady_seconds)
            yield run
            time.sleep(AFTER_SECONDS)
        finally:
            load.stop()
        quiesce(stage)
        tape = reader.read(stage.kafka)
        for fault in run.faults:
            fault.in_flight = {"requests": fault.requests_under_way} | in_flight(tape, fault.at_us)
        run.notes |= {"records": sum(map(len, tape.accepted.values())), "void_records": tape.void}
        findings = judge(stage, load, tape)
    except BaseException as error:
        findings = {"the scenario ran to its end": [f"{type(error).__name__}: {error}"[:2_000]]}
        raise
    finally:
        _report(run, findings)
    broken = {promise: found for promise, found in findings.items() if found}
    assert not broken, f"{json.dumps(broken, indent=1)}\nseed {seed}; {stage.said()}"


# -- what was half way -------------------------------------------------------------------------------------------


def in_flight(tape: reader.Verdict, at_us: int) -> dict[str, int]:
    """What had begun and not ended at a moment, by the times on the tape."""
    decided, outcome, booked = _answered(tape)
    commands = [one for one in tape.commands if one.body.get("received_at_us", 0) <= at_us]
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


def _report(run: Run, findings: Findings) -> None:
    attempts = run.load.attempts()
    statuses = Counter(str(one.status) for one in attempts)
    row = {
        "number": run.number,
        "title": run.title,
        "rate": run.rate,
        "seed": run.seed,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(run.now_s, 1),
        "faults": [_rounded(asdict(fault)) for fault in run.faults],
        "recovery_seconds": max((round(f.recovered_s - f.at_s, 2) for f in run.faults if f.recovered_s), default=None),
        "outage_seconds": round(outage(run, attempts), 2),
        "answers": dict(statuses),
        "acknowledged": len(run.load.acknowledged),
        "refused": dict(run.load.refused),
        "notes": run.notes,
        "criterion": findings,
        "passed": not any(findings.values()),
        "columns": COLUMNS,
        "series": series(attempts, run.began),
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with REPORT.open("a") as report:
        report.write(json.dumps(row, separators=(",", ":")) + "\n")
    _say(run, row)


def _say(run: Run, row: dict[str, Any]) -> None:
    for fault in run.faults:
        flying = ", ".join(f"{number} {what}" for what, number in fault.in_flight.items())
        healed, recovered = fault.healed_s - fault.at_s, fault.recovered_s - fault.at_s
        print(f"  at {fault.at_s:.1f} s {fault.what}; in flight: {flying or 'not known'};", end=" ")
        print(f"put right after {healed:.1f} s, recovered after {recovered:.1f} s")
    verdict = "passed" if row["passed"] else "FAILED"
    print(f"  {row['acknowledged']} orders acknowledged, answers {row['answers']}, {row['notes']}")
    print(f"  longest time without an answer {row['outage_seconds']} s: {verdict} in {row['seconds']} s", flush=True)


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items()}


def outage(run: Run, attempts: Sequence[Attempt]) -> float:
    """The longest time after the first fault in which no client was told of an accepted order."""
    if not run.faults:
        return 0.0
    accepted = sorted(one.at + one.seconds - run.began for one in attempts if one.status == 201)
    first = run.faults[0].at_s
    times = [first, *(at for at in accepted if at > first)]
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)


def series(attempts: Sequence[Attempt], began: float) -> list[list[float]]:
    """COLUMNS of each bucket, by the time of the answer."""
    buckets: dict[int, list[Attempt]] = {}
    for one in attempts:
        buckets.setdefault(int((one.at + one.seconds - began) / BUCKET_SECONDS), []).append(one)
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
