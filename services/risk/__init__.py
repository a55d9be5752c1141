"""Risk: the one place where an order is accepted or rejected, and where credit is reserved.

Owns: `orders.decisions`; its fold is every account's credit: balances, reservations, open orders, decisions made.
Reads: `orders.commands`, `orders.executions` (ends of orders), `clearing.entries` (balances, legs), reference, marks.
Writes: the answer to each command, `CreditUpdated` for each entry, `ReservationReleased` when an order ends,
`LegAssessed` and `LegReleased` for legs of trades with the clearing house (legs.py),
`CancelRequested` and `RestrictionEnded` as a liquidation closes an account to its own orders and is over,
and the same for the clients of a member in default, whose orders only reduce until they have another one (porting.py),
`AccountHalted` and `AccountReopened` as clearing halts an account's ledger and has resolved what it parked.
Keeps: per account the balances, open reservations, and the newest decisions and transfers, to answer a repeated one.

Invariants:
- an order id is decided once; a repeated submission gets the decision already made;
- what is reserved in an asset is the sum of the account's open reservations in it, and never negative;
- an order's reservation is what its rest can still cost, and zero when it has ended and its fills are cleared;
- an order in a contract is accepted when equity covers initial margin of the worst fills of all open orders;
- balances move by clearing's entries alone;
- an account whose ledger is halted takes no new order and no withdrawal;
- an account under liquidation takes the liquidation's orders alone, and those only reduce what it holds;
- a client whose member is in default takes orders that only reduce, until it has another member;
- cancels pass in every trading state, halted or not.
"""
