"""Too much, or nobody there: bounded waiting, 503 with Retry-After, and an unknown outcome is told as unknown."""

import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.integration.gateway.desk import ROOT, Desk, await_true, code, order
from truetape import ids
from truetape import messages as m


def test_waiting_is_bounded_and_told(desk: Desk) -> None:
    account = desk.account()
    key = desk.key(account)
    settings = {"TRUETAPE_PENDING_ORDERS_MAX": "5", "TRUETAPE_DECISION_TIMEOUT_MS": "5000"}
    with desk.second(**settings) as url, desk.raw(key, url) as http:
        assert http.post("/v1/orders", json=order("before")).status_code == 201
        desk.stack.kill("risk", signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(20) as threads:
                answers = list(threads.map(lambda n: http.post("/v1/orders", json=order(f"w{n}")), range(20)))
        finally:
            desk.stack.kill("risk", signal.SIGCONT)
        found = Counter((answer.status_code, code(answer)) for answer in answers)
        assert found == {(202, ""): 5, (503, "overloaded"): 15}
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        await_true(lambda: http.post("/v1/orders", json=order("after")).status_code == 201)
        for number, answer in enumerate(answers):  # What waited is decided; what was refused was never sent.
            known = http.get(f"/v1/orders/client:w{number}")
            assert known.status_code == (200 if answer.status_code == 202 else 404)
            if answer.status_code == 202:
                assert answer.json()["order_id"] == ids.order_id(account, f"w{number}")


def test_without_kafka_nothing_is_called_failed(desk: Desk) -> None:
    account, http = desk.trader()
    assert http.post("/v1/orders", json=order("before")).status_code == 201
    answers: dict[str, httpx.Response] = {}
    desk.stack.kill("kafka", signal.SIGSTOP)
    try:
        for number in range(6):  # Waiting is bounded: the client has no more patience than 20 s.
            answers[f"k{number}"] = http.post("/v1/orders", json=order(f"k{number}"))
        found = Counter((answer.status_code, code(answer)) for answer in answers.values())
        assert set(found) == {(504, "outcome_unknown"), (503, "broker_unavailable")}
        unknown = next(answer for answer in answers.values() if answer.status_code == 504).json()
        assert unknown["order_id"] == ids.order_id(account, unknown["client_order_id"])
        assert "repeat it with the same id" in unknown["detail"]
        refused = next(answer for answer in answers.values() if answer.status_code == 503)
        assert refused.headers["retry-after"] == "2"
        assert "nothing was sent" in refused.json()["detail"]
        assert httpx.get(f"{desk.url}/health/live").status_code == 200, "an outage is no reason to restart"
        assert httpx.get(f"{desk.url}/health/ready").status_code == 503
    finally:
        desk.stack.kill("kafka", signal.SIGCONT)
    decided = {}
    for name in answers:  # The same id each time: no second order, whatever became of the first attempt.
        await_true(lambda name=name: http.post("/v1/orders", json=order(name)).status_code == 201)  # type: ignore[misc]
        decided[name] = http.get(f"/v1/orders/client:{name}/history").json()["events"]
    for name, events in decided.items():
        kinds = [event["type"] for event in events]
        assert kinds.count("OrderAccepted") == 1, name
    refused_names = [name for name, answer in answers.items() if answer.status_code == 503]
    submitted = Counter(
        command.order.client_order_id for command in desk.commands(account) if isinstance(command, m.SubmitOrder)
    )
    assert all(submitted[name] == 1 for name in refused_names), "what was refused had not been sent"
    await_true(lambda: httpx.get(f"{desk.url}/health/ready").status_code == 200)


def test_without_postgres_new_orders_go_on_and_old_ids_are_not_guessed(desk: Desk) -> None:
    _, http = desk.trader()
    assert http.post("/v1/orders", json=order("known")).status_code == 201
    await_true(lambda: 'truetape_order_filter_complete{service="gateway"} 1.0' in http.get("/metrics").text)
    desk.stack.kill("postgres")
    try:
        assert http.post("/v1/orders", json=order("new-without-views")).status_code == 201
        assert http.post("/v1/orders", json=order(None)).status_code == 201
        again = http.post("/v1/orders", json=order("known"))
        assert (again.status_code, again.headers["idempotency-hit"]) == (201, "true")
        reading = http.get("/v1/orders")
        assert (reading.status_code, code(reading)) == (503, "view_unavailable")
        assert reading.headers["retry-after"] == "2"
    finally:
        desk.stack.start("postgres")
    await_true(lambda: http.get("/v1/orders").status_code == 200)
    assert len(http.get("/v1/orders").json()["orders"]) == 3


def test_a_port_in_use_and_missing_settings_end_with_a_named_error(desk: Desk) -> None:
    def ended(module: str, **changes: str) -> str:
        environment = {**desk.environment, "TRUETAPE_LOG_FORMAT": "json", **changes}
        command = [sys.executable, "-m", module]
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()[-1]

    taken = ended("services.gateway")
    assert "SetupError" in taken
    assert f"port {desk.stack.port('gateway')}" in taken
    assert "TRUETAPE_PORT_BASE" in taken
    free = str(desk.stack.port_base + 11)
    for module in ("services.gateway", "services.gateway.projection"):
        assert "TRUETAPE_REDIS" in ended(module, TRUETAPE_REDIS="", TRUETAPE_PORT_BASE=free)
