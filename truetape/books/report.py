"""What the second opinion says."""

from msgspec import Struct

from truetape.audit.difference import Difference


class BooksReport(Struct, frozen=True):
    """One audit by columns."""

    equal: bool
    """No difference and no gap."""
    compared: dict[str, str]
    """live, snapshot and each view: equal, differs, or why nothing was compared."""
    accounts: int
    """Ledger accounts with a balance."""
    positions: int
    fills: int
    entries: int
    judged: int
    """Trades judged one by one, because the columns found something or the numbers are too large for them."""
    records: int
    voids: int
    stray: int
    pending: int
    """Fills at the end of the tape that are not booked yet: no difference."""
    gaps: list[str]
    differences: list[Difference]
    """The first of each kind."""
    differences_total: int
    seconds: float
    decode_seconds: float
    """Of these, bytes to columns."""
    read_seconds: float
    """Of these, waiting for the tape."""
    state_bytes: int
    """Largest memory that one partition's balances and positions took."""
