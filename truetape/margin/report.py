"""The margin report: per settlement asset what an account has and needs, by which model, and each position's part."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from truetape import funding
from truetape.contracts import value
from truetape.margin.account import Account, AssetMargin, assess, terms_of
from truetape.margin.classed import Held
from truetape.margin.published import Published
from truetape.margin.quoted import payoff
from truetape.messages import ContractFactTaken, EntryBooked
from truetape.money import fits, from_e8
from truetape.sheets import sheet
from truetape.statement import moment

NOTHING: Final[Mapping[str, int]] = {}
COLUMNS: Final = ("settlement_asset", "row", "name", "amount", "detail")
"""Of the CSV: one row for each number of the report."""


def account_of(account_id: str, records: Iterable[Any]) -> tuple[Account, dict[str, int]]:
    """Balances and positions of an account, and by position the funding that it owes or gets beyond what is booked:
    from the records of its partition, in the order of the tape."""
    balances: dict[str, int] = {}
    positions: dict[str, Held] = {}
    since: dict[str, str] = {}
    newest: dict[str, str] = {}
    client = f"client:{account_id}"
    for entry in records:
        if isinstance(entry, ContractFactTaken):
            newest[entry.fact.instrument_id] = entry.funding_index_e18
        if not isinstance(entry, EntryBooked) or entry.account_id != account_id:
            continue
        for line in entry.lines:
            if line.account == client:
                balances[line.asset] = balances.get(line.asset, 0) + line.amount_e8
        if entry.position is not None and entry.contract is not None:
            after = entry.position
            unpaid_e8 = after.realised_e8 - entry.contract.settled_e8
            positions[after.instrument_id] = Held(after.quantity_e8, after.cost_e8, unpaid_e8)
            since[after.instrument_id] = entry.contract.funding_index_e18
    held = {name: one for name, one in positions.items() if one.quantity_e8 or one.unpaid_e8}
    return Account(balances, held), accrued(held, since, newest)


def accrued(positions: Mapping[str, Held], since: Mapping[str, str], newest: Mapping[str, str]) -> dict[str, int]:
    """By position, funding from the index up to which it has paid to the newest one; what is nothing is left out.
    Raises MoneyError beyond 64 bits."""
    found = {
        name: funding.payment(held.quantity_e8, int(since[name]), int(newest.get(name, since[name])))
        for name, held in positions.items() if since.get(name)
    }  # fmt: skip
    return {name: e8 for name, e8 in found.items() if e8}


def with_fill(account: Account, name: str, quantity_e8: int, price_e8: int, seen: Published) -> Account:
    """The account after buying (positive) or selling so many contracts at a price, without fees. Raises MarginError."""
    terms = terms_of(name, seen)
    cost_e8 = value(payoff(terms), quantity_e8, price_e8, "up")
    was = account.positions.get(name, Held(0, 0, 0))
    after = replace(was, quantity_e8=was.quantity_e8 + quantity_e8, cost_e8=was.cost_e8 + cost_e8)
    asset = terms.settlement_asset
    paid_e8 = cost_e8 if terms.kind == "OPTION" else 0
    balances = {**account.balances, asset: account.balances.get(asset, 0) - paid_e8}
    return Account(balances, {**account.positions, name: after})


def report(account: Account, seen: Published, accrued: Mapping[str, int] = NOTHING) -> list[AssetMargin]:
    """Margin by settlement asset, in order, with the funding that has accrued, as risk and clearing count it. Raises
    MarginError, and MoneyError beyond 64 bits."""
    positions = dict(account.positions)
    owed: dict[str, dict[str, int]] = {}
    for name, amount_e8 in sorted(accrued.items()):
        held = positions[name]
        positions[name] = replace(held, unpaid_e8=fits(held.unpaid_e8 + amount_e8))
        owed.setdefault(terms_of(name, seen).settlement_asset, {})[name] = amount_e8
    found = assess(account.balances, positions, seen)
    return [replace(found[asset], funding=owed.get(asset, {})) for asset in sorted(found)]


def plain(account_id: str, found: Iterable[AssetMargin], seen: Published) -> dict[str, Any]:
    """As JSON: decimals are strings, times ISO 8601."""
    return {"account_id": account_id, "at": moment(seen.at_us), "assets": [_plain(one) for one in found]}


def _plain(one: AssetMargin) -> dict[str, Any]:
    return {
        "settlement_asset": one.asset,
        "balance": from_e8(one.balance_e8),
        "gains": from_e8(one.gains_e8),
        "funding": from_e8(sum(one.funding.values())),
        "collateral_counted": from_e8(one.collateral_e8),
        "equity": from_e8(one.equity_e8),
        "initial_need": from_e8(one.initial_e8),
        "maintenance_need": from_e8(one.maintenance_e8),
        "initial_excess": from_e8(one.initial_excess_e8),
        "maintenance_excess": from_e8(one.maintenance_excess_e8),
        "worst": one.worst,
        "models": list(one.models),
        "positions": [
            {"instrument_id": name, "contribution": from_e8(need_e8), "funding": from_e8(one.funding.get(name, 0))}
            for name, need_e8 in _largest(one)
        ],
        "collateral": [
            {
                "asset": each.asset, "value": from_e8(each.value_e8), "haircut": from_e8(each.haircut_e8),
                "concentration": from_e8(each.concentration_e8), "counted": from_e8(each.counted_e8),
            }
            for each in one.collateral
        ],
        "marks": [
            {
                "instrument_id": mark.instrument_id, "price": from_e8(mark.price_e8),
                "observed_at": moment(mark.observed_at_us), "stale": mark.stale,
            }
            for mark in one.marks
        ],
        "scenarios": [{"name": name, "profit": f"{gain:.8f}"} for name, gain in one.scenarios.items()],
    }  # fmt: skip


def _largest(one: AssetMargin) -> list[tuple[str, int]]:
    return sorted(one.contributions.items(), key=lambda item: (-item[1], item[0]))


def rows(found: Iterable[AssetMargin]) -> Iterator[tuple[str, ...]]:
    """All numbers as text, in the order of COLUMNS."""
    for one in found:
        told = _plain(one)
        for name in ("balance", "gains", "funding", "collateral_counted", "equity", "initial_need", "maintenance_need",
                     "initial_excess", "maintenance_excess"):  # fmt: skip
            yield one.asset, "total", name, told[name], one.worst if name == "initial_need" else ""
        for model in one.models:
            yield one.asset, "model", model, "", ""
        for name, need_e8 in _largest(one):
            owed_e8 = one.funding.get(name, 0)
            yield one.asset, "contribution", name, from_e8(need_e8), f"funding {from_e8(owed_e8)}" if owed_e8 else ""
        for each in one.collateral:
            yield one.asset, "collateral", each.asset, from_e8(each.counted_e8), f"of {from_e8(each.value_e8)}"
        for mark in one.marks:
            age = " (stale)" if mark.stale else ""
            yield one.asset, "mark", mark.instrument_id, from_e8(mark.price_e8), moment(mark.observed_at_us) + age
        for scenario in told["scenarios"]:
            yield one.asset, "scenario", scenario["name"], scenario["profit"], ""


def as_csv(found: Iterable[AssetMargin]) -> str:
    """One row per number."""
    return sheet(COLUMNS, rows(found))
