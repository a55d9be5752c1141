"""Rebuilding: what is no truth is built again from the tape, compared with what there was, and put in its place.

The library rebuilds the services' snapshots; a view is rebuilt by the function that its owner names in the entry points
group `truetape.rebuilds`. Nobody stops for it.
"""

from truetape.rebuild.result import Rebuild, Rebuilt, Told
from truetape.rebuild.shelf import rebuild_snapshots

__all__ = ["Rebuild", "Rebuilt", "Told", "rebuild_snapshots"]
