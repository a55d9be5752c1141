"""Money: integers in units of 1e-8. The one place where decimals, floats and divisions become money."""

import re
from collections.abc import Sequence
from typing import Final, Literal

from truetape.errors import MoneyError

ONE_E8: Final = 100_000_000
MAX_E8: Final = 2**63 - 1
_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,40}))?", re.ASCII)

Rounding = Literal["down", "up", "half_even"]
"""`down` is toward minus infinity, `up` toward plus infinity, `half_even` to the nearest, ties to even."""


def to_e8(text: str) -> int:
    """Parse a plain decimal string exactly: "1.5" -> 150000000.

    Raises MoneyError for exponents, signs other than one leading minus, NaN, digits finer than 1e-8
    (trailing zeros are allowed) and values beyond 64 bits.
    """
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise MoneyError(f"{str(text)[:40]!r} is not a plain decimal number such as 1.25")
    sign, whole, fraction = match.groups()
    digits = (fraction or "").rstrip("0")
    if len(digits) > 8:
        raise MoneyError(f"{text[:40]!r} is finer than 0.00000001; round it before sending")
    value_e8 = int(whole) * ONE_E8 + int(digits.ljust(8, "0"))
    return fits(-value_e8 if sign else value_e8)


def positive_e8(text: str) -> int:
    """Parse an amount as to_e8 does. Raises MoneyError also when it is not above zero."""
    value_e8 = to_e8(text)
    if value_e8 <= 0:
        raise MoneyError(f"{text[:40]!r} must be above zero")
    return value_e8


def from_e8(value_e8: int) -> str:
    """Write exactly, shortest form: 150000000 -> "1.5"."""
    whole, fraction = divmod(abs(value_e8), ONE_E8)
    text = f"{whole}.{fraction:08d}".rstrip("0").rstrip(".") if fraction else str(whole)
    return f"-{text}" if value_e8 < 0 else text


def fits(value_e8: int) -> int:
    """Return the value, or raise MoneyError when it is beyond 64 bits."""
    if not -MAX_E8 <= value_e8 <= MAX_E8:
        raise MoneyError(f"{value_e8} in units of 1e-8 is beyond 64 bits; split the amount")
    return value_e8


def divide(numerator: int, denominator: int, rounding: Rounding) -> tuple[int, int]:
    """Divide and name what is lost: (quotient, remainder), numerator == quotient * denominator + remainder.

    The denominator is positive. The remainder's sign says who gained: positive when the quotient is too small.
    """
    assert denominator > 0
    quotient, remainder = divmod(numerator, denominator)
    if remainder and (rounding == "up" or (rounding == "half_even" and _above_half(quotient, remainder, denominator))):
        return quotient + 1, remainder - denominator
    return quotient, remainder


def _above_half(quotient: int, remainder: int, denominator: int) -> bool:
    return 2 * remainder > denominator or (2 * remainder == denominator and quotient % 2 == 1)


def notional(price_e8: int, quantity_e8: int, rounding: Rounding) -> int:
    """Price times quantity in units of 1e-8 of the quote asset; refuses by name what is beyond 64 bits."""
    return fits(divide(price_e8 * quantity_e8, ONE_E8, rounding)[0])


def portion(amount_e8: int, rate_e8: int, rounding: Rounding) -> int:
    """A rate (1e-8 = one hundred-millionth) of an amount: fees, collars."""
    return fits(divide(amount_e8 * rate_e8, ONE_E8, rounding)[0])


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Cut a total among weights by largest remainder: whole units in proportion, and what they leave one unit each to
    the largest remainders, the earlier first. The shares sum to the total; none passes its weight unless the total
    passes their sum. Nothing is negative, and no weight at all takes no total.
    """
    whole = sum(weights)
    assert total >= 0 and min(weights, default=0) >= 0 and (whole > 0 or total == 0), "there is something to cut by"
    if whole == 0:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares
