"""The books: entries, balances, positions, contracts and what happens to them, and what has to be paid."""
