"""Trades of two: affirmed, novated or kept bilateral, moved, compressed."""
