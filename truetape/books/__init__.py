"""The books computed again by columns: every fill, transfer and journal entry, all accounts, in exact integers.

A second opinion on what clearing wrote. It reads the tape with a decoder of its own (truetape/columns.py), applies the
reader's rule with code of its own (rule.py), and knows docs/ledger.md, not services/clearing.
"""

from truetape.books.report import BooksReport
from truetape.books.run import audit_books

__all__ = ["BooksReport", "audit_books"]
