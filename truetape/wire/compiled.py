"""The compiled copy of this package: `python -m truetape.wire.compiled` builds it by mypyc, `codec` uses it.

It lives beside the installed packages under a name that carries the hash of the text it was made from, and is
used by no other text. Where it cannot be compiled nothing is built, and the plain modules do the same work.
"""

import contextlib
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

HERE: Final = Path(__file__).parent
SOURCES: Final = ("primitives.py", "records.py")


def name() -> str:
    """The package's name for today's text."""
    text = b"".join((HERE / source).read_bytes() for source in SOURCES)
    return f"truetape_wire_{hashlib.sha256(text).hexdigest()[:16]}"


def load() -> ModuleType:
    """The compiled records, or the plain ones where nobody has compiled this text; the other are not even read."""
    try:
        return importlib.import_module(f"{name()}.records")
    except ImportError:
        return importlib.import_module("truetape.wire.records")


def build(site: Path) -> bool:
    """Compile today's text into this folder unless that was done; False where it cannot be compiled."""
    if _whole(site):
        return True
    if shutil.which("cc") is None:
        return False
    with tempfile.TemporaryDirectory(dir=site) as folder:
        done = _compile(Path(folder))
        if done and not _whole(site):  # Another process may have been faster.
            shutil.rmtree(site / name(), ignore_errors=True)
            _install(Path(folder), site)
    return done


def _whole(site: Path) -> bool:
    """Whether the compiled package is there and can be imported: what its modules share is a file of its own, which a
    copy made meanwhile may lack."""
    if not (site / name()).exists():
        return False
    imported = subprocess.run([sys.executable, "-c", f"import {name()}.records"], cwd=site, capture_output=True)
    return imported.returncode == 0


def _compile(folder: Path) -> bool:
    """Whether mypyc and the C compiler did their work; Python's headers may be missing, or mypyc itself."""
    package = folder / name()
    package.mkdir()
    (package / "__init__.py").touch()
    for source in SOURCES:
        shutil.copy(HERE / source, package / source)
    files = [f"{package.name}/{source}" for source in SOURCES]
    options = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports"]
    done = subprocess.run([sys.executable, "-m", "mypyc", *options, *files], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2_000:] or done.stdout[-2_000:], file=sys.stderr)
    return done.returncode == 0


def _install(folder: Path, site: Path) -> None:
    """Move what was built, the package last and at once: whoever imports meanwhile finds all of it or nothing."""
    for source in SOURCES:
        (folder / name() / source).unlink()
    for library in folder.glob("*.so"):  # What the modules share.
        library.rename(site / library.name)
    with contextlib.suppress(OSError):  # Another process was faster, with the same text.
        (folder / name()).rename(site / name())


def main() -> None:
    """Compile, and say what is used from now on."""
    done = build(Path(sysconfig.get_path("platlib")))
    plain = "stays plain Python, ten times slower: a C compiler (cc), Python's headers and mypy would make it faster"
    print(f"wire: {name()} {'is compiled' if done else plain}", file=sys.stderr)


if __name__ == "__main__":
    main()
