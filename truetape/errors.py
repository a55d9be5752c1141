"""The error tree. Everything Truetape raises on purpose derives from TruetapeError.

    TruetapeError
    ├── MoneyError              a number that cannot be money
    ├── ContractError           a derivative's terms or prices do not allow what was asked
    │   ├── PriceNotPositive
    │   ├── FixingMissing       no settlement price can be made of what was seen
    │   ├── FundingRefused
    │   └── CollateralRefused
    ├── SchemaError             bytes or types that the contract does not know
    │   ├── UndecodableRecord
    │   ├── Unencodable
    │   ├── UnknownSchema
    │   ├── WrongType
    │   └── IncompatibleSchema
    ├── TapeError               the tape cannot be read or written as the protocol demands
    │   ├── TapeGap             records are missing
    │   ├── TopicMissing
    │   ├── PartitionCountWrong
    │   ├── RestoreTimedOut
    │   └── CorruptRecord       bytes on the broker's disk have changed
    ├── MomentUnknown           a place or time that the tape does not have
    ├── AccountUnknown          no such account
    ├── EvidenceError           signed evidence is missing, forged, or of another tape
    │   └── ProofInvalid
    ├── MarginError             margin cannot be computed
    │   ├── MarginInputMissing
    │   │   └── MarkWanted      no mark, or no fresh one
    │   ├── MarginInputInvalid
    │   │   └── RiskArraysInvalid
    │   ├── MarginPositionUnfit
    │   │   └── MarginOrdersTooMany
    │   └── MarginModelUnknown
    ├── BrokerUnavailable       Kafka does not answer
    ├── Overloaded              a bound is reached; come back later
    ├── VenueError              the venue refused, or cannot be understood
    └── SetupError              the machine or the configuration lacks something

An expected outcome (a rejected order) is an event, never an exception; a broken invariant is an
assertion. What is here comes from the outside world. Each message says what to do next.
"""


class TruetapeError(Exception):
    """Root of all errors raised on purpose."""


class MoneyError(TruetapeError):
    """A number that does not fit: not a plain decimal, finer than 1e-8, or beyond 64 bits."""


class ContractError(TruetapeError):
    """A derivative's terms or prices do not allow what was asked."""


class PriceNotPositive(ContractError):
    """An inverse contract at a price of zero or below."""


class FixingMissing(ContractError):
    """Too few prices inside the window, and no fallback: an operator has to set the settlement price."""


class FundingRefused(ContractError):
    """A funding rate or interval outside what the contract allows."""


class CollateralRefused(ContractError):
    """An asset that cannot be collateral as it stands: no terms, no price, or an impossible quantity."""


class SchemaError(TruetapeError):
    """Bytes or types that the schemas do not know."""


class UndecodableRecord(SchemaError):
    """Not the wire format, truncated, or with bytes left over."""


class Unencodable(SchemaError):
    """A value that does not fit its schema, such as a number beyond 64 bits."""


class UnknownSchema(SchemaError):
    """A schema id that schemas.lock does not list."""


class WrongType(SchemaError):
    """A known record that does not belong on this topic."""


class IncompatibleSchema(SchemaError):
    """A schema change that some released reader or writer could not live with."""


class TapeError(TruetapeError):
    """The tape cannot be read or written as the protocol demands."""


class TapeGap(TapeError):
    """Records are missing: truncation, unclean election, retention or the wrong topic."""


class TopicMissing(TapeError):
    """A topic of the registry does not exist on the broker."""


class PartitionCountWrong(TapeError):
    """A topic has another number of partitions than the registry says."""


class RestoreTimedOut(TapeError):
    """The end of a partition was not reached before the deadline."""


class CorruptRecord(TapeError):
    """A record's bytes on the broker's disk no longer have their checksum."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(
            f"{place}: {detail}: the bytes on the broker's disk have changed. Restore the topic from a replica or "
            "backup before anything reads on."
        )


class MomentUnknown(TruetapeError):
    """A place beyond the end of the tape, or a time before its beginning or in the future."""


class AccountUnknown(TruetapeError):
    """An account that nobody has opened."""


class AssetUnknown(TruetapeError):
    """An asset that no instrument trades or settles in and no collateral names."""


class InstrumentUnknown(TruetapeError):
    """An instrument, or a contract, that the reference data does not have."""


class OrderUnknown(TruetapeError):
    """An order that is not on the tape."""


class EvidenceError(TruetapeError):
    """Signed evidence is missing, forged, or does not belong to this tape."""


class ProofInvalid(EvidenceError):
    """A proof does not lead from the record to the signed root."""


class MarginError(TruetapeError):
    """Margin cannot be computed. Nothing is assumed instead."""


class MarginInputMissing(MarginError):
    """The market lacks a price, volatility or rate that a position needs."""


class MarkWanted(MarginInputMissing):
    """There is no mark, or no fresh one, for a position that counts."""

    def __init__(self, instrument_id: str, age_us: int | None) -> None:
        what = "no mark" if age_us is None else f"no fresh mark (the newest is {age_us} us old)"
        super().__init__(f"{what} of {instrument_id}: margin cannot be computed until one is published")
        self.instrument_id, self.age_us = instrument_id, age_us


class MarginInputInvalid(MarginError):
    """A price, volatility, rate or confidence out of the range that the model allows."""


class RiskArraysInvalid(MarginInputInvalid):
    """A file of risk arrays that cannot be read, or that contradicts itself."""


class MarginPositionUnfit(MarginError):
    """A position of a kind or with a quantity that the model does not cover."""


class MarginOrdersTooMany(MarginPositionUnfit):
    """More open orders than the model can look at together."""


class MarginModelUnknown(MarginError):
    """No margin model of that name is registered."""


class BrokerUnavailable(TruetapeError):
    """Kafka does not answer."""


class Overloaded(TruetapeError):
    """A bound is reached; try again later."""


class VenueError(TruetapeError):
    """A venue refused a request or sent what cannot be understood."""


class SetupError(TruetapeError):
    """The machine or the configuration lacks something; the message says how to get it."""
