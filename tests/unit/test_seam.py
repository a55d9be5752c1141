"""What runs in the simulation asks the machine nothing but through `truetape.clock` and `truetape.chance`.

The order in which a set gives its members depends on addresses and hash seeds, so nothing may depend on it either.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(
    r"truetape/(clock|chance|log|process|health|client|connection|writer|operator|demo|telemetry)\.py"
    r"|truetape/columns\.py|services/gateway/projection/(hot)?rebuild\.py|truetape/venue/thread\.py"
    r"|truetape/(dev|commands|audit|books|rebuild|seal)/.*|venues/(process|replay)\.py|.*/__main__\.py"
)
"""The machine itself, and what never runs in a simulated process."""
SOURCES = [
    path
    for folder in ("truetape", "services", "venues")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not OUTSIDE.fullmatch(str(path.relative_to(ROOT)))
]
MACHINE = re.compile(
    r"(time\.(time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns|sleep)"
    r"|datetime\.(now|utcnow|today)|date\.today|random\.(?!Random\b)\w+|secrets\.\w+|uuid\.\w+|os\.urandom"
    r"|uvloop\.\w+|asyncio\.(run|new_event_loop)|threading\.Thread)"
)
ORDERLESS = {"sorted", "sum", "min", "max", "any", "all", "len", "set", "frozenset", "Counter"}
"""What takes members in any order and gives the same."""
HIDING = {"time", "secrets", "uuid", "random", "threading"}
"""Modules whose names are used through the module alone, so that they are seen here."""
ALLOWED = {
    "services/gateway/gateway.py": "threading.Thread",
    "services/gateway/tail.py": "threading.Thread",
    "services/gateway/projection/projector.py": "time.sleep",
    "services/notary/session.py": "threading.Thread",
}
"""Threads and waits that the simulation replaces by turns."""


def machine_uses(tree: ast.AST) -> Iterator[str]:
    """Calls and attributes that ask the machine."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and MACHINE.fullmatch(name := ast.unparse(node)):
            yield f"{node.lineno}: {name}"
        elif isinstance(node, ast.ImportFrom) and node.module in HIDING:
            yield from (f"{node.lineno}: {one.name}" for one in node.names if one.name not in ("Random", "Lock"))


def set_names(tree: ast.AST) -> set[str]:
    """Names that are annotated as sets here."""
    return {
        ast.unparse(node.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and re.match(r"(frozen)?set\b", ast.unparse(node.annotation))
    }


def is_set(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression is surely a set."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return any(is_set(side, names) or ast.unparse(side).endswith(".keys()") for side in (left, right))
        case ast.Name() | ast.Attribute():
            return ast.unparse(node) in names
    return False


def set_iterations(tree: ast.AST) -> Iterator[str]:
    """Places that go through a set in its own order."""
    names = set_names(tree)
    safe = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ORDERLESS
        for argument in node.args
    }
    for node in ast.walk(tree):
        loops: list[ast.expr] = []
        if isinstance(node, ast.For | ast.AsyncFor):
            loops = [node.iter]
        elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp) and id(node) not in safe:
            loops = [part.iter for part in node.generators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("list", "tuple", "iter"):
            loops = list(node.args)
        yield from (f"{one.lineno}: {ast.unparse(one)}" for one in loops if is_set(one, names))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_machine_is_asked_through_the_seam_alone(path: Path) -> None:
    uses = {use.partition(": ")[2] for use in machine_uses(ast.parse(path.read_text()))}
    assert uses - {ALLOWED.get(str(path.relative_to(ROOT)))} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_depends_on_the_order_of_a_set(path: Path) -> None:
    assert list(set_iterations(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.time()",
        "x = random.choice(y)",
        "from uuid import uuid4",
        "threading.Thread(target=f)",
        "from time import monotonic",
    ],
)
def test_the_check_sees_the_machine(code: str) -> None:
    assert list(machine_uses(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "for x in {1, 2}: f(x)",
        "[f(x) for x in set(y)]",
        "self.s: set[str] = set()\nfor x in self.s: f(x)",
        "for x in a.keys() - b: f(x)",
        "list(set(y))",
        "{x: 1 for x in frozenset(y)}",
    ],
)
def test_the_check_sees_a_set(code: str) -> None:
    assert list(set_iterations(ast.parse(code)))


def test_the_check_lets_orderless_uses_be() -> None:
    code = (
        "self.s: set[str] = set()\nsorted(self.s)\nany(f(x) for x in self.s)\n{g(x) for x in set(y)}\nrandom.Random(1)"
    )
    tree = ast.parse(code)
    assert list(set_iterations(tree)) == []
    assert list(machine_uses(tree)) == []
