"""Which URLs of a database are taken, and how they are shown: a password with a stray character must not end up in an error."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import dagster_urls, open_database, without_password

_SECRET = "cAnArY"  # noqa: S105


def _refused(url: str) -> str:
    """What is said of a database that cannot be used."""
    with (
        pytest.raises((ConfigurationError, DatabaseUnreachable)) as raised,
        open_database(DemoSettings(home=Path("unused")).changed(database__url=url)),
    ):
        pass
    return f"{raised.value} {raised.value.cure}"


@pytest.mark.parametrize("slip", ["@", "/", "?", "#", "%", "%zz", "@@", ":/", "[", "/1@", "?x=", "#@"])
def test_a_password_that_is_not_encoded_is_not_repeated(slip: str) -> None:
    """Its end is taken for a host or a port by libpq, which would name it."""
    said = _refused(f"postgresql://u:{_SECRET}{slip}{_SECRET}@127.0.0.1:1/x")
    assert "DATABASE_URL" in said
    assert _SECRET not in said


def test_digits_before_a_slash_are_no_port() -> None:
    said = _refused(f"postgresql://u:1234/{_SECRET}@127.0.0.1:1/x")
    assert _SECRET not in said
    assert "1234" not in said


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12))
def test_whatever_the_password_is_encoded_it_is_hidden(password: str) -> None:
    url = f"postgresql://u:{quote(password, safe='')}@127.0.0.1:1/x"
    assert without_password(url) == "postgresql://u:***@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u@[::1]:5432/x", "postgresql://u@[::1]:5432/x"),
        ("postgresql://u:p@one:1,two:2/x", "postgresql://u:***@one:1,two:2/x"),
        ("postgresql://u:@/x?host=/tmp/a", "postgresql://u:***@/x?host=/tmp/a"),
        ("postgresql://h/x?user=u&password=p%20q&sslpassword=r", "postgresql://h/x?user=u&password=***&sslpassword=***"),
    ],
)
def test_urls_are_shown_without_their_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_settings_show_no_password() -> None:
    urls = {"database__url": f"postgresql://u:{_SECRET}@h/x", "database__dagster_url": f"postgresql://u:{_SECRET}@h/y"}
    settings = DemoSettings(home=Path("unused"), **urls)  # type: ignore[arg-type]
    assert _SECRET not in repr(settings) + str(settings)


def test_the_url_of_dagster_is_held_to_the_same() -> None:
    settings = DemoSettings(home=Path("unused")).changed(database__dagster_url=f"postgresql://u:{_SECRET}@{_SECRET}@h/x")
    with pytest.raises(ConfigurationError, match="DAGSTER_PG_URL") as raised:
        dagster_urls(settings, "postgresql://h/x")
    assert _SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("named", "plain"),
    [
        (None, "postgresql://u:p@h:5433/x_dagster?sslmode=require"),
        ("postgres://v@other/dagster", "postgresql://v@other/dagster"),
    ],
)
def test_dagster_gets_its_own_database_and_a_named_driver(named: str | None, plain: str) -> None:
    settings = DemoSettings(home=Path("unused")).changed(database__dagster_url=named)
    urls = dagster_urls(settings, "postgresql://u:p@h:5433/x?sslmode=require")
    assert urls == (plain, plain.replace("postgresql://", "postgresql+psycopg2://"))
