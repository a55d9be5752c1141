"""Opyn: collateral of spreads and naked options, and what is left at expiry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tests.vectors.compact import PRINTED, Numbers, compact, first, label, listed, other_lists, printed, understood
from tests.vectors.frame import Case, Check, family
from truetape.margin.spreads import (
    WEEK_SECONDS,
    Leg,
    call_spread_need,
    calls_need,
    expiry_excess,
    naked_call_need,
    naked_put_need,
    put_spread_need,
    puts_need,
    upper_bound,
)

Right = Literal["CALL", "PUT"]


@family("opyn_spread_margin", PRINTED)
def spreads(directory: Path) -> Iterator[Case]:
    rights: dict[str, Right] = {"puts_in_USDC": "PUT", "calls_in_underlying": "CALL"}
    for name, right in rights.items():
        for where, index, case, _ in listed(directory, "opyn_spread_margin", name):
            yield Case(
                f"{where}{right} {label(index, case)}",
                lambda case=case, right=right: understood(case, spread(case, right)),  # type: ignore[misc]
            )
    yield from other_lists(directory, "opyn_spread_margin", *rights)


def spread(case: Numbers, right: Right) -> Iterator[Check]:
    """By the published formula of one pair, and by the largest loss over all settlement prices."""
    short, long = pair(case.get("short")), pair(case.get("long"))
    by_formula = (put_spread_need if right == "PUT" else call_spread_need)(*short, *long)
    legs = [Leg(-short[0], short[1]), Leg(*long)]
    for said, need in (
        ("formula", by_formula),
        ("largest loss", (puts_need if right == "PUT" else calls_need)(legs)),
    ):
        if "need" in case:
            yield printed(f"need by {said}", case["need"], need)
        if "excess" in case:
            yield printed(f"excess by {said}", case["excess"], float(case["collateral"]) - need)


@compact("opyn_expiry_payout", PRINTED)
def expiry(case: Numbers, _: Numbers) -> Iterator[Check]:
    right: Right = "CALL" if any(key.endswith("_call") for key in case) else "PUT"
    kind, suffix = right.lower(), "_eth" if right == "CALL" else ""
    short, long = (case.get(f"{side}_{kind}") for side in ("short", "long"))
    excess = expiry_excess(
        right,
        float(case["spot"]),
        float(case.get(f"collateral{suffix}", 0)),
        Leg(*pair(short)) if short else None,
        Leg(*pair(long)) if long else None,
    )
    yield printed("excess", case[f"excess{suffix}"], excess)


@compact("opyn_naked_margin", PRINTED)
def naked(case: Numbers, family: Numbers) -> Iterator[Check]:
    params = family["params"]
    table = {float(weeks) * WEEK_SECONDS: float(value) for weeks, value in params["upper_bound_by_week"].items()}
    bound = upper_bound(float(case["weeks"]) * WEEK_SECONDS, table)
    spot, shock = float(case["spot"]), float(params["spot_shock"])
    out = first(case, "out", "out_eth", "out_usdc")
    if "put" in case:
        yield printed("out", out, naked_put_need(*pair(case["put"]), spot, bound, shock))
    else:
        yield printed("out", out, naked_call_need(*pair(case["call"]), spot, bound, shock))


def pair(said: Any) -> tuple[float, float]:
    """[quantity, strike], or nothing."""
    return (float(said[0]), float(said[1])) if said else (0.0, 0.0)
