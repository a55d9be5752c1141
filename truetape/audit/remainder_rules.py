"""What must hold for the rounds that follow one that ends contracts: exactly the rest is shared, by the rule, among who
is short; another round follows until nothing is left, and what nobody can take is told."""

from collections.abc import Callable

from truetape import messages as m
from truetape.audit import assignment_rules
from truetape.remainder import UNTAKEN, carried, named, number_of, remainder_of, seed_of, shared

Expect = Callable[..., None]
KINDS = ("ASSIGNMENT_REST", "TEAR_UP_REST")


def opened(
    expect: Expect, where: str, terms: m.RoundTerms, root: m.RoundTerms | None, handed_on: dict[str, int]
) -> None:
    """A round that follows is of the same exercise or loss, by the same seed, and at the prices that were handed on."""
    same = root is not None and (terms.home_id, terms.asset, terms.ids) == (root.home_id, root.asset, root.ids)
    same = same and carried(terms.numbers) == handed_on
    expect(same, "a round that follows keeps its terms", where, terms.home_id, (root, handed_on), terms)


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding]) -> None:
    """A decision, from what all partitions have stated."""
    terms, home, waits, untaken = event.round, event.account_id, False, dict[str, int]()
    seed = seed_of(terms.ids.get("seed", ""), number_of(terms.round_id)[1])
    for name in named(terms.numbers):
        found = remainder_of(terms.numbers, name, stated)
        wanted = shared(terms.numbers, name, found, seed)
        legs = [leg for leg in event.legs if leg.asset == name]
        assignment_rules.shares(expect, where, home, legs, found.takers, wanted, sum(wanted.values()))
        waits |= found.waits
        if found.rest_e8 > 0 and not (wanted or found.ended or found.waits):
            untaken[name] = found.rest_e8
    follows, goes_on = bool(carried(event.outcome)), bool(event.legs or waits)
    expect(follows == goes_on, "a round follows until nothing is left", where, home, goes_on, follows)
    told = {name.removeprefix(UNTAKEN): e8 for name, e8 in event.outcome.items() if name.startswith(UNTAKEN)}
    expect(told == untaken, "what nobody takes is told", where, home, untaken, told)
