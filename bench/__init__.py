"""Benchmarks: `python -m bench.NAME [--quick]`. Progress on stderr, one JSON object as the last line of stdout.

Each measures its baseline in the same run, so that the ratio means something on a noisy machine.
"""
