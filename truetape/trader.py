"""The gateway as the holder of an API key meets it on the command line: address and key from the environment."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct, to_builtins

from truetape import reports
from truetape.client import Client, Unreachable
from truetape.errors import SetupError
from truetape.settings import Settings

NO_KEY: Final = (
    "TRUETAPE_KEY holds no API key; make one: "
    "export TRUETAPE_KEY=$(truetape keys create --account ACCOUNT --scope trade --scope read)"
)


@contextmanager
def trader() -> Iterator[Client]:
    """The gateway at TRUETAPE_GATEWAY, or the native stack's, with the key in TRUETAPE_KEY. Raises SetupError, and
    Unreachable that says what to look at."""
    settings = Settings()
    key = settings.key.get_secret_value()
    if not key:
        raise SetupError(NO_KEY)
    url = settings.gateway or f"http://127.0.0.1:{settings.port('gateway')}"
    with Client(url, key) as client:
        try:
            yield client
        except Unreachable as lost:
            raise Unreachable(
                f"{lost}. Does a gateway run at {url}? `truetape dev status`, or TRUETAPE_GATEWAY"
            ) from lost


def write(columns: Sequence[str], rows: Iterable[Struct], form: str, nothing: str) -> None:
    """Answers of the gateway as `reports.write` has them; what is null is an empty cell. Raises SetupError."""
    found: list[dict[str, Any]] = [to_builtins(row) for row in rows]
    if form != "json":
        found = [{name: "" if value is None else value for name, value in row.items()} for row in found]
    reports.write(columns, found, form, nothing)
