"""Large blocks get a mapping of their own, also after larger ones were freed."""

import ctypes
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys
from truetape import heap

class Told(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b used free top".split()]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Told
if sys.argv[1] == "steady":
    heap.steady()
for _ in range(3):
    bytes(8_000_000)
before = mallinfo().hblkhd
kept = bytes(1_000_000)
print(mallinfo().hblkhd - before >= 1_000_000)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="a C library without mallinfo2")
@pytest.mark.parametrize(("how", "own"), [("steady", "True"), ("as it is", "False")])
def test_a_large_block_has_a_mapping_of_its_own(how: str, own: str) -> None:
    answer = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == own
