"""The smoke test of a deployment: can each part be reached and used? `make smoke` runs it.

It reads the same settings as `pleiades`, costs one unit for each key, and leaves nothing. Does not belong here: checks of
stored data (`pleiades doctor`), tests of the smoke test (tests/faults/test_smoke.py).
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pleiades_core.errors import NotFound, PleiadesError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.settings import Settings, load_settings
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database, dagster_urls, database_url, ensure_database

pytestmark = pytest.mark.smoke


@contextlib.contextmanager
def _plain_failure() -> Iterator[None]:
    """Turn an error of Pleiades into a failure that shows its message and its cure, without a traceback."""
    try:
        yield
    except PleiadesError as error:
        raise pytest.fail.Exception(f"{error}\n-> {error.cure}", pytrace=False) from None


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of the deployment. A missing deployment is a failure: a smoke test that tests nothing must not pass."""
    with _plain_failure():
        settings = load_settings()
    if settings.database.url is None and not settings.postgres_folder.is_dir():
        pytest.fail(
            f"no deployment: DATABASE_URL is not set, and there is no installation at {settings.home}\n"
            "-> set PLEIADES_HOME to the home of one, or run `pleiades init-db`",
            pytrace=False,
        )
    return settings


@pytest.fixture(scope="session")
def database(settings: Settings) -> Iterator[Database]:
    """The open database. An embedded server runs until the end of the session."""
    with contextlib.ExitStack() as stack:
        with _plain_failure():
            opened = Database(stack.enter_context(database_url(settings)))
            opened.open()
        stack.callback(opened.close)
        yield opened


@pytest.fixture
def pleiades(settings: Settings, database: Database) -> Iterator[Installation]:
    """The open installation. The schema is checked first, because opening migrates an embedded database."""
    with contextlib.ExitStack() as stack:
        with _plain_failure():
            database.check()
            opened = stack.enter_context(open_installation(settings))
        yield opened


def test_the_database_has_the_schema_of_this_program(database: Database) -> None:
    with _plain_failure():
        database.check()


def test_the_vault_returns_a_written_object(pleiades: Installation) -> None:
    key, content = f"smoke-{uuid.uuid4().hex}", uuid.uuid4().bytes * 4096
    for place in (pleiades.vault.journal, pleiades.vault.archive):
        with _plain_failure():
            try:
                place.put_if_absent(key, content)
                assert sha256_of(place.read(key)) == sha256_of(content)
            finally:
                place.delete(key)
            with pytest.raises(NotFound):
                place.read(key)


def test_youtube_accepts_every_key_in_use(pleiades: Installation) -> None:
    """`pleiades doctor --call` makes the same calls: one general unit for each key."""
    with _plain_failure():
        checks = pleiades.youtube().check_keys()
    assert checks
    if refused := [check for check in checks if not check.ok]:
        said = "\n".join(f"key {check.fingerprint} of {check.project}: {check.found}\n-> {check.cure}" for check in refused)
        pytest.fail(said, pytrace=False)


def test_dagster_reads_its_storage(settings: Settings, database: Database, tmp_path: Path) -> None:
    """Dagster opens an instance with the settings of `pleiades ui`, in a temporary folder instead of the deployment's.

    Its database is made where it is missing, as `pleiades ui` does: an installation that `pleiades add` made has none yet.
    """
    from pleiades_dagster.instance import INSTANCE, open_instance

    with _plain_failure():
        dagster = dagster_urls(settings, database.url)
        ensure_database(dagster.plain)
        # First without Dagster, whose own error is three tracebacks long.
        probe = Database(dagster.plain, max_connections=1)
        probe.open()
        probe.close()
    (tmp_path / "dagster.yaml").write_text(json.dumps(INSTANCE))
    with open_instance(tmp_path, {"DAGSTER_HOME": str(tmp_path), "DAGSTER_PG_URL": dagster.sqlalchemy}) as instance:
        assert instance.get_runs_count() >= 0
