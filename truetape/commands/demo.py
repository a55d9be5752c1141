"""`truetape demo`: start everything, trade for some seconds, show what happened, prove the books."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape import demo
from truetape.api_reports import Fact
from truetape.client import Client
from truetape.commands import drill
from truetape.commands.order import causes
from truetape.default.drill import Setting, named, run
from truetape.default.waterfall import LAYERS
from truetape.dev import Stack
from truetape.dev.compose import ensure_env_file, host_environment
from truetape.dev.home import checkout
from truetape.dev.progress import Steps
from truetape.errors import SetupError
from truetape.log import KafkaLog
from truetape.money import from_e8, to_e8
from truetape.settings import Settings

_console = Console(highlight=False)


def command(
    stack: Annotated[str, typer.Option(help="native, or docker for Docker Compose")] = "native",
    seconds: Annotated[float, typer.Option(min=1, help="How long to trade")] = 5.0,
    seed: Annotated[int, typer.Option(help="Draws the orders")] = 7,
    home: Annotated[Path | None, typer.Option(help="Home folder of the native stack [.truetape]")] = None,
    port_base: Annotated[int | None, typer.Option(help="First port of the native stack [18000, or as before]")] = None,
) -> None:
    """Start everything, trade by REST at both venues, and show orders, ledger, history, reconciliation and audit."""
    began = time.monotonic()
    with step("start the stack"):
        configured = Settings()
        base = configured.port_base_said if port_base is None else port_base
        environment = up_docker() if stack == "docker" else up_native(home or configured.home, base)
    gateway = gateway_url(environment)
    account_id = f"demo-{time.time_ns() // 10**9}"
    with step(f"introduce account {account_id}, instruments and keys"):
        trading, administrator = demo.introduce(environment["TRUETAPE_KAFKA"], account_id, contracts=True)
    with step("fund it at both venues"), Client(gateway, administrator) as admin:
        demo.fund(admin, account_id, venue_urls(environment), environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
    traded = demo.Traded(account_id)
    with Client(gateway, trading) as client:
        with step(f"trade for {seconds:g} s through {gateway}"):
            demo.trade(client, traded, seconds, seed, began)
        with step("wait until nothing is open and every fill is cleared"):
            demo.settle(client, traded)
        show_orders(client, traded)
        show_books(client)
        with step("seat six clearing members who hold the perpetual against each other"):
            demo.seat_members(environment["TRUETAPE_KAFKA"], mark_e8(client))
        with step("wait until pricing has settled and funded the perpetual"):
            settled = demo.contract_facts(client)
        show_contract(client, settled)
        show_history(client, traded)
    show_drill(environment["TRUETAPE_KAFKA"])
    demo.calm(environment["TRUETAPE_KAFKA"])
    good = [prove_trading(traded), prove_reconciliation(environment), prove_audit(environment)]
    page = f"{gateway}/#{demo.reading_key(environment['TRUETAPE_KAFKA'], account_id)}"
    where_to_look(page, gateway, stack, account_id)
    raise typer.Exit(0 if all(good) else 1)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Progress: what is being done, and how long it took."""
    began = time.monotonic()
    with _console.status(what):
        yield
    _console.print(f"[green]✔[/] {what} [dim]{time.monotonic() - began:.1f} s[/]")


def up_native(home: Path, port_base: int | None) -> dict[str, str]:
    """The native stack, started unless it runs; its environment."""
    with Steps() as steps:
        stack = Stack(home, port_base, report=steps.report)
        stack.up()
    return stack.environment()


def up_docker() -> dict[str, str]:
    """The Compose stack, started unless it runs; what a client on this host needs to reach it."""
    ensure_env_file(checkout())
    done = subprocess.run(["docker", "compose", "up", "--detach", "--wait"], cwd=checkout(), check=False)
    if done.returncode:
        raise SetupError("`docker compose up --wait` failed: `docker compose ps` and `docker compose logs` say why")
    return dict(os.environ) | host_environment(checkout())


def gateway_url(environment: Mapping[str, str]) -> str:
    """Where the gateway answers."""
    port = environment.get("GATEWAY_PORT") or int(environment.get("TRUETAPE_PORT_BASE", 18_000)) + 80
    return f"http://127.0.0.1:{port}"


def venue_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """Where the venues answer."""
    return {venue: environment[f"TRUETAPE_VENUES__{venue.upper()}__REST_URL"] for venue in demo.VENUES}


def show_orders(client: Client, traded: demo.Traded) -> None:
    """Answers, states, and the newest fills."""
    states: dict[str, int] = {}
    for order in traded.orders:
        states[order.status] = states.get(order.status, 0) + 1
    _console.print(f"\n[bold]{len(traded.orders)} orders[/]: {_counted(states)}; answers: {_counted(traded.answers)}")
    table = Table("fill", "venue", "instrument", "side", "quantity", "price", "fee", box=None, pad_edge=False)
    for _, fill in zip(range(8), client.fills(), strict=False):
        fee = f"{fill.fee} {fill.fee_asset}"
        table.add_row(fill.execution_id, fill.venue, fill.instrument_id, fill.side, fill.quantity, fill.price, fee)
    _console.print(f"[bold]{sum(traded.venues.values())} fills[/] ({_counted(traded.venues)}), the newest:")
    _console.print(table)


def show_books(client: Client) -> None:
    """Balances, positions, and the newest entry with its lines."""
    table = Table("asset", "balance", "reserved", "available", box=None, pad_edge=False)
    for balance in client.balances():
        table.add_row(balance.asset, balance.balance, balance.reserved, balance.available)
    _console.print("\n[bold]balances[/]")
    _console.print(table)
    for position in client.positions():
        _console.print(f"position {position.instrument_id}: {position.quantity}, realised {position.realised} USDT")
    if (entry := next(client.entries(), None)) is not None:
        _console.print(f"\n[bold]the newest ledger entry[/], {entry.entry_id} by rule {entry.rule!r}: sums to zero")
        lines = Table("account", "asset", "amount", "purpose", box=None, pad_edge=False)
        for line in entry.lines:
            lines.add_row(line.account, line.asset, line.amount, line.purpose)
        _console.print(lines)


def show_contract(client: Client, facts: Mapping[str, Fact]) -> None:
    """The perpetual: what is held, what pricing made of its marks, and what was paid for it."""
    settled, funded = facts["SETTLEMENT_PRICE"], facts["FUNDING"]
    held = next((one.quantity for one in client.positions() if one.instrument_id == demo.PERPETUAL), "0")
    paid: Counter[str] = Counter()
    for entry in client.entries():
        for line in entry.lines:
            if line.purpose in ("variation_margin", "funding") and line.account.startswith("client:"):
                paid[line.purpose] += to_e8(line.amount)
    _console.print(f"\n[bold]{demo.PERPETUAL}[/]: {held} contracts of 0.001 BTC")
    _console.print(
        f"settled at {settled.price}, the mean of {settled.numbers['observations']} marks "
        f"({settled.source.lower()}); funding rate {funded.rate} of {funded.numbers['samples']} premiums "
        f"({funded.numbers['missing']} missing)"
    )
    _console.print(
        f"paid: variation margin {from_e8(paid['variation_margin'])} USDT, funding {from_e8(paid['funding'])}"
    )


def mark_e8(client: Client) -> int:
    """The perpetual's newest mark."""
    return next(to_e8(mark.price) for mark in client.marks() if mark.instrument_id == demo.PERPETUAL)


def show_drill(kafka: str) -> None:
    """Three members default at once in the worst scenario: which layer would bear how much. Nothing is written."""
    with closing(KafkaLog(kafka)) as log:
        books, known, prices = drill.read(log, demo.SETTLE_SECONDS, None)
    earned_e8 = max(0, books.balances.get("house", {}).get("USDT", 0))
    setting = Setting("USDT", capital_e8=earned_e8, defaulters=demo.DEFAULTERS, at_us=time.time_ns() // 1000)
    found = run(books, known, prices, setting)
    _console.print(
        f"\n[bold]a default drill[/], scenario {named(found.shock_e8)}, a clearing fund of "
        f"{from_e8(found.sizing.size_e8)} USDT sized for two defaults, and three happen: who would bear the losses"
    )
    layers = [layer for layer in LAYERS if any(one.outcome.borne_e8(layer) for one in found.defaults)]
    table = Table("default", "loss", *(layer.lower() for layer in layers), "uncovered", box=None, pad_edge=False)
    for one in found.defaults:
        borne = (from_e8(one.outcome.borne_e8(layer)) for layer in layers)
        table.add_row(one.member_id, from_e8(one.loss_e8), *borne, from_e8(one.outcome.uncovered_e8))
    _console.print(table)
    members = " ".join(f"--member {name}" for name in demo.DEFAULTERS)
    _console.print(f"payer by payer: .venv/bin/truetape drill default {members}")


def show_history(client: Client, traded: demo.Traded) -> None:
    """One filled order's records on all topics, causes before effects."""
    filled = next((order for order in traded.orders if order.status == "FILLED"), None)
    if filled is None:
        return
    _console.print(f"\n[bold]one order, cause by cause[/]: {filled.order_id}")
    _console.print(causes(client.history(filled.order_id)))
    _console.print(f"the same later: .venv/bin/truetape order {filled.order_id}")


def prove_trading(traded: demo.Traded) -> bool:
    """Orders were filled at both venues, and every fill was cleared."""
    first = traded.first_fill_seconds
    good = first is not None and set(traded.venues) == set(demo.VENUES) and traded.cleared == traded.venues.total()
    when = f"first fill after {first:.1f} s; " if first is not None else "no fill; "
    return _proved(good, f"{when}{traded.cleared} of {traded.venues.total()} fills cleared, {_counted(traded.venues)}")


def prove_reconciliation(environment: Mapping[str, str]) -> bool:
    """A comparison with each venue after the trading shows no break."""
    with step("wait for the reconciler to compare with both venues"):
        found = demo.reconciled(environment["TRUETAPE_KAFKA"], time.time_ns() // 1000)
    command = ["breaks", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "truetape.cli", *command],
        env=dict(environment), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    matched = ", ".join(f"{venue} {run.fills_matched} fills matched" for venue, run in sorted(found.items()))
    good = set(found) == set(demo.VENUES) and done.returncode == 0
    return _proved(good, f"reconciliation: {matched or 'none came'}; {'no breaks' if good else done.stdout[-500:]}")


def prove_audit(environment: Mapping[str, str]) -> bool:
    """The audit finds every fold, snapshot, live service and view equal."""
    with step("audit: read the whole tape and fold every state again"):
        report = demo.audit(environment)
    text = f"audit: {report['records']} records, {report['differences_total']} differences, {len(report['gaps'])} gaps"
    good = _proved(report["equal"], text)
    for difference in report["differences"][:5]:
        _console.print(f"  {difference}")
    return good


def _proved(good: bool, text: str) -> bool:
    _console.print(f"{'[green]✔[/]' if good else '[red]✘[/]'} {text}")
    return good


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def where_to_look(page: str, gateway: str, stack: str, account_id: str) -> None:
    """What to open and to try next."""
    logs, down = ("docker compose logs -f", "docker compose down") if stack == "docker" else (
        ".venv/bin/truetape dev logs -f", "make down",
    )  # fmt: skip
    lines = (
        f"\nThe stack keeps running. [bold]See[/] the account, live and as it was, each order cause by cause: {page}",
        f"  (the key in it lasts a day and only reads) The API: {gateway}/docs. One order through the code: README.md",
        "[bold]Trade[/]:",
        f"  export TRUETAPE_KEY=$(.venv/bin/truetape keys create --account {account_id} --scope trade --scope read)",
        "  .venv/bin/truetape orders submit BUY 0.01 BTC-USDT    # then: orders list, fills, positions, balances",
        f"[bold]Check[/]: .venv/bin/truetape audit; .venv/bin/truetape breaks; {logs}. [bold]Stop[/]: {down}",
    )
    _console.print("\n".join(lines), soft_wrap=True)
