"""What a partition keeps of deleveragings of its accounts."""

from msgspec import Struct

from truetape.messages import DeleveragingChanged, DeleveragingPart


class Deleveragings(Struct):
    """Deleveragings whose home this partition is."""

    running: dict[str, DeleveragingChanged] = {}
    """By account, one at a time: the newest record of each says how it stands."""
    outcomes: dict[str, dict[str, int]] = {}
    """What rankings have come to, by round id, until the deleveraging says so."""
    parts: dict[str, DeleveragingPart] = {}
    """By parcel id, what was decided and not answered."""
