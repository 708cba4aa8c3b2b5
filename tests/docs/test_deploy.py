"""What is shipped to run Pleiades with: nothing is started again that ended with 42, and what the files name exists."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.paths import ROOT

from pleiades_core.settings import setting_names
from pleiades_dagster.cli import app

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: Quota is spent until the reset: docs/cli.md.
SPENT = "42"


class _Unit(configparser.RawConfigParser):
    """A unit file. A name that stands there twice has its lines joined."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters="=", interpolation=None)
        self.read_string(path.read_text())

    def optionxform(self, optionstr: str) -> str:
        """The name as it stands: names keep their capitals."""
        return optionstr

    def words(self, name: str) -> list[str]:
        """The words of a setting of [Service]; none when it is not there."""
        return self.get("Service", name, fallback="").split()


def _compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return services


def _commands() -> set[str]:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    return commands | {str(group.name) for group in app.registered_groups}


@pytest.fixture
def container(tmp_path: Path) -> dict[str, str]:
    """An environment in which `pleiades CODE …` ends with that code, `read` reads, `wait` waits to be terminated."""
    fake = tmp_path / "pleiades"
    fake.write_text(
        """#!/bin/sh
        printf "%s\\n" "$@" > "${0%/*}/said"
        [ "$1" = read ] && { cat > "${0%/*}/read"; exit; }
        [ "$1" = wait ] || exit "$1"
        trap "sleep 0.2; exit 143" TERM
        touch "${0%/*}/ready"
        while :; do sleep 0.05; done
        """
    )
    fake.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (42, 0), (5, 5), (6, 6), (10, 10), (1, 1)])
def test_the_entrypoint_hides_42_from_docker_and_nothing_else(
    container: dict[str, str], tmp_path: Path, code: int, expected: int
) -> None:
    """`restart: on-failure` starts again whatever does not end with 0."""
    done = subprocess.run(
        [DEPLOY / "entrypoint.sh", str(code), "two words", ""], env=container, capture_output=True, text=True, check=False
    )
    assert done.returncode == expected
    assert done.stdout == ""
    assert ("until the reset" in done.stderr) == (code == 42)
    assert (tmp_path / "said").read_text().splitlines() == [str(code), "two words", ""]


def _take_sigterm() -> None:
    """As a container starts. A shell that inherits SIGTERM ignored or blocked cannot trap it, and waits for ever."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_the_entrypoint_passes_a_stop_on_and_waits_for_the_end(container: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([DEPLOY / "entrypoint.sh", "wait"], env=container, preexec_fn=_take_sigterm)  # noqa: PLW1509
    try:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    finally:
        process.kill()
        process.wait()


def test_the_entrypoint_passes_on_what_there_is_to_read(container: dict[str, str], tmp_path: Path) -> None:
    """`docker compose run --rm hunt add --file -`: a shell reads /dev/null for what it runs in the background."""
    subprocess.run([DEPLOY / "entrypoint.sh", "read"], env=container, input=b"dQw4w9WgXcQ\n", check=True, timeout=10)
    assert (tmp_path / "read").read_text() == "dQw4w9WgXcQ\n"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_not_started_again_after_42(path: Path) -> None:
    unit = _Unit(path)
    assert SPENT in unit.words("SuccessExitStatus")
    if unit.words("Restart") != ["no"]:
        assert unit.words("Restart") == ["on-failure"]
        assert SPENT in unit.words("RestartPreventExitStatus")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_no_code_of_ours_escapes_what_prevents_a_restart(path: Path) -> None:
    """RestartPreventExitStatus= looks at the main process alone: what runs before it would be started again for ever."""
    unit = _Unit(path)
    if unit.words("Restart") != ["no"]:
        assert {"2", "4", "10", SPENT} <= set(unit.words("RestartPreventExitStatus"))
        assert not re.search("^Exec(StartPre|StartPost|Condition)=", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ["pleiades.service", "pleiades-push.service"])
@pytest.mark.parametrize(("schema", "main", "expected"), [(10, 0, 10), (6, 0, 6), (0, 42, 42), (0, 0, 0)])
def test_the_code_of_the_schema_is_the_code_of_the_unit(
    tmp_path: Path, name: str, schema: int, main: int, expected: int
) -> None:
    """The line that systemd runs, with a program in place of ours: nothing runs without its schema."""
    fake = tmp_path / "pleiades"
    fake.write_text(f'#!/bin/sh\necho "$1 $$" >> {tmp_path}/ran\n[ "$1" = init-db ] && exit {schema}\nexit {main}\n')
    fake.chmod(0o755)
    line = _Unit(DEPLOY / "systemd" / name).get("Service", "ExecStart").replace("/opt/pleiades/.venv/bin/pleiades", str(fake))
    with subprocess.Popen(shlex.split(line)) as process:
        assert process.wait(10) == expected
    ran = [words.split() for words in (tmp_path / "ran").read_text().splitlines()]
    if schema:
        assert [command for command, _ in ran] == ["init-db"]
    else:
        command = "ui" if name == "pleiades.service" else "push"
        assert [ran[0][0], *ran[1:]] == ["init-db", [command, str(process.pid)]], "systemd signals the main process"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_commands_that_exist_and_not_as_root(path: Path) -> None:
    lines = re.findall(r"^Exec\w+=(.+)", path.read_text(), re.MULTILINE)
    run = re.findall(r"/bin/pleiades ([\w-]+)", "\n".join(lines))
    assert run[0] == "init-db"
    assert len(run) >= max(2, len(lines))
    assert set(run) <= _commands()
    unit = _Unit(path)
    assert unit.words("User") == ["pleiades"]
    assert unit.words("NoNewPrivileges") == ["yes"]
    assert unit.words("ProtectSystem") == ["strict"]


def test_without_dagster_the_timers_do_all_that_its_schedules_do() -> None:
    timed = [path.with_suffix(".service").read_text() for path in (DEPLOY / "systemd").glob("*.timer")]
    run = re.findall(r"/bin/pleiades ([\w-]+)", "\n".join(timed))
    assert {"track", "hunt", "close-day", "upkeep"} <= set(run)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").iterdir():
        (tmp_path / path.name).write_text(re.sub(r"/opt/pleiades/\S+/pleiades", "/bin/true", path.read_text()))
    units = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "pleiades" in line] == []


def test_no_service_of_compose_is_started_again_after_42() -> None:
    """Ours end with 0 then, and are started again on failure only; the database is not ours and never ends with 42."""
    for name, service in _compose().items():
        if service["image"] == "pleiades":
            assert service["restart"] in {"on-failure", "no"}, name
            assert "entrypoint" not in service, "the image's own entrypoint is what hides 42"
            assert service["command"][0] in _commands()
    docker = (DEPLOY / "Dockerfile").read_text()
    assert "COPY deploy/entrypoint.sh /usr/local/bin/pleiades-entrypoint" in docker
    assert 'ENTRYPOINT ["pleiades-entrypoint"]' in docker
    assert os.access(DEPLOY / "entrypoint.sh", os.X_OK)


def test_the_image_is_built_from_the_lock_and_does_not_run_as_root() -> None:
    docker = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", docker, re.MULTILINE) == ["python:3.11-slim"] * 2
    assert "--require-hashes -r requirements.lock" in docker
    assert int(re.findall(r"^USER (\d+)$", docker, re.MULTILINE)[-1]) > 0, "Kubernetes cannot tell that a name is not root's"
    for name in re.findall(r"^COPY (?!--from)(.+) \S+$", docker, re.MULTILINE):
        assert all((ROOT / each).exists() for each in name.split()), name


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("deploy/pleiades.env", True), ("deploy/.env", True), (".env", True), ("production.env", True), (".env.local", True),
        ("deploy/pleiades.env.bak", True), ("deploy/pleiades.env~", True),
        ("deploy/pleiades.env.example", False), (".env.example", False),
    ],
)  # fmt: skip
def test_git_takes_no_keys(tmp_path: Path, path: str, ignored: bool) -> None:
    """docs/deploy.md has keys and passwords written beside the examples."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    # A repository of its own: what is tested may have come as an archive.
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    done = subprocess.run(["git", "-C", tmp_path, "check-ignore", "--quiet", path], check=False)
    assert done.returncode == (0 if ignored else 1)


def test_a_builder_is_given_what_the_dockerfile_copies_and_no_keys() -> None:
    """Everything is ignored but for exceptions, and after these no line lets anything in again."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    docker = (DEPLOY / "Dockerfile").read_text()
    copied = {each for one in re.findall(r"^COPY (?!--from)(.+) \S+$", docker, re.MULTILINE) for each in one.split()}
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed - {"deploy"} == copied
    assert "deploy/*" in lines[: lines.index("!deploy/entrypoint.sh")]
    assert {"**/.env*", "**/*.env", "**/*.env.*"} <= set(lines[lines.index("!deploy/entrypoint.sh") :])


def test_no_secret_is_shipped() -> None:
    for path in DEPLOY.rglob("*"):
        # What ends so is somebody's own, made beside the examples, and git does not take it.
        if path.is_file() and not path.name.endswith(".env"):
            assert not re.search(r"AIza[\w-]{30}|PASSWORD=\S|SECRET=\S", path.read_text()), path


@pytest.mark.parametrize(
    "path", [*(ROOT / "docs").rglob("*.md"), *DEPLOY.rglob("*.*"), ROOT / ".env.example"], ids=lambda path: path.name
)
def test_documents_and_examples_name_settings_and_commands_that_exist(path: Path) -> None:
    text = path.read_text()
    known = {variable for variable, _, _ in setting_names()}
    assert set(re.findall(r"\bPLEIADES_[A-Z_]+\b", text)) <= known
    for name in set(re.findall(r"(?:`|^|\brun --rm )pleiades (?:--home \S+ )?([a-z][a-z-]+)\b", text, re.MULTILINE)):
        assert name in _commands(), name
