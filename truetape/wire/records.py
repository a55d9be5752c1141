"""Generated from schemas/ by `make schemas` (truetape/avro.py); do not edit."""

# mypy: disable-error-code="arg-type"
from typing import Any, Final

from mypy_extensions import i64

from truetape import messages as m

from . import primitives as p


new_AccountHalted: Final = m.AccountHalted
new_AccountOpened: Final = m.AccountOpened
new_AccountReopened: Final = m.AccountReopened
new_AccountTerms: Final = m.AccountTerms
new_AccountTermsSet: Final = m.AccountTermsSet
new_ActOnCall: Final = m.ActOnCall
new_ActOnPorting: Final = m.ActOnPorting
new_AgreeMoves: Final = m.AgreeMoves
new_AnswerCompression: Final = m.AnswerCompression
new_AnswerLeg: Final = m.AnswerLeg
new_ApiKey: Final = m.ApiKey
new_ApiKeyCreated: Final = m.ApiKeyCreated
new_ApiKeyRevoked: Final = m.ApiKeyRevoked
new_ApplyContractFact: Final = m.ApplyContractFact
new_AskLeg: Final = m.AskLeg
new_AskRound: Final = m.AskRound
new_AssetChange: Final = m.AssetChange
new_AuctionBid: Final = m.AuctionBid
new_AuctionChanged: Final = m.AuctionChanged
new_Began: Final = m.Began
new_BidAuction: Final = m.BidAuction
new_BilateralChanged: Final = m.BilateralChanged
new_BilateralTrade: Final = m.BilateralTrade
new_BookLeg: Final = m.BookLeg
new_BookSeen: Final = m.BookSeen
new_BookTrade: Final = m.BookTrade
new_Break: Final = m.Break
new_BreakClosed: Final = m.BreakClosed
new_CallTerms: Final = m.CallTerms
new_CallTermsSet: Final = m.CallTermsSet
new_CancelAllOrders: Final = m.CancelAllOrders
new_CancelLeg: Final = m.CancelLeg
new_CancelOrder: Final = m.CancelOrder
new_CancelRefused: Final = m.CancelRefused
new_CancelRejectedByVenue: Final = m.CancelRejectedByVenue
new_CancelRequested: Final = m.CancelRequested
new_CancelRouted: Final = m.CancelRouted
new_Cause: Final = m.Cause
new_CheckpointSigned: Final = m.CheckpointSigned
new_ClearingRefused: Final = m.ClearingRefused
new_CloseOut: Final = m.CloseOut
new_CollateralAsset: Final = m.CollateralAsset
new_CollateralSet: Final = m.CollateralSet
new_CompressLegs: Final = m.CompressLegs
new_CompressionChanged: Final = m.CompressionChanged
new_CompressionPayment: Final = m.CompressionPayment
new_ConfirmLeg: Final = m.ConfirmLeg
new_ConfirmRound: Final = m.ConfirmRound
new_ContractBooking: Final = m.ContractBooking
new_ContractFact: Final = m.ContractFact
new_ContractFactTaken: Final = m.ContractFactTaken
new_ContractFixed: Final = m.ContractFixed
new_ContractHeld: Final = m.ContractHeld
new_ContractTerms: Final = m.ContractTerms
new_CorrectEntry: Final = m.CorrectEntry
new_CreateApiKey: Final = m.CreateApiKey
new_CreditUpdated: Final = m.CreditUpdated
new_DecisionRepeated: Final = m.DecisionRepeated
new_DeclareDefault: Final = m.DeclareDefault
new_DefaultChanged: Final = m.DefaultChanged
new_DefaultStep: Final = m.DefaultStep
new_DeleveragingChanged: Final = m.DeleveragingChanged
new_DeleveragingPart: Final = m.DeleveragingPart
new_DismissParked: Final = m.DismissParked
new_EndAuction: Final = m.EndAuction
new_EndBilateral: Final = m.EndBilateral
new_EndMove: Final = m.EndMove
new_EndTrade: Final = m.EndTrade
new_EntryBooked: Final = m.EntryBooked
new_FactSent: Final = m.FactSent
new_FeeTier: Final = m.FeeTier
new_Fees: Final = m.Fees
new_FeesSet: Final = m.FeesSet
new_FixingDue: Final = m.FixingDue
new_FixingMissing: Final = m.FixingMissing
new_FixingsDue: Final = m.FixingsDue
new_FundingAccrued: Final = m.FundingAccrued
new_InputParked: Final = m.InputParked
new_Instruction: Final = m.Instruction
new_Instrument: Final = m.Instrument
new_InstrumentSet: Final = m.InstrumentSet
new_LegAnswered: Final = m.LegAnswered
new_LegAssessed: Final = m.LegAssessed
new_LegChanged: Final = m.LegChanged
new_LegConfirmed: Final = m.LegConfirmed
new_LegReleased: Final = m.LegReleased
new_LegShare: Final = m.LegShare
new_LegsAskedAgain: Final = m.LegsAskedAgain
new_LegsCompressed: Final = m.LegsCompressed
new_Limits: Final = m.Limits
new_LimitsSet: Final = m.LimitsSet
new_Line: Final = m.Line
new_LiquidationChanged: Final = m.LiquidationChanged
new_LiquidationEnded: Final = m.LiquidationEnded
new_Listing: Final = m.Listing
new_MarginCallChanged: Final = m.MarginCallChanged
new_MarginClass: Final = m.MarginClass
new_MarginClassSet: Final = m.MarginClassSet
new_MarginListed: Final = m.MarginListed
new_MarginReviewed: Final = m.MarginReviewed
new_MarginRun: Final = m.MarginRun
new_MarginSeen: Final = m.MarginSeen
new_MarkPublished: Final = m.MarkPublished
new_MarkSeen: Final = m.MarkSeen
new_MarkSource: Final = m.MarkSource
new_MarkTerms: Final = m.MarkTerms
new_MarkWithheld: Final = m.MarkWithheld
new_MemberDefaulted: Final = m.MemberDefaulted
new_MemberLimitSet: Final = m.MemberLimitSet
new_MemberSet: Final = m.MemberSet
new_Meta: Final = m.Meta
new_MoveChanged: Final = m.MoveChanged
new_MoveFund: Final = m.MoveFund
new_MoveLeg: Final = m.MoveLeg
new_MovesAgreed: Final = m.MovesAgreed
new_NetPayments: Final = m.NetPayments
new_OpenAccount: Final = m.OpenAccount
new_OpenRound: Final = m.OpenRound
new_OrderAccepted: Final = m.OrderAccepted
new_OrderAcknowledged: Final = m.OrderAcknowledged
new_OrderCancelled: Final = m.OrderCancelled
new_OrderExpired: Final = m.OrderExpired
new_OrderFilled: Final = m.OrderFilled
new_OrderMargin: Final = m.OrderMargin
new_OrderNotRouted: Final = m.OrderNotRouted
new_OrderRejected: Final = m.OrderRejected
new_OrderRejectedByVenue: Final = m.OrderRejectedByVenue
new_OrderRouted: Final = m.OrderRouted
new_OrderTerms: Final = m.OrderTerms
new_OutcomeUnknown: Final = m.OutcomeUnknown
new_Parcel: Final = m.Parcel
new_ParcelAnswered: Final = m.ParcelAnswered
new_ParcelLeg: Final = m.ParcelLeg
new_ParcelsAskedAgain: Final = m.ParcelsAskedAgain
new_ParkedDismissed: Final = m.ParkedDismissed
new_ParkedRecord: Final = m.ParkedRecord
new_PaymentsNetted: Final = m.PaymentsNetted
new_PortingChanged: Final = m.PortingChanged
new_Position: Final = m.Position
new_ReconciliationCompleted: Final = m.ReconciliationCompleted
new_ReferenceRejected: Final = m.ReferenceRejected
new_Release: Final = m.Release
new_ReleaseLeg: Final = m.ReleaseLeg
new_ReleaseParked: Final = m.ReleaseParked
new_ReleaseRefused: Final = m.ReleaseRefused
new_RequestTransfer: Final = m.RequestTransfer
new_ReservationReleased: Final = m.ReservationReleased
new_RestrictionEnded: Final = m.RestrictionEnded
new_ReviewMargin: Final = m.ReviewMargin
new_RevokeApiKey: Final = m.RevokeApiKey
new_RoundAnswered: Final = m.RoundAnswered
new_RoundAskedAgain: Final = m.RoundAskedAgain
new_RoundConfirmed: Final = m.RoundConfirmed
new_RoundDecided: Final = m.RoundDecided
new_RoundGathered: Final = m.RoundGathered
new_RoundHolding: Final = m.RoundHolding
new_RoundLeg: Final = m.RoundLeg
new_RoundOpened: Final = m.RoundOpened
new_RoundRepeated: Final = m.RoundRepeated
new_RoundRequested: Final = m.RoundRequested
new_RoundSettled: Final = m.RoundSettled
new_RoundSettling: Final = m.RoundSettling
new_RoundTerms: Final = m.RoundTerms
new_RoutedLeg: Final = m.RoutedLeg
new_RunRound: Final = m.RunRound
new_SetAccountTerms: Final = m.SetAccountTerms
new_SetCallTerms: Final = m.SetCallTerms
new_SetCollateral: Final = m.SetCollateral
new_SetFees: Final = m.SetFees
new_SetInstrument: Final = m.SetInstrument
new_SetLimits: Final = m.SetLimits
new_SetMarginClass: Final = m.SetMarginClass
new_SetMember: Final = m.SetMember
new_SetMemberDefaulted: Final = m.SetMemberDefaulted
new_SetMemberLimit: Final = m.SetMemberLimit
new_SetSettlementCalendar: Final = m.SetSettlementCalendar
new_SetTradingState: Final = m.SetTradingState
new_SettleRound: Final = m.SettleRound
new_SettlementCalendar: Final = m.SettlementCalendar
new_SettlementCalendarSet: Final = m.SettlementCalendarSet
new_SidesClosedOut: Final = m.SidesClosedOut
new_Snapshot: Final = m.Snapshot
new_StartAuction: Final = m.StartAuction
new_StartCompression: Final = m.StartCompression
new_SubmitOrder: Final = m.SubmitOrder
new_TakeContractFact: Final = m.TakeContractFact
new_TakeParcel: Final = m.TakeParcel
new_TellLeg: Final = m.TellLeg
new_TellParcel: Final = m.TellParcel
new_TellRound: Final = m.TellRound
new_TellTrade: Final = m.TellTrade
new_TradeChanged: Final = m.TradeChanged
new_TradeDifference: Final = m.TradeDifference
new_TradeLeg: Final = m.TradeLeg
new_TradeTerms: Final = m.TradeTerms
new_TradingStateSet: Final = m.TradingStateSet
new_TransferApproved: Final = m.TransferApproved
new_TransferRejected: Final = m.TransferRejected
new_TransferTerms: Final = m.TransferTerms
new_WaiveOrders: Final = m.WaiveOrders


def read_Cause(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    return new_Cause(v1, v2, v3, v4), at


def read_Meta(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = read_Cause(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_Meta(v1, v2, v3, v4, v5, v6), at


def read_Began(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    return new_Began(v1, v2), at


def decode_1(data: bytes) -> Any:
    message, at = read_Began(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InputParked(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_boolean(data, at)
    v5: Any = None
    v6, at = p.read_branch(data, at)
    if v6:
        v7, at = p.read_bytes(data, at)
        v5 = v7
    return new_InputParked(v1, v2, v3, v4, v5), at


def decode_2(data: bytes) -> Any:
    message, at = read_InputParked(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_EntryKind: list[str] = ["TRADE", "DEPOSIT", "WITHDRAWAL", "TRANSFER", "CORRECTION"]
symbols_EntryKind_written: dict[str, bytes] = {
    "TRADE": p.LAST[0],
    "DEPOSIT": p.LAST[2],
    "WITHDRAWAL": p.LAST[4],
    "TRANSFER": p.LAST[6],
    "CORRECTION": p.LAST[8],
}


def read_Line(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_name(data, at)
    return new_Line(v1, v2, v3, v4), at


def read_Position(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_Position(v1, v2, v3, v4), at


def read_EntryBooked(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_EntryKind)
    v5, at = p.read_name(data, at)
    v6: Any = None
    v7, at = p.read_branch(data, at)
    if v7:
        v8, at = p.read_string(data, at)
        v6 = v8
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = p.read_string(data, at)
        v9 = v11
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = p.read_string(data, at)
        v12 = v14
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = p.read_string(data, at)
        v15 = v17
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_Line(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = read_Position(data, at)
        v22 = v24
    v25, at = p.read_long(data, at)
    v26, at = p.read_long(data, at)
    v27, at = p.read_long(data, at)
    return new_EntryBooked(
        meta=v1,
        entry_id=v2,
        account_id=v3,
        kind=v4,
        rule=v5,
        order_id=v6,
        execution_id=v9,
        external_reference=v12,
        corrects=v15,
        lines=v18,
        position=v22,
        realised_e8=v25,
        filled_e8=v26,
        transacted_at_us=v27,
    ), at


def decode_3(data: bytes) -> Any:
    message, at = read_EntryBooked(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarkPublished(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    return new_MarkPublished(
        meta=v1,
        instrument_id=v2,
        price_e8=v3,
        bid_e8=v4,
        ask_e8=v5,
        venue=v6,
        book_sequence=v7,
        observed_at_us=v8,
        age_us=v9,
    ), at


def decode_4(data: bytes) -> Any:
    message, at = read_MarkPublished(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_Side: list[str] = ["BUY", "SELL"]
symbols_Side_written: dict[str, bytes] = {"BUY": p.LAST[0], "SELL": p.LAST[2]}


symbols_OrderType: list[str] = ["LIMIT", "MARKET"]
symbols_OrderType_written: dict[str, bytes] = {"LIMIT": p.LAST[0], "MARKET": p.LAST[2]}


symbols_TimeInForce: list[str] = ["GTC", "IOC", "FOK"]
symbols_TimeInForce_written: dict[str, bytes] = {"GTC": p.LAST[0], "IOC": p.LAST[2], "FOK": p.LAST[4]}


def read_OrderTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_symbol(data, at, symbols_Side)
    v6, at = p.read_symbol(data, at, symbols_OrderType)
    v7, at = p.read_symbol(data, at, symbols_TimeInForce)
    v8, at = p.read_boolean(data, at)
    v9, at = p.read_long(data, at)
    v10: Any = None
    v11, at = p.read_branch(data, at)
    if v11:
        v12, at = p.read_long(data, at)
        v10 = v12
    return new_OrderTerms(
        order_id=v1,
        account_id=v2,
        client_order_id=v3,
        instrument_id=v4,
        side=v5,
        order_type=v6,
        time_in_force=v7,
        post_only=v8,
        quantity_e8=v9,
        price_e8=v10,
    ), at


def read_SubmitOrder(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_OrderTerms(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    return new_SubmitOrder(v1, v2, v3), at


def decode_5(data: bytes) -> Any:
    message, at = read_SubmitOrder(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelOrder(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    return new_CancelOrder(v1, v2, v3, v4, v5), at


def decode_6(data: bytes) -> Any:
    message, at = read_CancelOrder(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelAllOrders(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3: Any = None
    v4, at = p.read_branch(data, at)
    if v4:
        v5, at = p.read_string(data, at)
        v3 = v5
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    return new_CancelAllOrders(command_id=v1, account_id=v2, instrument_id=v3, key_id=v6, received_at_us=v7), at


def decode_7(data: bytes) -> Any:
    message, at = read_CancelAllOrders(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TransferTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_TransferTerms(v1, v2, v3, v4, v5, v6), at


def read_RequestTransfer(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_TransferTerms(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    return new_RequestTransfer(v1, v2, v3), at


def decode_8(data: bytes) -> Any:
    message, at = read_RequestTransfer(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarkSeen(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_MarkSeen(v1, v2, v3, v4), at


def read_OrderAccepted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = read_MarkSeen(data, at)
        v7 = v9
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    return new_OrderAccepted(
        meta=v1,
        order=v2,
        limit_price_e8=v3,
        reserved_asset=v4,
        reserved_e8=v5,
        fee_rate_e8=v6,
        mark=v7,
        reference_offset=v10,
        send_before_us=v11,
    ), at


def decode_9(data: bytes) -> Any:
    message, at = read_OrderAccepted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_RejectReason: list[str] = [
    "ACCOUNT_UNKNOWN",
    "INSTRUMENT_UNKNOWN",
    "INSTRUMENT_NOT_TRADABLE",
    "TRADING_HALTED",
    "TRADING_REDUCING",
    "PRICE_MISSING",
    "PRICE_NOT_ALLOWED",
    "TERMS_INCOMPATIBLE",
    "PRICE_OFF_TICK",
    "PRICE_NOT_POSITIVE",
    "QUANTITY_NOT_POSITIVE",
    "QUANTITY_OFF_LOT",
    "QUANTITY_BELOW_MINIMUM",
    "QUANTITY_ABOVE_MAXIMUM",
    "NOTIONAL_BELOW_MINIMUM",
    "NOTIONAL_ABOVE_MAXIMUM",
    "NOTIONAL_ABOVE_LIMIT",
    "NUMBER_TOO_LARGE",
    "MARK_MISSING",
    "MARK_STALE",
    "PRICE_OUTSIDE_COLLAR",
    "TOO_MANY_OPEN_ORDERS",
    "MESSAGE_RATE_EXCEEDED",
    "INSUFFICIENT_FUNDS",
    "COMMAND_EXPIRED",
]
symbols_RejectReason_written: dict[str, bytes] = {
    "ACCOUNT_UNKNOWN": p.LAST[0],
    "INSTRUMENT_UNKNOWN": p.LAST[2],
    "INSTRUMENT_NOT_TRADABLE": p.LAST[4],
    "TRADING_HALTED": p.LAST[6],
    "TRADING_REDUCING": p.LAST[8],
    "PRICE_MISSING": p.LAST[10],
    "PRICE_NOT_ALLOWED": p.LAST[12],
    "TERMS_INCOMPATIBLE": p.LAST[14],
    "PRICE_OFF_TICK": p.LAST[16],
    "PRICE_NOT_POSITIVE": p.LAST[18],
    "QUANTITY_NOT_POSITIVE": p.LAST[20],
    "QUANTITY_OFF_LOT": p.LAST[22],
    "QUANTITY_BELOW_MINIMUM": p.LAST[24],
    "QUANTITY_ABOVE_MAXIMUM": p.LAST[26],
    "NOTIONAL_BELOW_MINIMUM": p.LAST[28],
    "NOTIONAL_ABOVE_MAXIMUM": p.LAST[30],
    "NOTIONAL_ABOVE_LIMIT": p.LAST[32],
    "NUMBER_TOO_LARGE": p.LAST[34],
    "MARK_MISSING": p.LAST[36],
    "MARK_STALE": p.LAST[38],
    "PRICE_OUTSIDE_COLLAR": p.LAST[40],
    "TOO_MANY_OPEN_ORDERS": p.LAST[42],
    "MESSAGE_RATE_EXCEEDED": p.LAST[44],
    "INSUFFICIENT_FUNDS": p.LAST[46],
    "COMMAND_EXPIRED": p.LAST[48],
}


def read_OrderRejected(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms(data, at)
    v3, at = p.read_symbol(data, at, symbols_RejectReason)
    v6: dict[str, Any] = {}
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v8, at = p.read_long(data, at)
        v6[v7] = v8
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = v6
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = read_MarkSeen(data, at)
        v9 = v11
    v12, at = p.read_long(data, at)
    return new_OrderRejected(meta=v1, order=v2, reason=v3, numbers=v4, mark=v9, reference_offset=v12), at


def decode_10(data: bytes) -> Any:
    message, at = read_OrderRejected(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DecisionRepeated(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_boolean(data, at)
    v5: Any = None
    v6, at = p.read_branch(data, at)
    if v6:
        v7, at = p.read_symbol(data, at, symbols_RejectReason)
        v5 = v7
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v13, at = p.read_string(data, at)
    v14, at = p.read_long(data, at)
    v17: list[Any] = []
    v16, at = p.read_count(data, at)
    while v16 > 0:
        v18, at = p.read_string(data, at)
        v17.append(v18)
        v16 -= 1
        if v16 == 0:
            v16, at = p.read_count(data, at)
    v15 = tuple(v17)
    return new_DecisionRepeated(
        meta=v1,
        order_id=v2,
        account_id=v3,
        accepted=v4,
        reason=v5,
        numbers=v8,
        decision_event_id=v13,
        decided_at_us=v14,
        differs=v15,
    ), at


def decode_11(data: bytes) -> Any:
    message, at = read_DecisionRepeated(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRequested(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_CancelRequested(meta=v1, command_id=v2, account_id=v3, order_ids=v4), at


def decode_12(data: bytes) -> Any:
    message, at = read_CancelRequested(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRefused(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_CancelRefused(v1, v2, v3, v4, v5), at


def decode_13(data: bytes) -> Any:
    message, at = read_CancelRefused(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AssetChange(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    return new_AssetChange(v1, v2), at


def read_CreditUpdated(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    return new_CreditUpdated(
        meta=v1, account_id=v2, entry_id=v3, order_id=v4, changes=v7, released_asset=v11, released_e8=v12, filled_e8=v13
    ), at


def decode_14(data: bytes) -> Any:
    message, at = read_CreditUpdated(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_OrderStatus: list[str] = [
    "PENDING",
    "REJECTED",
    "ACCEPTED",
    "WORKING",
    "PARTIALLY_FILLED",
    "FILLED",
    "CANCELLED",
    "EXPIRED",
    "UNKNOWN",
]
symbols_OrderStatus_written: dict[str, bytes] = {
    "PENDING": p.LAST[0],
    "REJECTED": p.LAST[2],
    "ACCEPTED": p.LAST[4],
    "WORKING": p.LAST[6],
    "PARTIALLY_FILLED": p.LAST[8],
    "FILLED": p.LAST[10],
    "CANCELLED": p.LAST[12],
    "EXPIRED": p.LAST[14],
    "UNKNOWN": p.LAST[16],
}


def read_ReservationReleased(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_OrderStatus)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    return new_ReservationReleased(
        meta=v1,
        account_id=v2,
        order_id=v3,
        status=v4,
        asset=v5,
        released_e8=v6,
        remaining_e8=v7,
        cumulative_quantity_e8=v8,
    ), at


def decode_15(data: bytes) -> Any:
    message, at = read_ReservationReleased(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TransferApproved(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_TransferTerms(data, at)
    return new_TransferApproved(v1, v2), at


def decode_16(data: bytes) -> Any:
    message, at = read_TransferApproved(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TransferRejected(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_TransferTerms(data, at)
    v3, at = p.read_symbol(data, at, symbols_RejectReason)
    v6: dict[str, Any] = {}
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v8, at = p.read_long(data, at)
        v6[v7] = v8
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = v6
    return new_TransferRejected(v1, v2, v3, v4), at


def decode_17(data: bytes) -> Any:
    message, at = read_TransferRejected(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoutedLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    return new_RoutedLeg(v1, v2, v3, v4, v5, v6, v7), at


def read_BookSeen(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_long(data, at)
        v4 = v6
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = p.read_long(data, at)
        v7 = v9
    v10, at = p.read_long(data, at)
    v11: Any = None
    v12, at = p.read_branch(data, at)
    if v12:
        v13, at = p.read_long(data, at)
        v11 = v13
    return new_BookSeen(
        venue=v1, sequence=v2, age_us=v3, best_bid_e8=v4, best_ask_e8=v7, fillable_e8=v10, cost_e8=v11
    ), at


def read_OrderRouted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_RoutedLeg(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_BookSeen(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    return new_OrderRouted(v1, v2, v3, v7), at


def decode_18(data: bytes) -> Any:
    message, at = read_OrderRouted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderNotRouted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_BookSeen(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    return new_OrderNotRouted(v1, v2, v3, v4, v5), at


def decode_19(data: bytes) -> Any:
    message, at = read_OrderNotRouted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderAcknowledged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    return new_OrderAcknowledged(v1, v2, v3, v4, v5, v6, v7), at


def decode_20(data: bytes) -> Any:
    message, at = read_OrderAcknowledged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_Liquidity: list[str] = ["MAKER", "TAKER"]
symbols_Liquidity_written: dict[str, bytes] = {"MAKER": p.LAST[0], "TAKER": p.LAST[2]}


def read_OrderFilled(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_name(data, at)
    v8, at = p.read_name(data, at)
    v9, at = p.read_symbol(data, at, symbols_Side)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_name(data, at)
    v18, at = p.read_long(data, at)
    v19, at = p.read_symbol(data, at, symbols_Liquidity)
    v20, at = p.read_symbol(data, at, symbols_OrderStatus)
    v21, at = p.read_long(data, at)
    v22, at = p.read_name(data, at)
    return new_OrderFilled(
        meta=v1,
        order_id=v2,
        account_id=v3,
        leg=v4,
        venue=v5,
        instrument_id=v6,
        base=v7,
        quote=v8,
        side=v9,
        execution_id=v10,
        venue_order_id=v11,
        quantity_e8=v12,
        price_e8=v13,
        quote_amount_e8=v14,
        cumulative_quantity_e8=v15,
        leaves_quantity_e8=v16,
        fee_asset=v17,
        fee_e8=v18,
        liquidity=v19,
        status=v20,
        transacted_at_us=v21,
        source=v22,
    ), at


def decode_21(data: bytes) -> Any:
    message, at = read_OrderFilled(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderCancelled(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    return new_OrderCancelled(v1, v2, v3, v4, v5, v6, v7), at


def decode_22(data: bytes) -> Any:
    message, at = read_OrderCancelled(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderExpired(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    return new_OrderExpired(v1, v2, v3, v4, v5, v6, v7), at


def decode_23(data: bytes) -> Any:
    message, at = read_OrderExpired(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderRejectedByVenue(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_OrderRejectedByVenue(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_24(data: bytes) -> Any:
    message, at = read_OrderRejectedByVenue(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OutcomeUnknown(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    return new_OutcomeUnknown(v1, v2, v3, v4, v5, v6), at


def decode_25(data: bytes) -> Any:
    message, at = read_OutcomeUnknown(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_CancelLeg(v1, v2, v3, v4, v5), at


def read_CancelRouted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_CancelLeg(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_CancelRouted(v1, v2, v3, v4), at


def decode_26(data: bytes) -> Any:
    message, at = read_CancelRouted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRejectedByVenue(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_CancelRejectedByVenue(v1, v2, v3, v4, v5, v6, v7), at


def decode_27(data: bytes) -> Any:
    message, at = read_CancelRejectedByVenue(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParkedRecord(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6: Any = None
    v7, at = p.read_branch(data, at)
    if v7:
        v8, at = p.read_bytes(data, at)
        v6 = v8
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = p.read_bytes(data, at)
        v9 = v11
    v12, at = p.read_string(data, at)
    return new_ParkedRecord(
        service=v1, event_id=v2, topic=v3, partition=v4, offset=v5, key=v6, value=v9, reason=v12
    ), at


def decode_28(data: bytes) -> Any:
    message, at = read_ParkedRecord(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_BreakClass: list[str] = [
    "MISSING_AT_VENUE",
    "MISSING_INTERNALLY",
    "QUANTITY",
    "PRICE",
    "FEE_AMOUNT",
    "FEE_ASSET",
    "SIDE",
    "DUPLICATE_INTERNAL",
    "UNBOOKED_FILL",
    "ORDER_STATE",
    "ORPHAN_AT_VENUE",
    "BALANCE",
]
symbols_BreakClass_written: dict[str, bytes] = {
    "MISSING_AT_VENUE": p.LAST[0],
    "MISSING_INTERNALLY": p.LAST[2],
    "QUANTITY": p.LAST[4],
    "PRICE": p.LAST[6],
    "FEE_AMOUNT": p.LAST[8],
    "FEE_ASSET": p.LAST[10],
    "SIDE": p.LAST[12],
    "DUPLICATE_INTERNAL": p.LAST[14],
    "UNBOOKED_FILL": p.LAST[16],
    "ORDER_STATE": p.LAST[18],
    "ORPHAN_AT_VENUE": p.LAST[20],
    "BALANCE": p.LAST[22],
}


def read_Break(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_symbol(data, at, symbols_BreakClass)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    return new_Break(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11), at


def read_BreakClosed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    return new_BreakClosed(v1, v2), at


def read_ReconciliationCompleted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_Break(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_BreakClosed(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    return new_ReconciliationCompleted(v1, v2, v3, v4, v5, v6, v7, v11), at


def decode_29(data: bytes) -> Any:
    message, at = read_ReconciliationCompleted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Listing(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    return new_Listing(v1, v2, v3, v4, v5, v6, v7, v8), at


def read_Instrument(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_Listing(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    return new_Instrument(
        instrument_id=v1,
        base=v2,
        quote=v3,
        tick_e8=v4,
        lot_e8=v5,
        min_quantity_e8=v6,
        max_quantity_e8=v7,
        min_notional_e8=v8,
        max_notional_e8=v9,
        tradable=v10,
        listings=v11,
    ), at


def read_SetInstrument(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Instrument(data, at)
    return new_SetInstrument(v1, v2, v3), at


def decode_30(data: bytes) -> Any:
    message, at = read_SetInstrument(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OpenAccount(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_OpenAccount(v1, v2, v3, v4), at


def decode_31(data: bytes) -> Any:
    message, at = read_OpenAccount(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Limits(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    return new_Limits(v1, v2, v3, v4, v5), at


def read_SetLimits(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Limits(data, at)
    return new_SetLimits(v1, v2, v3, v4), at


def decode_32(data: bytes) -> Any:
    message, at = read_SetLimits(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Fees(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    return new_Fees(maker_rate_e8=v1, taker_rate_e8=v2), at


def read_SetFees(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Fees(data, at)
    return new_SetFees(v1, v2, v3, v4), at


def decode_33(data: bytes) -> Any:
    message, at = read_SetFees(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_TradingState: list[str] = ["ACTIVE", "REDUCING", "HALTED"]
symbols_TradingState_written: dict[str, bytes] = {"ACTIVE": p.LAST[0], "REDUCING": p.LAST[2], "HALTED": p.LAST[4]}


def read_SetTradingState(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_TradingState)
    v5, at = p.read_string(data, at)
    return new_SetTradingState(v1, v2, v3, v4, v5), at


def decode_34(data: bytes) -> Any:
    message, at = read_SetTradingState(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ApiKey(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_long(data, at)
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = p.read_long(data, at)
        v9 = v11
    v12, at = p.read_boolean(data, at)
    return new_ApiKey(
        key_id=v1, secret_sha256=v2, account_id=v3, scopes=v4, requests_per_second=v8, expires_at_us=v9, revoked=v12
    ), at


def read_CreateApiKey(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_ApiKey(data, at)
    return new_CreateApiKey(v1, v2, v3), at


def decode_35(data: bytes) -> Any:
    message, at = read_CreateApiKey(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RevokeApiKey(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    return new_RevokeApiKey(v1, v2, v3), at


def decode_36(data: bytes) -> Any:
    message, at = read_RevokeApiKey(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InstrumentSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Instrument(data, at)
    return new_InstrumentSet(v1, v2, v3, v4), at


def decode_37(data: bytes) -> Any:
    message, at = read_InstrumentSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AccountOpened(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_AccountOpened(v1, v2, v3, v4, v5), at


def decode_38(data: bytes) -> Any:
    message, at = read_AccountOpened(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LimitsSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = read_Limits(data, at)
    return new_LimitsSet(v1, v2, v3, v4, v5), at


def decode_39(data: bytes) -> Any:
    message, at = read_LimitsSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FeesSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = read_Fees(data, at)
    return new_FeesSet(v1, v2, v3, v4, v5), at


def decode_40(data: bytes) -> Any:
    message, at = read_FeesSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TradingStateSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_symbol(data, at, symbols_TradingState)
    v6, at = p.read_string(data, at)
    return new_TradingStateSet(v1, v2, v3, v4, v5, v6), at


def decode_41(data: bytes) -> Any:
    message, at = read_TradingStateSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ApiKeyCreated(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_ApiKey(data, at)
    return new_ApiKeyCreated(v1, v2, v3, v4), at


def decode_42(data: bytes) -> Any:
    message, at = read_ApiKeyCreated(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ApiKeyRevoked(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_ApiKeyRevoked(v1, v2, v3, v4), at


def decode_43(data: bytes) -> Any:
    message, at = read_ApiKeyRevoked(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ReferenceRejected(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_ReferenceRejected(v1, v2, v3, v4), at


def decode_44(data: bytes) -> Any:
    message, at = read_ReferenceRejected(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Snapshot(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v12: dict[str, Any] = {}
    v11, at = p.read_count(data, at)
    while v11 > 0:
        v13, at = p.read_string(data, at)
        v14, at = p.read_long(data, at)
        v12[v13] = v14
        v11 -= 1
        if v11 == 0:
            v11, at = p.read_count(data, at)
    v10 = v12
    v15, at = p.read_bytes(data, at)
    return new_Snapshot(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v15), at


def decode_45(data: bytes) -> Any:
    message, at = read_Snapshot(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CheckpointSigned(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_CheckpointSigned(v1, v2, v3, v4, v5, v6), at


def decode_46(data: bytes) -> Any:
    message, at = read_CheckpointSigned(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ReleaseParked(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_ReleaseParked(v1, v2, v3, v4), at


def decode_47(data: bytes) -> Any:
    message, at = read_ReleaseParked(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DismissParked(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_DismissParked(v1, v2, v3, v4, v5), at


def decode_48(data: bytes) -> Any:
    message, at = read_DismissParked(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Release(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    return new_Release(v1, v2, v3, v4), at


def read_EntryBooked_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_EntryKind)
    v5, at = p.read_name(data, at)
    v6: Any = None
    v7, at = p.read_branch(data, at)
    if v7:
        v8, at = p.read_string(data, at)
        v6 = v8
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = p.read_string(data, at)
        v9 = v11
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = p.read_string(data, at)
        v12 = v14
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = p.read_string(data, at)
        v15 = v17
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_Line(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = read_Position(data, at)
        v22 = v24
    v25, at = p.read_long(data, at)
    v26, at = p.read_long(data, at)
    v27, at = p.read_long(data, at)
    v28: Any = None
    v29, at = p.read_branch(data, at)
    if v29:
        v30, at = read_Release(data, at)
        v28 = v30
    return new_EntryBooked(
        meta=v1,
        entry_id=v2,
        account_id=v3,
        kind=v4,
        rule=v5,
        order_id=v6,
        execution_id=v9,
        external_reference=v12,
        corrects=v15,
        lines=v18,
        position=v22,
        realised_e8=v25,
        filled_e8=v26,
        transacted_at_us=v27,
        release=v28,
    ), at


def decode_49(data: bytes) -> Any:
    message, at = read_EntryBooked_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParkedDismissed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Release(data, at)
    return new_ParkedDismissed(v1, v2, v3, v4), at


def decode_50(data: bytes) -> Any:
    message, at = read_ParkedDismissed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_ReleaseRefusal: list[str] = [
    "PARKED_UNKNOWN",
    "ALREADY_RESOLVED",
    "COMMAND_REPEATED",
    "NOT_THE_OLDEST",
    "NOTHING_TO_BOOK",
    "STILL_REFUSED",
    "REASON_MISSING",
]
symbols_ReleaseRefusal_written: dict[str, bytes] = {
    "PARKED_UNKNOWN": p.LAST[0],
    "ALREADY_RESOLVED": p.LAST[2],
    "COMMAND_REPEATED": p.LAST[4],
    "NOT_THE_OLDEST": p.LAST[6],
    "NOTHING_TO_BOOK": p.LAST[8],
    "STILL_REFUSED": p.LAST[10],
    "REASON_MISSING": p.LAST[12],
}


def read_ReleaseRefused(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_symbol(data, at, symbols_ReleaseRefusal)
    v7, at = p.read_string(data, at)
    v8: Any = None
    v9, at = p.read_branch(data, at)
    if v9:
        v10, at = p.read_string(data, at)
        v8 = v10
    return new_ReleaseRefused(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_51(data: bytes) -> Any:
    message, at = read_ReleaseRefused(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CreditUpdated_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_boolean(data, at)
    return new_CreditUpdated(
        meta=v1,
        account_id=v2,
        entry_id=v3,
        order_id=v4,
        changes=v7,
        released_asset=v11,
        released_e8=v12,
        filled_e8=v13,
        reopens_account=v14,
    ), at


def decode_52(data: bytes) -> Any:
    message, at = read_CreditUpdated_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AccountHalted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    return new_AccountHalted(v1, v2, v3), at


def decode_53(data: bytes) -> Any:
    message, at = read_AccountHalted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AccountReopened(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    return new_AccountReopened(v1, v2), at


def decode_54(data: bytes) -> Any:
    message, at = read_AccountReopened(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_ContractFactKind: list[str] = [
    "SETTLEMENT_PRICE",
    "FUNDING",
    "EXPIRY",
    "CONTRACT_SIZE",
    "RENAME",
    "DELISTING",
    "HAIRCUT",
    "TEAR_UP",
    "COMPRESSION",
    "PAYMENT_NETTING",
]
symbols_ContractFactKind_written: dict[str, bytes] = {
    "SETTLEMENT_PRICE": p.LAST[0],
    "FUNDING": p.LAST[2],
    "EXPIRY": p.LAST[4],
    "CONTRACT_SIZE": p.LAST[6],
    "RENAME": p.LAST[8],
    "DELISTING": p.LAST[10],
    "HAIRCUT": p.LAST[12],
    "TEAR_UP": p.LAST[14],
    "COMPRESSION": p.LAST[16],
    "PAYMENT_NETTING": p.LAST[18],
}


def read_ContractFact(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_symbol(data, at, symbols_ContractFactKind)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = p.read_long(data, at)
        v7 = v9
    v12: dict[str, Any] = {}
    v11, at = p.read_count(data, at)
    while v11 > 0:
        v13, at = p.read_string(data, at)
        v14, at = p.read_long(data, at)
        v12[v13] = v14
        v11 -= 1
        if v11 == 0:
            v11, at = p.read_count(data, at)
    v10 = v12
    v17: dict[str, Any] = {}
    v16, at = p.read_count(data, at)
    while v16 > 0:
        v18, at = p.read_string(data, at)
        v19, at = p.read_string(data, at)
        v17[v18] = v19
        v16 -= 1
        if v16 == 0:
            v16, at = p.read_count(data, at)
    v15 = v17
    return new_ContractFact(v1, v2, v3, v4, v5, v6, v7, v10, v15), at


def read_TakeContractFact(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_ContractFact(data, at)
    return new_TakeContractFact(v1), at


def decode_55(data: bytes) -> Any:
    message, at = read_TakeContractFact(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ApplyContractFact(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v3, at = read_ContractFact(data, at)
    v4, at = p.read_string(data, at)
    return new_ApplyContractFact(v1, v2, v3, v4), at


def decode_56(data: bytes) -> Any:
    message, at = read_ApplyContractFact(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BookTrade(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_symbol(data, at, symbols_Side)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_symbol(data, at, symbols_Liquidity)
    v9, at = p.read_long(data, at)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    return new_BookTrade(
        command_id=v1,
        account_id=v2,
        trade_id=v3,
        instrument_id=v4,
        side=v5,
        quantity_e8=v6,
        price_e8=v7,
        liquidity=v8,
        transacted_at_us=v9,
        requested_by=v10,
        reference=v11,
    ), at


def decode_57(data: bytes) -> Any:
    message, at = read_BookTrade(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CorrectEntry(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_bytes(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_CorrectEntry(v1, v2, v3, v4, v5, v6, v7), at


def decode_58(data: bytes) -> Any:
    message, at = read_CorrectEntry(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_ContractEvent: list[str] = [
    "TRADE",
    "VARIATION_MARGIN",
    "FUNDING",
    "EXPIRY",
    "EXERCISE",
    "ASSIGNMENT",
    "DELIVERY",
    "SETTLEMENT_FEE",
    "LIQUIDATION_FEE",
    "CONTRACT_SIZE",
    "RENAME",
    "DELISTING",
    "BUST",
    "CORRECTION",
    "ADJUSTMENT",
    "COLLATERAL",
    "INITIAL_MARGIN",
    "MARGIN_CALL",
    "MARGIN_RELEASE",
    "COLLATERAL_SEIZED",
    "COLLATERAL_CONVERTED",
    "INTEREST",
    "LIQUIDATION",
    "AUCTION_TRANSFER",
    "CLOSE_OUT",
    "AUTO_DELEVERAGING",
    "POSITION_TRANSFER",
    "PORTING",
    "INSURANCE_FUND",
    "FUND_CONTRIBUTION",
    "FUND_REPLENISHMENT",
    "DEFAULTER_MARGIN",
    "DEFAULTER_FUND",
    "HOUSE_CAPITAL",
    "MUTUAL_FUND",
    "ASSESSMENT",
    "VARIATION_MARGIN_HAIRCUT",
    "TEAR_UP",
    "SOCIALISED_LOSS",
    "NOVATION",
    "COMPRESSION",
    "GIVE_UP",
    "TAKE_UP",
    "ALLOCATION",
    "PAYMENT_NETTING",
    "SETTLEMENT_OBLIGATION",
    "SETTLEMENT_PAYMENT",
    "FEE",
    "REBATE",
    "HOUSE_TRANSFER",
    "ROUNDING_SWEEP",
]
symbols_ContractEvent_written: dict[str, bytes] = {
    "TRADE": p.LAST[0],
    "VARIATION_MARGIN": p.LAST[2],
    "FUNDING": p.LAST[4],
    "EXPIRY": p.LAST[6],
    "EXERCISE": p.LAST[8],
    "ASSIGNMENT": p.LAST[10],
    "DELIVERY": p.LAST[12],
    "SETTLEMENT_FEE": p.LAST[14],
    "LIQUIDATION_FEE": p.LAST[16],
    "CONTRACT_SIZE": p.LAST[18],
    "RENAME": p.LAST[20],
    "DELISTING": p.LAST[22],
    "BUST": p.LAST[24],
    "CORRECTION": p.LAST[26],
    "ADJUSTMENT": p.LAST[28],
    "COLLATERAL": p.LAST[30],
    "INITIAL_MARGIN": p.LAST[32],
    "MARGIN_CALL": p.LAST[34],
    "MARGIN_RELEASE": p.LAST[36],
    "COLLATERAL_SEIZED": p.LAST[38],
    "COLLATERAL_CONVERTED": p.LAST[40],
    "INTEREST": p.LAST[42],
    "LIQUIDATION": p.LAST[44],
    "AUCTION_TRANSFER": p.LAST[46],
    "CLOSE_OUT": p.LAST[48],
    "AUTO_DELEVERAGING": p.LAST[50],
    "POSITION_TRANSFER": p.LAST[52],
    "PORTING": p.LAST[54],
    "INSURANCE_FUND": p.LAST[56],
    "FUND_CONTRIBUTION": p.LAST[58],
    "FUND_REPLENISHMENT": p.LAST[60],
    "DEFAULTER_MARGIN": p.LAST[62],
    "DEFAULTER_FUND": p.LAST[64],
    "HOUSE_CAPITAL": p.LAST[66],
    "MUTUAL_FUND": p.LAST[68],
    "ASSESSMENT": p.LAST[70],
    "VARIATION_MARGIN_HAIRCUT": p.LAST[72],
    "TEAR_UP": p.LAST[74],
    "SOCIALISED_LOSS": p.LAST[76],
    "NOVATION": p.LAST[78],
    "COMPRESSION": p.LAST[80],
    "GIVE_UP": p.LAST[82],
    "TAKE_UP": p.LAST[84],
    "ALLOCATION": p.LAST[86],
    "PAYMENT_NETTING": p.LAST[88],
    "SETTLEMENT_OBLIGATION": p.LAST[90],
    "SETTLEMENT_PAYMENT": p.LAST[92],
    "FEE": p.LAST[94],
    "REBATE": p.LAST[96],
    "HOUSE_TRANSFER": p.LAST[98],
    "ROUNDING_SWEEP": p.LAST[100],
}


def read_ContractBooking(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_symbol(data, at, symbols_ContractEvent)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_string(data, at)
    v12: dict[str, Any] = {}
    v11, at = p.read_count(data, at)
    while v11 > 0:
        v13, at = p.read_string(data, at)
        v14, at = p.read_long(data, at)
        v12[v13] = v14
        v11 -= 1
        if v11 == 0:
            v11, at = p.read_count(data, at)
    v10 = v12
    v17: dict[str, Any] = {}
    v16, at = p.read_count(data, at)
    while v16 > 0:
        v18, at = p.read_string(data, at)
        v19, at = p.read_string(data, at)
        v17[v18] = v19
        v16 -= 1
        if v16 == 0:
            v16, at = p.read_count(data, at)
    v15 = v17
    return new_ContractBooking(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v15), at


def read_EntryBooked_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_EntryKind)
    v5, at = p.read_name(data, at)
    v6: Any = None
    v7, at = p.read_branch(data, at)
    if v7:
        v8, at = p.read_string(data, at)
        v6 = v8
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = p.read_string(data, at)
        v9 = v11
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = p.read_string(data, at)
        v12 = v14
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = p.read_string(data, at)
        v15 = v17
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_Line(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = read_Position(data, at)
        v22 = v24
    v25, at = p.read_long(data, at)
    v26, at = p.read_long(data, at)
    v27, at = p.read_long(data, at)
    v28: Any = None
    v29, at = p.read_branch(data, at)
    if v29:
        v30, at = read_Release(data, at)
        v28 = v30
    v31: Any = None
    v32, at = p.read_branch(data, at)
    if v32:
        v33, at = read_ContractBooking(data, at)
        v31 = v33
    return new_EntryBooked(
        meta=v1,
        entry_id=v2,
        account_id=v3,
        kind=v4,
        rule=v5,
        order_id=v6,
        execution_id=v9,
        external_reference=v12,
        corrects=v15,
        lines=v18,
        position=v22,
        realised_e8=v25,
        filled_e8=v26,
        transacted_at_us=v27,
        release=v28,
        contract=v31,
    ), at


def decode_59(data: bytes) -> Any:
    message, at = read_EntryBooked_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractFactTaken(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_ContractFact(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = p.read_string(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    return new_ContractFactTaken(v1, v2, v3, v4, v5), at


def decode_60(data: bytes) -> Any:
    message, at = read_ContractFactTaken(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_ClearingRefusal: list[str] = [
    "COMMAND_REPEATED",
    "INSTRUMENT_UNKNOWN",
    "NOT_A_CONTRACT",
    "CONTRACT_EXPIRED",
    "NOT_YET_EXPIRED",
    "PRICE_MISSING",
    "PRICE_OUT_OF_RANGE",
    "RATE_OUT_OF_RANGE",
    "OUT_OF_ORDER",
    "TOO_OLD",
    "NUMBERS_WRONG",
    "ENTRY_UNKNOWN",
    "ENTRY_CORRECTED",
    "ENTRY_DIFFERENT",
    "ACCOUNT_UNKNOWN",
    "ACCOUNT_HALTED",
    "AMOUNT_TOO_LARGE",
    "REASON_MISSING",
    "TERMS_DIFFER",
    "DEADLINE_PASSED",
    "NOT_AFFIRMED",
    "INSUFFICIENT_MARGIN",
    "INSUFFICIENT_FUNDS",
    "COLLATERAL_REFUSED",
    "STATE_WRONG",
    "UNSUPPORTED",
]
symbols_ClearingRefusal_written: dict[str, bytes] = {
    "COMMAND_REPEATED": p.LAST[0],
    "INSTRUMENT_UNKNOWN": p.LAST[2],
    "NOT_A_CONTRACT": p.LAST[4],
    "CONTRACT_EXPIRED": p.LAST[6],
    "NOT_YET_EXPIRED": p.LAST[8],
    "PRICE_MISSING": p.LAST[10],
    "PRICE_OUT_OF_RANGE": p.LAST[12],
    "RATE_OUT_OF_RANGE": p.LAST[14],
    "OUT_OF_ORDER": p.LAST[16],
    "TOO_OLD": p.LAST[18],
    "NUMBERS_WRONG": p.LAST[20],
    "ENTRY_UNKNOWN": p.LAST[22],
    "ENTRY_CORRECTED": p.LAST[24],
    "ENTRY_DIFFERENT": p.LAST[26],
    "ACCOUNT_UNKNOWN": p.LAST[28],
    "ACCOUNT_HALTED": p.LAST[30],
    "AMOUNT_TOO_LARGE": p.LAST[32],
    "REASON_MISSING": p.LAST[34],
    "TERMS_DIFFER": p.LAST[36],
    "DEADLINE_PASSED": p.LAST[38],
    "NOT_AFFIRMED": p.LAST[40],
    "INSUFFICIENT_MARGIN": p.LAST[42],
    "INSUFFICIENT_FUNDS": p.LAST[44],
    "COLLATERAL_REFUSED": p.LAST[46],
    "STATE_WRONG": p.LAST[48],
    "UNSUPPORTED": p.LAST[50],
}


def read_ClearingRefused(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_symbol(data, at, symbols_ClearingRefusal)
    v7, at = p.read_string(data, at)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    return new_ClearingRefused(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_61(data: bytes) -> Any:
    message, at = read_ClearingRefused(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_ContractKind: list[str] = ["FUTURE", "PERPETUAL", "OPTION"]
symbols_ContractKind_written: dict[str, bytes] = {"FUTURE": p.LAST[0], "PERPETUAL": p.LAST[2], "OPTION": p.LAST[4]}


symbols_SettlementStyle: list[str] = ["LINEAR", "INVERSE", "QUANTO"]
symbols_SettlementStyle_written: dict[str, bytes] = {"LINEAR": p.LAST[0], "INVERSE": p.LAST[2], "QUANTO": p.LAST[4]}


symbols_Delivery: list[str] = ["CASH", "PHYSICAL"]
symbols_Delivery_written: dict[str, bytes] = {"CASH": p.LAST[0], "PHYSICAL": p.LAST[2]}


symbols_OptionType: list[str] = ["CALL", "PUT"]
symbols_OptionType_written: dict[str, bytes] = {"CALL": p.LAST[0], "PUT": p.LAST[2]}


def read_ContractTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_symbol(data, at, symbols_ContractKind)
    v2, at = p.read_symbol(data, at, symbols_SettlementStyle)
    v3, at = p.read_long(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_symbol(data, at, symbols_Delivery)
    v7, at = p.read_string(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_boolean(data, at)
    v16: Any = None
    v17, at = p.read_branch(data, at)
    if v17:
        v18, at = p.read_long(data, at)
        v16 = v18
    v19: Any = None
    v20, at = p.read_branch(data, at)
    if v20:
        v21, at = p.read_long(data, at)
        v19 = v21
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = p.read_symbol(data, at, symbols_OptionType)
        v22 = v24
    return new_ContractTerms(
        kind=v1,
        style=v2,
        multiplier_e8=v3,
        settlement_asset=v4,
        index=v5,
        delivery=v6,
        margin_class=v7,
        initial_rate_e8=v8,
        maintenance_rate_e8=v9,
        funding_cap_rate_e8=v10,
        funding_interval_us=v11,
        settlement_fee_rate_e8=v12,
        liquidation_fee_rate_e8=v13,
        mark_max_age_us=v14,
        signed_price=v15,
        expires_at_us=v16,
        strike_e8=v19,
        option_type=v22,
    ), at


def read_Instrument_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_Listing(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractTerms(data, at)
        v15 = v17
    return new_Instrument(
        instrument_id=v1,
        base=v2,
        quote=v3,
        tick_e8=v4,
        lot_e8=v5,
        min_quantity_e8=v6,
        max_quantity_e8=v7,
        min_notional_e8=v8,
        max_notional_e8=v9,
        tradable=v10,
        listings=v11,
        contract=v15,
    ), at


def read_SetInstrument_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Instrument_2(data, at)
    return new_SetInstrument(v1, v2, v3), at


def decode_62(data: bytes) -> Any:
    message, at = read_SetInstrument_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InstrumentSet_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Instrument_2(data, at)
    return new_InstrumentSet(v1, v2, v3, v4), at


def decode_63(data: bytes) -> Any:
    message, at = read_InstrumentSet_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderMargin(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    return new_OrderMargin(unit_cost_e8=v1, adds_e8=v2, required_e8=v3, equity_e8=v4, reserved_e8=v5), at


def read_OrderAccepted_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = read_MarkSeen(data, at)
        v7 = v9
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = read_OrderMargin(data, at)
        v12 = v14
    return new_OrderAccepted(
        meta=v1,
        order=v2,
        limit_price_e8=v3,
        reserved_asset=v4,
        reserved_e8=v5,
        fee_rate_e8=v6,
        mark=v7,
        reference_offset=v10,
        send_before_us=v11,
        margin=v12,
    ), at


def decode_64(data: bytes) -> Any:
    message, at = read_OrderAccepted_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractHeld(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_ContractHeld(instrument_id=v1, quantity_e8=v2, cost_e8=v3, unpaid_e8=v4), at


def read_CreditUpdated_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_boolean(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractHeld(data, at)
        v15 = v17
    return new_CreditUpdated(
        meta=v1,
        account_id=v2,
        entry_id=v3,
        order_id=v4,
        changes=v7,
        released_asset=v11,
        released_e8=v12,
        filled_e8=v13,
        reopens_account=v14,
        contract=v15,
    ), at


def decode_65(data: bytes) -> Any:
    message, at = read_CreditUpdated_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TradeTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    return new_TradeTerms(
        reference=v1, buyer_id=v2, seller_id=v3, instrument_id=v4, quantity_e8=v5, price_e8=v6, traded_on=v7
    ), at


def read_TellTrade(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_TradeTerms(data, at)
    v5, at = p.read_string(data, at)
    return new_TellTrade(v1, v2, v3, v4, v5), at


def decode_66(data: bytes) -> Any:
    message, at = read_TellTrade(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_TradeAction: list[str] = ["WITHDRAW", "REJECT"]
symbols_TradeAction_written: dict[str, bytes] = {"WITHDRAW": p.LAST[0], "REJECT": p.LAST[2]}


def read_EndTrade(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_symbol(data, at, symbols_TradeAction)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_EndTrade(v1, v2, v3, v4, v5, v6, v7), at


def decode_67(data: bytes) -> Any:
    message, at = read_EndTrade(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ConfirmLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_ConfirmLeg(v1, v2, v3, v4), at


def decode_68(data: bytes) -> Any:
    message, at = read_ConfirmLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


symbols_TradeState: list[str] = [
    "ALLEGED",
    "MISMATCHED",
    "AFFIRMED",
    "NOVATED",
    "REFUSED",
    "REJECTED",
    "WITHDRAWN",
    "EXPIRED",
]
symbols_TradeState_written: dict[str, bytes] = {
    "ALLEGED": p.LAST[0],
    "MISMATCHED": p.LAST[2],
    "AFFIRMED": p.LAST[4],
    "NOVATED": p.LAST[6],
    "REFUSED": p.LAST[8],
    "REJECTED": p.LAST[10],
    "WITHDRAWN": p.LAST[12],
    "EXPIRED": p.LAST[14],
}


def read_TradeDifference(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    return new_TradeDifference(v1, v2, v3), at


def read_TradeLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_symbol(data, at, symbols_Side)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    return new_TradeLeg(leg_id=v1, account_id=v2, instrument_id=v3, side=v4, quantity_e8=v5, price_e8=v6), at


def read_TradeChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_symbol(data, at, symbols_TradeState)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = read_TradeTerms(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v15: list[Any] = []
    v14, at = p.read_count(data, at)
    while v14 > 0:
        v16, at = read_TradeDifference(data, at)
        v15.append(v16)
        v14 -= 1
        if v14 == 0:
            v14, at = p.read_count(data, at)
    v13 = tuple(v15)
    v17, at = p.read_long(data, at)
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_TradeLeg(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22, at = p.read_string(data, at)
    v23, at = p.read_string(data, at)
    return new_TradeChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        trade_id=v4,
        first_id=v5,
        actor=v6,
        state=v7,
        views=v8,
        differences=v13,
        expires_at_us=v17,
        legs=v18,
        detail=v22,
        requested_by=v23,
    ), at


def decode_69(data: bytes) -> Any:
    message, at = read_TradeChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegConfirmed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    return new_LegConfirmed(v1, v2, v3, v4, v5), at


def decode_70(data: bytes) -> Any:
    message, at = read_LegConfirmed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegsAskedAgain(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    return new_LegsAskedAgain(v1, v2, v3, v4), at


def decode_71(data: bytes) -> Any:
    message, at = read_LegsAskedAgain(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderMargin_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    return new_OrderMargin(v1, v2, v3, v4, v5, v6), at


def read_OrderAccepted_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = read_MarkSeen(data, at)
        v7 = v9
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = read_OrderMargin_2(data, at)
        v12 = v14
    return new_OrderAccepted(
        meta=v1,
        order=v2,
        limit_price_e8=v3,
        reserved_asset=v4,
        reserved_e8=v5,
        fee_rate_e8=v6,
        mark=v7,
        reference_offset=v10,
        send_before_us=v11,
        margin=v12,
    ), at


def decode_72(data: bytes) -> Any:
    message, at = read_OrderAccepted_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarginClass(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    return new_MarginClass(v1, v2, v3, v4, v5, v6), at


def read_SetMarginClass(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_MarginClass(data, at)
    return new_SetMarginClass(v1, v2, v3), at


def decode_73(data: bytes) -> Any:
    message, at = read_SetMarginClass(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CollateralAsset(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    return new_CollateralAsset(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10), at


def read_SetCollateral(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_CollateralAsset(data, at)
    return new_SetCollateral(v1, v2, v3), at


def decode_74(data: bytes) -> Any:
    message, at = read_SetCollateral(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarginClassSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_MarginClass(data, at)
    return new_MarginClassSet(v1, v2, v3, v4), at


def decode_75(data: bytes) -> Any:
    message, at = read_MarginClassSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CollateralSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_CollateralAsset(data, at)
    return new_CollateralSet(v1, v2, v3, v4), at


def decode_76(data: bytes) -> Any:
    message, at = read_CollateralSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FixingDue(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_symbol(data, at, symbols_ContractFactKind)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_FixingDue(v1, v2, v3, v4), at


def read_FixingsDue(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_long(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = p.read_string(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_FixingDue(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    return new_FixingsDue(v1, v2, v3, v7), at


def decode_77(data: bytes) -> Any:
    message, at = read_FixingsDue(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractFixed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = read_ContractFact(data, at)
    return new_ContractFixed(v1, v2, v3), at


def decode_78(data: bytes) -> Any:
    message, at = read_ContractFixed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FixingMissing(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_symbol(data, at, symbols_ContractFactKind)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v9: dict[str, Any] = {}
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = p.read_string(data, at)
        v11, at = p.read_long(data, at)
        v9[v10] = v11
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = v9
    return new_FixingMissing(v1, v2, v3, v4, v5, v6, v7), at


def decode_79(data: bytes) -> Any:
    message, at = read_FixingMissing(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FactSent(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    return new_FactSent(v1, v2, v3), at


def decode_80(data: bytes) -> Any:
    message, at = read_FactSent(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractTerms_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_symbol(data, at, symbols_ContractKind)
    v2, at = p.read_symbol(data, at, symbols_SettlementStyle)
    v3, at = p.read_long(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_symbol(data, at, symbols_Delivery)
    v7, at = p.read_string(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_boolean(data, at)
    v16: Any = None
    v17, at = p.read_branch(data, at)
    if v17:
        v18, at = p.read_long(data, at)
        v16 = v18
    v19: Any = None
    v20, at = p.read_branch(data, at)
    if v20:
        v21, at = p.read_long(data, at)
        v19 = v21
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = p.read_symbol(data, at, symbols_OptionType)
        v22 = v24
    v25, at = p.read_long(data, at)
    v26, at = p.read_string(data, at)
    v27, at = p.read_long(data, at)
    v28, at = p.read_long(data, at)
    v29, at = p.read_long(data, at)
    v30, at = p.read_long(data, at)
    v31, at = p.read_long(data, at)
    v32, at = p.read_string(data, at)
    v33, at = p.read_long(data, at)
    v34, at = p.read_long(data, at)
    return new_ContractTerms(
        kind=v1,
        style=v2,
        multiplier_e8=v3,
        settlement_asset=v4,
        index=v5,
        delivery=v6,
        margin_class=v7,
        initial_rate_e8=v8,
        maintenance_rate_e8=v9,
        funding_cap_rate_e8=v10,
        funding_interval_us=v11,
        settlement_fee_rate_e8=v12,
        liquidation_fee_rate_e8=v13,
        mark_max_age_us=v14,
        signed_price=v15,
        expires_at_us=v16,
        strike_e8=v19,
        option_type=v22,
        fixing_window_us=v25,
        fixing_rule=v26,
        fixing_samples=v27,
        fixing_coverage_e8=v28,
        settlement_interval_us=v29,
        settlement_offset_us=v30,
        funding_step_us=v31,
        funding_rule=v32,
        funding_interest_rate_e8=v33,
        funding_damper_rate_e8=v34,
    ), at


def read_Instrument_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_Listing(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractTerms_2(data, at)
        v15 = v17
    return new_Instrument(
        instrument_id=v1,
        base=v2,
        quote=v3,
        tick_e8=v4,
        lot_e8=v5,
        min_quantity_e8=v6,
        max_quantity_e8=v7,
        min_notional_e8=v8,
        max_notional_e8=v9,
        tradable=v10,
        listings=v11,
        contract=v15,
    ), at


def read_SetInstrument_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Instrument_3(data, at)
    return new_SetInstrument(v1, v2, v3), at


def decode_81(data: bytes) -> Any:
    message, at = read_SetInstrument_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FeeTier(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_FeeTier(v1, v2, v3, v4), at


def read_Fees_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_FeeTier(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    return new_Fees(v1, v2, v3), at


def read_SetFees_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Fees_2(data, at)
    return new_SetFees(v1, v2, v3, v4), at


def decode_82(data: bytes) -> Any:
    message, at = read_SetFees_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InstrumentSet_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Instrument_3(data, at)
    return new_InstrumentSet(v1, v2, v3, v4), at


def decode_83(data: bytes) -> Any:
    message, at = read_InstrumentSet_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FeesSet_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = read_Fees_2(data, at)
    return new_FeesSet(v1, v2, v3, v4, v5), at


def decode_84(data: bytes) -> Any:
    message, at = read_FeesSet_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BookTrade_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_symbol(data, at, symbols_Side)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_symbol(data, at, symbols_Liquidity)
    v9, at = p.read_long(data, at)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = p.read_long(data, at)
        v12 = v14
    v15, at = p.read_string(data, at)
    v16, at = p.read_string(data, at)
    return new_BookTrade(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v15, v16), at


def decode_85(data: bytes) -> Any:
    message, at = read_BookTrade_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TradeLeg_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_symbol(data, at, symbols_Side)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = p.read_long(data, at)
        v7 = v9
    v10, at = p.read_string(data, at)
    return new_TradeLeg(v1, v2, v3, v4, v5, v6, v7, v10), at


def read_AskLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = read_TradeLeg_2(data, at)
    v8, at = p.read_boolean(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_string(data, at)
    return new_AskLeg(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10), at


def decode_86(data: bytes) -> Any:
    message, at = read_AskLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AnswerLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_boolean(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_AnswerLeg(v1, v2, v3, v4, v5, v6), at


def decode_87(data: bytes) -> Any:
    message, at = read_AnswerLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TellLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_TellLeg(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_88(data: bytes) -> Any:
    message, at = read_TellLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ReleaseLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = read_TradeLeg_2(data, at)
    return new_ReleaseLeg(v1, v2, v3, v4, v5, v6), at


def decode_89(data: bytes) -> Any:
    message, at = read_ReleaseLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegShare(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_long(data, at)
    return new_LegShare(v1, v2), at


def read_MoveLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_LegShare(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    return new_MoveLeg(v1, v2, v3, v4, v5, v9, v10), at


def decode_90(data: bytes) -> Any:
    message, at = read_MoveLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_EndMove(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_EndMove(v1, v2, v3, v4, v5), at


def decode_91(data: bytes) -> Any:
    message, at = read_EndMove(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AgreeMoves(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_boolean(data, at)
    v5, at = p.read_string(data, at)
    return new_AgreeMoves(v1, v2, v3, v4, v5), at


def decode_92(data: bytes) -> Any:
    message, at = read_AgreeMoves(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CompressLegs(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    return new_CompressLegs(v1, v2, v3, v4), at


def decode_93(data: bytes) -> Any:
    message, at = read_CompressLegs(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_NetPayments(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_NetPayments(v1, v2, v3, v4), at


def decode_94(data: bytes) -> Any:
    message, at = read_NetPayments(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TradeChanged_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_symbol(data, at, symbols_TradeState)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = read_TradeTerms(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v15: list[Any] = []
    v14, at = p.read_count(data, at)
    while v14 > 0:
        v16, at = read_TradeDifference(data, at)
        v15.append(v16)
        v14 -= 1
        if v14 == 0:
            v14, at = p.read_count(data, at)
    v13 = tuple(v15)
    v17, at = p.read_long(data, at)
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_TradeLeg_2(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22, at = p.read_string(data, at)
    v23, at = p.read_string(data, at)
    v24, at = p.read_string(data, at)
    return new_TradeChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        trade_id=v4,
        first_id=v5,
        actor=v6,
        state=v7,
        views=v8,
        differences=v13,
        expires_at_us=v17,
        legs=v18,
        detail=v22,
        requested_by=v23,
        reason=v24,
    ), at


def decode_95(data: bytes) -> Any:
    message, at = read_TradeChanged_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = read_TradeLeg_2(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_string(data, at)
    v14, at = p.read_string(data, at)
    return new_LegChanged(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14), at


def decode_96(data: bytes) -> Any:
    message, at = read_LegChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegAnswered(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    return new_LegAnswered(v1, v2, v3, v4, v5, v6), at


def decode_97(data: bytes) -> Any:
    message, at = read_LegAnswered(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MoveChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = read_TradeLeg_2(data, at)
    v10: list[Any] = []
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = read_TradeLeg_2(data, at)
        v10.append(v11)
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = tuple(v10)
    v12, at = p.read_string(data, at)
    v13, at = p.read_string(data, at)
    v14, at = p.read_string(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_string(data, at)
    v17, at = p.read_string(data, at)
    return new_MoveChanged(v1, v2, v3, v4, v5, v6, v7, v8, v12, v13, v14, v15, v16, v17), at


def decode_98(data: bytes) -> Any:
    message, at = read_MoveChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MovesAgreed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_string(data, at)
    return new_MovesAgreed(v1, v2, v3, v4, v5, v6), at


def decode_99(data: bytes) -> Any:
    message, at = read_MovesAgreed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegsCompressed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_TradeLeg_2(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v11: list[Any] = []
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = read_TradeLeg_2(data, at)
        v11.append(v12)
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = tuple(v11)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_long(data, at)
    v18, at = p.read_string(data, at)
    return new_LegsCompressed(v1, v2, v3, v4, v5, v9, v13, v14, v15, v16, v17, v18), at


def decode_100(data: bytes) -> Any:
    message, at = read_LegsCompressed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Instruction(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v8: dict[str, Any] = {}
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = p.read_string(data, at)
        v10, at = p.read_long(data, at)
        v8[v9] = v10
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = v8
    v11, at = p.read_long(data, at)
    return new_Instruction(
        instruction_id=v1, asset=v2, amount_e8=v3, received_e8=v4, paid_e8=v5, parts=v6, payments=v11
    ), at


def read_PaymentsNetted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_Instruction(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v9, at = p.read_string(data, at)
    return new_PaymentsNetted(v1, v2, v3, v4, v5, v9), at


def decode_101(data: bytes) -> Any:
    message, at = read_PaymentsNetted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegAssessed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_string(data, at)
    v9: dict[str, Any] = {}
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = p.read_string(data, at)
        v11, at = p.read_long(data, at)
        v9[v10] = v11
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = v9
    v12, at = p.read_name(data, at)
    v13, at = p.read_symbol(data, at, symbols_Side)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_string(data, at)
    v17, at = p.read_long(data, at)
    v18, at = p.read_long(data, at)
    v19, at = p.read_long(data, at)
    v20: Any = None
    v21, at = p.read_branch(data, at)
    if v21:
        v22, at = read_MarkSeen(data, at)
        v20 = v22
    v23: Any = None
    v24, at = p.read_branch(data, at)
    if v24:
        v25, at = read_OrderMargin_2(data, at)
        v23 = v25
    return new_LegAssessed(v1, v2, v3, v4, v5, v6, v7, v12, v13, v14, v15, v16, v17, v18, v19, v20, v23), at


def decode_102(data: bytes) -> Any:
    message, at = read_LegAssessed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LegReleased(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    return new_LegReleased(v1, v2, v3, v4, v5), at


def decode_103(data: bytes) -> Any:
    message, at = read_LegReleased(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ReviewMargin(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    return new_ReviewMargin(v1, v2, v3, v4, v5, v6), at


def decode_104(data: bytes) -> Any:
    message, at = read_ReviewMargin(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ActOnCall(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_ActOnCall(v1, v2, v3, v4, v5, v6, v7), at


def decode_105(data: bytes) -> Any:
    message, at = read_ActOnCall(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarginListed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    return new_MarginListed(v1, v2, v3, v4, v5, v6, v7), at


def read_MarginRun(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_long(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_MarginListed(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    return new_MarginRun(v1, v2, v3), at


def decode_106(data: bytes) -> Any:
    message, at = read_MarginRun(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarginReviewed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_MarginReviewed(v1, v2, v3, v4, v5), at


def decode_107(data: bytes) -> Any:
    message, at = read_MarginReviewed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarginSeen(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = p.read_string(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v13: dict[str, Any] = {}
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = p.read_string(data, at)
        v15, at = p.read_long(data, at)
        v13[v14] = v15
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = v13
    v18: dict[str, Any] = {}
    v17, at = p.read_count(data, at)
    while v17 > 0:
        v19, at = p.read_string(data, at)
        v20, at = read_MarkSeen(data, at)
        v18[v19] = v20
        v17 -= 1
        if v17 == 0:
            v17, at = p.read_count(data, at)
    v16 = v18
    return new_MarginSeen(v1, v2, v3, v4, v5, v6, v7, v11, v16), at


def read_MarginCallChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_long(data, at)
    v11, at = p.read_string(data, at)
    v12, at = p.read_string(data, at)
    v13, at = p.read_string(data, at)
    v14, at = p.read_string(data, at)
    v15, at = p.read_string(data, at)
    v16, at = p.read_string(data, at)
    v17: Any = None
    v18, at = p.read_branch(data, at)
    if v18:
        v19, at = read_MarginSeen(data, at)
        v17 = v19
    return new_MarginCallChanged(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15, v16, v17), at


def decode_108(data: bytes) -> Any:
    message, at = read_MarginCallChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LiquidationChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8: Any = None
    v9, at = p.read_branch(data, at)
    if v9:
        v10, at = read_OrderTerms(data, at)
        v8 = v10
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_string(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_MarginSeen(data, at)
        v15 = v17
    return new_LiquidationChanged(
        meta=v1,
        account_id=v2,
        liquidation_id=v3,
        asset=v4,
        state=v5,
        step=v6,
        attempt=v7,
        order=v8,
        bankruptcy_price_e8=v11,
        excess_e8=v12,
        planned_e8=v13,
        detail=v14,
        seen=v15,
    ), at


def decode_109(data: bytes) -> Any:
    message, at = read_LiquidationChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LiquidationEnded(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_string(data, at)
    v11: Any = None
    v12, at = p.read_branch(data, at)
    if v12:
        v13, at = read_MarginSeen(data, at)
        v11 = v13
    return new_LiquidationEnded(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11), at


def decode_110(data: bytes) -> Any:
    message, at = read_LiquidationEnded(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRequested_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    return new_CancelRequested(meta=v1, command_id=v2, account_id=v3, order_ids=v4, liquidation_id=v8, quiet_for=v9), at


def decode_111(data: bytes) -> Any:
    message, at = read_CancelRequested_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CreditUpdated_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_boolean(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractHeld(data, at)
        v15 = v17
    v18, at = p.read_string(data, at)
    return new_CreditUpdated(
        meta=v1,
        account_id=v2,
        entry_id=v3,
        order_id=v4,
        changes=v7,
        released_asset=v11,
        released_e8=v12,
        filled_e8=v13,
        reopens_account=v14,
        contract=v15,
        quiet_for=v18,
    ), at


def decode_112(data: bytes) -> Any:
    message, at = read_CreditUpdated_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ReservationReleased_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_symbol(data, at, symbols_OrderStatus)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_string(data, at)
    return new_ReservationReleased(v1, v2, v3, v4, v5, v6, v7, v8, v9), at


def decode_113(data: bytes) -> Any:
    message, at = read_ReservationReleased_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RestrictionEnded(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    return new_RestrictionEnded(meta=v1, account_id=v2, liquidation_id=v3), at


def decode_114(data: bytes) -> Any:
    message, at = read_RestrictionEnded(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CallTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    return new_CallTerms(v1, v2, v3, v4), at


def read_SetCallTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_CallTerms(data, at)
    return new_SetCallTerms(v1, v2, v3, v4), at


def decode_115(data: bytes) -> Any:
    message, at = read_SetCallTerms(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CallTermsSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = read_CallTerms(data, at)
    return new_CallTermsSet(v1, v2, v3, v4, v5), at


def decode_116(data: bytes) -> Any:
    message, at = read_CallTermsSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CloseOut(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_string(data, at)
    return new_CloseOut(v1, v2, v3, v4, v5), at


def decode_117(data: bytes) -> Any:
    message, at = read_CloseOut(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SidesClosedOut(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    return new_SidesClosedOut(v1, v2, v3, v4, v5, v6, v7, v8, v9), at


def decode_118(data: bytes) -> Any:
    message, at = read_SidesClosedOut(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AccountTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    return new_AccountTerms(v1, v2), at


def read_SetAccountTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_AccountTerms(data, at)
    return new_SetAccountTerms(v1, v2, v3, v4), at


def decode_119(data: bytes) -> Any:
    message, at = read_SetAccountTerms(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AccountTermsSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = read_AccountTerms(data, at)
    return new_AccountTermsSet(v1, v2, v3, v4, v5), at


def decode_120(data: bytes) -> Any:
    message, at = read_AccountTermsSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v7: dict[str, Any] = {}
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = p.read_string(data, at)
        v9, at = p.read_long(data, at)
        v7[v8] = v9
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = v7
    v12: dict[str, Any] = {}
    v11, at = p.read_count(data, at)
    while v11 > 0:
        v13, at = p.read_string(data, at)
        v14, at = p.read_string(data, at)
        v12[v13] = v14
        v11 -= 1
        if v11 == 0:
            v11, at = p.read_count(data, at)
    v10 = v12
    v15, at = p.read_string(data, at)
    return new_RoundTerms(v1, v2, v3, v4, v5, v10, v15), at


def read_OpenRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = read_RoundTerms(data, at)
    return new_OpenRound(v1, v2), at


def decode_121(data: bytes) -> Any:
    message, at = read_OpenRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AskRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_RoundTerms(data, at)
    v2, at = p.read_long(data, at)
    return new_AskRound(v1, v2), at


def decode_122(data: bytes) -> Any:
    message, at = read_AskRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundHolding(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v5: dict[str, Any] = {}
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = p.read_string(data, at)
        v7, at = p.read_long(data, at)
        v5[v6] = v7
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = v5
    return new_RoundHolding(account_id=v1, asset=v2, numbers=v3), at


def read_TellRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_RoundHolding(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    return new_TellRound(v1, v2, v3, v4, v5), at


def decode_123(data: bytes) -> Any:
    message, at = read_TellRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    v8: dict[str, Any] = {}
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = p.read_string(data, at)
        v10, at = p.read_long(data, at)
        v8[v9] = v10
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = v8
    v11, at = p.read_long(data, at)
    return new_RoundLeg(leg_id=v1, account_id=v2, event=v3, asset=v4, amount_e8=v5, numbers=v6, partition=v11), at


def read_SettleRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_RoundTerms(data, at)
    v2, at = p.read_long(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_RoundLeg(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    v9: dict[str, Any] = {}
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = p.read_string(data, at)
        v11, at = p.read_long(data, at)
        v9[v10] = v11
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = v9
    return new_SettleRound(v1, v2, v3, v7), at


def decode_124(data: bytes) -> Any:
    message, at = read_SettleRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ConfirmRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    return new_ConfirmRound(v1, v2, v3, v4), at


def decode_125(data: bytes) -> Any:
    message, at = read_ConfirmRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RunRound(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_RunRound(v1, v2, v3, v4), at


def decode_126(data: bytes) -> Any:
    message, at = read_RunRound(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MoveFund(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_MoveFund(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_127(data: bytes) -> Any:
    message, at = read_MoveFund(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DeclareDefault(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_DeclareDefault(v1, v2, v3, v4, v5), at


def decode_128(data: bytes) -> Any:
    message, at = read_DeclareDefault(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundOpened(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_RoundTerms(data, at)
    return new_RoundOpened(v1, v2, v3), at


def decode_129(data: bytes) -> Any:
    message, at = read_RoundOpened(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundAnswered(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_long(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundHolding(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_RoundAnswered(v1, v2, v3, v4), at


def decode_130(data: bytes) -> Any:
    message, at = read_RoundAnswered(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundGathered(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_RoundHolding(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v9, at = p.read_long(data, at)
    return new_RoundGathered(v1, v2, v3, v4, v5, v9), at


def decode_131(data: bytes) -> Any:
    message, at = read_RoundGathered(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundDecided(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_RoundTerms(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v13, at = p.read_string(data, at)
    return new_RoundDecided(v1, v2, v3, v4, v8, v13), at


def decode_132(data: bytes) -> Any:
    message, at = read_RoundDecided(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundSettling(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_long(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    return new_RoundSettling(v1, v2, v3, v4, v8), at


def decode_133(data: bytes) -> Any:
    message, at = read_RoundSettling(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundSettled(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    return new_RoundSettled(v1, v2, v3, v4, v5, v6), at


def decode_134(data: bytes) -> Any:
    message, at = read_RoundSettled(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundConfirmed(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    return new_RoundConfirmed(v1, v2, v3, v4, v5), at


def decode_135(data: bytes) -> Any:
    message, at = read_RoundConfirmed(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundAskedAgain(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    return new_RoundAskedAgain(v1, v2, v3, v4, v5), at


def decode_136(data: bytes) -> Any:
    message, at = read_RoundAskedAgain(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundRepeated(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_boolean(data, at)
    return new_RoundRepeated(v1, v2, v3, v4, v5), at


def decode_137(data: bytes) -> Any:
    message, at = read_RoundRepeated(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DefaultStep(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    return new_DefaultStep(v1, v2, v3), at


def read_DefaultChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v11: list[Any] = []
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = read_DefaultStep(data, at)
        v11.append(v12)
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = tuple(v11)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_string(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_string(data, at)
    v18, at = p.read_string(data, at)
    return new_DefaultChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        default_id=v4,
        asset=v5,
        state=v6,
        margin_e8=v7,
        loss_e8=v8,
        steps=v9,
        uncovered_e8=v13,
        recovered_e8=v14,
        round_id=v15,
        attempt=v16,
        detail=v17,
        requested_by=v18,
    ), at


def decode_138(data: bytes) -> Any:
    message, at = read_DefaultChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParcelLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_ParcelLeg(
        instrument_id=v1, asset=v2, quantity_e8=v3, price_e8=v4, amount_e8=v5, ledger=v6, other=v7, event=v8
    ), at


def read_Parcel(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_long(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_ParcelLeg(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    return new_Parcel(v1, v2, v3, v4, v5, v6, v7), at


def read_TakeParcel(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Parcel(data, at)
    return new_TakeParcel(v1, v2, v3), at


def decode_139(data: bytes) -> Any:
    message, at = read_TakeParcel(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TellParcel(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v8: list[Any] = []
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = read_ParcelLeg(data, at)
        v8.append(v9)
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = tuple(v8)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    return new_TellParcel(v1, v2, v3, v4, v5, v6, v10, v11), at


def decode_140(data: bytes) -> Any:
    message, at = read_TellParcel(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BookLeg(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = read_ParcelLeg(data, at)
    v7, at = p.read_long(data, at)
    return new_BookLeg(v1, v2, v3, v4, v5, v6, v7), at


def decode_141(data: bytes) -> Any:
    message, at = read_BookLeg(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_StartAuction(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_boolean(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_StartAuction(v1, v2, v3, v4, v5, v6, v7), at


def decode_142(data: bytes) -> Any:
    message, at = read_StartAuction(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BidAuction(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = p.read_long(data, at)
        v7 = v9
    return new_BidAuction(v1, v2, v3, v4, v5, v6, v7), at


def decode_143(data: bytes) -> Any:
    message, at = read_BidAuction(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_EndAuction(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_EndAuction(v1, v2, v3, v4, v5), at


def decode_144(data: bytes) -> Any:
    message, at = read_EndAuction(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParcelAnswered(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Parcel(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_boolean(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v11: dict[str, Any] = {}
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = p.read_string(data, at)
        v13, at = p.read_long(data, at)
        v11[v12] = v13
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = v11
    v16: dict[str, Any] = {}
    v15, at = p.read_count(data, at)
    while v15 > 0:
        v17, at = p.read_string(data, at)
        v18, at = p.read_string(data, at)
        v16[v17] = v18
        v15 -= 1
        if v15 == 0:
            v15, at = p.read_count(data, at)
    v14 = v16
    return new_ParcelAnswered(v1, v2, v3, v4, v5, v6, v7, v8, v9, v14), at


def decode_145(data: bytes) -> Any:
    message, at = read_ParcelAnswered(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParcelsAskedAgain(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    return new_ParcelsAskedAgain(v1, v2, v3, v4), at


def decode_146(data: bytes) -> Any:
    message, at = read_ParcelsAskedAgain(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AuctionBid(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_ParcelLeg(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    return new_AuctionBid(v1, v2, v3, v4, v5, v6, v7, v11), at


def read_AuctionChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_boolean(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17: Any = None
    v18, at = p.read_branch(data, at)
    if v18:
        v19, at = read_AuctionBid(data, at)
        v17 = v19
    v22: list[Any] = []
    v21, at = p.read_count(data, at)
    while v21 > 0:
        v23, at = read_ParcelLeg(data, at)
        v22.append(v23)
        v21 -= 1
        if v21 == 0:
            v21, at = p.read_count(data, at)
    v20 = tuple(v22)
    v24, at = p.read_string(data, at)
    v27: dict[str, Any] = {}
    v26, at = p.read_count(data, at)
    while v26 > 0:
        v28, at = p.read_string(data, at)
        v29, at = p.read_long(data, at)
        v27[v28] = v29
        v26 -= 1
        if v26 == 0:
            v26, at = p.read_count(data, at)
    v25 = v27
    v32: dict[str, Any] = {}
    v31, at = p.read_count(data, at)
    while v31 > 0:
        v33, at = p.read_string(data, at)
        v34, at = p.read_string(data, at)
        v32[v33] = v34
        v31 -= 1
        if v31 == 0:
            v31, at = p.read_count(data, at)
    v30 = v32
    v35, at = p.read_string(data, at)
    return new_AuctionChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        auction_id=v4,
        asset=v5,
        state=v6,
        change=v7,
        actor=v8,
        kind=v9,
        forced=v10,
        begun_at_us=v11,
        fee_e8=v12,
        lowest_e8=v13,
        reserved_e8=v14,
        left_e18=v15,
        insurance_e8=v16,
        bid=v17,
        legs=v20,
        detail=v24,
        numbers=v25,
        ids=v30,
        requested_by=v35,
    ), at


def decode_147(data: bytes) -> Any:
    message, at = read_AuctionChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SetMember(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_SetMember(command_id=v1, requested_by=v2, account_id=v3, member_id=v4), at


def decode_148(data: bytes) -> Any:
    message, at = read_SetMember(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MemberSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_MemberSet(meta=v1, command_id=v2, requested_by=v3, account_id=v4, member_id=v5), at


def decode_149(data: bytes) -> Any:
    message, at = read_MemberSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TradeTerms_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_TradeTerms(v1, v2, v3, v4, v5, v6, v7, v8), at


def read_TellTrade_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_TradeTerms_2(data, at)
    v5, at = p.read_string(data, at)
    return new_TellTrade(v1, v2, v3, v4, v5), at


def decode_150(data: bytes) -> Any:
    message, at = read_TellTrade_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_EndBilateral(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_EndBilateral(v1, v2, v3, v4, v5, v6), at


def decode_151(data: bytes) -> Any:
    message, at = read_EndBilateral(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_StartCompression(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_name(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_long(data, at)
    v9, at = p.read_string(data, at)
    return new_StartCompression(v1, v2, v3, v4, v8, v9), at


def decode_152(data: bytes) -> Any:
    message, at = read_StartCompression(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AnswerCompression(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_AnswerCompression(v1, v2, v3, v4, v5, v6, v7), at


def decode_153(data: bytes) -> Any:
    message, at = read_AnswerCompression(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundHolding_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v5: dict[str, Any] = {}
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = p.read_string(data, at)
        v7, at = p.read_long(data, at)
        v5[v6] = v7
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = v5
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_string(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    return new_RoundHolding(v1, v2, v3, v8), at


def read_TellRound_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_RoundHolding_2(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    return new_TellRound(v1, v2, v3, v4, v5), at


def decode_154(data: bytes) -> Any:
    message, at = read_TellRound_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundLeg_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    v8: dict[str, Any] = {}
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = p.read_string(data, at)
        v10, at = p.read_long(data, at)
        v8[v9] = v10
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = v8
    v11, at = p.read_long(data, at)
    v14: dict[str, Any] = {}
    v13, at = p.read_count(data, at)
    while v13 > 0:
        v15, at = p.read_string(data, at)
        v16, at = p.read_string(data, at)
        v14[v15] = v16
        v13 -= 1
        if v13 == 0:
            v13, at = p.read_count(data, at)
    v12 = v14
    return new_RoundLeg(v1, v2, v3, v4, v5, v6, v11, v12), at


def read_SettleRound_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_RoundTerms(data, at)
    v2, at = p.read_long(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_RoundLeg_2(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    v9: dict[str, Any] = {}
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = p.read_string(data, at)
        v11, at = p.read_long(data, at)
        v9[v10] = v11
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = v9
    return new_SettleRound(v1, v2, v3, v7), at


def decode_155(data: bytes) -> Any:
    message, at = read_SettleRound_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RunRound_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg_2(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_RunRound(v1, v2, v3, v4), at


def decode_156(data: bytes) -> Any:
    message, at = read_RunRound_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BilateralTrade(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    return new_BilateralTrade(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10), at


def read_TradeChanged_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_symbol(data, at, symbols_TradeState)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = read_TradeTerms_2(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v15: list[Any] = []
    v14, at = p.read_count(data, at)
    while v14 > 0:
        v16, at = read_TradeDifference(data, at)
        v15.append(v16)
        v14 -= 1
        if v14 == 0:
            v14, at = p.read_count(data, at)
    v13 = tuple(v15)
    v17, at = p.read_long(data, at)
    v20: list[Any] = []
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = read_TradeLeg_2(data, at)
        v20.append(v21)
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = tuple(v20)
    v22, at = p.read_string(data, at)
    v23, at = p.read_string(data, at)
    v24, at = p.read_string(data, at)
    v25: Any = None
    v26, at = p.read_branch(data, at)
    if v26:
        v27, at = read_BilateralTrade(data, at)
        v25 = v27
    return new_TradeChanged(v1, v2, v3, v4, v5, v6, v7, v8, v13, v17, v18, v22, v23, v24, v25), at


def decode_157(data: bytes) -> Any:
    message, at = read_TradeChanged_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BilateralChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_BilateralTrade(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    return new_BilateralChanged(v1, v2, v3, v4, v5, v6, v7, v8), at


def decode_158(data: bytes) -> Any:
    message, at = read_BilateralChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CompressionPayment(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_string(data, at)
    return new_CompressionPayment(v1, v2, v3), at


def read_CompressionChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_string(data, at)
    v10: list[Any] = []
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v10.append(v11)
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = tuple(v10)
    v14: list[Any] = []
    v13, at = p.read_count(data, at)
    while v13 > 0:
        v15, at = p.read_string(data, at)
        v14.append(v15)
        v13 -= 1
        if v13 == 0:
            v13, at = p.read_count(data, at)
    v12 = tuple(v14)
    v18: list[Any] = []
    v17, at = p.read_count(data, at)
    while v17 > 0:
        v19, at = read_BilateralTrade(data, at)
        v18.append(v19)
        v17 -= 1
        if v17 == 0:
            v17, at = p.read_count(data, at)
    v16 = tuple(v18)
    v22: list[Any] = []
    v21, at = p.read_count(data, at)
    while v21 > 0:
        v23, at = read_BilateralTrade(data, at)
        v22.append(v23)
        v21 -= 1
        if v21 == 0:
            v21, at = p.read_count(data, at)
    v20 = tuple(v22)
    v26: list[Any] = []
    v25, at = p.read_count(data, at)
    while v25 > 0:
        v27, at = read_CompressionPayment(data, at)
        v26.append(v27)
        v25 -= 1
        if v25 == 0:
            v25, at = p.read_count(data, at)
    v24 = tuple(v26)
    v28, at = p.read_long(data, at)
    v29, at = p.read_long(data, at)
    v30, at = p.read_long(data, at)
    v31, at = p.read_string(data, at)
    v32, at = p.read_string(data, at)
    v33, at = p.read_string(data, at)
    return new_CompressionChanged(v1, v2, v3, v4, v5, v6, v7, v8, v12, v16, v20, v24, v28, v29, v30, v31, v32, v33), at


def decode_159(data: bytes) -> Any:
    message, at = read_CompressionChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderTerms_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_symbol(data, at, symbols_Side)
    v6, at = p.read_symbol(data, at, symbols_OrderType)
    v7, at = p.read_symbol(data, at, symbols_TimeInForce)
    v8, at = p.read_boolean(data, at)
    v9, at = p.read_long(data, at)
    v10: Any = None
    v11, at = p.read_branch(data, at)
    if v11:
        v12, at = p.read_long(data, at)
        v10 = v12
    v13, at = p.read_string(data, at)
    return new_OrderTerms(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v13), at


def read_LiquidationChanged_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8: Any = None
    v9, at = p.read_branch(data, at)
    if v9:
        v10, at = read_OrderTerms_2(data, at)
        v8 = v10
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_string(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_MarginSeen(data, at)
        v15 = v17
    return new_LiquidationChanged(
        meta=v1,
        account_id=v2,
        liquidation_id=v3,
        asset=v4,
        state=v5,
        step=v6,
        attempt=v7,
        order=v8,
        bankruptcy_price_e8=v11,
        excess_e8=v12,
        planned_e8=v13,
        detail=v14,
        seen=v15,
    ), at


def decode_160(data: bytes) -> Any:
    message, at = read_LiquidationChanged_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundAnswered_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_long(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundHolding_2(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    return new_RoundAnswered(v1, v2, v3, v4), at


def decode_161(data: bytes) -> Any:
    message, at = read_RoundAnswered_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundGathered_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_RoundHolding_2(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v9, at = p.read_long(data, at)
    return new_RoundGathered(v1, v2, v3, v4, v5, v9), at


def decode_162(data: bytes) -> Any:
    message, at = read_RoundGathered_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundDecided_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_RoundTerms(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg_2(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    v13, at = p.read_string(data, at)
    return new_RoundDecided(v1, v2, v3, v4, v8, v13), at


def decode_163(data: bytes) -> Any:
    message, at = read_RoundDecided_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundSettling_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_RoundTerms(data, at)
    v3, at = p.read_long(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = read_RoundLeg_2(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v10: dict[str, Any] = {}
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v12, at = p.read_long(data, at)
        v10[v11] = v12
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = v10
    return new_RoundSettling(v1, v2, v3, v4, v8), at


def decode_164(data: bytes) -> Any:
    message, at = read_RoundSettling_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SubmitOrder_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_OrderTerms_2(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    return new_SubmitOrder(v1, v2, v3), at


def decode_165(data: bytes) -> Any:
    message, at = read_SubmitOrder_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderAccepted_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms_2(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7: Any = None
    v8, at = p.read_branch(data, at)
    if v8:
        v9, at = read_MarkSeen(data, at)
        v7 = v9
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12: Any = None
    v13, at = p.read_branch(data, at)
    if v13:
        v14, at = read_OrderMargin_2(data, at)
        v12 = v14
    return new_OrderAccepted(
        meta=v1,
        order=v2,
        limit_price_e8=v3,
        reserved_asset=v4,
        reserved_e8=v5,
        fee_rate_e8=v6,
        mark=v7,
        reference_offset=v10,
        send_before_us=v11,
        margin=v12,
    ), at


def decode_166(data: bytes) -> Any:
    message, at = read_OrderAccepted_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderRejected_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms_2(data, at)
    v3, at = p.read_symbol(data, at, symbols_RejectReason)
    v6: dict[str, Any] = {}
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v8, at = p.read_long(data, at)
        v6[v7] = v8
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = v6
    v9: Any = None
    v10, at = p.read_branch(data, at)
    if v10:
        v11, at = read_MarkSeen(data, at)
        v9 = v11
    v12, at = p.read_long(data, at)
    return new_OrderRejected(meta=v1, order=v2, reason=v3, numbers=v4, mark=v9, reference_offset=v12), at


def decode_167(data: bytes) -> Any:
    message, at = read_OrderRejected_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractHeld_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    return new_ContractHeld(instrument_id=v1, quantity_e8=v2, cost_e8=v3, unpaid_e8=v4, long_e8=v5, short_e8=v6), at


def read_CreditUpdated_5(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_boolean(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractHeld_2(data, at)
        v15 = v17
    v18, at = p.read_string(data, at)
    return new_CreditUpdated(
        meta=v1,
        account_id=v2,
        entry_id=v3,
        order_id=v4,
        changes=v7,
        released_asset=v11,
        released_e8=v12,
        filled_e8=v13,
        reopens_account=v14,
        contract=v15,
        quiet_for=v18,
    ), at


def decode_168(data: bytes) -> Any:
    message, at = read_CreditUpdated_5(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderRouted_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = read_OrderTerms_2(data, at)
    v5: list[Any] = []
    v4, at = p.read_count(data, at)
    while v4 > 0:
        v6, at = read_RoutedLeg(data, at)
        v5.append(v6)
        v4 -= 1
        if v4 == 0:
            v4, at = p.read_count(data, at)
    v3 = tuple(v5)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_BookSeen(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    return new_OrderRouted(v1, v2, v3, v7), at


def decode_169(data: bytes) -> Any:
    message, at = read_OrderRouted_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_OrderFilled_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_name(data, at)
    v8, at = p.read_name(data, at)
    v9, at = p.read_symbol(data, at, symbols_Side)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_name(data, at)
    v18, at = p.read_long(data, at)
    v19, at = p.read_symbol(data, at, symbols_Liquidity)
    v20, at = p.read_symbol(data, at, symbols_OrderStatus)
    v21, at = p.read_long(data, at)
    v22, at = p.read_name(data, at)
    v23, at = p.read_string(data, at)
    return new_OrderFilled(
        v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15, v16, v17, v18, v19, v20, v21, v22, v23
    ), at


def decode_170(data: bytes) -> Any:
    message, at = read_OrderFilled_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParcelLeg_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v11: dict[str, Any] = {}
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = p.read_string(data, at)
        v13, at = p.read_long(data, at)
        v11[v12] = v13
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = v11
    return new_ParcelLeg(v1, v2, v3, v4, v5, v6, v7, v8, v9), at


def read_Parcel_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_boolean(data, at)
    v6, at = p.read_long(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_ParcelLeg_2(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    return new_Parcel(v1, v2, v3, v4, v5, v6, v7), at


def read_TakeParcel_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Parcel_2(data, at)
    return new_TakeParcel(v1, v2, v3), at


def decode_171(data: bytes) -> Any:
    message, at = read_TakeParcel_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_TellParcel_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v8: list[Any] = []
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = read_ParcelLeg_2(data, at)
        v8.append(v9)
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = tuple(v8)
    v10, at = p.read_string(data, at)
    v11, at = p.read_string(data, at)
    return new_TellParcel(v1, v2, v3, v4, v5, v6, v10, v11), at


def decode_172(data: bytes) -> Any:
    message, at = read_TellParcel_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_BookLeg_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_long(data, at)
    v6, at = read_ParcelLeg_2(data, at)
    v7, at = p.read_long(data, at)
    return new_BookLeg(v1, v2, v3, v4, v5, v6, v7), at


def decode_173(data: bytes) -> Any:
    message, at = read_BookLeg_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ParcelAnswered_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Parcel_2(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_boolean(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v11: dict[str, Any] = {}
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = p.read_string(data, at)
        v13, at = p.read_long(data, at)
        v11[v12] = v13
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = v11
    v16: dict[str, Any] = {}
    v15, at = p.read_count(data, at)
    while v15 > 0:
        v17, at = p.read_string(data, at)
        v18, at = p.read_string(data, at)
        v16[v17] = v18
        v15 -= 1
        if v15 == 0:
            v15, at = p.read_count(data, at)
    v14 = v16
    return new_ParcelAnswered(v1, v2, v3, v4, v5, v6, v7, v8, v9, v14), at


def decode_174(data: bytes) -> Any:
    message, at = read_ParcelAnswered_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AuctionBid_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_ParcelLeg_2(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    return new_AuctionBid(v1, v2, v3, v4, v5, v6, v7, v11), at


def read_AuctionChanged_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_boolean(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17: Any = None
    v18, at = p.read_branch(data, at)
    if v18:
        v19, at = read_AuctionBid_2(data, at)
        v17 = v19
    v22: list[Any] = []
    v21, at = p.read_count(data, at)
    while v21 > 0:
        v23, at = read_ParcelLeg_2(data, at)
        v22.append(v23)
        v21 -= 1
        if v21 == 0:
            v21, at = p.read_count(data, at)
    v20 = tuple(v22)
    v24, at = p.read_string(data, at)
    v27: dict[str, Any] = {}
    v26, at = p.read_count(data, at)
    while v26 > 0:
        v28, at = p.read_string(data, at)
        v29, at = p.read_long(data, at)
        v27[v28] = v29
        v26 -= 1
        if v26 == 0:
            v26, at = p.read_count(data, at)
    v25 = v27
    v32: dict[str, Any] = {}
    v31, at = p.read_count(data, at)
    while v31 > 0:
        v33, at = p.read_string(data, at)
        v34, at = p.read_string(data, at)
        v32[v33] = v34
        v31 -= 1
        if v31 == 0:
            v31, at = p.read_count(data, at)
    v30 = v32
    v35, at = p.read_string(data, at)
    return new_AuctionChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        auction_id=v4,
        asset=v5,
        state=v6,
        change=v7,
        actor=v8,
        kind=v9,
        forced=v10,
        begun_at_us=v11,
        fee_e8=v12,
        lowest_e8=v13,
        reserved_e8=v14,
        left_e18=v15,
        insurance_e8=v16,
        bid=v17,
        legs=v20,
        detail=v24,
        numbers=v25,
        ids=v30,
        requested_by=v35,
    ), at


def decode_175(data: bytes) -> Any:
    message, at = read_AuctionChanged_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DeleveragingPart(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v8: dict[str, Any] = {}
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = p.read_string(data, at)
        v10, at = p.read_long(data, at)
        v8[v9] = v10
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = v8
    return new_DeleveragingPart(v1, v2, v3, v4, v5, v6), at


def read_DeleveragingChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_string(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v19: list[Any] = []
    v18, at = p.read_count(data, at)
    while v18 > 0:
        v20, at = read_DeleveragingPart(data, at)
        v19.append(v20)
        v18 -= 1
        if v18 == 0:
            v18, at = p.read_count(data, at)
    v17 = tuple(v19)
    v23: list[Any] = []
    v22, at = p.read_count(data, at)
    while v22 > 0:
        v24, at = read_ParcelLeg_2(data, at)
        v23.append(v24)
        v22 -= 1
        if v22 == 0:
            v22, at = p.read_count(data, at)
    v21 = tuple(v23)
    v25, at = p.read_string(data, at)
    v28: dict[str, Any] = {}
    v27, at = p.read_count(data, at)
    while v27 > 0:
        v29, at = p.read_string(data, at)
        v30, at = p.read_long(data, at)
        v28[v29] = v30
        v27 -= 1
        if v27 == 0:
            v27, at = p.read_count(data, at)
    v26 = v28
    v33: dict[str, Any] = {}
    v32, at = p.read_count(data, at)
    while v32 > 0:
        v34, at = p.read_string(data, at)
        v35, at = p.read_string(data, at)
        v33[v34] = v35
        v32 -= 1
        if v32 == 0:
            v32, at = p.read_count(data, at)
    v31 = v33
    return new_DeleveragingChanged(
        v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15, v16, v17, v21, v25, v26, v31
    ), at


def decode_176(data: bytes) -> Any:
    message, at = read_DeleveragingChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ActOnPorting(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    return new_ActOnPorting(v1, v2, v3, v4, v5, v6, v7), at


def decode_177(data: bytes) -> Any:
    message, at = read_ActOnPorting(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DefaultChanged_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v11: list[Any] = []
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = read_DefaultStep(data, at)
        v11.append(v12)
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = tuple(v11)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_string(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_string(data, at)
    v18, at = p.read_string(data, at)
    v19, at = p.read_string(data, at)
    return new_DefaultChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        default_id=v4,
        asset=v5,
        state=v6,
        margin_e8=v7,
        loss_e8=v8,
        steps=v9,
        uncovered_e8=v13,
        recovered_e8=v14,
        round_id=v15,
        attempt=v16,
        detail=v17,
        requested_by=v18,
        member_id=v19,
    ), at


def decode_178(data: bytes) -> Any:
    message, at = read_DefaultChanged_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RoundRequested(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_RoundTerms(data, at)
    v5, at = p.read_long(data, at)
    return new_RoundRequested(v1, v2, v3, v4, v5), at


def decode_179(data: bytes) -> Any:
    message, at = read_RoundRequested(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_PortingChanged(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v15: dict[str, Any] = {}
    v14, at = p.read_count(data, at)
    while v14 > 0:
        v16, at = p.read_string(data, at)
        v17, at = p.read_long(data, at)
        v15[v16] = v17
        v14 -= 1
        if v14 == 0:
            v14, at = p.read_count(data, at)
    v13 = v15
    v20: dict[str, Any] = {}
    v19, at = p.read_count(data, at)
    while v19 > 0:
        v21, at = p.read_string(data, at)
        v22, at = p.read_string(data, at)
        v20[v21] = v22
        v19 -= 1
        if v19 == 0:
            v19, at = p.read_count(data, at)
    v18 = v20
    v23, at = p.read_string(data, at)
    v24, at = p.read_string(data, at)
    return new_PortingChanged(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v18, v23, v24), at


def decode_180(data: bytes) -> Any:
    message, at = read_PortingChanged(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SetMember_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_SetMember(v1, v2, v3, v4, v5), at


def decode_181(data: bytes) -> Any:
    message, at = read_SetMember_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SetMemberLimit(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_long(data, at)
    return new_SetMemberLimit(v1, v2, v3, v4, v5), at


def decode_182(data: bytes) -> Any:
    message, at = read_SetMemberLimit(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MemberSet_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_string(data, at)
    return new_MemberSet(v1, v2, v3, v4, v5, v6), at


def decode_183(data: bytes) -> Any:
    message, at = read_MemberSet_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MemberLimitSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_long(data, at)
    return new_MemberLimitSet(v1, v2, v3, v4, v5, v6), at


def decode_184(data: bytes) -> Any:
    message, at = read_MemberLimitSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractTerms_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_symbol(data, at, symbols_ContractKind)
    v2, at = p.read_symbol(data, at, symbols_SettlementStyle)
    v3, at = p.read_long(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_symbol(data, at, symbols_Delivery)
    v7, at = p.read_string(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_long(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_boolean(data, at)
    v16: Any = None
    v17, at = p.read_branch(data, at)
    if v17:
        v18, at = p.read_long(data, at)
        v16 = v18
    v19: Any = None
    v20, at = p.read_branch(data, at)
    if v20:
        v21, at = p.read_long(data, at)
        v19 = v21
    v22: Any = None
    v23, at = p.read_branch(data, at)
    if v23:
        v24, at = p.read_symbol(data, at, symbols_OptionType)
        v22 = v24
    v25, at = p.read_long(data, at)
    v26, at = p.read_string(data, at)
    v27, at = p.read_long(data, at)
    v28, at = p.read_long(data, at)
    v29, at = p.read_long(data, at)
    v30, at = p.read_long(data, at)
    v31, at = p.read_long(data, at)
    v32, at = p.read_string(data, at)
    v33, at = p.read_long(data, at)
    v34, at = p.read_long(data, at)
    v35, at = p.read_string(data, at)
    v36, at = p.read_string(data, at)
    return new_ContractTerms(
        v1,
        v2,
        v3,
        v4,
        v5,
        v6,
        v7,
        v8,
        v9,
        v10,
        v11,
        v12,
        v13,
        v14,
        v15,
        v16,
        v19,
        v22,
        v25,
        v26,
        v27,
        v28,
        v29,
        v30,
        v31,
        v32,
        v33,
        v34,
        v35,
        v36,
    ), at


def read_Instrument_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_Listing(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractTerms_3(data, at)
        v15 = v17
    return new_Instrument(
        instrument_id=v1,
        base=v2,
        quote=v3,
        tick_e8=v4,
        lot_e8=v5,
        min_quantity_e8=v6,
        max_quantity_e8=v7,
        min_notional_e8=v8,
        max_notional_e8=v9,
        tradable=v10,
        listings=v11,
        contract=v15,
    ), at


def read_SetInstrument_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Instrument_4(data, at)
    return new_SetInstrument(v1, v2, v3), at


def decode_185(data: bytes) -> Any:
    message, at = read_SetInstrument_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InstrumentSet_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Instrument_4(data, at)
    return new_InstrumentSet(v1, v2, v3, v4), at


def decode_186(data: bytes) -> Any:
    message, at = read_InstrumentSet_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRequested_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    return new_CancelRequested(
        meta=v1, command_id=v2, account_id=v3, order_ids=v4, liquidation_id=v8, quiet_for=v9, porting_id=v10
    ), at


def decode_187(data: bytes) -> Any:
    message, at = read_CancelRequested_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_RestrictionEnded_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_RestrictionEnded(v1, v2, v3, v4), at


def decode_188(data: bytes) -> Any:
    message, at = read_RestrictionEnded_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SetMemberDefaulted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_SetMemberDefaulted(v1, v2, v3, v4), at


def decode_189(data: bytes) -> Any:
    message, at = read_SetMemberDefaulted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MemberDefaulted(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_string(data, at)
    return new_MemberDefaulted(v1, v2, v3, v4, v5), at


def decode_190(data: bytes) -> Any:
    message, at = read_MemberDefaulted(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarkSource(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_string(data, at)
    return new_MarkSource(v1, v2, v3, v4, v5, v6), at


def read_MarkPublished_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_name(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v12: list[Any] = []
    v11, at = p.read_count(data, at)
    while v11 > 0:
        v13, at = read_MarkSource(data, at)
        v12.append(v13)
        v11 -= 1
        if v11 == 0:
            v11, at = p.read_count(data, at)
    v10 = tuple(v12)
    return new_MarkPublished(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10), at


def decode_191(data: bytes) -> Any:
    message, at = read_MarkPublished_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarkWithheld(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v8: list[Any] = []
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = read_MarkSource(data, at)
        v8.append(v9)
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = tuple(v8)
    return new_MarkWithheld(v1, v2, v3, v4, v5, v6), at


def decode_192(data: bytes) -> Any:
    message, at = read_MarkWithheld(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_ContractHeld_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_string(data, at)
    return new_ContractHeld(v1, v2, v3, v4, v5, v6, v7), at


def read_CreditUpdated_6(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4: Any = None
    v5, at = p.read_branch(data, at)
    if v5:
        v6, at = p.read_string(data, at)
        v4 = v6
    v9: list[Any] = []
    v8, at = p.read_count(data, at)
    while v8 > 0:
        v10, at = read_AssetChange(data, at)
        v9.append(v10)
        v8 -= 1
        if v8 == 0:
            v8, at = p.read_count(data, at)
    v7 = tuple(v9)
    v11, at = p.read_string(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_boolean(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractHeld_3(data, at)
        v15 = v17
    v18, at = p.read_string(data, at)
    return new_CreditUpdated(
        meta=v1,
        account_id=v2,
        entry_id=v3,
        order_id=v4,
        changes=v7,
        released_asset=v11,
        released_e8=v12,
        filled_e8=v13,
        reopens_account=v14,
        contract=v15,
        quiet_for=v18,
    ), at


def decode_193(data: bytes) -> Any:
    message, at = read_CreditUpdated_6(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_FundingAccrued(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    return new_FundingAccrued(v1, v2, v3, v4), at


def decode_194(data: bytes) -> Any:
    message, at = read_FundingAccrued(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_MarkTerms(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_long(data, at)
    v2, at = p.read_long(data, at)
    return new_MarkTerms(v1, v2), at


def read_Instrument_5(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_name(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v9, at = p.read_long(data, at)
    v10, at = p.read_boolean(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = read_Listing(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_ContractTerms_3(data, at)
        v15 = v17
    v18: Any = None
    v19, at = p.read_branch(data, at)
    if v19:
        v20, at = read_MarkTerms(data, at)
        v18 = v20
    v21: Any = None
    v22, at = p.read_branch(data, at)
    if v22:
        v23, at = p.read_long(data, at)
        v21 = v23
    return new_Instrument(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v15, v18, v21), at


def read_SetInstrument_5(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_Instrument_5(data, at)
    return new_SetInstrument(v1, v2, v3), at


def decode_195(data: bytes) -> Any:
    message, at = read_SetInstrument_5(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SettlementCalendar(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_name(data, at)
    v2, at = p.read_long(data, at)
    v3, at = p.read_long(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_long(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v10: list[Any] = []
    v9, at = p.read_count(data, at)
    while v9 > 0:
        v11, at = p.read_string(data, at)
        v10.append(v11)
        v9 -= 1
        if v9 == 0:
            v9, at = p.read_count(data, at)
    v8 = tuple(v10)
    return new_SettlementCalendar(v1, v2, v3, v4, v8), at


def read_SetSettlementCalendar(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = read_SettlementCalendar(data, at)
    return new_SetSettlementCalendar(v1, v2, v3), at


def decode_196(data: bytes) -> Any:
    message, at = read_SetSettlementCalendar(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_InstrumentSet_5(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_Instrument_5(data, at)
    return new_InstrumentSet(v1, v2, v3, v4), at


def decode_197(data: bytes) -> Any:
    message, at = read_InstrumentSet_5(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_SettlementCalendarSet(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = read_SettlementCalendar(data, at)
    return new_SettlementCalendarSet(v1, v2, v3, v4), at


def decode_198(data: bytes) -> Any:
    message, at = read_SettlementCalendarSet(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_LiquidationChanged_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_name(data, at)
    v5, at = p.read_string(data, at)
    v6, at = p.read_long(data, at)
    v7, at = p.read_long(data, at)
    v8: Any = None
    v9, at = p.read_branch(data, at)
    if v9:
        v10, at = read_OrderTerms_2(data, at)
        v8 = v10
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_string(data, at)
    v15: Any = None
    v16, at = p.read_branch(data, at)
    if v16:
        v17, at = read_MarginSeen(data, at)
        v15 = v17
    v18, at = p.read_long(data, at)
    v19, at = p.read_string(data, at)
    return new_LiquidationChanged(
        meta=v1,
        account_id=v2,
        liquidation_id=v3,
        asset=v4,
        state=v5,
        step=v6,
        attempt=v7,
        order=v8,
        bankruptcy_price_e8=v11,
        excess_e8=v12,
        planned_e8=v13,
        detail=v14,
        seen=v15,
        asked=v18,
        refusal=v19,
    ), at


def decode_199(data: bytes) -> Any:
    message, at = read_LiquidationChanged_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DefaultChanged_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v11: list[Any] = []
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = read_DefaultStep(data, at)
        v11.append(v12)
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = tuple(v11)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_string(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_string(data, at)
    v18, at = p.read_string(data, at)
    v19, at = p.read_string(data, at)
    v20, at = p.read_boolean(data, at)
    return new_DefaultChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        default_id=v4,
        asset=v5,
        state=v6,
        margin_e8=v7,
        loss_e8=v8,
        steps=v9,
        uncovered_e8=v13,
        recovered_e8=v14,
        round_id=v15,
        attempt=v16,
        detail=v17,
        requested_by=v18,
        member_id=v19,
        quiet=v20,
    ), at


def decode_200(data: bytes) -> Any:
    message, at = read_DefaultChanged_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_Instruction_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_name(data, at)
    v3, at = p.read_long(data, at)
    v4, at = p.read_long(data, at)
    v5, at = p.read_long(data, at)
    v8: dict[str, Any] = {}
    v7, at = p.read_count(data, at)
    while v7 > 0:
        v9, at = p.read_string(data, at)
        v10, at = p.read_long(data, at)
        v8[v9] = v10
        v7 -= 1
        if v7 == 0:
            v7, at = p.read_count(data, at)
    v6 = v8
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    return new_Instruction(v1, v2, v3, v4, v5, v6, v11, v12), at


def read_PaymentsNetted_2(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v7: list[Any] = []
    v6, at = p.read_count(data, at)
    while v6 > 0:
        v8, at = read_Instruction_2(data, at)
        v7.append(v8)
        v6 -= 1
        if v6 == 0:
            v6, at = p.read_count(data, at)
    v5 = tuple(v7)
    v9, at = p.read_string(data, at)
    return new_PaymentsNetted(v1, v2, v3, v4, v5, v9), at


def decode_201(data: bytes) -> Any:
    message, at = read_PaymentsNetted_2(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_AuctionChanged_3(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_string(data, at)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_boolean(data, at)
    v11, at = p.read_long(data, at)
    v12, at = p.read_long(data, at)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_long(data, at)
    v16, at = p.read_long(data, at)
    v17: Any = None
    v18, at = p.read_branch(data, at)
    if v18:
        v19, at = read_AuctionBid_2(data, at)
        v17 = v19
    v22: list[Any] = []
    v21, at = p.read_count(data, at)
    while v21 > 0:
        v23, at = read_ParcelLeg_2(data, at)
        v22.append(v23)
        v21 -= 1
        if v21 == 0:
            v21, at = p.read_count(data, at)
    v20 = tuple(v22)
    v24, at = p.read_string(data, at)
    v27: dict[str, Any] = {}
    v26, at = p.read_count(data, at)
    while v26 > 0:
        v28, at = p.read_string(data, at)
        v29, at = p.read_long(data, at)
        v27[v28] = v29
        v26 -= 1
        if v26 == 0:
            v26, at = p.read_count(data, at)
    v25 = v27
    v32: dict[str, Any] = {}
    v31, at = p.read_count(data, at)
    while v31 > 0:
        v33, at = p.read_string(data, at)
        v34, at = p.read_string(data, at)
        v32[v33] = v34
        v31 -= 1
        if v31 == 0:
            v31, at = p.read_count(data, at)
    v30 = v32
    v35, at = p.read_string(data, at)
    v36, at = p.read_string(data, at)
    v37, at = p.read_long(data, at)
    return new_AuctionChanged(
        meta=v1,
        command_id=v2,
        account_id=v3,
        auction_id=v4,
        asset=v5,
        state=v6,
        change=v7,
        actor=v8,
        kind=v9,
        forced=v10,
        begun_at_us=v11,
        fee_e8=v12,
        lowest_e8=v13,
        reserved_e8=v14,
        left_e18=v15,
        insurance_e8=v16,
        bid=v17,
        legs=v20,
        detail=v24,
        numbers=v25,
        ids=v30,
        requested_by=v35,
        begun_by=v36,
        insurance_wanted_e8=v37,
    ), at


def decode_202(data: bytes) -> Any:
    message, at = read_AuctionChanged_3(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_WaiveOrders(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = p.read_string(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    return new_WaiveOrders(v1, v2, v3, v4, v8, v9), at


def decode_203(data: bytes) -> Any:
    message, at = read_WaiveOrders(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_DefaultChanged_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v4, at = p.read_string(data, at)
    v5, at = p.read_name(data, at)
    v6, at = p.read_string(data, at)
    v7, at = p.read_long(data, at)
    v8, at = p.read_long(data, at)
    v11: list[Any] = []
    v10, at = p.read_count(data, at)
    while v10 > 0:
        v12, at = read_DefaultStep(data, at)
        v11.append(v12)
        v10 -= 1
        if v10 == 0:
            v10, at = p.read_count(data, at)
    v9 = tuple(v11)
    v13, at = p.read_long(data, at)
    v14, at = p.read_long(data, at)
    v15, at = p.read_string(data, at)
    v16, at = p.read_long(data, at)
    v17, at = p.read_string(data, at)
    v18, at = p.read_string(data, at)
    v19, at = p.read_string(data, at)
    v20, at = p.read_boolean(data, at)
    v23: list[Any] = []
    v22, at = p.read_count(data, at)
    while v22 > 0:
        v24, at = p.read_string(data, at)
        v23.append(v24)
        v22 -= 1
        if v22 == 0:
            v22, at = p.read_count(data, at)
    v21 = tuple(v23)
    v25, at = p.read_string(data, at)
    return new_DefaultChanged(v1, v2, v3, v4, v5, v6, v7, v8, v9, v13, v14, v15, v16, v17, v18, v19, v20, v21, v25), at


def decode_204(data: bytes) -> Any:
    message, at = read_DefaultChanged_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def read_CancelRequested_4(data: bytes, at: i64) -> tuple[Any, i64]:
    v1, at = read_Meta(data, at)
    v2, at = p.read_string(data, at)
    v3, at = p.read_string(data, at)
    v6: list[Any] = []
    v5, at = p.read_count(data, at)
    while v5 > 0:
        v7, at = p.read_string(data, at)
        v6.append(v7)
        v5 -= 1
        if v5 == 0:
            v5, at = p.read_count(data, at)
    v4 = tuple(v6)
    v8, at = p.read_string(data, at)
    v9, at = p.read_string(data, at)
    v10, at = p.read_string(data, at)
    v13: list[Any] = []
    v12, at = p.read_count(data, at)
    while v12 > 0:
        v14, at = p.read_string(data, at)
        v13.append(v14)
        v12 -= 1
        if v12 == 0:
            v12, at = p.read_count(data, at)
    v11 = tuple(v13)
    return new_CancelRequested(v1, v2, v3, v4, v8, v9, v10, v11), at


def decode_205(data: bytes) -> Any:
    message, at = read_CancelRequested_4(data, 5)
    if at != len(data):
        raise ValueError("bytes left over after the record")
    return message


def write_Cause(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.source)
    p.write_long(out, value.partition)
    p.write_long(out, value.offset)
    p.write_string(out, value.id)


def write_Meta(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.epoch)
    p.write_long(out, value.sequence)
    write_Cause(out, value.cause)
    p.write_long(out, value.decided_at_us)
    p.write_string(out, value.event_id)
    p.write_string(out, value.correlation_id)


def write_Began(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instance)


def encode_1(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x01"]
    write_Began(out, message)
    return b"".join(out)


def write_InputParked(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.reason)
    p.write_boolean(out, value.halts_account)
    v1 = value.input
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_bytes(out, v1)


def encode_2(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x02"]
    write_InputParked(out, message)
    return b"".join(out)


def write_Line(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    p.write_string(out, value.purpose)


def write_Position(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.cost_e8)
    p.write_long(out, value.realised_e8)


def write_Release(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.parked_event_id)
    p.write_string(out, value.requested_by)
    p.write_long(out, value.left)


def write_ContractBooking(out: list[bytes], value: Any) -> None:
    out.append(symbols_ContractEvent_written[value.event])
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.settlement_asset)
    p.write_string(out, value.counterparty)
    p.write_string(out, value.fact_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.paid_e8)
    p.write_long(out, value.settled_e8)
    p.write_string(out, value.funding_index_e18)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")


def write_EntryBooked(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.entry_id)
    p.write_string(out, value.account_id)
    out.append(symbols_EntryKind_written[value.kind])
    p.write_string(out, value.rule)
    v1 = value.order_id
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v1)
    v2 = value.execution_id
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v2)
    v3 = value.external_reference
    if v3 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v3)
    v4 = value.corrects
    if v4 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v4)
    v5 = value.lines
    if v5:
        p.write_long(out, len(v5))
        for v6 in v5:
            write_Line(out, v6)
    out.append(b"\x00")
    v7 = value.position
    if v7 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_Position(out, v7)
    p.write_long(out, value.realised_e8)
    p.write_long(out, value.filled_e8)
    p.write_long(out, value.transacted_at_us)
    v8 = value.release
    if v8 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_Release(out, v8)
    v9 = value.contract
    if v9 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_ContractBooking(out, v9)


def encode_59(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00;"]
    write_EntryBooked(out, message)
    return b"".join(out)


def write_MarkSource(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.venue)
    p.write_long(out, value.bid_e8)
    p.write_long(out, value.ask_e8)
    p.write_long(out, value.book_sequence)
    p.write_long(out, value.observed_at_us)
    p.write_string(out, value.status)


def write_MarkPublished(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.bid_e8)
    p.write_long(out, value.ask_e8)
    p.write_string(out, value.venue)
    p.write_long(out, value.book_sequence)
    p.write_long(out, value.observed_at_us)
    p.write_long(out, value.age_us)
    v1 = value.sources
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_MarkSource(out, v2)
    out.append(b"\x00")


def encode_191(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xbf"]
    write_MarkPublished(out, message)
    return b"".join(out)


def write_OrderTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.client_order_id)
    p.write_string(out, value.instrument_id)
    out.append(symbols_Side_written[value.side])
    out.append(symbols_OrderType_written[value.order_type])
    out.append(symbols_TimeInForce_written[value.time_in_force])
    p.write_boolean(out, value.post_only)
    p.write_long(out, value.quantity_e8)
    v1 = value.price_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    p.write_string(out, value.position_effect)


def write_SubmitOrder(out: list[bytes], value: Any) -> None:
    write_OrderTerms(out, value.order)
    p.write_string(out, value.key_id)
    p.write_long(out, value.received_at_us)


def encode_165(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa5"]
    write_SubmitOrder(out, message)
    return b"".join(out)


def write_CancelOrder(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.order_id)
    p.write_string(out, value.key_id)
    p.write_long(out, value.received_at_us)


def encode_6(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x06"]
    write_CancelOrder(out, message)
    return b"".join(out)


def write_CancelAllOrders(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    v1 = value.instrument_id
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v1)
    p.write_string(out, value.key_id)
    p.write_long(out, value.received_at_us)


def encode_7(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x07"]
    write_CancelAllOrders(out, message)
    return b"".join(out)


def write_TransferTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.transfer_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    p.write_string(out, value.location)
    p.write_string(out, value.external_reference)


def write_RequestTransfer(out: list[bytes], value: Any) -> None:
    write_TransferTerms(out, value.transfer)
    p.write_string(out, value.key_id)
    p.write_long(out, value.received_at_us)


def encode_8(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x08"]
    write_RequestTransfer(out, message)
    return b"".join(out)


def write_MarkSeen(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.price_e8)
    p.write_long(out, value.sequence)
    p.write_long(out, value.epoch)
    p.write_long(out, value.observed_at_us)


def write_OrderMargin(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.unit_cost_e8)
    p.write_long(out, value.adds_e8)
    p.write_long(out, value.required_e8)
    p.write_long(out, value.equity_e8)
    p.write_long(out, value.reserved_e8)
    p.write_string(out, value.model)


def write_OrderAccepted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_OrderTerms(out, value.order)
    p.write_long(out, value.limit_price_e8)
    p.write_string(out, value.reserved_asset)
    p.write_long(out, value.reserved_e8)
    p.write_long(out, value.fee_rate_e8)
    v1 = value.mark
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarkSeen(out, v1)
    p.write_long(out, value.reference_offset)
    p.write_long(out, value.send_before_us)
    v2 = value.margin
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_OrderMargin(out, v2)


def encode_166(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa6"]
    write_OrderAccepted(out, message)
    return b"".join(out)


def write_OrderRejected(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_OrderTerms(out, value.order)
    out.append(symbols_RejectReason_written[value.reason])
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.mark
    if v4 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarkSeen(out, v4)
    p.write_long(out, value.reference_offset)


def encode_167(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa7"]
    write_OrderRejected(out, message)
    return b"".join(out)


def write_DecisionRepeated(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_boolean(out, value.accepted)
    v1 = value.reason
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        out.append(symbols_RejectReason_written[v1])
    v2 = value.numbers
    if v2:
        p.write_long(out, len(v2))
        for v4, v3 in v2.items():
            p.write_string(out, v4)
            p.write_long(out, v3)
    out.append(b"\x00")
    p.write_string(out, value.decision_event_id)
    p.write_long(out, value.decided_at_us)
    v5 = value.differs
    if v5:
        p.write_long(out, len(v5))
        for v6 in v5:
            p.write_string(out, v6)
    out.append(b"\x00")


def encode_11(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x0b"]
    write_DecisionRepeated(out, message)
    return b"".join(out)


def write_CancelRequested(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    v1 = value.order_ids
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.liquidation_id)
    p.write_string(out, value.quiet_for)
    p.write_string(out, value.porting_id)
    v3 = value.waived
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            p.write_string(out, v4)
    out.append(b"\x00")


def encode_205(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xcd"]
    write_CancelRequested(out, message)
    return b"".join(out)


def write_CancelRefused(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.order_id)
    p.write_string(out, value.reason)


def encode_13(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\r"]
    write_CancelRefused(out, message)
    return b"".join(out)


def write_AssetChange(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)


def write_ContractHeld(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.cost_e8)
    p.write_long(out, value.unpaid_e8)
    p.write_long(out, value.long_e8)
    p.write_long(out, value.short_e8)
    p.write_string(out, value.funding_index_e18)


def write_CreditUpdated(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.entry_id)
    v1 = value.order_id
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v1)
    v2 = value.changes
    if v2:
        p.write_long(out, len(v2))
        for v3 in v2:
            write_AssetChange(out, v3)
    out.append(b"\x00")
    p.write_string(out, value.released_asset)
    p.write_long(out, value.released_e8)
    p.write_long(out, value.filled_e8)
    p.write_boolean(out, value.reopens_account)
    v4 = value.contract
    if v4 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_ContractHeld(out, v4)
    p.write_string(out, value.quiet_for)


def encode_193(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc1"]
    write_CreditUpdated(out, message)
    return b"".join(out)


def write_ReservationReleased(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.order_id)
    out.append(symbols_OrderStatus_written[value.status])
    p.write_string(out, value.asset)
    p.write_long(out, value.released_e8)
    p.write_long(out, value.remaining_e8)
    p.write_long(out, value.cumulative_quantity_e8)
    p.write_string(out, value.quiet_for)


def encode_113(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00q"]
    write_ReservationReleased(out, message)
    return b"".join(out)


def write_TransferApproved(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_TransferTerms(out, value.transfer)


def encode_16(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x10"]
    write_TransferApproved(out, message)
    return b"".join(out)


def write_TransferRejected(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_TransferTerms(out, value.transfer)
    out.append(symbols_RejectReason_written[value.reason])
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")


def encode_17(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x11"]
    write_TransferRejected(out, message)
    return b"".join(out)


def write_RoutedLeg(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.symbol)
    p.write_string(out, value.venue_client_order_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.send_before_us)


def write_BookSeen(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.venue)
    p.write_long(out, value.sequence)
    p.write_long(out, value.age_us)
    v1 = value.best_bid_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    v2 = value.best_ask_e8
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v2)
    p.write_long(out, value.fillable_e8)
    v3 = value.cost_e8
    if v3 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v3)


def write_OrderRouted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_OrderTerms(out, value.order)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoutedLeg(out, v2)
    out.append(b"\x00")
    v3 = value.seen
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            write_BookSeen(out, v4)
    out.append(b"\x00")


def encode_169(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa9"]
    write_OrderRouted(out, message)
    return b"".join(out)


def write_OrderNotRouted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.reason)
    v1 = value.seen
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_BookSeen(out, v2)
    out.append(b"\x00")


def encode_19(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x13"]
    write_OrderNotRouted(out, message)
    return b"".join(out)


def write_OrderAcknowledged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.venue_order_id)
    p.write_long(out, value.transacted_at_us)


def encode_20(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x14"]
    write_OrderAcknowledged(out, message)
    return b"".join(out)


def write_OrderFilled(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.base)
    p.write_string(out, value.quote)
    out.append(symbols_Side_written[value.side])
    p.write_string(out, value.execution_id)
    p.write_string(out, value.venue_order_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.quote_amount_e8)
    p.write_long(out, value.cumulative_quantity_e8)
    p.write_long(out, value.leaves_quantity_e8)
    p.write_string(out, value.fee_asset)
    p.write_long(out, value.fee_e8)
    out.append(symbols_Liquidity_written[value.liquidity])
    out.append(symbols_OrderStatus_written[value.status])
    p.write_long(out, value.transacted_at_us)
    p.write_string(out, value.source)
    p.write_string(out, value.position_effect)


def encode_170(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xaa"]
    write_OrderFilled(out, message)
    return b"".join(out)


def write_OrderCancelled(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_long(out, value.cumulative_quantity_e8)
    p.write_string(out, value.reason)


def encode_22(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x16"]
    write_OrderCancelled(out, message)
    return b"".join(out)


def write_OrderExpired(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_long(out, value.cumulative_quantity_e8)
    p.write_string(out, value.reason)


def encode_23(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x17"]
    write_OrderExpired(out, message)
    return b"".join(out)


def write_OrderRejectedByVenue(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_long(out, value.cumulative_quantity_e8)
    p.write_string(out, value.code)
    p.write_string(out, value.reason)


def encode_24(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x18"]
    write_OrderRejectedByVenue(out, message)
    return b"".join(out)


def write_OutcomeUnknown(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.reason)


def encode_25(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x19"]
    write_OutcomeUnknown(out, message)
    return b"".join(out)


def write_CancelLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.order_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.symbol)
    p.write_string(out, value.venue_client_order_id)


def write_CancelRouted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_CancelLeg(out, v2)
    out.append(b"\x00")


def encode_26(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x1a"]
    write_CancelRouted(out, message)
    return b"".join(out)


def write_CancelRejectedByVenue(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.order_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.leg)
    p.write_string(out, value.venue)
    p.write_string(out, value.code)
    p.write_string(out, value.reason)


def encode_27(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x1b"]
    write_CancelRejectedByVenue(out, message)
    return b"".join(out)


def write_ParkedRecord(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.service)
    p.write_string(out, value.event_id)
    p.write_string(out, value.topic)
    p.write_long(out, value.partition)
    p.write_long(out, value.offset)
    v1 = value.key
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_bytes(out, v1)
    v2 = value.value
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_bytes(out, v2)
    p.write_string(out, value.reason)


def encode_28(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x1c"]
    write_ParkedRecord(out, message)
    return b"".join(out)


def write_Break(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.break_id)
    out.append(symbols_BreakClass_written[value.break_class])
    p.write_string(out, value.venue)
    p.write_string(out, value.key)
    p.write_string(out, value.account_id)
    p.write_long(out, value.ours_e8)
    p.write_long(out, value.theirs_e8)
    p.write_long(out, value.first_seen_at_us)
    p.write_string(out, value.owner)
    p.write_string(out, value.evidence)
    p.write_string(out, value.evidence_sha256)


def write_BreakClosed(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.break_id)
    p.write_string(out, value.reason)


def write_ReconciliationCompleted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.venue)
    p.write_long(out, value.fills_matched)
    p.write_long(out, value.orders_compared)
    p.write_long(out, value.balances_compared)
    p.write_long(out, value.pending)
    v1 = value.opened
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_Break(out, v2)
    out.append(b"\x00")
    v3 = value.closed
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            write_BreakClosed(out, v4)
    out.append(b"\x00")


def encode_29(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x1d"]
    write_ReconciliationCompleted(out, message)
    return b"".join(out)


def write_Listing(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.venue)
    p.write_string(out, value.symbol)
    p.write_long(out, value.tick_e8)
    p.write_long(out, value.lot_e8)
    p.write_long(out, value.min_quantity_e8)
    p.write_long(out, value.min_notional_e8)
    p.write_long(out, value.maker_rate_e8)
    p.write_long(out, value.taker_rate_e8)


def write_ContractTerms(out: list[bytes], value: Any) -> None:
    out.append(symbols_ContractKind_written[value.kind])
    out.append(symbols_SettlementStyle_written[value.style])
    p.write_long(out, value.multiplier_e8)
    p.write_string(out, value.settlement_asset)
    p.write_string(out, value.index)
    out.append(symbols_Delivery_written[value.delivery])
    p.write_string(out, value.margin_class)
    p.write_long(out, value.initial_rate_e8)
    p.write_long(out, value.maintenance_rate_e8)
    p.write_long(out, value.funding_cap_rate_e8)
    p.write_long(out, value.funding_interval_us)
    p.write_long(out, value.settlement_fee_rate_e8)
    p.write_long(out, value.liquidation_fee_rate_e8)
    p.write_long(out, value.mark_max_age_us)
    p.write_boolean(out, value.signed_price)
    v1 = value.expires_at_us
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    v2 = value.strike_e8
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v2)
    v3 = value.option_type
    if v3 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        out.append(symbols_OptionType_written[v3])
    p.write_long(out, value.fixing_window_us)
    p.write_string(out, value.fixing_rule)
    p.write_long(out, value.fixing_samples)
    p.write_long(out, value.fixing_coverage_e8)
    p.write_long(out, value.settlement_interval_us)
    p.write_long(out, value.settlement_offset_us)
    p.write_long(out, value.funding_step_us)
    p.write_string(out, value.funding_rule)
    p.write_long(out, value.funding_interest_rate_e8)
    p.write_long(out, value.funding_damper_rate_e8)
    p.write_string(out, value.exercise)
    p.write_string(out, value.assignment)


def write_MarkTerms(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.venues_least)
    p.write_long(out, value.outlier_rate_e8)


def write_Instrument(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.base)
    p.write_string(out, value.quote)
    p.write_long(out, value.tick_e8)
    p.write_long(out, value.lot_e8)
    p.write_long(out, value.min_quantity_e8)
    p.write_long(out, value.max_quantity_e8)
    p.write_long(out, value.min_notional_e8)
    p.write_long(out, value.max_notional_e8)
    p.write_boolean(out, value.tradable)
    v1 = value.listings
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_Listing(out, v2)
    out.append(b"\x00")
    v3 = value.contract
    if v3 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_ContractTerms(out, v3)
    v4 = value.marking
    if v4 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarkTerms(out, v4)
    v5 = value.settlement_lag_days
    if v5 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v5)


def write_SetInstrument(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_Instrument(out, value.instrument)


def encode_195(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc3"]
    write_SetInstrument(out, message)
    return b"".join(out)


def write_OpenAccount(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.name)


def encode_31(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x1f"]
    write_OpenAccount(out, message)
    return b"".join(out)


def write_Limits(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.max_order_notional_e8)
    p.write_long(out, value.max_open_orders)
    p.write_long(out, value.max_messages_per_second)
    p.write_long(out, value.collar_rate_e8)
    p.write_long(out, value.mark_max_age_us)


def write_SetLimits(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_Limits(out, value.limits)


def encode_32(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00 "]
    write_SetLimits(out, message)
    return b"".join(out)


def write_FeeTier(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.asset)
    p.write_long(out, value.volume_e8)
    p.write_long(out, value.maker_rate_e8)
    p.write_long(out, value.taker_rate_e8)


def write_Fees(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.maker_rate_e8)
    p.write_long(out, value.taker_rate_e8)
    v1 = value.tiers
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_FeeTier(out, v2)
    out.append(b"\x00")


def write_SetFees(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_Fees(out, value.fees)


def encode_82(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00R"]
    write_SetFees(out, message)
    return b"".join(out)


def write_SetTradingState(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    out.append(symbols_TradingState_written[value.state])
    p.write_string(out, value.reason)


def encode_34(message: Any) -> bytes:
    out: list[bytes] = [b'\x00\x00\x00\x00"']
    write_SetTradingState(out, message)
    return b"".join(out)


def write_ApiKey(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.key_id)
    p.write_string(out, value.secret_sha256)
    p.write_string(out, value.account_id)
    v1 = value.scopes
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.requests_per_second)
    v3 = value.expires_at_us
    if v3 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v3)
    p.write_boolean(out, value.revoked)


def write_CreateApiKey(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_ApiKey(out, value.api_key)


def encode_35(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00#"]
    write_CreateApiKey(out, message)
    return b"".join(out)


def write_RevokeApiKey(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.key_id)


def encode_36(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00$"]
    write_RevokeApiKey(out, message)
    return b"".join(out)


def write_InstrumentSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_Instrument(out, value.instrument)


def encode_197(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc5"]
    write_InstrumentSet(out, message)
    return b"".join(out)


def write_AccountOpened(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.name)


def encode_38(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00&"]
    write_AccountOpened(out, message)
    return b"".join(out)


def write_LimitsSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_Limits(out, value.limits)


def encode_39(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00'"]
    write_LimitsSet(out, message)
    return b"".join(out)


def write_FeesSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_Fees(out, value.fees)


def encode_84(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00T"]
    write_FeesSet(out, message)
    return b"".join(out)


def write_TradingStateSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    out.append(symbols_TradingState_written[value.state])
    p.write_string(out, value.reason)


def encode_41(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00)"]
    write_TradingStateSet(out, message)
    return b"".join(out)


def write_ApiKeyCreated(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_ApiKey(out, value.api_key)


def encode_42(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00*"]
    write_ApiKeyCreated(out, message)
    return b"".join(out)


def write_ApiKeyRevoked(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.key_id)


def encode_43(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00+"]
    write_ApiKeyRevoked(out, message)
    return b"".join(out)


def write_ReferenceRejected(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reason)


def encode_44(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00,"]
    write_ReferenceRejected(out, message)
    return b"".join(out)


def write_Snapshot(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.service)
    p.write_long(out, value.partition)
    p.write_long(out, value.epoch)
    p.write_long(out, value.sequence)
    p.write_long(out, value.offset)
    p.write_string(out, value.state_version)
    p.write_string(out, value.digest)
    p.write_long(out, value.index)
    p.write_long(out, value.count)
    v1 = value.positions
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    p.write_bytes(out, value.state)


def encode_45(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00-"]
    write_Snapshot(out, message)
    return b"".join(out)


def write_CheckpointSigned(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_long(out, value.number)
    p.write_string(out, value.digest)
    p.write_string(out, value.note)
    p.write_string(out, value.signature)
    p.write_string(out, value.public_key)


def encode_46(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00."]
    write_CheckpointSigned(out, message)
    return b"".join(out)


def write_ReleaseParked(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.parked_event_id)
    p.write_string(out, value.requested_by)


def encode_47(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00/"]
    write_ReleaseParked(out, message)
    return b"".join(out)


def write_DismissParked(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.parked_event_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reason)


def encode_48(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x000"]
    write_DismissParked(out, message)
    return b"".join(out)


def write_ParkedDismissed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.reason)
    write_Release(out, value.release)


def encode_50(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x002"]
    write_ParkedDismissed(out, message)
    return b"".join(out)


def write_ReleaseRefused(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.parked_event_id)
    p.write_string(out, value.requested_by)
    out.append(symbols_ReleaseRefusal_written[value.reason])
    p.write_string(out, value.detail)
    v1 = value.decision_event_id
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_string(out, v1)


def encode_51(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x003"]
    write_ReleaseRefused(out, message)
    return b"".join(out)


def write_AccountHalted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.parked_event_id)


def encode_53(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x005"]
    write_AccountHalted(out, message)
    return b"".join(out)


def write_AccountReopened(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)


def encode_54(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x006"]
    write_AccountReopened(out, message)
    return b"".join(out)


def write_ContractFact(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.fact_id)
    out.append(symbols_ContractFactKind_written[value.kind])
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.effective_at_us)
    p.write_long(out, value.observed_at_us)
    p.write_string(out, value.requested_by)
    v1 = value.price_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    v2 = value.numbers
    if v2:
        p.write_long(out, len(v2))
        for v4, v3 in v2.items():
            p.write_string(out, v4)
            p.write_long(out, v3)
    out.append(b"\x00")
    v5 = value.ids
    if v5:
        p.write_long(out, len(v5))
        for v7, v6 in v5.items():
            p.write_string(out, v7)
            p.write_string(out, v6)
    out.append(b"\x00")


def write_TakeContractFact(out: list[bytes], value: Any) -> None:
    write_ContractFact(out, value.fact)


def encode_55(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x007"]
    write_TakeContractFact(out, message)
    return b"".join(out)


def write_ApplyContractFact(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    write_ContractFact(out, value.fact)
    p.write_string(out, value.funding_index_e18)


def encode_56(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x008"]
    write_ApplyContractFact(out, message)
    return b"".join(out)


def write_BookTrade(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.instrument_id)
    out.append(symbols_Side_written[value.side])
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    out.append(symbols_Liquidity_written[value.liquidity])
    p.write_long(out, value.transacted_at_us)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reference)
    v1 = value.cost_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    p.write_string(out, value.event)
    p.write_string(out, value.closes)


def encode_85(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00U"]
    write_BookTrade(out, message)
    return b"".join(out)


def write_CorrectEntry(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.entry_id)
    p.write_bytes(out, value.entry)
    p.write_boolean(out, value.busted)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reason)


def encode_58(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00:"]
    write_CorrectEntry(out, message)
    return b"".join(out)


def write_ContractFactTaken(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_ContractFact(out, value.fact)
    p.write_long(out, value.multiplier_e8)
    p.write_string(out, value.funding_index_e18)
    v1 = value.due
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")


def encode_60(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00<"]
    write_ContractFactTaken(out, message)
    return b"".join(out)


def write_ClearingRefused(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.command)
    p.write_string(out, value.requested_by)
    out.append(symbols_ClearingRefusal_written[value.reason])
    p.write_string(out, value.detail)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")


def encode_61(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00="]
    write_ClearingRefused(out, message)
    return b"".join(out)


def write_TradeTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.reference)
    p.write_string(out, value.buyer_id)
    p.write_string(out, value.seller_id)
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_string(out, value.traded_on)
    p.write_string(out, value.clearing)


def write_TellTrade(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.party_id)
    write_TradeTerms(out, value.terms)
    p.write_string(out, value.requested_by)


def encode_150(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x96"]
    write_TellTrade(out, message)
    return b"".join(out)


def write_EndTrade(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.party_id)
    p.write_string(out, value.trade_id)
    out.append(symbols_TradeAction_written[value.action])
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_67(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00C"]
    write_EndTrade(out, message)
    return b"".join(out)


def write_ConfirmLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.leg_id)


def encode_68(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00D"]
    write_ConfirmLeg(out, message)
    return b"".join(out)


def write_TradeDifference(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.field)
    p.write_string(out, value.first)
    p.write_string(out, value.other)


def write_TradeLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.leg_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    out.append(symbols_Side_written[value.side])
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    v1 = value.cost_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)
    p.write_string(out, value.closes)


def write_BilateralTrade(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.trade_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.buyer_id)
    p.write_string(out, value.seller_id)
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.cost_e8)
    p.write_string(out, value.reference)
    p.write_string(out, value.origin)


def write_TradeChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.first_id)
    p.write_string(out, value.actor)
    out.append(symbols_TradeState_written[value.state])
    v1 = value.views
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            write_TradeTerms(out, v2)
    out.append(b"\x00")
    v4 = value.differences
    if v4:
        p.write_long(out, len(v4))
        for v5 in v4:
            write_TradeDifference(out, v5)
    out.append(b"\x00")
    p.write_long(out, value.expires_at_us)
    v6 = value.legs
    if v6:
        p.write_long(out, len(v6))
        for v7 in v6:
            write_TradeLeg(out, v7)
    out.append(b"\x00")
    p.write_string(out, value.detail)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reason)
    v8 = value.bilateral
    if v8 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_BilateralTrade(out, v8)


def encode_157(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9d"]
    write_TradeChanged(out, message)
    return b"".join(out)


def write_LegConfirmed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.leg_id)
    p.write_long(out, value.left)


def encode_70(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00F"]
    write_LegConfirmed(out, message)
    return b"".join(out)


def write_LegsAskedAgain(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_long(out, value.attempt)


def encode_71(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00G"]
    write_LegsAskedAgain(out, message)
    return b"".join(out)


def write_MarginClass(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.name)
    p.write_string(out, value.model)
    p.write_long(out, value.version)
    p.write_string(out, value.parameters)
    p.write_long(out, value.rate_e8)
    p.write_string(out, value.peg)


def write_SetMarginClass(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_MarginClass(out, value.margin_class)


def encode_73(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00I"]
    write_SetMarginClass(out, message)
    return b"".join(out)


def write_CollateralAsset(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.asset)
    p.write_string(out, value.counts_for)
    p.write_long(out, value.version)
    p.write_string(out, value.index)
    p.write_long(out, value.haircut_e8)
    p.write_long(out, value.share_max_e8)
    p.write_long(out, value.limit_e8)
    p.write_long(out, value.lot_e8)
    p.write_long(out, value.mark_max_age_us)
    p.write_boolean(out, value.cancels_risk)


def write_SetCollateral(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_CollateralAsset(out, value.collateral)


def encode_74(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00J"]
    write_SetCollateral(out, message)
    return b"".join(out)


def write_MarginClassSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_MarginClass(out, value.margin_class)


def encode_75(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00K"]
    write_MarginClassSet(out, message)
    return b"".join(out)


def write_CollateralSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_CollateralAsset(out, value.collateral)


def encode_76(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00L"]
    write_CollateralSet(out, message)
    return b"".join(out)


def write_FixingDue(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instrument_id)
    out.append(symbols_ContractFactKind_written[value.kind])
    p.write_long(out, value.effective_at_us)
    p.write_long(out, value.since_us)


def write_FixingsDue(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_long(out, value.looked_at_us)
    v1 = value.followed
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    v3 = value.due
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            write_FixingDue(out, v4)
    out.append(b"\x00")


def encode_77(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00M"]
    write_FixingsDue(out, message)
    return b"".join(out)


def write_ContractFixed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    write_ContractFact(out, value.fact)


def encode_78(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00N"]
    write_ContractFixed(out, message)
    return b"".join(out)


def write_FixingMissing(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    out.append(symbols_ContractFactKind_written[value.kind])
    p.write_long(out, value.effective_at_us)
    p.write_long(out, value.since_us)
    p.write_string(out, value.reason)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")


def encode_79(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00O"]
    write_FixingMissing(out, message)
    return b"".join(out)


def write_FactSent(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.fact_id)


def encode_80(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00P"]
    write_FactSent(out, message)
    return b"".join(out)


def write_AskLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.kind)
    p.write_string(out, value.from_id)
    write_TradeLeg(out, value.leg)
    p.write_boolean(out, value.accept)
    p.write_long(out, value.expires_at_us)
    p.write_string(out, value.reference)


def encode_86(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00V"]
    write_AskLeg(out, message)
    return b"".join(out)


def write_AnswerLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.leg_id)
    p.write_boolean(out, value.accepted)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_87(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00W"]
    write_AnswerLeg(out, message)
    return b"".join(out)


def write_TellLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.leg_id)
    p.write_string(out, value.party_id)
    p.write_string(out, value.state)
    p.write_string(out, value.reason)
    p.write_string(out, value.detail)


def encode_88(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00X"]
    write_TellLeg(out, message)
    return b"".join(out)


def write_ReleaseLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.kind)
    write_TradeLeg(out, value.leg)


def encode_89(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00Y"]
    write_ReleaseLeg(out, message)
    return b"".join(out)


def write_LegShare(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_long(out, value.quantity_e8)


def write_MoveLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.leg_id)
    p.write_string(out, value.kind)
    v1 = value.shares
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_LegShare(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.reference)
    p.write_string(out, value.requested_by)


def encode_90(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00Z"]
    write_MoveLeg(out, message)
    return b"".join(out)


def write_EndMove(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.move_id)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_91(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00["]
    write_EndMove(out, message)
    return b"".join(out)


def write_AgreeMoves(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.from_id)
    p.write_boolean(out, value.agreed)
    p.write_string(out, value.requested_by)


def encode_92(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\\"]
    write_AgreeMoves(out, message)
    return b"".join(out)


def write_CompressLegs(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.requested_by)


def encode_93(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00]"]
    write_CompressLegs(out, message)
    return b"".join(out)


def write_NetPayments(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.value_date)
    p.write_string(out, value.requested_by)


def encode_94(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00^"]
    write_NetPayments(out, message)
    return b"".join(out)


def write_LegChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.kind)
    p.write_string(out, value.from_id)
    write_TradeLeg(out, value.leg)
    p.write_string(out, value.state)
    p.write_string(out, value.reason)
    p.write_string(out, value.detail)
    p.write_long(out, value.expires_at_us)
    p.write_string(out, value.reference)
    p.write_string(out, value.requested_by)


def encode_96(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00`"]
    write_LegChanged(out, message)
    return b"".join(out)


def write_LegAnswered(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.leg_id)
    p.write_string(out, value.party_id)
    p.write_long(out, value.left)


def encode_97(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00a"]
    write_LegAnswered(out, message)
    return b"".join(out)


def write_MoveChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.move_id)
    p.write_string(out, value.kind)
    p.write_string(out, value.state)
    write_TradeLeg(out, value.leg)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_TradeLeg(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.actor)
    p.write_string(out, value.reason)
    p.write_string(out, value.detail)
    p.write_long(out, value.expires_at_us)
    p.write_string(out, value.reference)
    p.write_string(out, value.requested_by)


def encode_98(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00b"]
    write_MoveChanged(out, message)
    return b"".join(out)


def write_MovesAgreed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.from_id)
    p.write_boolean(out, value.agreed)
    p.write_string(out, value.requested_by)


def encode_99(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00c"]
    write_MovesAgreed(out, message)
    return b"".join(out)


def write_LegsCompressed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    v1 = value.ended
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_TradeLeg(out, v2)
    out.append(b"\x00")
    v3 = value.left
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            write_TradeLeg(out, v4)
    out.append(b"\x00")
    p.write_long(out, value.gross_before_e8)
    p.write_long(out, value.gross_after_e8)
    p.write_long(out, value.net_quantity_e8)
    p.write_long(out, value.net_cost_e8)
    p.write_long(out, value.ended_cost_e8)
    p.write_string(out, value.requested_by)


def encode_100(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00d"]
    write_LegsCompressed(out, message)
    return b"".join(out)


def write_Instruction(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instruction_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    p.write_long(out, value.received_e8)
    p.write_long(out, value.paid_e8)
    v1 = value.parts
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.payments)
    p.write_long(out, value.run)


def write_PaymentsNetted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.value_date)
    v1 = value.instructions
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_Instruction(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.requested_by)


def encode_201(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc9"]
    write_PaymentsNetted(out, message)
    return b"".join(out)


def write_LegAssessed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.leg_id)
    p.write_string(out, value.trade_id)
    p.write_boolean(out, value.accepted)
    p.write_string(out, value.reason)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.instrument_id)
    out.append(symbols_Side_written[value.side])
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_string(out, value.reserved_asset)
    p.write_long(out, value.reserved_e8)
    p.write_long(out, value.fee_rate_e8)
    p.write_long(out, value.reference_offset)
    v4 = value.mark
    if v4 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarkSeen(out, v4)
    v5 = value.margin
    if v5 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_OrderMargin(out, v5)


def encode_102(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00f"]
    write_LegAssessed(out, message)
    return b"".join(out)


def write_LegReleased(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.leg_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.released_e8)


def encode_103(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00g"]
    write_LegReleased(out, message)
    return b"".join(out)


def write_ReviewMargin(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.action)
    p.write_string(out, value.run_id)
    p.write_string(out, value.reason)
    p.write_long(out, value.amount_e8)


def encode_104(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00h"]
    write_ReviewMargin(out, message)
    return b"".join(out)


def write_ActOnCall(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.call_id)
    p.write_string(out, value.action)
    p.write_string(out, value.actor)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_105(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00i"]
    write_ActOnCall(out, message)
    return b"".join(out)


def write_MarginListed(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.action)
    p.write_string(out, value.reason)
    p.write_long(out, value.equity_e8)
    p.write_long(out, value.initial_e8)
    p.write_long(out, value.maintenance_e8)


def write_MarginRun(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_long(out, value.margined)
    v1 = value.listed
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_MarginListed(out, v2)
    out.append(b"\x00")


def encode_106(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00j"]
    write_MarginRun(out, message)
    return b"".join(out)


def write_MarginReviewed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.action)
    p.write_string(out, value.detail)


def encode_107(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00k"]
    write_MarginReviewed(out, message)
    return b"".join(out)


def write_MarginSeen(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.asset)
    p.write_long(out, value.balance_e8)
    p.write_long(out, value.gains_e8)
    p.write_long(out, value.initial_e8)
    p.write_long(out, value.maintenance_e8)
    p.write_string(out, value.worst)
    v1 = value.models
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    v3 = value.contributions
    if v3:
        p.write_long(out, len(v3))
        for v5, v4 in v3.items():
            p.write_string(out, v5)
            p.write_long(out, v4)
    out.append(b"\x00")
    v6 = value.marks
    if v6:
        p.write_long(out, len(v6))
        for v8, v7 in v6.items():
            p.write_string(out, v8)
            write_MarkSeen(out, v7)
    out.append(b"\x00")


def write_MarginCallChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.call_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    p.write_long(out, value.paid_e8)
    p.write_long(out, value.called_at_us)
    p.write_long(out, value.due_at_us)
    p.write_long(out, value.grace_us)
    p.write_string(out, value.reason)
    p.write_string(out, value.state)
    p.write_string(out, value.action)
    p.write_string(out, value.actor)
    p.write_string(out, value.detail)
    p.write_string(out, value.requested_by)
    v1 = value.seen
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarginSeen(out, v1)


def encode_108(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00l"]
    write_MarginCallChanged(out, message)
    return b"".join(out)


def write_LiquidationChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.liquidation_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.state)
    p.write_long(out, value.step)
    p.write_long(out, value.attempt)
    v1 = value.order
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_OrderTerms(out, v1)
    p.write_long(out, value.bankruptcy_price_e8)
    p.write_long(out, value.excess_e8)
    p.write_long(out, value.planned_e8)
    p.write_string(out, value.detail)
    v2 = value.seen
    if v2 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarginSeen(out, v2)
    p.write_long(out, value.asked)
    p.write_string(out, value.refusal)


def encode_199(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc7"]
    write_LiquidationChanged(out, message)
    return b"".join(out)


def write_LiquidationEnded(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.liquidation_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.outcome)
    p.write_long(out, value.steps)
    p.write_long(out, value.fees_e8)
    p.write_long(out, value.covered_e8)
    p.write_long(out, value.shortfall_e8)
    p.write_string(out, value.detail)
    v1 = value.seen
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_MarginSeen(out, v1)


def encode_110(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00n"]
    write_LiquidationEnded(out, message)
    return b"".join(out)


def write_RestrictionEnded(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.liquidation_id)
    p.write_string(out, value.porting_id)


def encode_188(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xbc"]
    write_RestrictionEnded(out, message)
    return b"".join(out)


def write_CallTerms(out: list[bytes], value: Any) -> None:
    p.write_long(out, value.notice_us)
    p.write_long(out, value.grace_us)
    p.write_long(out, value.level_rate_e8)
    p.write_long(out, value.least_e8)


def write_SetCallTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_CallTerms(out, value.terms)


def encode_115(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00s"]
    write_SetCallTerms(out, message)
    return b"".join(out)


def write_CallTermsSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_CallTerms(out, value.terms)


def encode_116(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00t"]
    write_CallTermsSet(out, message)
    return b"".join(out)


def write_CloseOut(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_string(out, value.requested_by)


def encode_117(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00u"]
    write_CloseOut(out, message)
    return b"".join(out)


def write_SidesClosedOut(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    p.write_long(out, value.quantity_e8)
    p.write_string(out, value.requested_by)
    p.write_long(out, value.realised_e8)
    p.write_long(out, value.long_e8)
    p.write_long(out, value.short_e8)


def encode_118(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00v"]
    write_SidesClosedOut(out, message)
    return b"".join(out)


def write_AccountTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.positions)
    p.write_string(out, value.costs)


def write_SetAccountTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_AccountTerms(out, value.terms)


def encode_119(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00w"]
    write_SetAccountTerms(out, message)
    return b"".join(out)


def write_AccountTermsSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    write_AccountTerms(out, value.terms)


def encode_120(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00x"]
    write_AccountTermsSet(out, message)
    return b"".join(out)


def write_RoundTerms(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.round_id)
    p.write_string(out, value.kind)
    p.write_string(out, value.home_id)
    p.write_string(out, value.asset)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")
    p.write_string(out, value.requested_by)


def write_OpenRound(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    write_RoundTerms(out, value.round)


def encode_121(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00y"]
    write_OpenRound(out, message)
    return b"".join(out)


def write_AskRound(out: list[bytes], value: Any) -> None:
    write_RoundTerms(out, value.round)
    p.write_long(out, value.partition)


def encode_122(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00z"]
    write_AskRound(out, message)
    return b"".join(out)


def write_RoundHolding(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")


def write_TellRound(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)
    v1 = value.holdings
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundHolding(out, v2)
    out.append(b"\x00")


def encode_154(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9a"]
    write_TellRound(out, message)
    return b"".join(out)


def write_RoundLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.leg_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.event)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.partition)
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")


def write_SettleRound(out: list[bytes], value: Any) -> None:
    write_RoundTerms(out, value.round)
    p.write_long(out, value.partition)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundLeg(out, v2)
    out.append(b"\x00")
    v3 = value.outcome
    if v3:
        p.write_long(out, len(v3))
        for v5, v4 in v3.items():
            p.write_string(out, v5)
            p.write_long(out, v4)
    out.append(b"\x00")


def encode_155(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9b"]
    write_SettleRound(out, message)
    return b"".join(out)


def write_ConfirmRound(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)


def encode_125(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00}"]
    write_ConfirmRound(out, message)
    return b"".join(out)


def write_RunRound(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    write_RoundTerms(out, value.round)
    p.write_string(out, value.step)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundLeg(out, v2)
    out.append(b"\x00")


def encode_156(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9c"]
    write_RunRound(out, message)
    return b"".join(out)


def write_MoveFund(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.amount_e8)
    p.write_string(out, value.location)
    p.write_string(out, value.purpose)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.reason)


def encode_127(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x7f"]
    write_MoveFund(out, message)
    return b"".join(out)


def write_DeclareDefault(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_128(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x80"]
    write_DeclareDefault(out, message)
    return b"".join(out)


def write_RoundOpened(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    write_RoundTerms(out, value.round)


def encode_129(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x81"]
    write_RoundOpened(out, message)
    return b"".join(out)


def write_RoundAnswered(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_RoundTerms(out, value.round)
    p.write_long(out, value.partition)
    v1 = value.holdings
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundHolding(out, v2)
    out.append(b"\x00")


def encode_161(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa1"]
    write_RoundAnswered(out, message)
    return b"".join(out)


def write_RoundGathered(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)
    v1 = value.holdings
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundHolding(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.left)


def encode_162(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa2"]
    write_RoundGathered(out, message)
    return b"".join(out)


def write_RoundDecided(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    write_RoundTerms(out, value.round)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundLeg(out, v2)
    out.append(b"\x00")
    v3 = value.outcome
    if v3:
        p.write_long(out, len(v3))
        for v5, v4 in v3.items():
            p.write_string(out, v5)
            p.write_long(out, v4)
    out.append(b"\x00")
    p.write_string(out, value.detail)


def encode_163(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa3"]
    write_RoundDecided(out, message)
    return b"".join(out)


def write_RoundSettling(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    write_RoundTerms(out, value.round)
    p.write_long(out, value.partition)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_RoundLeg(out, v2)
    out.append(b"\x00")
    v3 = value.outcome
    if v3:
        p.write_long(out, len(v3))
        for v5, v4 in v3.items():
            p.write_string(out, v5)
            p.write_long(out, v4)
    out.append(b"\x00")


def encode_164(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xa4"]
    write_RoundSettling(out, message)
    return b"".join(out)


def write_RoundSettled(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.home_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)
    p.write_long(out, value.booked)
    p.write_long(out, value.set_aside)


def encode_134(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x86"]
    write_RoundSettled(out, message)
    return b"".join(out)


def write_RoundConfirmed(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)
    p.write_long(out, value.left)


def encode_135(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x87"]
    write_RoundConfirmed(out, message)
    return b"".join(out)


def write_RoundAskedAgain(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.round_id)
    p.write_string(out, value.phase)
    p.write_long(out, value.attempt)


def encode_136(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x88"]
    write_RoundAskedAgain(out, message)
    return b"".join(out)


def write_RoundRepeated(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.home_id)
    p.write_string(out, value.round_id)
    p.write_long(out, value.partition)
    p.write_boolean(out, value.settled)


def encode_137(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x89"]
    write_RoundRepeated(out, message)
    return b"".join(out)


def write_DefaultStep(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.layer)
    p.write_string(out, value.payer_id)
    p.write_long(out, value.amount_e8)


def write_DefaultChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.default_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.state)
    p.write_long(out, value.margin_e8)
    p.write_long(out, value.loss_e8)
    v1 = value.steps
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_DefaultStep(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.uncovered_e8)
    p.write_long(out, value.recovered_e8)
    p.write_string(out, value.round_id)
    p.write_long(out, value.attempt)
    p.write_string(out, value.detail)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.member_id)
    p.write_boolean(out, value.quiet)
    v3 = value.waived
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            p.write_string(out, v4)
    out.append(b"\x00")
    p.write_string(out, value.waived_by)


def encode_204(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xcc"]
    write_DefaultChanged(out, message)
    return b"".join(out)


def write_ParcelLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.amount_e8)
    p.write_string(out, value.ledger)
    p.write_string(out, value.other)
    p.write_string(out, value.event)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")


def write_Parcel(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.parcel_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.kind)
    p.write_boolean(out, value.forced)
    p.write_long(out, value.expires_at_us)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_ParcelLeg(out, v2)
    out.append(b"\x00")


def write_TakeParcel(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    write_Parcel(out, value.parcel)


def encode_171(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xab"]
    write_TakeParcel(out, message)
    return b"".join(out)


def write_TellParcel(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.parcel_id)
    p.write_string(out, value.holder_id)
    p.write_string(out, value.state)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_ParcelLeg(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.reason)
    p.write_string(out, value.detail)


def encode_172(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xac"]
    write_TellParcel(out, message)
    return b"".join(out)


def write_BookLeg(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_string(out, value.parcel_id)
    p.write_string(out, value.home_id)
    p.write_string(out, value.kind)
    p.write_long(out, value.number)
    write_ParcelLeg(out, value.leg)
    p.write_long(out, value.decided_at_us)


def encode_173(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xad"]
    write_BookLeg(out, message)
    return b"".join(out)


def write_StartAuction(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_boolean(out, value.forced)
    p.write_long(out, value.insurance_e8)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_142(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x8e"]
    write_StartAuction(out, message)
    return b"".join(out)


def write_BidAuction(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.auction_id)
    p.write_string(out, value.bidder_id)
    p.write_long(out, value.wanted_e8)
    p.write_string(out, value.requested_by)
    v1 = value.price_max_e8
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        p.write_long(out, v1)


def encode_143(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x8f"]
    write_BidAuction(out, message)
    return b"".join(out)


def write_EndAuction(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.auction_id)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_144(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x90"]
    write_EndAuction(out, message)
    return b"".join(out)


def write_ParcelAnswered(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    write_Parcel(out, value.parcel)
    p.write_string(out, value.state)
    p.write_boolean(out, value.repeated)
    p.write_string(out, value.reason)
    p.write_string(out, value.detail)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")


def encode_174(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xae"]
    write_ParcelAnswered(out, message)
    return b"".join(out)


def write_ParcelsAskedAgain(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.subject_id)
    p.write_long(out, value.attempt)


def encode_146(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x92"]
    write_ParcelsAskedAgain(out, message)
    return b"".join(out)


def write_AuctionBid(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.bid_id)
    p.write_string(out, value.bidder_id)
    p.write_long(out, value.wanted_e8)
    p.write_long(out, value.part_e18)
    p.write_long(out, value.paid_e8)
    p.write_long(out, value.received_e8)
    v1 = value.legs
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_ParcelLeg(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.requested_by)


def write_AuctionChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.auction_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.state)
    p.write_string(out, value.change)
    p.write_string(out, value.actor)
    p.write_string(out, value.kind)
    p.write_boolean(out, value.forced)
    p.write_long(out, value.begun_at_us)
    p.write_long(out, value.fee_e8)
    p.write_long(out, value.lowest_e8)
    p.write_long(out, value.reserved_e8)
    p.write_long(out, value.left_e18)
    p.write_long(out, value.insurance_e8)
    v1 = value.bid
    if v1 is None:
        out.append(b"\x00")
    else:
        out.append(b"\x02")
        write_AuctionBid(out, v1)
    v2 = value.legs
    if v2:
        p.write_long(out, len(v2))
        for v3 in v2:
            write_ParcelLeg(out, v3)
    out.append(b"\x00")
    p.write_string(out, value.detail)
    v4 = value.numbers
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_long(out, v5)
    out.append(b"\x00")
    v7 = value.ids
    if v7:
        p.write_long(out, len(v7))
        for v9, v8 in v7.items():
            p.write_string(out, v9)
            p.write_string(out, v8)
    out.append(b"\x00")
    p.write_string(out, value.requested_by)
    p.write_string(out, value.begun_by)
    p.write_long(out, value.insurance_wanted_e8)


def encode_202(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xca"]
    write_AuctionChanged(out, message)
    return b"".join(out)


def write_SetMember(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.member_id)
    p.write_string(out, value.from_member_id)


def encode_181(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb5"]
    write_SetMember(out, message)
    return b"".join(out)


def write_MemberSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.member_id)
    p.write_string(out, value.from_member_id)


def encode_183(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb7"]
    write_MemberSet(out, message)
    return b"".join(out)


def write_EndBilateral(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.party_id)
    p.write_string(out, value.trade_id)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_151(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x97"]
    write_EndBilateral(out, message)
    return b"".join(out)


def write_StartCompression(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.instrument_id)
    v1 = value.participants
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    p.write_long(out, value.answer_within_us)
    p.write_string(out, value.requested_by)


def encode_152(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x98"]
    write_StartCompression(out, message)
    return b"".join(out)


def write_AnswerCompression(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.run_id)
    p.write_string(out, value.party_id)
    p.write_boolean(out, value.accepted)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_153(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x99"]
    write_AnswerCompression(out, message)
    return b"".join(out)


def write_BilateralChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    write_BilateralTrade(out, value.trade)
    p.write_string(out, value.state)
    p.write_string(out, value.party_id)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_158(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9e"]
    write_BilateralChanged(out, message)
    return b"".join(out)


def write_CompressionPayment(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.account_id)
    p.write_long(out, value.amount_e8)
    p.write_string(out, value.instruction_id)


def write_CompressionChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.run_id)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.settlement_asset)
    p.write_string(out, value.state)
    v1 = value.participants
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    v3 = value.accepted
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            p.write_string(out, v4)
    out.append(b"\x00")
    v5 = value.ended
    if v5:
        p.write_long(out, len(v5))
        for v6 in v5:
            write_BilateralTrade(out, v6)
    out.append(b"\x00")
    v7 = value.left
    if v7:
        p.write_long(out, len(v7))
        for v8 in v7:
            write_BilateralTrade(out, v8)
    out.append(b"\x00")
    v9 = value.payments
    if v9:
        p.write_long(out, len(v9))
        for v10 in v9:
            write_CompressionPayment(out, v10)
    out.append(b"\x00")
    p.write_long(out, value.gross_before_e8)
    p.write_long(out, value.gross_after_e8)
    p.write_long(out, value.expires_at_us)
    p.write_string(out, value.actor)
    p.write_string(out, value.detail)
    p.write_string(out, value.requested_by)


def encode_159(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\x9f"]
    write_CompressionChanged(out, message)
    return b"".join(out)


def write_DeleveragingPart(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.parcel_id)
    p.write_string(out, value.account_id)
    p.write_long(out, value.rank)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.paid_e8)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")


def write_DeleveragingChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.account_id)
    p.write_string(out, value.deleveraging_id)
    p.write_string(out, value.liquidation_id)
    p.write_string(out, value.asset)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.method)
    p.write_string(out, value.state)
    p.write_string(out, value.change)
    p.write_long(out, value.price_e8)
    p.write_long(out, value.mark_e8)
    p.write_long(out, value.quantity_e8)
    p.write_long(out, value.left_e8)
    p.write_string(out, value.round_id)
    p.write_long(out, value.turn)
    p.write_long(out, value.attempt)
    v1 = value.parts
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_DeleveragingPart(out, v2)
    out.append(b"\x00")
    v3 = value.legs
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            write_ParcelLeg(out, v4)
    out.append(b"\x00")
    p.write_string(out, value.detail)
    v5 = value.numbers
    if v5:
        p.write_long(out, len(v5))
        for v7, v6 in v5.items():
            p.write_string(out, v7)
            p.write_long(out, v6)
    out.append(b"\x00")
    v8 = value.ids
    if v8:
        p.write_long(out, len(v8))
        for v10, v9 in v8.items():
            p.write_string(out, v10)
            p.write_string(out, v9)
    out.append(b"\x00")


def encode_176(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb0"]
    write_DeleveragingChanged(out, message)
    return b"".join(out)


def write_ActOnPorting(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.action)
    p.write_string(out, value.actor_id)
    p.write_string(out, value.receiver_id)
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_177(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb1"]
    write_ActOnPorting(out, message)
    return b"".join(out)


def write_RoundRequested(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    write_RoundTerms(out, value.round)
    p.write_long(out, value.attempt)


def encode_179(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb3"]
    write_RoundRequested(out, message)
    return b"".join(out)


def write_PortingChanged(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.member_id)
    p.write_string(out, value.default_id)
    p.write_string(out, value.receiver_id)
    p.write_string(out, value.state)
    p.write_string(out, value.change)
    p.write_string(out, value.actor)
    p.write_string(out, value.reason)
    p.write_long(out, value.expires_at_us)
    p.write_long(out, value.attempt)
    v1 = value.numbers
    if v1:
        p.write_long(out, len(v1))
        for v3, v2 in v1.items():
            p.write_string(out, v3)
            p.write_long(out, v2)
    out.append(b"\x00")
    v4 = value.ids
    if v4:
        p.write_long(out, len(v4))
        for v6, v5 in v4.items():
            p.write_string(out, v6)
            p.write_string(out, v5)
    out.append(b"\x00")
    p.write_string(out, value.detail)
    p.write_string(out, value.requested_by)


def encode_180(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb4"]
    write_PortingChanged(out, message)
    return b"".join(out)


def write_SetMemberLimit(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.initial_max_e8)


def encode_182(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb6"]
    write_SetMemberLimit(out, message)
    return b"".join(out)


def write_MemberLimitSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.asset)
    p.write_long(out, value.initial_max_e8)


def encode_184(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xb8"]
    write_MemberLimitSet(out, message)
    return b"".join(out)


def write_SetMemberDefaulted(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.default_id)


def encode_189(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xbd"]
    write_SetMemberDefaulted(out, message)
    return b"".join(out)


def write_MemberDefaulted(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    p.write_string(out, value.account_id)
    p.write_string(out, value.default_id)


def encode_190(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xbe"]
    write_MemberDefaulted(out, message)
    return b"".join(out)


def write_MarkWithheld(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.reason)
    p.write_long(out, value.venues_least)
    p.write_long(out, value.outlier_rate_e8)
    v1 = value.sources
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            write_MarkSource(out, v2)
    out.append(b"\x00")


def encode_192(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc0"]
    write_MarkWithheld(out, message)
    return b"".join(out)


def write_FundingAccrued(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.instrument_id)
    p.write_string(out, value.funding_index_e18)
    p.write_string(out, value.fact_id)


def encode_194(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc2"]
    write_FundingAccrued(out, message)
    return b"".join(out)


def write_SettlementCalendar(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.asset)
    p.write_long(out, value.version)
    p.write_long(out, value.lag_days)
    v1 = value.weekend
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_long(out, v2)
    out.append(b"\x00")
    v3 = value.holidays
    if v3:
        p.write_long(out, len(v3))
        for v4 in v3:
            p.write_string(out, v4)
    out.append(b"\x00")


def write_SetSettlementCalendar(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_SettlementCalendar(out, value.calendar)


def encode_196(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc4"]
    write_SetSettlementCalendar(out, message)
    return b"".join(out)


def write_SettlementCalendarSet(out: list[bytes], value: Any) -> None:
    write_Meta(out, value.meta)
    p.write_string(out, value.command_id)
    p.write_string(out, value.requested_by)
    write_SettlementCalendar(out, value.calendar)


def encode_198(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xc6"]
    write_SettlementCalendarSet(out, message)
    return b"".join(out)


def write_WaiveOrders(out: list[bytes], value: Any) -> None:
    p.write_string(out, value.command_id)
    p.write_string(out, value.account_id)
    p.write_string(out, value.default_id)
    v1 = value.order_ids
    if v1:
        p.write_long(out, len(v1))
        for v2 in v1:
            p.write_string(out, v2)
    out.append(b"\x00")
    p.write_string(out, value.reason)
    p.write_string(out, value.requested_by)


def encode_203(message: Any) -> bytes:
    out: list[bytes] = [b"\x00\x00\x00\x00\xcb"]
    write_WaiveOrders(out, message)
    return b"".join(out)


DECODERS: dict[int, Any] = {
    1: decode_1,
    2: decode_2,
    3: decode_3,
    4: decode_4,
    5: decode_5,
    6: decode_6,
    7: decode_7,
    8: decode_8,
    9: decode_9,
    10: decode_10,
    11: decode_11,
    12: decode_12,
    13: decode_13,
    14: decode_14,
    15: decode_15,
    16: decode_16,
    17: decode_17,
    18: decode_18,
    19: decode_19,
    20: decode_20,
    21: decode_21,
    22: decode_22,
    23: decode_23,
    24: decode_24,
    25: decode_25,
    26: decode_26,
    27: decode_27,
    28: decode_28,
    29: decode_29,
    30: decode_30,
    31: decode_31,
    32: decode_32,
    33: decode_33,
    34: decode_34,
    35: decode_35,
    36: decode_36,
    37: decode_37,
    38: decode_38,
    39: decode_39,
    40: decode_40,
    41: decode_41,
    42: decode_42,
    43: decode_43,
    44: decode_44,
    45: decode_45,
    46: decode_46,
    47: decode_47,
    48: decode_48,
    49: decode_49,
    50: decode_50,
    51: decode_51,
    52: decode_52,
    53: decode_53,
    54: decode_54,
    55: decode_55,
    56: decode_56,
    57: decode_57,
    58: decode_58,
    59: decode_59,
    60: decode_60,
    61: decode_61,
    62: decode_62,
    63: decode_63,
    64: decode_64,
    65: decode_65,
    66: decode_66,
    67: decode_67,
    68: decode_68,
    69: decode_69,
    70: decode_70,
    71: decode_71,
    72: decode_72,
    73: decode_73,
    74: decode_74,
    75: decode_75,
    76: decode_76,
    77: decode_77,
    78: decode_78,
    79: decode_79,
    80: decode_80,
    81: decode_81,
    82: decode_82,
    83: decode_83,
    84: decode_84,
    85: decode_85,
    86: decode_86,
    87: decode_87,
    88: decode_88,
    89: decode_89,
    90: decode_90,
    91: decode_91,
    92: decode_92,
    93: decode_93,
    94: decode_94,
    95: decode_95,
    96: decode_96,
    97: decode_97,
    98: decode_98,
    99: decode_99,
    100: decode_100,
    101: decode_101,
    102: decode_102,
    103: decode_103,
    104: decode_104,
    105: decode_105,
    106: decode_106,
    107: decode_107,
    108: decode_108,
    109: decode_109,
    110: decode_110,
    111: decode_111,
    112: decode_112,
    113: decode_113,
    114: decode_114,
    115: decode_115,
    116: decode_116,
    117: decode_117,
    118: decode_118,
    119: decode_119,
    120: decode_120,
    121: decode_121,
    122: decode_122,
    123: decode_123,
    124: decode_124,
    125: decode_125,
    126: decode_126,
    127: decode_127,
    128: decode_128,
    129: decode_129,
    130: decode_130,
    131: decode_131,
    132: decode_132,
    133: decode_133,
    134: decode_134,
    135: decode_135,
    136: decode_136,
    137: decode_137,
    138: decode_138,
    139: decode_139,
    140: decode_140,
    141: decode_141,
    142: decode_142,
    143: decode_143,
    144: decode_144,
    145: decode_145,
    146: decode_146,
    147: decode_147,
    148: decode_148,
    149: decode_149,
    150: decode_150,
    151: decode_151,
    152: decode_152,
    153: decode_153,
    154: decode_154,
    155: decode_155,
    156: decode_156,
    157: decode_157,
    158: decode_158,
    159: decode_159,
    160: decode_160,
    161: decode_161,
    162: decode_162,
    163: decode_163,
    164: decode_164,
    165: decode_165,
    166: decode_166,
    167: decode_167,
    168: decode_168,
    169: decode_169,
    170: decode_170,
    171: decode_171,
    172: decode_172,
    173: decode_173,
    174: decode_174,
    175: decode_175,
    176: decode_176,
    177: decode_177,
    178: decode_178,
    179: decode_179,
    180: decode_180,
    181: decode_181,
    182: decode_182,
    183: decode_183,
    184: decode_184,
    185: decode_185,
    186: decode_186,
    187: decode_187,
    188: decode_188,
    189: decode_189,
    190: decode_190,
    191: decode_191,
    192: decode_192,
    193: decode_193,
    194: decode_194,
    195: decode_195,
    196: decode_196,
    197: decode_197,
    198: decode_198,
    199: decode_199,
    200: decode_200,
    201: decode_201,
    202: decode_202,
    203: decode_203,
    204: decode_204,
    205: decode_205,
}
ENCODERS: dict[Any, Any] = {
    m.Began: encode_1,
    m.InputParked: encode_2,
    m.EntryBooked: encode_59,
    m.MarkPublished: encode_191,
    m.SubmitOrder: encode_165,
    m.CancelOrder: encode_6,
    m.CancelAllOrders: encode_7,
    m.RequestTransfer: encode_8,
    m.OrderAccepted: encode_166,
    m.OrderRejected: encode_167,
    m.DecisionRepeated: encode_11,
    m.CancelRequested: encode_205,
    m.CancelRefused: encode_13,
    m.CreditUpdated: encode_193,
    m.ReservationReleased: encode_113,
    m.TransferApproved: encode_16,
    m.TransferRejected: encode_17,
    m.OrderRouted: encode_169,
    m.OrderNotRouted: encode_19,
    m.OrderAcknowledged: encode_20,
    m.OrderFilled: encode_170,
    m.OrderCancelled: encode_22,
    m.OrderExpired: encode_23,
    m.OrderRejectedByVenue: encode_24,
    m.OutcomeUnknown: encode_25,
    m.CancelRouted: encode_26,
    m.CancelRejectedByVenue: encode_27,
    m.ParkedRecord: encode_28,
    m.ReconciliationCompleted: encode_29,
    m.SetInstrument: encode_195,
    m.OpenAccount: encode_31,
    m.SetLimits: encode_32,
    m.SetFees: encode_82,
    m.SetTradingState: encode_34,
    m.CreateApiKey: encode_35,
    m.RevokeApiKey: encode_36,
    m.InstrumentSet: encode_197,
    m.AccountOpened: encode_38,
    m.LimitsSet: encode_39,
    m.FeesSet: encode_84,
    m.TradingStateSet: encode_41,
    m.ApiKeyCreated: encode_42,
    m.ApiKeyRevoked: encode_43,
    m.ReferenceRejected: encode_44,
    m.Snapshot: encode_45,
    m.CheckpointSigned: encode_46,
    m.ReleaseParked: encode_47,
    m.DismissParked: encode_48,
    m.ParkedDismissed: encode_50,
    m.ReleaseRefused: encode_51,
    m.AccountHalted: encode_53,
    m.AccountReopened: encode_54,
    m.TakeContractFact: encode_55,
    m.ApplyContractFact: encode_56,
    m.BookTrade: encode_85,
    m.CorrectEntry: encode_58,
    m.ContractFactTaken: encode_60,
    m.ClearingRefused: encode_61,
    m.TellTrade: encode_150,
    m.EndTrade: encode_67,
    m.ConfirmLeg: encode_68,
    m.TradeChanged: encode_157,
    m.LegConfirmed: encode_70,
    m.LegsAskedAgain: encode_71,
    m.SetMarginClass: encode_73,
    m.SetCollateral: encode_74,
    m.MarginClassSet: encode_75,
    m.CollateralSet: encode_76,
    m.FixingsDue: encode_77,
    m.ContractFixed: encode_78,
    m.FixingMissing: encode_79,
    m.FactSent: encode_80,
    m.AskLeg: encode_86,
    m.AnswerLeg: encode_87,
    m.TellLeg: encode_88,
    m.ReleaseLeg: encode_89,
    m.MoveLeg: encode_90,
    m.EndMove: encode_91,
    m.AgreeMoves: encode_92,
    m.CompressLegs: encode_93,
    m.NetPayments: encode_94,
    m.LegChanged: encode_96,
    m.LegAnswered: encode_97,
    m.MoveChanged: encode_98,
    m.MovesAgreed: encode_99,
    m.LegsCompressed: encode_100,
    m.PaymentsNetted: encode_201,
    m.LegAssessed: encode_102,
    m.LegReleased: encode_103,
    m.ReviewMargin: encode_104,
    m.ActOnCall: encode_105,
    m.MarginRun: encode_106,
    m.MarginReviewed: encode_107,
    m.MarginCallChanged: encode_108,
    m.LiquidationChanged: encode_199,
    m.LiquidationEnded: encode_110,
    m.RestrictionEnded: encode_188,
    m.SetCallTerms: encode_115,
    m.CallTermsSet: encode_116,
    m.CloseOut: encode_117,
    m.SidesClosedOut: encode_118,
    m.SetAccountTerms: encode_119,
    m.AccountTermsSet: encode_120,
    m.OpenRound: encode_121,
    m.AskRound: encode_122,
    m.TellRound: encode_154,
    m.SettleRound: encode_155,
    m.ConfirmRound: encode_125,
    m.RunRound: encode_156,
    m.MoveFund: encode_127,
    m.DeclareDefault: encode_128,
    m.RoundOpened: encode_129,
    m.RoundAnswered: encode_161,
    m.RoundGathered: encode_162,
    m.RoundDecided: encode_163,
    m.RoundSettling: encode_164,
    m.RoundSettled: encode_134,
    m.RoundConfirmed: encode_135,
    m.RoundAskedAgain: encode_136,
    m.RoundRepeated: encode_137,
    m.DefaultChanged: encode_204,
    m.TakeParcel: encode_171,
    m.TellParcel: encode_172,
    m.BookLeg: encode_173,
    m.StartAuction: encode_142,
    m.BidAuction: encode_143,
    m.EndAuction: encode_144,
    m.ParcelAnswered: encode_174,
    m.ParcelsAskedAgain: encode_146,
    m.AuctionChanged: encode_202,
    m.SetMember: encode_181,
    m.MemberSet: encode_183,
    m.EndBilateral: encode_151,
    m.StartCompression: encode_152,
    m.AnswerCompression: encode_153,
    m.BilateralChanged: encode_158,
    m.CompressionChanged: encode_159,
    m.DeleveragingChanged: encode_176,
    m.ActOnPorting: encode_177,
    m.RoundRequested: encode_179,
    m.PortingChanged: encode_180,
    m.SetMemberLimit: encode_182,
    m.MemberLimitSet: encode_184,
    m.SetMemberDefaulted: encode_189,
    m.MemberDefaulted: encode_190,
    m.MarkWithheld: encode_192,
    m.FundingAccrued: encode_194,
    m.SetSettlementCalendar: encode_196,
    m.SettlementCalendarSet: encode_198,
    m.WaiveOrders: encode_203,
}
