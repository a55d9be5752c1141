"""What is installed: services, views and what rebuilds them, by their entry points. The library imports no service."""

from importlib.metadata import entry_points
from typing import Any

from truetape.errors import SetupError

SERVICES = "truetape.services"
VIEWS = "truetape.views"
REBUILDS = "truetape.rebuilds"


def installed(group: str) -> dict[str, Any]:
    """What each entry point of a group names, by the entry point's name. Raises SetupError for one that cannot load."""
    found: dict[str, Any] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            raise SetupError(
                f"{point.name} of entry points {group} cannot be loaded ({error}): `pip install -e .` in the checkout"
            ) from error
    return found
