"""The native development stack: Kafka, PostgreSQL and Redis as local processes, the venues and services on top.

Owns the home folder (`.truetape`): generated secrets in `env` (0600), data, logs, pid files, downloads.
Reads the machine's programs (java, mvn, postgres, redis-server). Keeps: every process listens on
127.0.0.1 alone, no secret is in an argument list, and only processes that it started are ever signalled.
"""

from truetape.dev.errors import DiskFull, PortInUse, ProgramMissing, StartFailed
from truetape.dev.ports import free_base
from truetape.dev.stack import Stack
from truetape.dev.unit import Progress, Status

__all__ = [
    "DiskFull",
    "PortInUse",
    "ProgramMissing",
    "Progress",
    "Stack",
    "StartFailed",
    "Status",
    "free_base",
]
