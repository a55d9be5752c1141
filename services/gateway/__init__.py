"""The gateway: the border between clients and the tape.

Owns: reference.events (instruments, accounts, limits, fees, kill switch, hashes of API keys).
Reads: reference.commands; the ends of orders.decisions, orders.executions and clearing.entries; the views.
Writes: orders.commands and reference.commands, for clients; its projection writes PostgreSQL and Redis.
Keeps: the reference table; submissions that wait for risk (bounded); the newest decisions (bounded).

Invariants: a command id gives one event; an order id comes from account and client order id, so a retry is the same
order; an unknown outcome is told as unknown; no answer is given before its decision is on the tape, and a read after
an answer sees it. The views are disposable: replayed from the tape they have the same rows.
"""
