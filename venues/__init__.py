"""Simulated trading venues that speak Binance's spot protocol, for development, tests and paper trading.

Owns: the order books, accounts, orders and trades of one venue per process, all in memory.
Reads: REST and websocket requests, API keys from the environment, a recording when it is given one.
Writes: market and user data streams.
Keeps: every asset adds up to what was deposited; nothing is filled at a worse price or out of turn.

Independent of the services: it knows nothing of Truetape but its money and its errors.
"""
