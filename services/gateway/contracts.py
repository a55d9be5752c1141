"""What may be wrong with a derivative's terms, and with changing them while accounts hold it."""

import re
from collections.abc import Iterator
from typing import Final, get_args

from truetape import assignment, sampling
from truetape import messages as m
from truetape.fixing import FixingRule
from truetape.money import ONE_E8

ASSET: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)
SUFFIX: Final = re.compile(r"(-[A-Z0-9]{1,20}){1,3}", re.ASCII)
"""What follows base and quote in a contract's id: PERP, 20261225, 20261225-60000-C."""
NAME_MAX: Final = 40
DAY_US: Final = 86_400_000_000
LOOK_BACK_MAX_US: Final = 3_600_000_000
"""Prices of so long are remembered (services/pricing/recorded.py: KEPT)."""
SAMPLES_MAX: Final = 3_600
FIXED: Final = (
    "kind", "style", "multiplier_e8", "settlement_asset", "index", "delivery", "expires_at_us", "strike_e8",
    "option_type", "signed_price", "exercise", "assignment",
)  # fmt: skip
"""Terms that no change may touch: positions were opened on them."""


def problems(new: m.Instrument, terms: m.ContractTerms) -> Iterator[str]:
    """What is wrong with a contract, most basic first."""
    pair = f"{new.base}-{new.quote}"
    if not new.instrument_id.startswith(pair) or not SUFFIX.fullmatch(new.instrument_id.removeprefix(pair)):
        yield f"instrument_id must be {pair} and one to three further parts, such as {pair}-PERP"
    if not ASSET.fullmatch(terms.settlement_asset):
        yield "settlement_asset must be 1 to 20 capitals and digits"
    if not 1 <= len(terms.index) <= NAME_MAX or not 1 <= len(terms.margin_class) <= NAME_MAX:
        yield f"index and margin_class must have 1 to {NAME_MAX} characters"
    if terms.multiplier_e8 <= 0 or terms.mark_max_age_us <= 0:
        yield "multiplier and mark_max_age must be above zero"
    yield from _settlement(new, terms)
    yield from _rates(terms)
    yield from _life(terms)
    yield from _schedule(terms)
    if terms.kind == "OPTION" and (terms.strike_e8 is None or terms.strike_e8 <= 0 or terms.option_type is None):
        yield "an option needs a strike above zero and an option_type"
    if terms.kind != "OPTION" and (terms.strike_e8 is not None or terms.option_type is not None):
        yield "strike and option_type belong to options alone"


def _settlement(new: m.Instrument, terms: m.ContractTerms) -> Iterator[str]:
    wanted = {"LINEAR": new.quote, "INVERSE": new.base}.get(terms.style)
    if wanted is not None and terms.settlement_asset != wanted:
        yield f"a contract that is {terms.style} settles in {wanted}"
    if wanted is None and terms.settlement_asset in (new.base, new.quote):
        yield "a QUANTO contract settles in a third asset"
    if terms.delivery == "PHYSICAL" and (terms.style == "QUANTO" or terms.kind == "PERPETUAL"):
        yield "PHYSICAL delivery needs a LINEAR or INVERSE contract that expires"
    if terms.signed_price and terms.style == "INVERSE":
        yield "an INVERSE contract divides by its price, which must be above zero"


def _rates(terms: m.ContractTerms) -> Iterator[str]:
    if not 0 < terms.maintenance_rate_e8 <= terms.initial_rate_e8 <= ONE_E8:
        yield "rates must be 0 < maintenance_rate <= initial_rate <= 1"
    if not (0 <= terms.settlement_fee_rate_e8 <= ONE_E8 // 10 and 0 <= terms.liquidation_fee_rate_e8 <= ONE_E8 // 10):
        yield "settlement_fee_rate and liquidation_fee_rate must be from 0 to 0.1"


def _schedule(terms: m.ContractTerms) -> Iterator[str]:
    """When prices are fixed without an operator; as far back as pricing remembers prices."""
    if not 0 <= terms.fixing_window_us <= LOOK_BACK_MAX_US or not 0 <= terms.funding_step_us <= LOOK_BACK_MAX_US:
        yield "fixing_window and funding_step must be from 0 (an operator names the price) to 3600 seconds"
    if terms.fixing_rule not in get_args(FixingRule) or not 1 <= terms.fixing_samples <= SAMPLES_MAX:
        yield f"fixing_rule must be {' or '.join(get_args(FixingRule))}, fixing_samples from 1 to {SAMPLES_MAX}"
    if not 0 < terms.fixing_coverage_e8 <= ONE_E8:
        yield "fixing_coverage must be above 0 and at most 1"
    if not 0 <= terms.settlement_interval_us <= DAY_US or not 0 <= terms.settlement_offset_us < DAY_US:
        yield "settlement_interval must be from 0 (an operator settles) to a day, settlement_offset within a day"
    if terms.settlement_interval_us and (DAY_US % terms.settlement_interval_us or not terms.fixing_window_us):
        yield "settlement_interval must divide a day, and needs a fixing_window"
    if terms.settlement_interval_us and terms.kind == "OPTION":
        yield "an option's premium is paid when it is traded: it has no settlement_interval"
    if terms.funding_step_us and not 0 < terms.funding_step_us <= terms.funding_interval_us:
        yield "funding_step must be at most the funding_interval"
    if terms.funding_rule not in sampling.RATES:
        yield f"funding_rule must be one of {', '.join(sampling.RATES)}"
    if abs(terms.funding_interest_rate_e8) > ONE_E8 or not 0 <= terms.funding_damper_rate_e8 <= ONE_E8:
        yield "funding_interest_rate must be from -1 to 1, funding_damper_rate from 0 to 1"


def _life(terms: m.ContractTerms) -> Iterator[str]:
    if terms.exercise not in ("EUROPEAN", "AMERICAN") or terms.assignment not in assignment.RULES:
        yield f"exercise must be EUROPEAN or AMERICAN, assignment {' or '.join(assignment.RULES)}"
    if terms.exercise == "AMERICAN" and (terms.kind != "OPTION" or terms.delivery != "CASH"):
        yield "AMERICAN exercise needs an option that is settled in CASH"
    if terms.kind == "PERPETUAL":
        if terms.expires_at_us is not None:
            yield "a perpetual has no expires_at"
        if not 0 < terms.funding_cap_rate_e8 <= ONE_E8 or terms.funding_interval_us <= 0:
            yield "a perpetual needs a funding_cap_rate of at most 1 and a funding_interval, both above zero"
        return
    if terms.expires_at_us is None or terms.expires_at_us <= 0:
        yield f"a contract that is {terms.kind} needs expires_at"
    if terms.funding_cap_rate_e8 or terms.funding_interval_us or terms.funding_step_us:
        yield "funding belongs to perpetuals alone: funding_cap_rate, funding_interval and funding_step must be 0"


def changes(known: m.Instrument, new: m.Instrument) -> Iterator[str]:
    """What a change may not do to an instrument that is there."""
    if (known.contract is None) != (new.contract is None):
        yield "spot stays spot and a contract a contract: choose another instrument_id"
    if known.contract is None or new.contract is None:
        return
    if (known.base, known.quote) != (new.base, new.quote):
        yield "base and quote of a contract are fixed"
    for name in FIXED:
        if getattr(known.contract, name) != getattr(new.contract, name):
            said = name.removesuffix("_e8").removesuffix("_us")
            yield f"{said} of a contract is fixed: define a new one, and move positions (RENAME or CONTRACT_SIZE)"
