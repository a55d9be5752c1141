"""Products of 64-bit integers without loss, in two limbs: what a division leaves, checked rather than divided."""

from typing import NamedTuple

import numpy as np

from truetape.columns import Bools, Ints, Words

_u = np.uint64
_LOW = _u(0xFFFFFFFF)
_HALF = _u(32)


class Wide(NamedTuple):
    """128-bit two's complement."""

    high: Ints
    low: Words


def product(a: Ints, b: Ints) -> Wide:
    """a times b."""
    ua, ub = a.view(np.uint64), b.view(np.uint64)
    a0, a1, b0, b1 = ua & _LOW, ua >> _HALF, ub & _LOW, ub >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    carried = a0 * b1 + (middle & _LOW)
    high = a1 * b1 + (middle >> _HALF) + (carried >> _HALF)
    high -= np.where(a < 0, ub, _u(0)) + np.where(b < 0, ua, _u(0))
    return Wide(high.view(np.int64), ua * ub)


def remainder(a: Ints, b: Ints, quotient: Ints, divisor: Ints) -> tuple[Ints, Bools]:
    """a * b - quotient * divisor, and where that fits 64 bits (elsewhere it means nothing)."""
    whole, taken = product(a, b), product(quotient, divisor)
    low = whole.low - taken.low
    borrow = (whole.low < taken.low).astype(np.int64)
    high = whole.high - taken.high - borrow
    rest = low.view(np.int64)
    return rest, high == rest >> np.int64(63)


def is_floor(a: Ints, b: Ints, quotient: Ints, divisor: Ints) -> Bools:
    """Whether quotient is a * b / divisor rounded toward minus infinity. The divisor is positive."""
    rest, fits = remainder(a, b, quotient, divisor)
    return fits & (rest >= 0) & (rest < divisor)


def is_ceiling(a: Ints, b: Ints, quotient: Ints, divisor: Ints) -> Bools:
    """Whether quotient is a * b / divisor rounded toward plus infinity. The divisor is positive."""
    rest, fits = remainder(a, b, quotient, divisor)
    return fits & (rest <= 0) & (rest > -divisor)


def is_half_even(a: Ints, b: Ints, quotient: Ints, divisor: Ints) -> Bools:
    """Whether quotient is a * b / divisor to the nearest, ties to even. The divisor is positive, below 2**62."""
    rest, fits = remainder(a, b, quotient, divisor)
    near = fits & (np.abs(rest) <= divisor)
    twice = 2 * np.abs(np.where(near, rest, 0))
    found: Bools = near & ((twice < divisor) | ((twice == divisor) & (quotient & 1 == 0)))
    return found
