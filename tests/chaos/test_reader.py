"""The independent reader sees what it is there to see; and the page shows what the report says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import page, reader
from tests.chaos.catalogue import CATALOGUE, Trial, newest, numbers, shown, trials
from tests.chaos.load import LEVELS, levels
from tests.chaos.reader import Raw, Verdict, check
from tests.chaos.scenario import originals, silence

EXECUTIONS, DECISIONS, ENTRIES = "orders.executions", "orders.decisions", "clearing.entries"
INTENT: dict[str, Any] = {
    "order": {"order_id": "o1"},
    "legs": [{"leg": 0, "quantity_e8": 5, "venue_client_order_id": "TT000-o1-00"}],
}
FILL: dict[str, Any] = {"order_id": "o1", "leg": 0, "quantity_e8": 5, "execution_id": "alpha:BTCUSDT:1:B"}
ENTRY = {
    "execution_id": "alpha:BTCUSDT:1:B",
    "lines": [{"asset": "BTC", "amount_e8": 5}, {"asset": "BTC", "amount_e8": -5}],
}


class Tape:
    """Records in the order in which they are written, with the next offset and sequence unless told otherwise."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self._places: dict[tuple[str, int], tuple[int, int]] = {}
        self._next: dict[str, int] = {}

    def write(
        self, topic: str, kind: str, body: dict[str, Any], *, epoch: int = 1, sequence: int = 0,
        cause: tuple[str, int, str] = ("timer", -1, ""),
    ) -> "Tape":  # fmt: skip
        self._next[topic] = self._next.get(topic, 0) + (kind != "Began")
        source, offset, name = cause
        meta = {
            "epoch": epoch, "sequence": sequence or self._next[topic], "decided_at_us": 0,
            "cause": {"source": source, "partition": 0, "offset": offset, "id": name},
        }  # fmt: skip
        self._places.setdefault((topic, 0), (0, 0))
        reader._judge(self.verdict, self._places, Raw(topic, 0, self._next[topic], kind, {"meta": meta, **body}))
        return self

    def began(self, *topics: str, epoch: int = 1) -> "Tape":
        for topic in topics:
            self._next[topic] = 0
            self.write(topic, "Began", {}, epoch=epoch, sequence=0)
        return self

    def traded(self) -> "Tape":
        """One order that was accepted, routed, filled and booked."""
        self.began(DECISIONS, EXECUTIONS, ENTRIES)
        self.accepted("o1", 0)
        self.write(EXECUTIONS, "OrderRouted", INTENT, cause=(DECISIONS, 0, ""))
        self.write(EXECUTIONS, "OrderFilled", FILL, cause=("venue:alpha", -1, FILL["execution_id"]))
        return self.write(ENTRIES, "EntryBooked", ENTRY, cause=(EXECUTIONS, 1, ""))

    def accepted(self, order_id: str, command: int) -> "Tape":
        """Risk accepts an order, by the command at an offset."""
        return self.write(
            DECISIONS, "OrderAccepted", {"order": {"order_id": order_id}}, cause=(reader.COMMANDS, command, "")
        )  # fmt: skip

    def compared(self, **news: list[dict[str, Any]]) -> "Tape":
        """A comparison with a venue."""
        return self.write(reader.BREAKS, "ReconciliationCompleted", {"opened": [], "closed": []} | news)


OTHERS = INTENT | {"order": {"order_id": "o2"}}
OTHERS_FILL = FILL | {"order_id": "o2", "execution_id": "b"}
BREAK = {"break_id": "b", "ours_e8": 1, "theirs_e8": 2}


def accepted_and(fill: dict[str, Any] | None = None) -> Tape:
    """A second order that was accepted and routed, and perhaps filled."""
    tape = Tape().traded().accepted("o2", 9)
    tape.write(EXECUTIONS, "OrderRouted", OTHERS, cause=(DECISIONS, 9, ""))
    return tape.write(EXECUTIONS, "OrderFilled", fill, cause=("venue:b", -1, "b")) if fill else tape


def found(tape: Tape, received: list[str] | None = None) -> list[str]:
    return check(tape.verdict, received)


def test_a_sound_tape_has_no_finding() -> None:
    assert found(Tape().traded(), ["TT000-o1-00", "by-hand"]) == []


@pytest.mark.parametrize(
    ("spoiled", "finding"),
    [
        (Tape().traded().write(ENTRIES, "EntryBooked", ENTRY, sequence=9, cause=(EXECUTIONS, 8, "")), "gap"),
        (Tape().traded().write(ENTRIES, "EntryBooked", ENTRY, cause=(EXECUTIONS, 1, "")), "again, or too late"),
        (Tape().traded().write(ENTRIES, "EntryBooked", ENTRY, cause=(EXECUTIONS, 5, "")), "is booked 2 times"),
        (
            Tape().traded().write(EXECUTIONS, "OrderFilled", FILL, cause=("venue:alpha", -1, FILL["execution_id"])),
            "again",
        ),
        (Tape().traded().write(EXECUTIONS, "OrderFilled", FILL, cause=("venue:beta", -1, "x")), "on the tape 2 times"),
        (Tape().traded().write(EXECUTIONS, "OrderRouted", INTENT, cause=(DECISIONS, 7, "")), "was routed 2 times"),
        (
            Tape().traded().write(EXECUTIONS, "OrderFilled", FILL | {"execution_id": "b"}, cause=("venue:b", -1, "b")),
            "is not booked",
        ),
        (
            Tape().traded().write(ENTRIES, "EntryBooked", ENTRY | {"execution_id": "b"}, cause=(EXECUTIONS, 9, "")),
            "no fill is",
        ),
        (
            Tape().traded().write(EXECUTIONS, "OrderRouted", OTHERS, cause=(DECISIONS, 7, "")),
            "which risk has not accepted",
        ),
        (
            Tape().traded().accepted("o2", 9),
            "o2 was accepted and neither routed nor refused",
        ),
        (accepted_and(), "leg 0 of order o2 filled 0 of 5"),
        (accepted_and(OTHERS_FILL | {"quantity_e8": 4}), "leg 0 of order o2 filled 4 of 5"),
        (accepted_and(OTHERS_FILL | {"quantity_e8": 6}), "leg 0 of order o2 filled 6 of 5"),
        (Tape().began(reader.BREAKS).compared(opened=[BREAK]).compared(opened=[BREAK]), "opens break b again"),
        (Tape().began(reader.BREAKS).compared(closed=[BREAK]), "closes break b, which is not open"),
        (
            Tape().traded().write(
                ENTRIES, "EntryBooked", {"execution_id": "", "lines": [{"asset": "X", "amount_e8": 1}]},
                cause=(EXECUTIONS, 9, ""),
            ),
            "does not sum to zero",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(spoiled: Tape, finding: str) -> None:
    assert any(finding in one for one in found(spoiled, ["TT000-o1-00"]))


def test_what_is_in_order_is_no_finding() -> None:
    cancelled = accepted_and().write(
        EXECUTIONS, "OrderCancelled", {"order_id": "o2", "leg": 0}, cause=("venue:b", -1, "c")
    )
    refused = Tape().traded().accepted("o2", 9)
    refused.write(EXECUTIONS, "OrderNotRouted", {"order_id": "o2"}, cause=(DECISIONS, 9, ""))
    changed = Tape().began(reader.BREAKS).compared(opened=[BREAK]).compared(opened=[BREAK | {"theirs_e8": 3}])
    changed.compared(closed=[BREAK]).compared(opened=[BREAK])
    assert [found(tape) for tape in (cancelled, refused, changed)] == [[], [], []]


def test_the_reader_uses_nothing_of_this_project() -> None:
    """Neither by what it says nor by what its imports bring along."""
    script = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'truetape', 'services', 'venues', 'tests'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, reader.__file__], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_venue_order_of_a_zombie_is_found() -> None:
    tape = Tape().began(EXECUTIONS, epoch=2).write(EXECUTIONS, "OrderRouted", INTENT, epoch=1, sequence=7)
    assert tape.verdict.void == 1
    assert found(tape, ["TT000-o1-00"]) == ["the venue received TT000-o1-00, which stands in a void record alone"]
    assert found(Tape(), ["TT000-o1-00"]) == ["the venue received TT000-o1-00, which stands in no record"]
    assert "received TT000-o1-00 2 times" in found(Tape().traded(), ["TT000-o1-00", "TT000-o1-00"])[0]


def test_a_command_without_an_answer_is_found() -> None:
    tape = Tape()
    tape.verdict.commands.append(Raw(reader.COMMANDS, 0, 3, "SubmitOrder", {}))
    assert found(tape) == ["SubmitOrder at orders.commands/0@3 has no answer"]


def row(**changes: Any) -> dict[str, Any]:
    fault = {
        "what": "kill <all>", "at_s": 0.1, "at_us": 1_700_000_000_000_000, "healed_s": 0.2, "recovered_s": 0.3,
        "silent_s": 0.1, "in_flight": {"commands": 2},
    }  # fmt: skip
    return {
        "number": "2", "title": "kill -9 risk", "load": "light", "seed": 1, "at": "2026-01-01", "code": "abc",
        "seconds": 1.0, "steady_per_second": 39.5, "faults": [fault], "recovery_seconds": 0.2, "outage_seconds": 0.2,
        "answers": {"201": 3, "0": 1}, "unanswered_share": 0.25, "bucket_seconds": 0.1,
        "acknowledged": 3, "refused": {}, "notes": {"void_records": 0}, "criterion": {"money sums to zero": []},
        "passed": True, "series": [[1, 0, 0, 0, 0, 5.0, 6.0], [0, 0, 0, 1, 1, 0, 0], [2, 0, 0, 0, 0, 5.0, 9.0]],
    } | changes  # fmt: skip


def test_the_page_shows_the_newest_run_of_each_scenario() -> None:
    old = row(passed=False, criterion={"money sums to zero": ["USDT: 5 in all"]})
    runs = newest((old, row(number="10", title="PostgreSQL restarted, fast"), row()))
    assert [trial.number for trial in runs] == ["2", "10"]
    text = page.page(runs)
    assert text.count("<svg") == 2
    assert "2 of 2 scenarios and loads passed" in text
    assert "39.5 orders/s accepted before the first fault" in text
    assert "TRUETAPE_CHAOS_SEED=1 make chaos SCENARIOS=2 LOADS=light" in text
    assert "kill &lt;all&gt;" in text and "kill <all>" not in text
    assert text.count(">not run<") == len(CATALOGUE) * len(LEVELS) - 2
    broken = page.page(newest([old]))
    assert "USDT: 5 in all" in broken and "FAILED" in broken


def test_the_page_has_a_curve_for_each_load_from_idle_to_full() -> None:
    runs = newest(row(load=load) for load in ("full", "light", "idle"))
    assert [trial.load for trial in runs] == ["idle", "light", "full"]
    assert page.page(runs).count("<svg") == 3


def test_a_report_of_an_older_version_is_refused_by_name(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    report.write_text('{"number": "2", "title": "kill -9 risk", "rate": 40}\n')
    with pytest.raises(SystemExit, match="has lines of an older version"):
        page.main([str(report)])


def test_a_copy_of_a_command_is_not_in_flight_beside_it() -> None:
    first, copy, other = (Raw(reader.COMMANDS, 0, offset, "SubmitOrder", {"received_at_us": at_us})
                          for offset, at_us in ((3, 5), (4, 5), (5, 6)))  # fmt: skip
    assert originals([first, copy, other]) == [first, other]


def test_silence_is_the_longest_time_without_an_answer_that_begins_in_the_span() -> None:
    answers = [0.5, 1.0, 3.0, 3.5, 9.0]
    assert silence(answers, 2.0, 3.2) == 1.0  # From the fault to 3.0; what begins at 3.5 is later.
    assert silence(answers, 1.0, 3.6) == 5.5  # What began before the recovery counts to its end.
    assert silence(answers, 9.5, 12.0) == 2.5  # None came.


def test_every_scenario_stands_in_the_catalogue() -> None:
    here = Path(__file__).parent
    found = {
        name for file in here.glob("test_*.py") for name in re.findall(r"def (test_\w+)\([^)]*trial:", file.read_text())
    }
    assert found == set(CATALOGUE)
    titles = [title for _, title in CATALOGUE.values()]
    assert len(set(titles)) == len(titles), "runs are told apart by their titles"


def test_scenarios_are_named_and_others_refused() -> None:
    assert numbers("6, zombie") == {"6", "zombie"}
    with pytest.raises(ValueError, match="no scenario has the number '19'; give some of 1,1-5,2,3,4,5,6,7"):
        numbers("6,19")


def test_what_is_missing_is_what_this_code_has_not_passed() -> None:
    """The last run of it counts, and what other code has passed shows nothing."""
    runs = [
        row(load="idle"), row(load="light"), row(load="light", passed=False), row(load="full", code="other"),
        {"number": "2", "title": "kill -9 risk", "rate": 40},
    ]  # fmt: skip
    assert shown(map(json.dumps, runs), "abc") == {Trial("2", "kill -9 risk", "idle")}
    assert trials("test_risk_is_killed", ("idle",)) == [Trial("2", "kill -9 risk", "idle")]


def test_loads_are_named_and_others_refused() -> None:
    assert levels("full, idle") == ("idle", "full")
    with pytest.raises(ValueError, match="no load of a scenario is named 'ful'; give some of idle,light,full"):
        levels("idle,ful")
    with pytest.raises(ValueError, match="no load of a scenario is named"):
        levels(",")


@pytest.mark.skipif(bool(os.environ.get("TRUETAPE_CHAOS_LOADS")), reason="the loads are chosen")
def test_whatever_runs_meets_all_loads(request: pytest.FixtureRequest) -> None:
    """One load per scenario in `make test`, and yet all of them in each run of it."""
    runs = [item.callspec.params for item in request.session.items if isinstance(item, pytest.Function) and
            hasattr(item, "callspec")]  # fmt: skip
    met = [trial.load for params in runs if isinstance(trial := params.get("trial"), Trial)]
    if len(met) < len(LEVELS):
        pytest.skip("fewer scenarios than loads were asked for")
    assert set(met) == set(LEVELS)
