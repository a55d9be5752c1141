"""`truetape rebuild`: build a view or a service's snapshots again from the tape, compare, and put them in place."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from truetape.commands.audit import differences_table
from truetape.entrypoints import REBUILDS, SERVICES, installed
from truetape.errors import SetupError
from truetape.log import KafkaLog, check_topics
from truetape.rebuild import Rebuild, Rebuilt, Told, rebuild_snapshots
from truetape.rebuild.apart import fold_apart
from truetape.rebuild.result import DIFFERS
from truetape.service import Service
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL

PLAIN_STEPS = 10


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="postgres, redis, a service (its snapshots), or all", show_default=False),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Build and compare, but let the old ones stay")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout")] = False,
) -> None:
    """Build views or snapshots again from the tape, while everybody goes on. Exit status 1 when the old ones differed.

    postgres is built beside the old rows, compared with them at the same positions and swapped in at once: reads go
    on. redis is compared and filled again. A service's snapshots are replaced by one of the whole fold.
    """
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "rebuild")
    chosen = _chosen(settings, targets or [])
    done = []
    for rebuild in chosen:
        with _progress() as told:
            done.append(rebuild(check=check, told=told))
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        show(done, Console(highlight=False))
    raise typer.Exit(1 if any(one.verdict == DIFFERS for one in done) else 0)


def _chosen(settings: Settings, names: list[str]) -> list[Any]:
    """What each name stands for. Raises SetupError for a name that is none, and for none at all."""
    views: dict[str, Rebuild] = installed(REBUILDS)
    services: dict[str, Service[Any]] = installed(SERVICES)
    known = [*views, *services]
    wanted = known if names == ["all"] else names
    if unknown := [name for name in wanted if name not in known]:
        raise SetupError(f"{unknown[0]} cannot be rebuilt; what can: {', '.join(known)}, all")
    if not wanted:
        raise SetupError(f"say what to rebuild: {', '.join(known)}, or all")
    return [
        partial(views[name], settings) if name in views else partial(_snapshots, settings, services[name])
        for name in wanted
    ]


def _snapshots(settings: Settings, service: Service[Any], check: bool, told: Told) -> Rebuilt:
    check_topics(settings.kafka, ALL)
    with closing(KafkaLog(settings.kafka)) as log:
        apart = partial(fold_apart, settings, service.name)
        return rebuild_snapshots(log, service, settings, check, told, apart)


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar in a terminal, else a line for every tenth."""
    if not sys.stderr.isatty():
        yield _Lines().told
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


class _Lines:
    """Progress where there is no terminal."""

    def __init__(self) -> None:
        self._said = ("", -1)

    def told(self, what: str, done: int, of: int) -> None:
        """One line for each step."""
        step = done * PLAIN_STEPS // of if of else PLAIN_STEPS
        if (what, step) != self._said:
            self._said = (what, step)
            print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)


def show(done: list[Rebuilt], console: Console) -> None:
    """The results for a person: one line each, and what differed."""
    for one in done:
        style = {"equal": "green", DIFFERS: "red"}.get(one.verdict, "yellow")
        fate = "replaced" if one.replaced else "left as it was"
        console.print(
            f"{one.target}: [{style}]{one.verdict}[/], {fate}; {one.records} records, {one.compared} compared, "
            f"{one.seconds:.1f} s, digest {one.digest[:12]}"
        )
        if one.differences:
            console.print(differences_table(one.differences, one.differences_total, "the old one said"))
