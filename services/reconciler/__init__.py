"""The reconciler: are the books what the venues say?

Owns `reconciliation.breaks` (one partition). Reads `clearing.entries` and `orders.executions`, all partitions, as a
view by the reader's rule, and the venues through read-only sessions of its own. Writes `ReconciliationCompleted` for
each venue: what was compared, which breaks opened, which closed.

Invariants: it can write nowhere but on its own topic; a difference is never adjusted; the same difference has the same
break id; a difference younger than the grace period is timing, not a break; what the matched and unmatched fills do
not explain of a balance is a break.
"""
