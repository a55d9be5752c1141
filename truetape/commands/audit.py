"""`truetape audit`: fold the whole tape again and compare it with snapshots, live services and views."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from truetape.audit import Audit, EvidenceAudit, PartitionReport, Report
from truetape.audit.difference import Difference
from truetape.audit.findings import Findings
from truetape.audit.live import Live, Silent, ask
from truetape.audit.report import EvidenceReport
from truetape.books import BooksReport, audit_books
from truetape.books.run import CLEARING
from truetape.entrypoints import SERVICES, VIEWS, installed
from truetape.errors import SetupError
from truetape.log import KafkaLog, check_topics
from truetape.service import Service
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL

ASK_SECONDS = 5.0
_GOOD = {"equal", "none"}
_NEUTRAL = {"not running", "not owned", "moved on", "outdated"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout")] = False,
    require_live: Annotated[
        bool, typer.Option("--require-live", help="A service that does not answer is a difference")
    ] = False,
    views: Annotated[bool, typer.Option("--views/--no-views", help="Compare the databases' views too")] = True,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="The books alone, by columns: ten times as fast, with none of the services' code"),
    ] = False,
    evidence_only: Annotated[
        bool, typer.Option("--evidence-only", help="Only the tape against its signed checkpoints: fast, folds nothing")
    ] = False,
    require_checkpoints: Annotated[
        bool, typer.Option("--require-checkpoints", help="No checkpoint at all is a difference")
    ] = False,
    witness: Annotated[
        list[Path] | None, typer.Option(help="A copy of checkpoints.jsonl, or the notary's JSON log, kept elsewhere")
    ] = None,
) -> None:
    """Read the whole tape, fold every state again, and compare. Exit status 1 on any difference or gap."""
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "audit")  # What matters, the report says.
    if fast:
        _fast(settings, views, as_json)
    evidence = partial(EvidenceAudit, settings.notary_folder, settings.notary_public_key, witness or ())
    if evidence_only:
        _evidence_alone(settings, partial(evidence, require_checkpoints), as_json)
    report = _run(settings, require_live, views, partial(evidence, require_checkpoints))
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        show(report, Console(highlight=False))
    raise typer.Exit(0 if report.equal else 1)


MakeEvidence = Callable[[Callable[[int, int], None]], EvidenceAudit]
"""The audit of the evidence, given what hears of its progress."""


def _evidence_alone(settings: Settings, make: MakeEvidence, as_json: bool) -> None:
    """The tape against its checkpoints."""
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    findings = Findings()
    with closing(KafkaLog(settings.kafka)) as log, progress_bar() as progress:
        found = make(progress).run(log, findings, settings.restore_timeout_seconds)
    if as_json:
        report = {"equal": not findings.total, "evidence": found, "differences": findings.kept}
        print(msgspec.json.encode(report | {"differences_total": findings.total}).decode())
    else:
        console = Console(highlight=False)
        _show_evidence(found, console)
        if findings.kept:
            console.print(differences_table(findings.kept, findings.total))
        wrong = _worded([(findings.total, "difference")])
        console.print(f"[bold red]{wrong}[/]" if findings.total else "[bold green]equal[/]")
    raise typer.Exit(1 if findings.total else 0)


def _show_evidence(found: EvidenceReport, console: Console) -> None:
    trust = "" if found.pinned or not found.public_key else ", [yellow]key known by the checkpoints' own word alone[/]"
    proven = f"{found.covered} records proven, {found.uncovered} not yet in {found.seconds:.1f} s"
    seen = f"{found.checkpoints} checkpoints, {found.witnessed} testimonies"
    console.print(f"evidence: {_coloured(found.verdict)}, {seen}, {proven}{trust}")


def _run(settings: Settings, require_live: bool, views: bool, evidence: MakeEvidence) -> Report:
    services: dict[str, Service[Any]] = installed(SERVICES)
    if not services:
        raise SetupError("no service is registered: run `pip install -e .` in the checkout, then audit again")

    check_topics(settings.kafka, ALL, ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log, progress_bar() as progress:
        audit = Audit(
            log,
            settings,
            services,
            partial(_asked, settings),
            installed(VIEWS) if views else {},
            require_live=require_live,
            evidence=evidence(progress),
            progress=progress,
        )
        return audit.run()


def _fast(settings: Settings, views: bool, as_json: bool) -> None:
    """The books by columns."""
    services: dict[str, Service[Any]] = installed(SERVICES)
    if CLEARING not in services:
        raise SetupError("clearing is not registered: run `pip install -e .` in the checkout, then audit again")
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log, progress_bar() as progress:
        report = audit_books(
            log, settings, services[CLEARING], partial(_asked, settings), installed(VIEWS) if views else {}, progress
        )
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        show_books(report, Console(highlight=False))
    raise typer.Exit(0 if report.equal else 1)


def _asked(settings: Settings, names: list[str]) -> Mapping[str, Live | Silent]:
    return ask(settings.host, {name: settings.port(name) for name in names})


def show_books(report: BooksReport, console: Console) -> None:
    """The second opinion for a person."""
    console.print(
        f"{report.fills} fills, {report.entries} entries; {report.accounts} ledger accounts, "
        f"{report.positions} positions; {report.judged} trades judged one by one"
    )
    for name, verdict in report.compared.items():
        console.print(f"{name}: {_coloured(verdict)}")
    if report.pending:
        console.print(f"[yellow]{report.pending} fills to be booked[/]: not answered yet")
    for gap in report.gaps:
        console.print(f"[red]gap[/] {gap}", markup=True, soft_wrap=True)
    if report.differences:
        console.print(differences_table(report.differences, report.differences_total))
    computed = max(report.seconds - report.read_seconds - report.decode_seconds, 0)
    console.print(
        f"{report.records} records in {report.seconds:.1f} s: {report.read_seconds:.1f} s reading, "
        f"{report.decode_seconds:.1f} s decoding, {computed:.1f} s computing and comparing"
    )
    parts = [(report.differences_total, "difference"), (len(report.gaps), "gap")]
    console.print("[bold green]equal[/]" if report.equal else f"[bold red]{_worded(parts)}[/]")


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Progress on stderr: (records read, of how many)."""
    columns = (TextColumn("reading the tape"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("tape", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def show(report: Report, console: Console) -> None:
    """The report for a person: a table per service and partition, the views, the differences, one last line."""
    console.print(_partitions(report.partitions))
    if report.evidence is not None:
        _show_evidence(report.evidence, console)
    for view in report.views:
        console.print(f"view {view.view}: {_coloured(view.verdict)}, {view.rows} rows")
    for service, reason in sorted(report.silent.items()):
        console.print(f"[yellow]{service} is not running[/]: {reason}")
    for what, number in report.pending.items():
        console.print(f"[yellow]{number} {what}[/]: not answered yet")
    for gap in report.gaps:
        console.print(f"[red]gap[/] {gap}", markup=True, soft_wrap=True)
    if report.differences:
        console.print(differences_table(report.differences, report.differences_total))
    speed = round(report.records / report.seconds) if report.seconds else 0
    rules = f"{len(report.rules)} rules applied {sum(report.rules.values())} times"
    console.print(f"{report.records} records in {report.seconds:.1f} s ({speed}/s), {rules}")
    verdict = "[bold green]equal[/]" if report.equal else f"[bold red]{_count(report)}[/]"
    console.print(verdict)


def _count(report: Report) -> str:
    return _worded([(report.differences_total, "difference"), (len(report.gaps), "gap")])


def _worded(parts: list[tuple[int, str]]) -> str:
    return ", ".join(f"{number} {word}{'s' if number != 1 else ''}" for number, word in parts if number)


def _partitions(partitions: list[PartitionReport]) -> Table:
    """One row per partition with records; those without are summed up per topic."""
    names = (
        "service",
        "topic",
        "records",
        "void",
        "stray",
        "parked",
        "epoch",
        "sequence",
        "digest",
        "snapshot",
        "live",
    )
    table = Table(*names, box=None, pad_edge=False)
    table.columns[names.index("topic")].no_wrap = True  # Its end is the partition: it alone tells the rows apart.
    empty = Counter((one.service, one.topic) for one in partitions if not one.records and one.live != "equal")
    for one in partitions:
        if not one.records and one.live != "equal":
            continue
        place = (str(number) for number in (one.records, one.void, one.stray, one.parked, one.epoch, one.sequence))
        topic = f"{one.topic}/{one.partition}"
        table.add_row(one.service, topic, *place, one.digest[:12], _coloured(one.snapshot), _coloured(one.live))
    for (service, topic), number in empty.items():
        table.add_row(service, f"[dim]{topic}: {number} empty[/]")
    return table


def differences_table(found: list[Difference], total: int, of: str = "the other says") -> Table:
    """Differences for a person, and how many more there are."""
    table = Table("found by", "where", "account", "what", "the tape says", of, title="differences")
    for one in found:
        table.add_row(one.check, one.where, one.account_id, one.what, one.tape, one.other)
    if hidden := total - len(found):
        table.caption = f"{hidden} more of the same kinds are not shown"
    return table


def _coloured(verdict: str) -> str:
    style = "green" if verdict in _GOOD else "yellow" if verdict in _NEUTRAL else "red"
    return f"[{style}]{verdict}[/]"
