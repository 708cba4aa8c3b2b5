"""The core's errors in Dagster's words: what is retried, and what a person reads."""

from __future__ import annotations

import contextlib
import inspect
from datetime import UTC, datetime, timedelta
from typing import Never

import dagster as dg
import psycopg
import pytest
from support.failures import shown_failure

from pleiades_core import errors
from pleiades_core.installation import Installation
from pleiades_core.storage.postgres import Database
from pleiades_dagster.assets import maintenance
from pleiades_dagster.assets.maintenance import reaper
from pleiades_dagster.failures import RETRY, as_failures, failure_of
from pleiades_dagster.resources import SharedInstallation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.PleiadesError) and cls is not errors.QuotaExhausted
]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_carries_its_cure_and_its_exit_code(kind: type[errors.PleiadesError]) -> None:
    failure = failure_of(kind("it broke", cure="mend it"), NOW)
    assert failure.description == "it broke. mend it"
    said = {name: entry.value for name, entry in failure.metadata.items()}
    assert (said["exit_code"], said["cure"], said["retry_helps"]) == (kind.exit_code, "mend it", kind.retry_helps)
    assert said["retry_at"] == (NOW.timestamp() if kind.retry_helps else "never: waiting does not help")
    assert failure.allow_retries is kind.retry_helps


def test_a_reply_that_swells_is_not_asked_for_again() -> None:
    """The same question would bring it again, whatever other bad replies do."""
    assert failure_of(errors.BadReply("cut off"), NOW).allow_retries
    assert not failure_of(errors.ReplyTooLarge("2 GB"), NOW).allow_retries


def test_a_person_reads_when_to_come_back() -> None:
    failure = failure_of(errors.RateLimited("slow down", retry_after=90.0), NOW)
    assert failure.metadata["retry_at"].value == NOW.timestamp() + 90
    assert failure.description == f"slow down. {errors.RateLimited.usual_cure}"


def test_spent_quota_is_not_made_a_failure() -> None:
    """The asset reports it as a partial result; sensors wait for the reset."""
    with pytest.raises(errors.QuotaExhausted), as_failures():
        raise errors.QuotaExhausted("p", "search", datetime(2026, 3, 1, tzinfo=UTC))


class Broken:
    """An installation that cannot be opened; counts who tried."""

    def __init__(self, error: errors.PleiadesError) -> None:
        self.error = error
        self.attempts = 0

    def open(self) -> Never:
        """Fails each time."""
        self.attempts += 1
        raise self.error


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_permanent_error_is_tried_once_and_says_what_to_do(instance: dg.DagsterInstance) -> None:
    """Whatever the retry policy says: asking again would give the same answer."""
    broken = Broken(errors.ConfigurationError("no keys", cure="set YOUTUBE_API_KEY_POOL_JSON"))
    result = dg.materialize([reaper()], resources={"installation": broken}, instance=instance, raise_on_error=False)
    failure = shown_failure(result, "reaper")
    assert broken.attempts == 1
    assert failure.description == "no keys. set YOUTUBE_API_KEY_POOL_JSON"
    assert failure.metadata["exit_code"] == 10


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_lost_database_is_tried_again(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to three times, after 5 and 15 seconds; the 20 do not pass here."""
    assert (RETRY.max_retries, [RETRY.calculate_delay(attempt) for attempt in (1, 2)]) == (2, [5, 15])
    monkeypatch.setattr(maintenance, "RETRY", RETRY._replace(delay=0.05))
    broken = Broken(errors.DatabaseUnreachable("gone", cure="start it"))
    result = dg.materialize([reaper()], resources={"installation": broken}, instance=instance, raise_on_error=False)
    assert not result.success
    assert broken.attempts == 3


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_lock_of_another_session_is_a_failure_that_names_it_and_is_tried_again(
    instance: dg.DagsterInstance, pleiades: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PostgreSQL says in mid-run arrives with its cause and cure, not as a traceback of the driver."""
    monkeypatch.setattr(maintenance, "RETRY", RETRY._replace(delay=0.05))
    pleiades.database = Database(pleiades.database.url, lock_wait=timedelta(milliseconds=50))
    pleiades.database.open()
    with contextlib.closing(pleiades.database), psycopg.connect(pleiades.database.url, application_name="backup") as holder:
        holder.execute("lock table leases in access exclusive mode")
        pid = holder.info.backend_pid
        shared = SharedInstallation(pleiades)
        result = dg.materialize([reaper()], resources={"installation": shared}, instance=instance, raise_on_error=False)
    failure = shown_failure(result, "reaper")
    assert f"held by pid {pid} (backup" in failure.description
    assert failure.metadata["error"] == "DatabaseBusy"
    assert failure.metadata["exit_code"] == 6
    assert failure.metadata["retry_helps"] is True
