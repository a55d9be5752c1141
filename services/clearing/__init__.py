"""Clearing: the double-entry ledger of clients, venues, the house and the outside world.

Owns: `clearing.entries`, the journal; its fold is every balance and every position of the partition's accounts.
Reads: `orders.executions` (fills), `orders.decisions` (approved transfers), `clearing.commands` (what operators decide
of parked inputs), the house's fees from `reference.events`.
Writes: `EntryBooked`, one per fill and one per transfer, each naming what it books and the rule that made it;
`ParkedDismissed` and `ReleaseRefused`, the other answers to operators.
Keeps: balances per ledger account and asset, positions per client and instrument, the ids booked last, and the parked
inputs of each halted account.

Invariants:
- the lines of every entry sum to zero per asset, and so do all balances of a partition;
- a fill or transfer is booked once, under its own id;
- a client's position is the sum of its signed fills; its cost minus its realised profit is what it paid for them;
- rounding goes against the client, and what it leaves is in `house:rounding`;
- once an input of an account is parked, its later ones park behind it, until an operator has booked or dismissed each:
  nothing is skipped, nothing overtakes.
"""
