"""A copy of the account's events that misses none and has none twice, whatever is restarted: it keeps the last id.

    TRUETAPE_KEY=tk-... .venv/bin/python examples/follow_events.py events.jsonl [COUNT]

It waits for what happens from now on: trade beside it. Stop it, trade, and start it again: it goes on after the
last line of the file.
"""

import json
import sys
from itertools import islice
from pathlib import Path

from truetape.trader import trader

file = Path(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
lines = file.read_text().splitlines() if file.exists() else []
after = json.loads(lines[-1])["stream_id"] if lines else None
with trader() as client, file.open("a") as out:
    for event in islice(client.events(after), count):
        row = {"stream_id": event.stream_id, "at": event.at, "type": event.type, "fields": event.fields}
        print(json.dumps(row), file=out, flush=True)  # Line and id go to disk together.
        print(event.at, event.type)
