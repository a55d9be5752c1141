"""The library: the tape, the contract, money, and what every service shares. It never imports a service."""

import sys

# structlog would import rich, if it is there, for prettier tracebacks: 0.1 s of each process's start.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
