"""The projection: turns the tape into PostgreSQL tables and Redis hot keys, which the gateway's reads are served from.

It reads reference.events, orders.commands, orders.decisions, orders.executions, clearing.entries, market.marks (newest
only) and reconciliation.breaks by the reader's rule, from the positions that stand in PostgreSQL beside the rows. Rows
and positions change in one transaction, so every record counts once. Nothing here is the truth: drop the schema
`view`, and the next start fills it again with the same rows.
"""
