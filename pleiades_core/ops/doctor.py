"""The doctor: examines each part, and says what is wrong and what helps. It creates nothing, and mends one thing: a retired key
that works in a live test is used again.

Belongs here: the parts and what healthy means. Does not belong here: how it is shown (cli/commands/doctor.py).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pleiades_core import version
from pleiades_core.batches.leases import expired
from pleiades_core.discover.wrong_clock import future_history, future_rows, latest
from pleiades_core.errors import NoInstallation, PleiadesError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.reports.footprint import MOST_SQL_BYTES, Footprint, footprint
from pleiades_core.settings import Settings
from pleiades_core.storage.checked_clock import CheckedClock
from pleiades_core.storage.disk import device_of, free_bytes
from pleiades_core.storage.postgres import without_password
from pleiades_core.vault.readable_files import future_days
from pleiades_core.vault.verify import Verification, verify
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import polled_in_future
from pleiades_core.youtube.key_pool import choose_keys, in_order, keys_of, pools_of
from pleiades_core.youtube.keyring import KeyRing, open_keyring

#: With fewer free bytes a busy day may not fit.
_FREE_BYTES = 1_000_000_000
#: Files that a finding names.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part of the installation."""

    part: str
    ok: bool
    found: str
    cure: str = ""
    #: Exit code of the error; 0 without an error.
    exit_code: int = 0

    @property
    def word(self) -> str:
        """The state in a word. A healthy part with a cure needs attention some day."""
        if not self.ok:
            return "WRONG"
        return "warning" if self.cure else "ok"


def examine(settings: Settings, *, call: bool) -> list[Finding]:
    """Every finding, the healthy ones too. With `call` every key in use is tried, for one unit each."""
    findings = [_program(), *_keys(settings), *_limits(settings), *_disks(settings)]
    try:
        with open_installation(settings) as pleiades:
            findings += _inside(pleiades, call=call)
    except NoInstallation as error:
        # First of all: the other findings are about a place without an installation.
        findings.insert(0, _wrong("installation", error))
    except PleiadesError as error:
        findings.append(_wrong("database and vault", error))
    return findings


def _inside(pleiades: Installation, *, call: bool) -> Iterator[Finding]:
    with pleiades.database.transaction() as connection:
        late = expired(connection)
    yield _database(footprint(pleiades.database), without_password(pleiades.database.url))
    yield Finding(part="leases", ok=True, found=f"{len(late)} expired" + (", adopted by the next hunt or tick" if late else ""))
    try:
        yield _clock(pleiades)
    except PleiadesError as error:
        yield _wrong("clock", error)
    yield from _vault(verify(pleiades.database, pleiades.vault))
    # Wrong settings were reported before.
    if all(finding.ok for finding in _keys(pleiades.settings)):
        yield from _refusals(pleiades, call=call)


def _clock(pleiades: Installation) -> Finding:
    """The clock, and rows that an earlier wrong clock wrote. Raises ConfigurationError if the clock is wrong now."""
    CheckedClock(pleiades.clock, pleiades.database).check()
    now = pleiades.clock.now()
    with pleiades.database.transaction() as connection:
        polled = polled_in_future(connection, TIERS, now)
        noted = future_rows(connection, now)
        kept = future_history(connection, now)
    days = future_days(pleiades.vault, latest(now).date())
    wrong, cures = [], []
    if polled:
        wrong.append(f"{polled:,} videos were polled in the future")
        cures.append("`pleiades track` polls these videos now, and mends that")
    if noted:
        counts = ((noted.channels, "channels"), (noted.terms, "search terms"), (noted.campaigns, "campaigns"),
                  (noted.back_catalogues, "back catalogues"))  # fmt: skip
        wrong += [f"{count:,} {rows} were asked in the future" for count, rows in counts if count]
        cures.append("`pleiades hunt` takes these instants back, and asks")
    if any(kept):
        wrong.append(f"{kept.claims:,} claims of videos and {kept.requests:,} questions are dated in the future")
    if days:
        named = [f"{folder} {', '.join(map(str, found[:_MOST_NAMED]))}" for folder, found in days.items()]
        wrong.append(f"the vault has days after today: {'; '.join(named)}")
        cures.append(
            "the rows of these days keep their false instants: leave the days out of queries, or move their files out of the "
            "vault and run `pleiades give-up DAY --yes` for each, which has the videos described again"
        )
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC ({pleiades.settings.clock})"
    if not wrong:
        return Finding(part="clock", ok=True, found=found)
    cures.append("let every machine set its clock by NTP")
    return Finding(part="clock", ok=True, found=f"{'; '.join([found, *wrong])}: a clock was wrong then", cure="; ".join(cures))


def _vault(verified: Verification) -> Iterator[Finding]:
    """Every file of the vault: whole, damaged, foreign or a stray."""
    yield Finding(
        part="vault",
        ok=not verified.problems,
        found=f"{verified.files} files, {verified.bytes / 1e6:.1f} MB, every SHA-256 compared" + _named(verified.problems),
        cure="restore the named files from a copy; if there is no copy, give the files up with `pleiades give-up DAY`"
        if verified.problems
        else "",
        exit_code=6 if verified.problems else 0,
    )
    if verified.foreign:
        yield Finding(
            part="foreign files", ok=False, exit_code=6,
            found=f"{len(verified.foreign)} are not read" + _named(verified.foreign),
            cure="move them out of the vault: they belong to another installation, or are copies under another name",
        )  # fmt: skip
    if verified.strays:
        yield Finding(
            part="stray files", ok=True, found=f"{len(verified.strays)} are not read" + _named(verified.strays),
            cure="move them out of the vault: Pleiades did not make them",
        )  # fmt: skip


def _named(sentences: Sequence[str]) -> str:
    """The first sentences, for a line that a person reads."""
    more = f"; and {len(sentences) - _MOST_NAMED} more" if len(sentences) > _MOST_NAMED else ""
    return "".join(f"; {sentence}" for sentence in sentences[:_MOST_NAMED]) + more


def _program() -> Finding:
    """The versions that a report of a defect must name."""
    return Finding(part="program", ok=True, found=f"pleiades {version()}, Python {platform.python_version()}")


def _database(held: Footprint, where: str) -> Finding:
    found = f"{held.server}, {held.pleiades_bytes / 1e6:.1f} MB at {where}"
    if held.bytes < MOST_SQL_BYTES:
        return Finding(part="database", ok=True, found=found)
    return Finding(
        part="database", ok=True,
        found=f"{found}; {held.bytes / 1e6:.1f} MB with Dagster's own, more than 80 % of the 0.5 GB that a small server has",
        cure="see to it that the server has more room: docs/deploy.md says what grows, and how fast",
    )  # fmt: skip


def _keys(settings: Settings) -> Iterator[Finding]:
    """The keys in the settings: how many, which are left out, which pools share a project."""
    try:
        used, ignored = choose_keys(keys_of(settings), settings.keys.compliance_mode)
    except PleiadesError as error:
        yield _wrong("keys", error)
        return
    projects = pools_of(used)
    yield Finding(
        part="keys", ok=True, found=f"{len(used)} of {len(projects)} project(s): {', '.join(key.fingerprint for key in used)}"
    )
    if ignored:
        left_out = ", ".join(f"{key.fingerprint} ({key.project})" for key in ignored)
        rule = f"the quota of project {used[0].project} alone is used; ignored: {left_out}"
    elif len(projects) > 1:
        rule = f"off: {len(projects)} projects are used, each said to be an API client of its own"
    else:
        rule = "one project's quota is used, and no key is ignored"
    yield Finding(part="compliance", ok=True, found=rule)
    for project, pools in projects.items():
        if len(pools) > 1:
            shared = ", ".join(in_order(pools))
            yield Finding(part="sharing", ok=True, found=f"project {project} is shared by the pools {shared}")


def _limits(settings: Settings) -> Iterator[Finding]:
    """Projects in PLEIADES_KEYS_QUOTA_LIMITS that no key has: probably misspelt, so that the limits are not used."""
    if not all(finding.ok for finding in _keys(settings)):
        return
    keys = keys_of(settings)
    known = pools_of(keys)
    secrets = {key.secret.get_secret_value() for key in keys}
    strangers = ["a key" if name in secrets else name for name in settings.keys.quota_limits if name not in known]
    if strangers:
        yield Finding(
            part="limits", ok=False, exit_code=10,
            found=f"PLEIADES_KEYS_QUOTA_LIMITS names {', '.join(strangers)}, of which there is no key",
            cure=f"name projects as YOUTUBE_API_KEY_POOL_JSON does: {', '.join(known)}",
        )  # fmt: skip


def _refusals(pleiades: Installation, *, call: bool) -> Iterator[Finding]:
    """YouTube's verdict on each key: of now, or of its last use."""
    try:
        yield from _tried(pleiades) if call else _retired(open_keyring(pleiades.settings, pleiades.database, pleiades.clock))
    except PleiadesError as error:
        yield _wrong("YouTube", error)


def _retired(ring: KeyRing) -> Iterator[Finding]:
    living = ring.serving()
    for key in ring.refused():
        rest = "" if key.project in living else ", and no other key reaches its project's quota"
        yield Finding(
            part=f"key {key.fingerprint}", ok=False, found=f"{key.description}; it is not used (project {key.project}){rest}",
            cure="mend or replace it, then let `pleiades doctor --call` try it again", exit_code=4,
        )  # fmt: skip


def _tried(pleiades: Installation) -> Iterator[Finding]:
    for check in pleiades.youtube().check_keys():
        yield Finding(
            part=f"key {check.fingerprint}", ok=check.ok, found=f"{check.found} (project {check.project})", cure=check.cure,
            exit_code=check.exit_code,
        )  # fmt: skip
    _, ignored = choose_keys(keys_of(pleiades.settings), pleiades.settings.keys.compliance_mode)
    if ignored:
        left_out = ", ".join(f"{key.fingerprint} ({key.project})" for key in ignored)
        yield Finding(part="not tried", ok=True, found=f"{left_out}: compliance mode leaves these out")


def _disks(settings: Settings) -> Iterator[Finding]:
    """The disk of the home, and the disk of the vault if it is another one."""
    for folder in {device_of(folder): folder for folder in (settings.vault_root, settings.home)}.values():
        free = free_bytes(folder)
        ok = free >= _FREE_BYTES
        yield Finding(
            part="disk", ok=ok, found=f"{free / 1e9:.1f} GB free at {folder}", exit_code=0 if ok else 6,
            cure="" if ok else "free some space",
        )  # fmt: skip


def _wrong(part: str, error: PleiadesError) -> Finding:
    return Finding(part=part, ok=False, found=str(error), cure=error.cure, exit_code=error.exit_code)
