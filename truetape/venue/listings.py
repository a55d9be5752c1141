"""Which symbols a venue lists, by the reference table."""

from truetape.messages import Listing
from truetape.reference import Reference


def symbols_of(reference: Reference, venue: str) -> frozenset[str]:
    """The venue's symbols of every instrument that it lists. May be called by another thread than the table's."""
    return frozenset(listing.symbol for _, listing in listings_of(reference) if listing.venue == venue)


def listings_of(reference: Reference) -> list[tuple[str, Listing]]:
    """(instrument id, listing) of every instrument and venue."""
    instruments = tuple(reference.instruments.values())
    return [(instrument.instrument_id, listing) for instrument in instruments for listing in instrument.listings]
