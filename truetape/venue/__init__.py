"""Venues as the services see them.

Owns: the normalised reports, the adapter interface, the Binance spot dialect, order books with snapshot and
sequence recovery. Reads and writes: nothing of Kafka; only the venue's REST and websocket interfaces.
Keeps: connections, the venue's clock offset, its rate limits, its books; nothing that a restart may not lose.
"""
