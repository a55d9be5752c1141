"""Pricing: one mark per instrument, taken from the venues' books; and from the marks what contracts owe.

Owns: market.marks. Reads: the reference table; the venues' order books, through sessions of its own.
Writes: MarkPublished: the median of the fresh books that agree, with every venue as evidence; MarkWithheld where too
few do. By the contracts' schedules FixingsDue, and for each fact that is due ContractFixed (settlement price, funding
rate, expiry, with what it was made of) or FixingMissing. After a ContractFixed: TakeContractFact to every partition
of clearing.commands; FactSent once all are delivered.
Keeps: the time of the last mark of each instrument, its prices of the last hour, how far each contract's facts have
been made, which facts are due, and which may not have been sent.

Invariants: no mark without as many live books as the instrument asks for; at most one mark per instrument and
interval; while a book session lives, a mark at least every REPUBLISH_SECONDS, so that a quiet market does not look
like a dead one; a fact that is due is made or said to be missing, once, under an id that follows from contract, kind
and time; a fact that was made is sent to every partition, again after a crash.
"""
