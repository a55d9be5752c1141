"""`python -m tests.chaos.page [REPORT] [PAGE]`: one self-contained HTML page from the report of the chaos scenarios.

On top each scenario of the catalogue with its recovery time at each load, also those that were not run, then all
figures, then per scenario and load the curve: answers over time, what kind they were, and how long they took, with the
moments of fault, repair and recovery. The newest run of each scenario and load counts.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Final

from tests.chaos.catalogue import CATALOGUE, REPORT, Row, Trial, newest, trials
from tests.chaos.load import LEVELS

LETTER_WIDTH: Final = 6.5
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
th { font-weight: 600; } td.number, th.number { text-align: right; } td.number { white-space: nowrap; }
.passed { color: var(--recovered); } .broken { color: var(--failed); font-weight: 600; }
.wide { overflow-x: auto; } figure { margin: .5rem 0; background: var(--panel); padding: .5rem; border-radius: 6px; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: var(--dim); }
.key span { margin-right: 1rem; white-space: nowrap; } .key i { display: inline-block; width: .8em; height: .8em;
  border-radius: 2px; margin-right: .35em; vertical-align: -.05em; }
a { color: inherit; }
"""


def page(runs: Mapping[Trial, Row]) -> str:
    """The whole page, from the newest runs."""
    rows = list(runs.values())
    body = _head(runs) + _overview(runs) + _table(rows) + _key() + "".join(_section(row) for row in rows)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Truetape under chaos</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>\n'
    )


def _head(runs: Mapping[Trial, Row]) -> str:
    rows = runs.values()
    passed, faults = sum(row["passed"] for row in rows), sum(len(row["faults"]) for row in rows)
    orders, all_trials = sum(row["acknowledged"] for row in rows), len(CATALOGUE) * len(LEVELS)
    times, codes = sorted(row["at"] for row in rows), sorted({row["code"] for row in rows})
    when = f"Run from {times[0]} to {times[-1]}, code {', '.join(codes)}." if times else ""
    return (
        f"<h1>Truetape under chaos</h1><p>{passed} of {len(runs)} scenarios and loads passed, "
        f"{all_trials - len(runs)} of {all_trials} were not run: {faults} faults in real processes under load, "
        f"{orders} orders acknowledged. {when}</p><p>Passed means: no acknowledged order or cancel lost, every fill of "
        "the venues booked once, none invented, audit and rebuilt state equal to the live one, money sums to zero, "
        "nothing reserved, and the reconciler shows exactly what was planted. <code>docs/chaos.md</code> says more.</p>"
    )


def _overview(runs: Mapping[Trial, Row]) -> str:
    """A line per scenario, a column per load: recovered in, or what it is instead."""
    head = "".join(f'<th class="number">{level}</th>' for level in LEVELS)
    lines = ""
    for test, (number, title) in CATALOGUE.items():
        cells = "".join(f'<td class="number">{_cell(runs.get(trial))}</td>' for trial in trials(test))
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
    numbers = ("before, per s", "faults", "recovered in", "longest silence", "not answered", "orders", "void records")
    names = ("no.", "scenario", "load", "result", *numbers)
    head = "".join(f'<th class="{"number" if name in numbers else ""}">{name}</th>' for name in names)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(map(_result, rows))}</table></div>'


def _result(row: Row) -> str:
    verdict = '<td class="passed">passed</td>' if row["passed"] else '<td class="broken">FAILED</td>'
    costs = _recovery(row), f"{row['outage_seconds']:.1f} s", f"{row['unanswered_share']:.1%}"
    void = row["notes"].get("void_records", "–")
    numbers = (row["steady_per_second"], len(row["faults"]), *costs, row["acknowledged"], void)
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
    words = (
        "Recovered in: from the fault's first moment until an order of each account had been accepted, filled, booked "
        "and seen in the views; the longest of the run's faults. Longest silence: the longest time after the first "
        "fault in which nobody was told of an accepted order. Not answered: of all requests those that got no definite "
        "answer; each was repeated under its client order id until it had one."
    )
    return f'<p class="dim">{words}</p><p class="key dim">{"".join(kinds)}<br>{"".join(lines)}</p>'


def _section(row: Row) -> str:
    notes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["notes"].items())
    broken = [f"{promise}: {one}" for promise, found in row["criterion"].items() for one in found]
    lines = "".join(f'<p class="broken">{escape(one)}</p>' for one in broken)
    said = f"{row['steady_per_second']} orders/s accepted before the first fault; answers {_answers(row)}; {notes}"
    again = f"TRUETAPE_CHAOS_SEED={row['seed']} make chaos SCENARIOS={row['number']} LOADS={row['load']}"
    ended = f"ended {row['at']} after {row['seconds']} s, code {row['code']}"
    return (
        f'<h2 id="{_anchor(row)}">{escape(row["number"])} · {escape(row["title"])} · {row["load"]} load</h2>{lines}'
        f'<p class="dim">{escape(said)}</p><figure>{_curve(row)}</figure>{_faults(row)}'
        f'<p class="dim">{ended}; again: <code>{escape(again)}</code></p>'
    )


def _answers(row: Row) -> str:
    names = {"0": "no answer"}
    return ", ".join(f"{names.get(status, status)} × {count}" for status, count in sorted(row["answers"].items()))


def _faults(row: Row) -> str:
    names = ("at", "UTC", "put right after", "recovered after", "silent for")
    head = (
        "<tr><th>fault</th><th>in flight</th>" + "".join(f'<th class="number">{name}</th>' for name in names) + "</tr>"
    )
    lines = ""
    for number, fault in enumerate(row["faults"], 1):
        flying = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in fault["in_flight"].items())
        healed, recovered = (f"{fault[name] - fault['at_s']:.1f} s" if fault[name] else "–"
                             for name in ("healed_s", "recovered_s"))  # fmt: skip
        at_utc = time.strftime("%H:%M:%S", time.gmtime(fault["at_us"] / 1e6))
        figures = f"{fault['at_s']:.1f} s", at_utc, healed, recovered, f"{fault['silent_s']:.1f} s"
        cells = "".join(f'<td class="number">{figure}</td>' for figure in figures)
        lines += f"<tr><td>{number}. {escape(fault['what'])}</td><td>{flying}</td>{cells}</tr>"
    return f'<div class="wide"><table>{head}{lines}</table></div>'


# -- the curve -----------------------------------------------------------------------------------------------------


def _curve(row: Row) -> str:
    """Two plots over one time axis: answers per bucket as stacked bars, and the median and longest latency."""
    series = row["series"]
    if not series:
        return "<p>no answers</p>"
    seconds = len(series) * row["bucket_seconds"]
    top = max(4, max(sum(bucket[:5]) for bucket in series))
    slowest = max(10.0, max(bucket[6] for bucket in series))
    height = HEIGHT + LATENCY_HEIGHT + 58
    parts = [f'<svg viewBox="0 0 {WIDTH + LEFT + 10} {height}" role="img" aria-label="{escape(row["title"])}">']
    parts += _bars(series, top)
    parts += _latencies(series, slowest)
    parts += _axes(seconds, row["bucket_seconds"], top, slowest)
    parts += _moments(row["faults"], seconds)
    parts += _labels(row["faults"], seconds)
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


def _axes(seconds: float, bucket_seconds: float, top: float, slowest: float) -> Iterator[str]:
    base, low = 14 + HEIGHT, HEIGHT + 34 + LATENCY_HEIGHT
    for y in (base, low):
        yield f'<path d="M{LEFT} {y}H{LEFT + WIDTH}" stroke="var(--line)"/>'
    yield f'<text x="0" y="22">{top:g}</text><text x="0" y="{base}">per {bucket_seconds:g} s</text>'
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


def _labels(faults: list[Row], seconds: float) -> Iterator[str]:
    """Words at the lines, the faults' first, as far as there is room."""
    words = [(fault["at_s"], f"fault {number}") for number, fault in enumerate(faults, 1)]
    words += [(fault["recovered_s"], "recovered") for fault in faults]
    words += [(fault["healed_s"], "put right") for fault in faults]
    taken = [(float(LEFT), LEFT + LETTER_WIDTH * len("before"))]
    yield f'<text x="{LEFT}" y="9">before</text>'
    for at_s, word in words:
        width = LETTER_WIDTH * len(word)
        left = min(_x(at_s, seconds) + 3, LEFT + WIDTH + 10 - width)
        right = left + width
        if 0 < at_s <= seconds and all(right < low or left > high for low, high in taken):
            taken.append((left, right))
            yield f'<text x="{left:.1f}" y="9">{word}</text>'


def main(arguments: list[str]) -> None:
    """Write the page beside the report, unless told otherwise."""
    report = Path(arguments[0]) if arguments else REPORT
    if not report.exists():
        sys.exit(f"there is no {report}: `make chaos` writes it")
    target = Path(arguments[1]) if len(arguments) > 1 else report.with_suffix(".html")
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    if not all("bucket_seconds" in row for row in rows):
        sys.exit(
            f"{report} has lines of an older version, which say other things: remove it, and run `make chaos` again"
        )
    target.write_text(page(newest(rows)))
    print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
