"""`python -m tests.chaos.page [REPORT] [PAGE]`: one self-contained HTML page from the report of the chaos scenarios.

On top each scenario with its recovery time at each load, then all figures, then per scenario and load the curve:
answers per 100 ms, what kind they were, and how long they took, with the moments of fault, repair and recovery. The
newest run of each scenario and load counts.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

from tests.chaos.load import LEVELS
from tests.chaos.scenario import BUCKET_SECONDS, REPORT

Row = dict[str, Any]
WIDTH, HEIGHT, LEFT, LATENCY_HEIGHT = 1_000, 110, 46, 70
KINDS: Final = ("accepted", "pending", "refused", "busy", "failed")
MEANING: Final = {
    "accepted": "201, accepted",
    "pending": "202, not decided yet",
    "refused": "4xx, refused",
    "busy": "503 or 429, come back later",
    "failed": "no answer, or another 5xx",
}
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #667; --line: #d5d9df; --back: #fff; --panel: #f6f7f9;
  --accepted: #2f7d4f; --pending: #c9a227; --refused: #8b8f98; --busy: #d97b29; --failed: #c0392b; --latency: #33619e;
  --fault: #c0392b; --healed: #d97b29; --recovered: #2f7d4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --dim: #9aa3ad; --line: #3a4048; --back: #15181c;
  --panel: #1d2126; --accepted: #58b37e; --latency: #7aa7e0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 1060px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 2.2rem 0 .2rem; } p { margin: .3rem 0; }
.dim, figcaption { color: var(--dim); font-size: .87rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right; }
.passed { color: var(--recovered); } .broken { color: var(--failed); font-weight: 600; }
.wide { overflow-x: auto; } figure { margin: .5rem 0; background: var(--panel); padding: .5rem; border-radius: 6px; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: var(--dim); }
.key span { margin-right: 1rem; white-space: nowrap; } .key i { display: inline-block; width: .8em; height: .8em;
  border-radius: 2px; margin-right: .35em; vertical-align: -.05em; }
a { color: inherit; }
"""


def newest(lines: Iterable[str]) -> list[Row]:
    """The last run of each scenario and load, in the catalogue's order."""
    found: dict[tuple[str, str, str], Row] = {}
    for line in lines:
        row = json.loads(line)
        found[row["number"], row["title"], row["load"]] = row
    return sorted(found.values(), key=lambda row: (_order(row["number"]), row["title"], LEVELS.index(row["load"])))


def _order(number: str) -> tuple[int, str]:
    digits = number.split("-")[0]
    return (int(digits) if digits.isdigit() else 99, number)


def page(rows: list[Row]) -> str:
    """The whole page."""
    passed = sum(row["passed"] for row in rows)
    orders = sum(row["acknowledged"] for row in rows)
    faults = sum(len(row["faults"]) for row in rows)
    head = (
        f"<h1>Truetape under chaos</h1><p>{passed} of {len(rows)} scenarios and loads passed: {faults} faults in real "
        f"processes under load, {orders} orders acknowledged. Passed means: no acknowledged order lost, every fill of "
        "the venues booked once, none invented, audit and rebuilt state equal to the live one, money sums to zero, "
        "nothing reserved, and the reconciler shows exactly what was planted. <code>docs/chaos.md</code> says more.</p>"
    )
    body = head + _overview(rows) + _table(rows) + _key() + "".join(_section(row) for row in rows)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Truetape under chaos</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>\n'
    )


def _overview(rows: list[Row]) -> str:
    """A line per scenario, a column per load: recovered in, or what it is instead."""
    head = "".join(f'<th class="number">{level}</th>' for level in LEVELS)
    lines = ""
    for number, title in dict.fromkeys((row["number"], row["title"]) for row in rows):
        runs = {row["load"]: row for row in rows if (row["number"], row["title"]) == (number, title)}
        cells = "".join(f'<td class="number">{_cell(runs.get(level))}</td>' for level in LEVELS)
        lines += f"<tr><td>{escape(number)}</td><td>{escape(title)}</td>{cells}</tr>"
    head = f"<tr><th>no.</th><th>recovered in, at load</th>{head}</tr>"
    return f'<div class="wide"><table>{head}{lines}</table></div><p></p>'


def _cell(row: Row | None) -> str:
    if row is None:
        return '<span class="dim">not run</span>'
    said = f'<span class="passed">{_recovery(row)}</span>' if row["passed"] else '<span class="broken">FAILED</span>'
    return f'<a href="#{_anchor(row)}">{said}</a>'


def _recovery(row: Row) -> str:
    return f"{row['recovery_seconds']:.1f} s" if row["recovery_seconds"] else "–"


def _table(rows: list[Row]) -> str:
    numbers = ("before, per s", "faults", "recovered in", "longest silence", "orders", "void records")
    names = ("no.", "scenario", "load", "result", *numbers)
    head = "".join(f'<th class="{"number" if name in numbers else ""}">{name}</th>' for name in names)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(map(_result, rows))}</table></div>'


def _result(row: Row) -> str:
    verdict = '<td class="passed">passed</td>' if row["passed"] else '<td class="broken">FAILED</td>'
    numbers = (row["steady_per_second"], len(row["faults"]), _recovery(row), f"{row['outage_seconds']:.1f} s",
               row["acknowledged"], row["notes"].get("void_records", "–"))  # fmt: skip
    cells = "".join(f'<td class="number">{value}</td>' for value in numbers)
    link = f'<a href="#{_anchor(row)}">{escape(row["title"])}</a>'
    return f"<tr><td>{escape(row['number'])}</td><td>{link}</td><td>{row['load']}</td>{verdict}{cells}</tr>"


def _anchor(row: Row) -> str:
    return "".join(c if c.isalnum() else "-" for c in f"{row['number']}-{row['title']}-{row['load']}")


def _key() -> str:
    kinds = [f'<span><i style="background:var(--{kind})"></i>{MEANING[kind]}</span>' for kind in KINDS]
    lines = [
        f'<span><i style="background:var(--{name})"></i>{text}</span>'
        for name, text in (
            ("fault", "line: fault"),
            ("healed", "line: put right"),
            ("recovered", "line: recovered, an order of each account went all the way"),
        )
    ]
    return f'<p class="key dim">{"".join(kinds)}<br>{"".join(lines)}</p>'


def _section(row: Row) -> str:
    notes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["notes"].items())
    broken = [f"{promise}: {one}" for promise, found in row["criterion"].items() for one in found]
    lines = "".join(f'<p class="broken">{escape(one)}</p>' for one in broken)
    said = f"{row['steady_per_second']} orders/s accepted before the first fault; "
    said += f"seed {row['seed']}, {row['at']}, {row['seconds']} s; answers {_answers(row)}; {escape(notes)}"
    return (
        f'<h2 id="{_anchor(row)}">{escape(row["number"])} · {escape(row["title"])} · {row["load"]} load</h2>{lines}'
        f'<p class="dim">{said}</p><figure>{_curve(row)}</figure>{_faults(row)}'
    )


def _answers(row: Row) -> str:
    names = {"0": "no answer"}
    return ", ".join(f"{names.get(status, status)} × {count}" for status, count in sorted(row["answers"].items()))


def _faults(row: Row) -> str:
    head = '<tr><th>fault</th><th class="number">at</th><th>in flight</th><th class="number">put right after</th>'
    head += '<th class="number">recovered after</th></tr>'
    lines = ""
    for fault in row["faults"]:
        flying = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in fault["in_flight"].items())
        healed, recovered = (f"{fault[name] - fault['at_s']:.1f} s" if fault[name] else "–"
                             for name in ("healed_s", "recovered_s"))  # fmt: skip
        lines += (
            f'<tr><td>{escape(fault["what"])}</td><td class="number">{fault["at_s"]:.1f} s</td>'
            f'<td>{flying}</td><td class="number">{healed}</td><td class="number">{recovered}</td></tr>'
        )
    return f'<div class="wide"><table>{head}{lines}</table></div>'


# -- the curve -----------------------------------------------------------------------------------------------------


def _curve(row: Row) -> str:
    """Two plots over one time axis: answers per 100 ms as stacked bars, and the median and longest latency."""
    series = row["series"]
    if not series:
        return "<p>no answers</p>"
    seconds = len(series) * BUCKET_SECONDS
    top = max(10, max(sum(bucket[:5]) for bucket in series))
    slowest = max(10.0, max(bucket[6] for bucket in series))
    height = HEIGHT + LATENCY_HEIGHT + 58
    parts = [f'<svg viewBox="0 0 {WIDTH + LEFT + 10} {height}" role="img" aria-label="{escape(row["title"])}">']
    parts += _bars(series, top)
    parts += _latencies(series, slowest)
    parts += _axes(seconds, top, slowest)
    parts += _moments(row["faults"], seconds)
    return "".join(parts) + "</svg>"


def _x(at_s: float, seconds: float) -> float:
    return LEFT + at_s / seconds * WIDTH


def _bars(series: list[list[float]], top: float) -> Iterator[str]:
    step = WIDTH / len(series)
    for kind_number, kind in enumerate(KINDS):
        path = []
        for number, bucket in enumerate(series):
            if not (count := bucket[kind_number]):
                continue
            below = sum(bucket[:kind_number])
            y = 14 + HEIGHT * (1 - (below + count) / top)
            path.append(f"M{LEFT + number * step:.1f} {y:.1f}h{step:.2f}v{HEIGHT * count / top:.1f}h-{step:.2f}z")
        yield f'<path d="{"".join(path)}" fill="var(--{kind})"/>'


def _latencies(series: list[list[float]], slowest: float) -> Iterator[str]:
    step, base = WIDTH / len(series), HEIGHT + 34 + LATENCY_HEIGHT
    longest = "".join(
        f"M{LEFT + (number + 0.5) * step:.1f} {base}V{base - LATENCY_HEIGHT * bucket[6] / slowest:.1f}"
        for number, bucket in enumerate(series)
        if bucket[6]
    )
    yield f'<path d="{longest}" stroke="var(--latency)" stroke-opacity=".35" stroke-width="{max(1, step - 0.4):.1f}"/>'
    for number, bucket in enumerate(series):
        if bucket[5]:
            y = base - LATENCY_HEIGHT * bucket[5] / slowest
            yield f'<circle cx="{LEFT + (number + 0.5) * step:.1f}" cy="{y:.1f}" r="1.6" fill="var(--latency)"/>'


def _axes(seconds: float, top: float, slowest: float) -> Iterator[str]:
    base, low = 14 + HEIGHT, HEIGHT + 34 + LATENCY_HEIGHT
    for y in (base, low):
        yield f'<path d="M{LEFT} {y}H{LEFT + WIDTH}" stroke="var(--line)"/>'
    yield f'<text x="0" y="22">{top:g}</text><text x="0" y="{base}">per 0.1 s</text>'
    yield f'<text x="0" y="{low - LATENCY_HEIGHT + 9}">{slowest:.0f} ms</text><text x="0" y="{low}">latency</text>'
    step = next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 600) if seconds / step <= 20)
    for number in range(int(seconds / step) + 1):
        at = number * step
        yield f'<text x="{_x(at, seconds):.0f}" y="{low + 16}" text-anchor="middle">{at} s</text>'


def _moments(faults: list[Row], seconds: float) -> Iterator[str]:
    low = HEIGHT + 34 + LATENCY_HEIGHT
    for fault in faults:
        if fault["healed_s"]:
            left, right = _x(fault["at_s"], seconds), _x(min(fault["healed_s"], seconds), seconds)
            yield f'<rect x="{left:.1f}" y="6" width="{max(0, right - left):.1f}" height="{low - 6}" ' \
                  'fill="var(--fault)" fill-opacity=".08"/>'  # fmt: skip
        for name, key in (("fault", "at_s"), ("healed", "healed_s"), ("recovered", "recovered_s")):
            if fault[key] and fault[key] <= seconds:
                x = _x(fault[key], seconds)
                yield f'<path d="M{x:.1f} 6V{low}" stroke="var(--{name})" stroke-width="1.5"/>'


def main(arguments: list[str]) -> None:
    """Write the page beside the report, unless told otherwise."""
    report = Path(arguments[0]) if arguments else REPORT
    if not report.exists():
        sys.exit(f"there is no {report}: `make chaos` writes it")
    target = Path(arguments[1]) if len(arguments) > 1 else report.with_suffix(".html")
    target.write_text(page(newest(report.read_text().splitlines())))
    print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
