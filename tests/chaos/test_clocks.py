"""Wall clocks that are set while their processes run, one service after the other: catalogue 15."""

import time
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.chaos.catalogue import Trial
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, bring_up
from truetape.dev.services import SERVICES

pytestmark = pytest.mark.timeout(900)
STEPS_SECONDS: Final = (3_600, -3_600, -300)
"""Ahead of the true time, one after the other."""
WRONG_SECONDS: Final = 1.0
KEY_SECONDS: Final = 600
REASONS: Final = {"command_expired", "mark_stale", "message_rate_exceeded"}
"""Why risk may refuse an order when it and those it hears of do not agree about the time."""


@pytest.mark.only_make_chaos
def test_the_clock_of_each_service_is_set(stage: Stage, trial: Trial, tmp_path: Path) -> None:
    """While clocks disagree orders may be refused, for a reason that says so; then all is as before.

    Every step for every service at light load, one for each in turn at the others.
    """
    clocks = {service.name: tmp_path / service.name for service in SERVICES}
    with scenario(stage, trial) as run:
        key = key_with_an_end(stage)
        try:
            start_with(stage, clocks)
            for number, (service, clock) in enumerate(clocks.items()):
                for seconds in STEPS_SECONDS if trial.load == "light" else STEPS_SECONDS[number % 3 :][:1]:
                    with run.fault(f"clock of {service} {seconds:+d} s for {WRONG_SECONDS:g} s"):
                        clock.write_text(str(seconds))
                        time.sleep(WRONG_SECONDS)
                        if service == "gateway":
                            judged(stage, key, seconds)
                        clock.write_text("0")
        finally:
            for service in clocks:
                stage.stack.stop(service)
            bring_up(stage.stack)
        run.notes["refused"] = dict(run.load.refused)
        assert run.load.refused.keys() <= REASONS, run.load.refused


def start_with(stage: Stage, clocks: dict[str, Path]) -> None:
    """All services anew, each with a clock that can be set."""
    for service, clock in clocks.items():
        clock.write_text("0")
        stage.stack.stop(service)
        stage.skew(service, clock)
    for service in clocks:
        stage.stack.start(service)


def key_with_an_end(stage: Stage) -> str:
    """A key that ends in minutes."""
    wanted = {"scopes": ["read"], "account_id": next(iter(stage.keys)), "expires_in_seconds": KEY_SECONDS}
    answer = httpx.post(f"{stage.url}/v1/admin/keys", json=wanted, headers=bearer(stage.administrator), timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


def judged(stage: Stage, key: str, ahead_seconds: int) -> None:
    """A request of now is too old or too young; a key whose end has come by this clock is refused, else taken."""
    dated = asked(stage, key_of_somebody(stage), {"Truetape-Timestamp": str(time.time_ns() // 1_000_000)})
    assert dated["code"] == "timestamp_outside_window", dated
    ended = ahead_seconds > KEY_SECONDS
    assert asked(stage, key, {}).get("code", "") == ("key_expired" if ended else "")


def key_of_somebody(stage: Stage) -> str:
    return next(iter(stage.keys.values()))


def asked(stage: Stage, key: str, headers: dict[str, str]) -> dict[str, Any]:
    """The gateway's answer to a harmless question."""
    answer = httpx.get(f"{stage.url}/v1/instruments", headers=bearer(key) | headers, timeout=30)
    assert answer.status_code in (200, 401), answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
