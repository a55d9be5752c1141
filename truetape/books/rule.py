"""The reader's rule (docs: the tape protocol) over columns: which records of one partition count, which are void."""

import numpy as np

from truetape.columns import Bools, Ints

SEQUENCES_MAX = 1 << 42


class Rule:
    """Applies the rule to one partition, batch after batch."""

    def __init__(self) -> None:
        self.epoch = self.sequence = self.voids = 0
        self.gap = ""
        """What was expected and what was found where records are missing; nothing counts behind it."""

    def accept(self, epochs: Ints, sequences: Ints, began: Bools) -> Bools:
        """Which of these records count. Up to the first gap the highest sequence seen is the last one accepted, for
        what is void is never higher: so running maxima say what a loop over all records would."""
        if not len(epochs):
            return began
        high = np.maximum.accumulate(np.concatenate([[self.epoch], np.where(began, epochs, 0)]))
        before = high[:-1]
        begins = began & (epochs > before)
        same = ~began & (epochs == before)
        segment = np.cumsum(begins) * SEQUENCES_MAX
        marks = segment + np.where(same, np.clip(sequences, 0, SEQUENCES_MAX - 1), 0)
        last = np.maximum.accumulate(np.concatenate([[self.sequence], marks]))[:-1] - segment
        missing = (same & (sequences > last + 1)) | (~began & (epochs > before))
        accepted: Bools = begins | (same & (sequences == last + 1))
        end = int(np.argmax(missing)) if missing.any() else len(epochs)
        if end < len(epochs):
            accepted[end:] = False
            self.gap = (
                f"expected epoch {before[end]} sequence {last[end] + 1} or a Began, found epoch {epochs[end]} "
                f"sequence {sequences[end]}"
            )
        if (rows := np.flatnonzero(accepted)).size:
            self.epoch = int(epochs[rows[-1]])
            self.sequence = 0 if began[rows[-1]] else int(sequences[rows[-1]])
        self.voids += end - rows.size
        return accepted
