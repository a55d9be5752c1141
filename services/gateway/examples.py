"""Examples of bodies and answers for the API's description; a test parses each by its type."""

from typing import Any, Final

_ORDER_ID: Final = "0f4fa9f0a1b2c3d4e5f60718293a4b5c"
_TIME: Final = "2026-11-21T09:00:00.000000Z"
_EVENT_ID: Final = "orders.decisions<orders.commands/3/1041"
_PARKED_ID: Final = "clearing.entries<orders.executions/3/1041"
_TERMS: Final[dict[str, Any]] = {
    "order_id": _ORDER_ID, "client_order_id": "my-order-1", "account_id": "acme", "instrument_id": "BTC-USDT",
    "side": "BUY", "order_type": "LIMIT", "time_in_force": "GTC", "post_only": False, "quantity": "0.01",
    "price": "60000.5",
}  # fmt: skip
_LISTING: Final[dict[str, Any]] = {
    "venue": "alpha", "symbol": "BTCUSDT", "tick": "0.01", "lot": "0.00001", "min_quantity": "0.00001",
    "min_notional": "5", "maker_rate": "0.001", "taker_rate": "0.001",
}  # fmt: skip
_INSTRUMENT: Final[dict[str, Any]] = {
    "instrument_id": "BTC-USDT", "base": "BTC", "quote": "USDT", "tick": "0.01", "lot": "0.00001",
    "min_quantity": "0.00001", "max_quantity": "100", "min_notional": "5", "max_notional": "10000000",
    "tradable": True, "listings": [_LISTING],
}  # fmt: skip
_TRANSFER: Final[dict[str, Any]] = {
    "account_id": "acme", "asset": "USDT", "amount": "100000", "location": "venue:alpha",
    "external_reference": "wire-2026-0001",
}  # fmt: skip

EXAMPLES: Final[dict[str, Any]] = {
    "OrderRequest": {
        "instrument_id": "BTC-USDT", "side": "BUY", "order_type": "LIMIT", "quantity": "0.01", "price": "60000.5",
        "time_in_force": "GTC", "client_order_id": "my-order-1",
    },
    "Submitted": {**_TERMS, "status": "ACCEPTED", "decided_at": _TIME, "decision_id": _EVENT_ID},
    "Order": {
        **_TERMS, "status": "PARTIALLY_FILLED", "filled": "0.004", "average_price": "60000.25",
        "limit_price": "60000.5", "reason": None, "numbers": None, "decided_at": _TIME, "updated_at": _TIME,
        "decision_id": _EVENT_ID,
    },
    "Cancelled": {"command_id": "8a" * 16, "order_ids": [_ORDER_ID], "status": "REQUESTED"},
    "TransferRequest": _TRANSFER,
    "WithdrawalRequest": {name: value for name, value in _TRANSFER.items() if name != "account_id"},
    "Transfer": {
        **_TRANSFER, "transfer_id": "1b" * 16, "status": "APPROVED", "decided_at": _TIME, "decision_id": _EVENT_ID,
    },
    "InstrumentRequest": _INSTRUMENT,
    "Instruments": {"instruments": [_INSTRUMENT]},
    "AccountRequest": {"account_id": "acme", "name": "Acme Trading"},
    "LimitsRequest": {
        "account_id": "acme", "max_order_notional": "1000000", "max_open_orders": 100, "max_messages_per_second": 50,
        "collar_rate": "0.05", "mark_max_age_ms": 3000,
    },
    "FeesRequest": {"account_id": "*", "maker_rate": "0.0002", "taker_rate": "0.0005"},
    "MarginClassRequest": {
        "name": "btc-options", "model": "portfolio_v2", "version": 1, "parameters": {"vol": {"up": 0.6, "down": 0.3}},
    },
    "CollateralRequest": {
        "asset": "BTC", "counts_for": "USDT", "version": 1, "index": "BTC-USDT", "haircut": "0.1", "cancels_risk": True,
    },
    "SettlementCalendarRequest": {
        "asset": "USD", "version": 1, "lag_days": 1, "weekend": [6, 7], "holidays": ["2026-12-25", "2027-01-01"],
    },
    "TradingStateRequest": {"account_id": "*", "state": "HALTED", "reason": "venue outage"},
    "ReleaseRequest": {"account_id": "acme", "parked_event_id": _PARKED_ID},
    "DismissRequest": {"account_id": "acme", "parked_event_id": _PARKED_ID, "reason": "told twice"},
    "BidRequest": {"account_id": "acme", "wanted": "0.5", "price_max": "12000"},
    "AuctionRequest": {"account_id": "acme", "asset": "USDT", "reason": "liquidation found no taker"},
    "EndAuctionRequest": {"account_id": "acme", "reason": "margin came in"},
    "CallRequest": {"call_id": "ef23dfbff260bee38cfd062e53605197", "action": "acknowledge"},
    "HouseCallRequest": {
        "account_id": "acme", "call_id": "ef23dfbff260bee38cfd062e53605197", "action": "reject_dispute",
        "reason": "the mark was right",
    },
    "DefaultRequest": {"account_id": "acme", "asset": "USDT", "reason": "it has told us that it cannot pay"},
    "WaiverRequest": {
        "account_id": "acme", "order_ids": ["5f0c7a0d9b1e4c7f8a6b3d2e1f009988"],
        "reason": "the venue is gone since noon; its operator cannot say what became of the order",
    },
    "MemberRequest": {"account_id": "globex", "member_id": "acme"},
    "MemberLimitRequest": {"account_id": "acme", "asset": "USDT", "initial_max": "5000000"},
    "ChoiceRequest": {"receiver_id": "initech"},
    "PortingAnswerRequest": {"account_id": "globex", "accepted": True},
    "EndWindowRequest": {"account_id": "acme", "reason": "all clients have an answer"},
    "InsuranceRequest": {
        "asset": "USDT", "amount": "1000000", "location": "bank:main", "reason": "the house adds to the fund",
    },
    "FundPaymentRequest": {
        "account_id": "acme", "asset": "USDT", "amount": "250000", "location": "bank:main", "reason": "it joins",
    },
    "FundWithdrawalRequest": {
        "account_id": "acme", "asset": "USDT", "amount": "50000", "location": "bank:main", "reason": "it holds less",
    },
    "CallTermsRequest": {
        "account_id": "*", "notice_seconds": 3600, "grace_seconds": 3600, "level_rate": "0.5", "least": "1",
    },
    "TradeRequest": {
        "reference": "UTI-2026-1", "counterparty_id": "globex", "side": "BUY", "instrument_id": "BTC-USDT-PERP",
        "quantity": "3", "price": "60000", "traded_on": "2026-11-26",
    },
    "GiveUpRequest": {"leg_id": _ORDER_ID, "to_account_id": "globex", "reference": "BLOCK-7"},
    "AllocationRequest": {
        "leg_id": _ORDER_ID, "reference": "BLOCK-7",
        "shares": [{"account_id": "globex", "quantity": "2"}, {"account_id": "initech", "quantity": "1"}],
    },
    "EndMoveRequest": {"move_id": _ORDER_ID, "reason": "wrong account"},
    "LegAnswerRequest": {"leg_id": _ORDER_ID, "accepted": True},
    "AgreementRequest": {"from_account_id": "acme", "agreed": True},
    "CompressionRunRequest": {"instrument_id": "BTC-USDT-PERP", "answer_within_seconds": 86_400},
    "CompressionAnswerRequest": {"run_id": "0f4fa9f0a1b2c3d4e5f60718293a4b5c", "accepted": True},
    "CompressionRequest": {"account_id": "acme", "instrument_id": "BTC-USDT-PERP"},
    "NettingRequest": {"account_id": "acme", "value_date": "2026-11-26"},
    "EndTradeRequest": {
        "reference": "UTI-2026-1", "counterparty_id": "globex", "action": "WITHDRAW", "reason": "told twice",
    },
    "FactRequest": {
        "kind": "EXPIRY", "instrument_id": "BTC-USDT-20261225", "price": "60123.5",
        "effective_at": "2026-12-25T08:00:00Z",
    },
    "AccountTermsRequest": {"account_id": "acme", "positions": "HEDGING", "costs": "FIFO"},
    "CloseOutRequest": {"instrument_id": "BTC-USDT-PERP", "quantity": "3"},
    "CorrectionRequest": {
        "account_id": "acme", "entry_id": "alpha:BTCUSDT:17", "busted": True, "reason": "the venue busted it",
    },
    "KeyRequest": {"scopes": ["read", "trade"], "account_id": "acme", "expires_in_seconds": 2592000},
    "Balances": {"balances": [{"asset": "USDT", "balance": "100000", "reserved": "600.6", "available": "99399.4"}]},
    "Positions": {
        "positions": [
            {
                "instrument_id": "BTC-USDT", "quantity": "0.01", "cost": "600", "average_price": "60000",
                "realised": "0", "updated_at": _TIME,
            }
        ]
    },
    "Changed": {"command_id": "8a" * 16, "event_id": "reference.events<reference.commands/0/7", "decided_at": _TIME},
    "Health": {"ready": True, "missing": []},
}  # fmt: skip
"""By the name of the type."""

_UNDECIDED: Final = {"status": "PENDING", "decided_at": None, "decision_id": None}
PENDING: Final[dict[str, Any]] = {
    "Submitted": EXAMPLES["Submitted"] | _UNDECIDED,
    "Transfer": EXAMPLES["Transfer"] | _UNDECIDED,
    "Cancelled": EXAMPLES["Cancelled"] | {"status": "PENDING"},
}
"""What a 202 says: it is on the tape, and nobody has decided it yet."""
