"""What a partition keeps of porting: windows of its members in default, and where its own clients go."""

from msgspec import Struct

from truetape.messages import PortingChanged, RoundTerms


class Window(Struct):
    """The porting window of a member in default, in the member's partition."""

    default_id: str
    asset: str
    expires_at_us: int
    round_id: str
    """The round that runs for it, or ran last: the one that opens it, or one that decides."""
    deciding: int = 0
    """How many rounds have decided about its clients, or do."""
    closed: bool = False


class Verdict(Struct, frozen=True):
    """What a round has said about a client and its own record says next."""

    terms: RoundTerms
    kind: str
    """OPEN, MOVE, or the reason why it is closed out."""
    receiver_id: str = ""


class Portings(Struct):
    """Porting in one partition."""

    chosen: dict[str, str] = {}
    """By client, the member that it has chosen beforehand."""
    open: dict[str, PortingChanged] = {}
    """By client: the newest record, until its member is another one."""
    verdicts: dict[str, Verdict] = {}
    """By client: due."""
    windows: dict[str, Window] = {}
    """By member in default."""
