"""`truetape dev`: the native stack, for machines without Docker and for tests."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape.dev import Stack, Status, kafka
from truetape.dev.compose import ensure_env_file
from truetape.dev.home import Home, checkout
from truetape.dev.progress import Steps
from truetape.errors import SetupError
from truetape.settings import Settings

app = typer.Typer(help="The native stack: Kafka, PostgreSQL, Redis, venues and services.", no_args_is_help=True)

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder for data, logs and secrets [.truetape]")]
BaseOption = Annotated[int | None, typer.Option("--port-base", help="First port [18000, or as before]")]
OnlyOption = Annotated[str | None, typer.Option("--only", help="Comma-separated units, e.g. kafka,postgres,redis")]


@app.command()
def up(
    home: HomeOption = None,
    port_base: BaseOption = None,
    only: OnlyOption = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Recorded order flow for both venues; repeat to play on"),
    ] = None,
) -> None:
    """Start what does not run, and wait until all of it is ready."""
    began = time.monotonic()
    with Steps() as steps:
        stack = Stack(
            _home(home),
            Settings().port_base_said if port_base is None else port_base,
            _names(only),
            replay=replay or (),
            report=steps.report,
        )
        stack.up()
    steps.console.print(f"[bold]ready[/] after {time.monotonic() - began:.1f} s; environment: {stack.home.env_file}")


@app.command()
def down(home: HomeOption = None, only: OnlyOption = None) -> None:
    """Stop everything in reverse order; data stays."""
    with Steps() as steps:
        Stack(_home(home), only=_names(only), report=steps.report).down()


@app.command()
def status(
    home: HomeOption = None,
    only: OnlyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
) -> None:
    """Show each process; exit status 1 unless all are ready."""
    found = Stack(_home(home), only=_names(only)).status()
    if as_json:
        print(json.dumps([asdict(line) for line in found]))
    else:
        Console().print(_status_table(found))
    raise typer.Exit(0 if all(line.state == "ready" for line in found) else 1)


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="One unit; without it, all of them")] = None,
    home: HomeOption = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on showing what is written")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Lines to begin with, of each log")] = 20,
) -> None:
    """Show the end of the logs."""
    folder = Home(_home(home).absolute()).log("any").parent
    paths = sorted(folder.glob("*.log")) if service is None else [folder / f"{service}.log"]
    if not paths or not all(path.exists() for path in paths):
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet: `truetape dev up`"
        raise SetupError(f"no log of {service or 'any unit'} in {folder}; there are: {known}")
    for name, line in _tail(paths, lines, follow):
        print(line if service else f"{name:<11} {line}", flush=follow)


@app.command()
def restart(service: Annotated[str, typer.Argument(help="One unit")], home: HomeOption = None) -> None:
    """Stop one unit in order and start it again."""
    with Steps() as steps:
        Stack(_home(home), report=steps.report).restart(service)


@app.command()
def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Stop everything and delete all data, logs and secrets of the home folder; downloads stay."""
    where = _home(home).absolute()
    if not yes:
        typer.confirm(f"Delete the tape and all else in {where}?", abort=True)
    with Steps() as steps:
        Stack(where, report=steps.report).erase()


@app.command()
def compose_env() -> None:
    """Write Docker Compose's .env with random secrets, unless there is one."""
    print(".env written, with random secrets" if ensure_env_file(checkout()) else ".env is there already")


@app.command()
def fetch() -> None:
    """Fetch Kafka's jars by Maven, once for all homes of this checkout."""
    print(kafka.fetch(checkout() / ".truetape" / "downloads"))


def _home(home: Path | None) -> Path:
    return home or Settings().home


def _names(only: str | None) -> list[str] | None:
    return [name.strip() for name in only.split(",") if name.strip()] if only else None


def _status_table(found: list[Status]) -> Table:
    table = Table("unit", "state", "pid", "port", "up", "memory", "missing", box=None, pad_edge=False)
    colour = {"ready": "green", "starting": "yellow", "stopped": "red"}
    for line in found:
        table.add_row(
            line.unit,
            f"[{colour[line.state]}]{line.state}[/]",
            str(line.pid or ""),
            str(line.port or ""),
            f"{line.seconds:.0f} s" if line.seconds is not None else "",
            f"{line.memory_bytes / 2**20:.0f} MB" if line.memory_bytes else "",
            line.missing,
        )
    return table


def _tail(paths: list[Path], lines: int, follow: bool) -> Iterator[tuple[str, str]]:
    files = [(path.stem, path.open(errors="replace")) for path in paths]
    try:
        for name, file in files:
            last = file.read().splitlines()
            yield from ((name, line) for line in last[max(0, len(last) - lines) :])
        while follow:
            fresh = [(name, line.rstrip("\n")) for name, file in files for line in file]
            yield from fresh
            if not fresh:
                time.sleep(0.2)
    finally:
        for _, file in files:
            file.close()
