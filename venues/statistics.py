"""What has traded on one instrument: recent trades and one-minute bars, the source of tickers and klines."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from truetape.money import ONE_E8
from venues.matching import Trade

MINUTE_MS = 60_000
BARS = 1_440
RECENT = 1_000


class Bar(Struct):
    """Trades of one interval. Prices and volumes in 1e-8; `taker_*` is what takers bought."""

    open_ms: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    first_id: int
    last_id: int
    volume_e8: int = 0
    quote_e8: int = 0
    taker_volume_e8: int = 0
    taker_quote_e8: int = 0
    count: int = 0

    def add(self, bar: "Bar") -> None:
        """Merge the bar that follows."""
        self.high_e8 = max(self.high_e8, bar.high_e8)
        self.low_e8 = min(self.low_e8, bar.low_e8)
        self.close_e8, self.last_id = bar.close_e8, bar.last_id
        self.volume_e8 += bar.volume_e8
        self.quote_e8 += bar.quote_e8
        self.taker_volume_e8 += bar.taker_volume_e8
        self.taker_quote_e8 += bar.taker_quote_e8
        self.count += bar.count


class Statistics:
    """The last trades and a day of one-minute bars; a minute without trades has no bar."""

    def __init__(self) -> None:
        self.recent: deque[tuple[Trade, int]] = deque(maxlen=RECENT)
        self.bars: deque[Bar] = deque(maxlen=BARS)

    def record(self, trade: Trade, now_ms: int) -> None:
        """Count a trade in."""
        self.recent.append((trade, now_ms))
        bar = _bar(trade, now_ms - now_ms % MINUTE_MS)
        if self.bars and self.bars[-1].open_ms >= bar.open_ms:
            self.bars[-1].add(bar)
        else:
            self.bars.append(bar)

    @property
    def last(self) -> Trade | None:
        """The latest trade."""
        return self.recent[-1][0] if self.recent else None

    def window(self, now_ms: int, minutes: int) -> Bar | None:
        """One bar over the last minutes, or None when nothing traded."""
        since_ms = now_ms - minutes * MINUTE_MS
        return next(iter(merged((bar for bar in self.bars if bar.open_ms > since_ms), 0)), None)

    def average_price(self, now_ms: int, minutes: int) -> int:
        """Volume-weighted price of the last minutes, else the last price, else 0; units of 1e-8."""
        bar = self.window(now_ms, minutes)
        if bar is not None and bar.volume_e8:
            return bar.quote_e8 * ONE_E8 // bar.volume_e8
        return self.last.price_e8 if self.last else 0


def merged(bars: Iterable[Bar], interval_ms: int) -> list[Bar]:
    """Bars of a longer interval; interval 0 merges all into one."""
    result: list[Bar] = []
    for bar in bars:
        start_ms = bar.open_ms - bar.open_ms % interval_ms if interval_ms else 0
        if result and result[-1].open_ms == start_ms:
            result[-1].add(bar)
        else:
            copy = Bar(*(getattr(bar, name) for name in Bar.__struct_fields__))
            copy.open_ms = start_ms
            result.append(copy)
    return result


def _bar(trade: Trade, open_ms: int) -> Bar:
    price_e8, quote_e8 = trade.price_e8, trade.price_e8 * trade.quantity_e8 // ONE_E8
    bought = trade.taker_side == "BUY"
    return Bar(
        open_ms, price_e8, price_e8, price_e8, price_e8, trade.trade_id, trade.trade_id,
        trade.quantity_e8, quote_e8, trade.quantity_e8 if bought else 0, quote_e8 if bought else 0, 1,
    )  # fmt: skip
