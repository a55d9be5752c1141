"""Tamper evidence: what a record is to a hash, the Merkle tree over a partition, signed checkpoints, and their witness.

Nothing here reads Kafka: who has a checkpoint and a proof needs neither the broker nor the services.
docs/audit.md says what it proves and what not.
"""
