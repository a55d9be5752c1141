"""The reference table: what reference.events says now. The gateway folds it as its state, everybody else as a table."""

import msgspec

from truetape.errors import AccountUnknown, AssetUnknown, InstrumentUnknown
from truetape.messages import (
    AccountOpened,
    AccountTerms,
    AccountTermsSet,
    ApiKey,
    ApiKeyCreated,
    ApiKeyRevoked,
    Began,
    CallTerms,
    CallTermsSet,
    CollateralAsset,
    CollateralSet,
    Fees,
    FeesSet,
    InputParked,
    Instrument,
    InstrumentSet,
    Limits,
    LimitsSet,
    MarginClass,
    MarginClassSet,
    MemberDefaulted,
    MemberLimitSet,
    MemberSet,
    ReferenceRejected,
    SettlementCalendar,
    SettlementCalendarSet,
    TradingState,
    TradingStateSet,
)
from truetape.near import hint

EVERYBODY = "*"
ReferenceEvent = (
    InstrumentSet
    | AccountOpened
    | LimitsSet
    | FeesSet
    | AccountTermsSet
    | TradingStateSet
    | CallTermsSet
    | ApiKeyCreated
    | ApiKeyRevoked
    | MarginClassSet
    | MemberSet
    | MemberLimitSet
    | MemberDefaulted
    | CollateralSet
    | SettlementCalendarSet
    | ReferenceRejected
    | InputParked
    | Began
)

DEFAULT_LIMITS = Limits(
    max_order_notional_e8=10_000_000 * 10**8,
    max_open_orders=1_000,
    max_messages_per_second=200,
    collar_rate_e8=10**7,
    mark_max_age_us=5_000_000,
)
"""Until an administrator sets others: 10 000 000 an order, 1 000 open orders, 200 messages/s, 10 % collar, 5 s."""
DEFAULT_CALL_TERMS = CallTerms(notice_us=3_600_000_000, grace_us=3_600_000_000, level_rate_e8=5 * 10**7, least_e8=10**8)
"""Until an administrator sets others: an hour to pay and an hour of grace, called half-way between the needs, for one
unit at least."""
NO_FEES = Fees(maker_rate_e8=0, taker_rate_e8=0)


class Reference(msgspec.Struct):
    """Everything reference.events says, by id."""

    instruments: dict[str, Instrument] = {}
    accounts: dict[str, str] = {}
    limits: dict[str, Limits] = {}
    fees: dict[str, Fees] = {}
    account_terms: dict[str, AccountTerms] = {}
    """How accounts' positions are cut; who is not here nets at average cost."""
    trading_states: dict[str, TradingState] = {}
    trading_reasons: dict[str, str] = {}
    """Why the kill switch stands as it does, in the operator's words."""
    call_terms: dict[str, CallTerms] = {}
    api_keys: dict[str, ApiKey] = {}
    margin_classes: dict[str, MarginClass] = {}
    collateral: dict[str, CollateralAsset] = {}
    """By asset."""

    members: dict[str, str] = {}
    """Clearing member by account, where it was set."""
    calendars: dict[str, SettlementCalendar] = {}
    """Settlement calendar by asset, where one was set (truetape/calendars.py)."""
    member_limits: dict[str, dict[str, int]] = {}
    """By member and settlement asset: most initial need of its clients when it takes some over, in 1e-8."""
    defaulted: dict[str, str] = {}
    """By account, the default that was declared of it: it takes no clients any more."""

    def require_account(self, account_id: str) -> None:
        """Raises AccountUnknown when nobody has opened the account."""
        if account_id not in self.accounts:
            raise AccountUnknown(f"nobody has opened account {account_id!r}; `truetape accounts list` shows all")

    def assets(self) -> list[str]:
        """Every asset that an instrument or collateral names, sorted."""
        named: set[str] = set(self.collateral)
        for one in self.instruments.values():
            named |= {one.contract.settlement_asset} if one.contract is not None else {one.base, one.quote}
        return sorted(named)

    def require_contract(self, name: str) -> Instrument:
        """The contract of this name. Raises InstrumentUnknown, which says what is near it."""
        instrument = self.instruments.get(name)
        if instrument is None or instrument.contract is None:
            contracts = [one for one, known in self.instruments.items() if known.contract is not None]
            spot = " (it is spot)" if instrument is not None else ""
            raise InstrumentUnknown(
                f"{name[:64]!r} is no contract{spot}{hint(name, contracts)}; `truetape instruments list` shows all"
            )
        return instrument

    def require_asset(self, asset: str) -> None:
        """Raises AssetUnknown for an asset that nothing trades or margins: a typing error would make one more."""
        known = self.assets()
        if asset not in known:
            raise AssetUnknown(
                f"no instrument or collateral names {asset[:40]!r}; known assets: {', '.join(known) or 'none'}"
            )

    def member_of(self, account_id: str) -> str:
        """The account of the clearing member that an account belongs to: its own, when no other was set."""
        return self.members.get(account_id, account_id)

    def limits_of(self, account_id: str) -> Limits:
        """The account's limits, else the default that was set, else DEFAULT_LIMITS."""
        return self.limits.get(account_id) or self.limits.get(EVERYBODY) or DEFAULT_LIMITS

    def fees_of(self, account_id: str) -> Fees:
        """The account's fees, else the default that was set, else none."""
        return self.fees.get(account_id) or self.fees.get(EVERYBODY) or NO_FEES

    def call_terms_of(self, account_id: str) -> CallTerms:
        """How the account is called for margin, else the default that was set, else DEFAULT_CALL_TERMS."""
        return self.call_terms.get(account_id) or self.call_terms.get(EVERYBODY) or DEFAULT_CALL_TERMS

    def trading_state_of(self, account_id: str) -> TradingState:
        """The stricter of the account's and everybody's kill switch."""
        states = {self.trading_states.get(account_id, "ACTIVE"), self.trading_states.get(EVERYBODY, "ACTIVE")}
        return "HALTED" if "HALTED" in states else "REDUCING" if "REDUCING" in states else "ACTIVE"


def fold(reference: Reference, event: ReferenceEvent) -> Reference:
    """Apply one accepted event of reference.events."""
    match event:
        case InstrumentSet():
            reference.instruments[event.instrument.instrument_id] = event.instrument
        case AccountOpened():
            reference.accounts[event.account_id] = event.name
        case LimitsSet():
            reference.limits[event.account_id] = event.limits
        case AccountTermsSet():
            reference.account_terms[event.account_id] = event.terms
        case FeesSet():
            reference.fees[event.account_id] = event.fees
        case TradingStateSet():
            reference.trading_states[event.account_id] = event.state
            reference.trading_reasons[event.account_id] = event.reason
        case CallTermsSet():
            reference.call_terms[event.account_id] = event.terms
        case ApiKeyCreated():
            reference.api_keys[event.api_key.key_id] = event.api_key
        case ApiKeyRevoked():
            key = reference.api_keys[event.key_id]
            reference.api_keys[event.key_id] = msgspec.structs.replace(key, revoked=True)
        case MarginClassSet():
            reference.margin_classes[event.margin_class.name] = event.margin_class
        case CollateralSet():
            reference.collateral[event.collateral.asset] = event.collateral
        case MemberSet():
            reference.members[event.account_id] = event.member_id
        case MemberLimitSet():
            reference.member_limits.setdefault(event.account_id, {})[event.asset] = event.initial_max_e8
        case MemberDefaulted():
            reference.defaulted[event.account_id] = event.default_id
        case SettlementCalendarSet():
            reference.calendars[event.calendar.asset] = event.calendar
        case ReferenceRejected() | InputParked() | Began():
            pass
    return reference
