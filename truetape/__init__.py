"""The library: the tape, the contract, money, and what every service shares. It never imports a service."""
