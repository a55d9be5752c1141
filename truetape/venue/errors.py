"""What a venue request can fail of. The distinction that counts: surely not done, or not known.

VenueError
├── VenueRefused        the venue answered no, or was never asked: the request had no effect
│   └── VenueLimited    ... because of a rate limit, ours or the venue's
├── VenueDoubtful       the request may or may not have had its effect
├── VenueMalformed      the venue sent what cannot be understood, or a number finer than 1e-8
└── UnknownVenueOrder   a fill of an order that the tape does not know
"""

from truetape.errors import VenueError


class VenueRefused(VenueError):
    """The request surely had no effect: refused by the venue, or never sent."""

    def __init__(self, code: str, reason: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class VenueLimited(VenueRefused):
    """Refused for a rate limit; nothing may be sent for `retry_after_seconds`."""


class VenueDoubtful(VenueError):
    """It is not known whether the request had its effect; ask the venue, never assume."""


class VenueMalformed(VenueError):
    """The venue sent something that cannot be understood exactly; compare it with the venue's documents."""


class UnknownVenueOrder(VenueError):
    """A fill of a venue order that carries our mark but is not on the tape; the reconciler must explain it."""
