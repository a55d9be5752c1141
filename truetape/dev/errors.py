"""What keeps a stack from starting. All are SetupErrors; each message ends with what to do."""

from truetape.errors import SetupError


class PortInUse(SetupError):
    """Another process listens on a port that the stack needs."""


class ProgramMissing(SetupError):
    """A program of the machine (java, mvn, postgres, redis-server) is absent or too old."""


class DiskFull(SetupError):
    """Too little free space to start without the risk of a torn log."""


class StartFailed(SetupError):
    """A process ended or did not become ready in time; carries the end of its log."""
