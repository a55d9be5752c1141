"""The notary: what was the tape, so that nobody can change it later without being found out?

Owns `audit.checkpoints` (one partition). Reads every partition that checkpoints cover (`truetape.topics.SEALED`), byte
by byte, through a session of its own; it is in nobody's way. Writes `CheckpointSigned`: size, Merkle root and end of
the hash chain of each partition that grew, signed with its Ed25519 key. Each goes on the tape first, then into the
witness file outside Kafka and, by its digest, into the notary's log.

Invariants: checkpoints are numbered without gaps and each names the digest of the one before; no partition ever
shrinks; nothing is signed of which the witness knows more than the tape.
"""
