"""The router: sends what risk accepted, to the venue that is cheapest now, and puts on the tape what came of it.

Owns: orders.executions. Reads: orders.decisions; the reference table; venue sessions and books of its own.
Writes: one intent per order before anything is sent, then acknowledgements, fills and one end per venue leg.
Keeps: every open order, and the last RETAINED_ORDERS ended ones, so that late fills are booked.

Invariants: nothing is sent without its OrderRouted in place, nothing twice, nothing after its deadline. A fill is
booked once, whichever way it came. An end never comes before the fills that it implies. A doubtful outcome is
UNKNOWN until the venue tells, never until a timeout. The rules are in docs/routing.md.
"""
