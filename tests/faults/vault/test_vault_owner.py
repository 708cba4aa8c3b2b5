"""A vault is used with one database: a vid must never stand for two videos."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from support.rows import read_rows

from pleiades_core.errors import CorruptFile, ForeignVault, OlderDatabase, VaultError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import OWNER_KEY, REGISTRY
from pleiades_core.vault.owner import Owner, read_owner
from pleiades_core.vault.ownership import mark_vault, require_owned
from pleiades_core.vault.vault import open_vault

_REVISION_AND_VID = "select vault_revision, (select last_value from vid) from installation"


@pytest.fixture
def new_database(database_url: str, cluster: str) -> str:
    """The URL of a database that `pleiades init-db` has just made."""
    name = f"{conninfo_to_dict(database_url)['dbname']}_new"
    with psycopg.connect(cluster.replace("/template?", "/postgres?"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template").format(sql.Identifier(name)))
    url = cluster.replace("/template?", f"/{name}?")
    with psycopg.connect(url) as connection:
        # The tests' template is one installation, and so are its copies.
        connection.execute("update installation set installation_id = gen_random_uuid(), epoch = gen_random_uuid()")
        connection.execute("update epochs set epoch = (select epoch from installation)")
    return url


def _opened_with(pleiades: Installation, url: str) -> None:
    settings = pleiades.settings.changed(database__url=url)
    with open_installation(settings, clock=pleiades.clock):
        pytest.fail("it was opened")


def test_a_new_database_on_an_old_vault_is_refused_before_anything_is_claimed(
    pleiades: Installation, new_database: str
) -> None:
    """It gave every new video the number of an old one."""
    pleiades.hunter().hunt()
    before = read_rows(pleiades.vault, REGISTRY)
    with pytest.raises(ForeignVault, match="the database is new") as raised:
        _opened_with(pleiades, new_database)
    assert raised.value.exit_code == 10
    assert "restore" in raised.value.cure
    assert "PLEIADES_VAULT_URL" in raised.value.cure
    assert read_rows(pleiades.vault, REGISTRY).equals(before)


def test_a_vault_of_another_installation_is_refused(pleiades: Installation, new_database: str, tmp_path: Path) -> None:
    pleiades.hunter().hunt()
    other = Database(new_database)
    other.open()
    try:
        mark_vault(other, open_vault(tmp_path / "other"))
        with pytest.raises(ForeignVault, match=str(_installation(other))) as raised:
            require_owned(other, pleiades.vault)
    finally:
        other.close()
    assert raised.value.exit_code == 10


def test_an_older_copy_of_the_database_is_refused(pleiades: Installation) -> None:
    """Restored from a backup, it gave out again what had been given out since."""
    pleiades.hunter().hunt()
    with pleiades.database.transaction() as connection:
        revision, vid = connection.execute(_REVISION_AND_VID).fetchall()[0]
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.hunter().hunt()
    require_owned(pleiades.database, pleiades.vault)
    with pleiades.database.transaction() as connection:
        connection.execute("update installation set vault_revision = %s", [revision])
    _refused_as_older(pleiades)
    with pleiades.database.transaction() as connection:
        # As if only the sequence had been set back.
        connection.execute("update installation set vault_revision = %s", [revision + 1_000])
        connection.execute("select setval('vid', %s)", [vid])
    _refused_as_older(pleiades)


def _refused_as_older(pleiades: Installation) -> None:
    with pytest.raises(OlderDatabase) as raised:
        _opened_with(pleiades, pleiades.database.url)
    assert raised.value.exit_code == 6
    assert "restore" in raised.value.cure


@pytest.mark.parametrize("mark", ["removed", "older"])
def test_an_older_copy_of_the_database_is_refused_without_the_mark_or_with_an_older_one(
    pleiades: Installation, mark: str
) -> None:
    """By the highest vid of the registry: a backup of database and mark was put back beside newer files."""
    pleiades.hunter().hunt()
    with pleiades.database.transaction() as connection:
        revision, vid = connection.execute(_REVISION_AND_VID).fetchall()[0]
    older = pleiades.vault.archive.read(OWNER_KEY)
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.hunter().hunt()
    path = Path(pleiades.vault.archive.uri(OWNER_KEY))
    path.unlink() if mark == "removed" else path.write_bytes(older)
    with pleiades.database.transaction() as connection:
        connection.execute("update installation set vault_revision = %s", [revision])
        connection.execute("select setval('vid', %s)", [vid])
    for work in (pleiades.hunter, pleiades.tracker):
        with pytest.raises(OlderDatabase, match="the registry has"):
            work()


def test_a_file_of_another_installation_says_nothing_of_the_highest_vid(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    rows = read_rows(pleiades.vault, REGISTRY).slice(0, 1)
    foreign = rows.set_column(0, rows.schema.field("vid"), pa.array([10**9], pa.int64()))
    day = pleiades.clock.now().date()
    write_batch(pleiades.vault, REGISTRY, day, foreign, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    pleiades.hunter()


def test_the_mark_covers_every_vid_of_the_vault(pleiades: Installation) -> None:
    """Each portion of a hunt writes vids into the vault, so each moves the mark."""
    pleiades.hunter().hunt()
    marked = read_owner(pleiades.vault)
    assert marked
    assert marked.revision > 2
    assert marked.vid >= max(read_rows(pleiades.vault, REGISTRY).column("vid").to_pylist())


def test_the_mark_of_a_crash_between_database_and_vault_is_made_good(pleiades: Installation) -> None:
    """The database is ahead then, never behind."""
    mark_vault(pleiades.database, pleiades.vault)
    with pleiades.database.transaction() as connection:
        connection.execute("update installation set vault_revision = vault_revision + 1")
    require_owned(pleiades.database, pleiades.vault)
    mark_vault(pleiades.database, pleiades.vault)
    marked = read_owner(pleiades.vault)
    assert marked
    assert marked.revision == 3


def test_a_crash_before_the_first_mark_reaches_the_vault_is_made_good(
    pleiades: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(pleiades.vault.archive), "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            pleiades.hunter()
    assert read_owner(pleiades.vault) is None
    pleiades.hunter()
    assert read_owner(pleiades.vault)


def test_marks_of_many_at_once_only_move_forward(pleiades: Installation) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: mark_vault(pleiades.database, pleiades.vault), range(24)))
    marked = read_owner(pleiades.vault)
    assert marked
    assert marked.revision == 24
    require_owned(pleiades.database, pleiades.vault)


def test_opening_marks_nothing(pleiades: Installation) -> None:
    """A command that only reads writes nothing."""
    assert read_owner(pleiades.vault) is None


def test_a_lost_mark_is_written_again_by_the_database_that_knows_the_files(pleiades: Installation, new_database: str) -> None:
    pleiades.hunter().hunt()
    pleiades.vault.archive.delete(OWNER_KEY)
    require_owned(pleiades.database, pleiades.vault)
    with pytest.raises(ForeignVault, match="knows none of them"):
        _opened_with(pleiades, new_database)
    pleiades.tracker()
    assert read_owner(pleiades.vault)


def test_an_empty_vault_is_refused_where_the_database_has_used_one(pleiades: Installation, tmp_path: Path) -> None:
    """Its disk is not mounted: a hunt would write below the mount point, and `give-up` forget every file."""
    pleiades.hunter().hunt()
    with pytest.raises(VaultError, match="the vault is empty") as raised:
        require_owned(pleiades.database, open_vault(tmp_path / "unmounted"))
    assert raised.value.exit_code == 6
    assert "mount" in raised.value.cure


def test_a_damaged_mark_is_named(pleiades: Installation) -> None:
    mark_vault(pleiades.database, pleiades.vault)
    Path(pleiades.vault.archive.uri(OWNER_KEY)).write_text('{"installation": 7')
    with pytest.raises(CorruptFile, match=OWNER_KEY) as raised:
        require_owned(pleiades.database, pleiades.vault)
    assert "remove it" in raised.value.cure


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"installation": "x", "epochs": [], "vid": 1, "revision": 1}']
)
def test_what_is_no_mark_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptFile):
        Owner.decode(content)


def _installation(database: Database) -> object:
    with database.transaction() as connection:
        return connection.execute("select installation_id from installation").fetchall()[0][0]
