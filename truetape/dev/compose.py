"""Docker Compose's .env: random secrets when it is absent, and what a client on the host reads from it."""

import os
import secrets
from pathlib import Path

from truetape.dev.home import VENUES, read_environment
from truetape.dev.process import write_private
from truetape.errors import SetupError


def ensure_env_file(folder: Path) -> bool:
    """Write `.env` (0600) from `.env.example`, each empty value a random secret. False when there is one already.

    Raises SetupError naming secrets that an existing file leaves empty.
    """
    example, path = folder / ".env.example", folder / ".env"
    if path.exists():
        known = read_environment(path)
        lacking = [name for name in read_environment(example) if not known.get(name)]
        if lacking:
            raise SetupError(
                f"{path} says nothing for {', '.join(lacking)}: add them, or delete the file for a new one"
            )
        return False
    lines = [
        line + secrets.token_hex(24) if line.endswith("=") and not line.startswith("#") else line
        for line in example.read_text().splitlines()
    ]
    write_private(path, "\n".join(lines) + "\n")
    return True


def host_environment(folder: Path) -> dict[str, str]:
    """TRUETAPE_ settings with which a client on this host reaches the Compose stack of `folder`.

    As in Compose itself, our own environment goes before the file.
    """
    known = read_environment(folder / ".env")
    if not known:
        raise SetupError(f"there is no {folder / '.env'}: `make up` writes it and starts the stack")
    known |= {name: os.environ[name] for name in known if name in os.environ}
    here = {name: value for name, value in known.items() if name.startswith("TRUETAPE_")}
    for venue in VENUES:
        address = f"127.0.0.1:{known[f'{venue.upper()}_PORT']}"
        here[f"TRUETAPE_VENUES__{venue.upper()}__REST_URL"] = f"http://{address}"
        here[f"TRUETAPE_VENUES__{venue.upper()}__STREAM_URL"] = f"ws://{address}"
    postgres = f"truetape:{known['POSTGRES_PASSWORD']}@127.0.0.1:{known['POSTGRES_PORT']}"
    return here | {
        "TRUETAPE_NOTARY_FOLDER": "",  # It is in the notary's volume, not on this host.
        "TRUETAPE_KAFKA": f"127.0.0.1:{known['KAFKA_PORT']}",
        "TRUETAPE_POSTGRES": f"postgresql://{postgres}/truetape",
        "TRUETAPE_REDIS": f"redis://:{known['REDIS_PASSWORD']}@127.0.0.1:{known['REDIS_PORT']}/0",
    }
