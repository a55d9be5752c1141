"""Clearing: the double-entry ledger of clients, venues, the house and the outside world.

Owns: `clearing.entries`, the journal; its fold is every balance and every position of the partition's accounts.
Reads: `orders.executions` (fills), `orders.decisions` (approved transfers, what risk says of legs),
`clearing.commands` (what operators decide of parked inputs, trades with the clearing house and of two accounts, legs,
corrections, facts about contracts), the house's fees and the terms of contracts from `reference.events`, marks.
Writes: `EntryBooked`, one per fill, per transfer, per leg, and per account that a fact concerns, each naming what it
books and the rule that made it; `ContractFactTaken`; `TradeChanged`, `MoveChanged`, `LegAnswered` and `LegConfirmed`,
the life of a trade of two, give-up or allocation; `LegChanged`, a leg in its account's partition; `ParkedDismissed`,
`ReleaseRefused` and `ClearingRefused`, other answers. Between its partitions: commands on `clearing.commands`.
`SidesClosedOut`: long contracts of a hedging account against its short ones.
Keeps: balances per ledger account and asset or contract, positions per client and instrument with what of their profit
was paid and the funding index they reached, the fact that is being applied, the ids booked last, trades of two, and the
parked inputs of each halted account.

Margin: `MarginRun` lists who needs an action, then one decision each: `MarginCallChanged`, `LiquidationChanged` and
`LiquidationEnded`, entries of fees and of the insurance fund; `SubmitOrder` on `orders.commands` for what is sold.

Auction, default: `AuctionChanged` and `ParcelAnswered`, what of an account is sold to whom; `DeleveragingChanged`, what
is closed against whom; `DefaultChanged`, from its declaration to what comes back; `RoundOpened` to
`RoundConfirmed`, what all partitions are asked for and book.

Where: `core.py` decides, `state.py` is what it decides on, `session.py` sends what follows, `clock.py` says whose turn
a tick is, `books.py` cuts the books by account. `booking/` has entries, positions, contracts, facts and what has to be
paid; `margining/` who is short and who is called; `closeout/` liquidation, auction and deleveraging; `defaults/` the
waterfall, the funds and porting; `otc/` trades of two; `across/` how partitions ask each other.

Invariants:
- the lines of every entry sum to zero per asset and per contract, and so do all balances of a partition;
- a fact about a contract reaches every account with a position once, before any other input of the partition;
- a fill or transfer is booked once, under its own id;
- a client's position is the sum of its signed fills; its cost minus its realised profit is what it paid for them;
- rounding goes against the client, and what it leaves is in `house:rounding`;
- a novated trade is one record; each leg is booked once, in its own account's partition, and asked for until it is;
- no leg is booked before every account of its trade has said yes and risk has reserved what it needs;
- once an input of an account is parked, its later ones park behind it, until an operator has booked or dismissed each:
  nothing is skipped, nothing overtakes.
"""
