"""Randomness of services and venues, in one place. The simulation puts each node's seeded source here.

Call these through the module (`chance.token_hex(16)`), never by an imported name, so that they can be exchanged.
What is drawn from a seed of its own (order flow, planted faults) needs no seam.
"""

import random
import secrets
from collections.abc import Callable

token_hex: Callable[[int], str] = secrets.token_hex
"""So many unguessable bytes, as hexadecimal text."""
token_urlsafe: Callable[[int], str] = secrets.token_urlsafe
"""So many unguessable bytes, as base64 text without padding."""
uniform: Callable[[float, float], float] = random.uniform
"""A float between two bounds, for waits that must not fall in step; guessable."""
