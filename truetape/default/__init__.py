"""What happens when an account cannot pay: calls, liquidation, deleveraging, the waterfall, porting. All of it pure.

Integers in units of 1e-8 that are neither lost nor made: every function here says what it moves from whom to whom, and
its sum is asserted. clearing books what they decide; `truetape drill default` runs them on recorded books.
"""
