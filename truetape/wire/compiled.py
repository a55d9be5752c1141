"""The compiled copy of this package: `python -m truetape.wire.compiled` builds it by mypyc, `codec` uses it.

It lives beside the installed packages under a name that carries the hash of the text it was made from, and is
used by no other text. Where there is no C compiler nothing is built, and the plain modules do the same work.
"""

import hashlib
import importlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Final

import structlog

from truetape.wire import records

HERE: Final = Path(__file__).parent
SOURCES: Final = ("primitives.py", "records.py")
_log = structlog.get_logger()


def name() -> str:
    """The package's name for today's text, and for the interpreter and libraries that it was compiled for."""
    text = b"".join((HERE / source).read_bytes() for source in SOURCES)
    return f"truetape_wire_{hashlib.sha256(text).hexdigest()[:16]}"


def load() -> ModuleType:
    """The compiled records, or the plain ones where nobody has compiled this text."""
    try:
        return importlib.import_module(f"{name()}.records")
    except ImportError:
        return records


def build() -> bool:
    """Compile today's text unless that was done; False where no C compiler is."""
    site = Path(sysconfig.get_path("platlib"))
    if load() is not records:
        return True
    if shutil.which("cc") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        _compile(Path(folder), site)
    importlib.invalidate_caches()
    return load() is not records


def _compile(folder: Path, site: Path) -> None:
    package = folder / name()
    package.mkdir()
    (package / "__init__.py").touch()
    for source in SOURCES:
        shutil.copy(HERE / source, package / source)
    files = [f"{package.name}/{source}" for source in SOURCES]
    options = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports"]
    command = [sys.executable, "-m", "mypyc", *options, *files]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for library in folder.glob("*.so"):  # What the modules share; it must be there before them.
        shutil.copy(library, site / library.name)
    shutil.copytree(package, site / package.name, dirs_exist_ok=True)


def main() -> None:
    """Compile, and say what is used from now on."""
    done = build()
    print(f"wire: {name()} {'is compiled' if done else 'stays plain Python: no C compiler (cc) here'}", file=sys.stderr)


if __name__ == "__main__":
    main()
