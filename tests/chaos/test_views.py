"""The views dropped, and put back from an older backup, while everybody goes on: catalogue 26 and 27."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.chaos.catalogue import Trial
from tests.chaos.criterion import rows
from tests.chaos.load import Level
from tests.chaos.scenario import Run, scenario
from tests.chaos.stage import Stage, wait_until

pytestmark = pytest.mark.timeout(1800)
SINCE_BACKUP: Final[Mapping[Level, int]] = {"idle": 10, "light": 200, "full": 1_000}
"""Fills between the backup and the day on which it is needed."""
FILLS = "SELECT count(*) FROM view.fills"


@pytest.mark.only_make_chaos
def test_the_views_are_dropped(stage: Stage, trial: Trial) -> None:
    """The projection finds nothing and reads the tape from its beginning; then a rebuild finds what it made equal."""
    with scenario(stage, trial) as run:
        with run.fault("kill -9 projection, DROP SCHEMA view, start"):
            stage.stack.kill("projection")
            drop(stage)
            stage.stack.start("projection")
        rebuilt(run)


@pytest.mark.only_make_chaos
def test_an_older_backup_is_restored(stage: Stage, trial: Trial, tmp_path: Path) -> None:
    """The views go on from the positions that the backup itself holds."""
    with scenario(stage, trial) as run:
        backup = tmp_path / "views.dump"
        program(stage, "pg_dump", "--format=custom", f"--file={backup}")
        kept = fills(stage)
        more = SINCE_BACKUP[trial.load]
        wait_until(lambda: fills(stage) > kept + more, f"{more} more fills than in the backup")
        with run.fault("kill -9 projection, drop the views, pg_restore, start"):
            stage.stack.kill("projection")
            lost = fills(stage)
            drop(stage)
            program(stage, "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={database(stage)}", str(backup))
            run.notes["fills_read_again"] = lost - fills(stage)
            stage.stack.start("projection")
        rebuilt(run)


def drop(stage: Stage) -> None:
    with psycopg.connect(stage.postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA view CASCADE")


def fills(stage: Stage) -> int:
    return int(rows(stage, FILLS)[0][0])


def rebuilt(run: Run) -> None:
    """`truetape rebuild postgres` under load: equal, and how fast."""
    began = time.monotonic()
    status, [told] = run.stage.cli("rebuild", "postgres", "--json", timeout=900)
    assert (status, told["verdict"]) == (0, "equal"), told
    run.notes["rebuild"] = (
        f"{told['records']} records in {told['seconds']:.1f} s, {told['records'] / told['seconds']:.0f}/s, equal"
    )
    run.notes["rebuild_seconds"] = round(time.monotonic() - began, 1)


def database(stage: Stage) -> str:
    return urlsplit(stage.postgres).path.strip("/")


def program(stage: Stage, name: str, *arguments: str) -> None:
    """A program of PostgreSQL's, told by its environment where the database is."""
    where = urlsplit(stage.postgres)
    environment: dict[str, Any] = dict(os.environ) | {
        "PGHOST": "127.0.0.1", "PGPORT": str(where.port), "PGUSER": where.username or "",
        "PGPASSWORD": where.password or "", "PGDATABASE": database(stage),
    }  # fmt: skip
    done = subprocess.run([name, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
