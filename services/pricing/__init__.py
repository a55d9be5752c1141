"""Pricing: one mark per instrument, taken from the venues' books.

Owns: market.marks. Reads: the reference table; the venues' order books, through sessions of its own.
Writes: MarkPublished: the mid of the freshest uncrossed book, with venue, sequence and age.
Keeps: the time of the last mark of each instrument.

Invariants: no mark without a live book; at most one mark per instrument and interval; while a book session lives, a
mark at least every REPUBLISH_SECONDS, so that a quiet market does not look like a dead one.
"""
