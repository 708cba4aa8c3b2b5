"""The key pool as operators write it, and as they should not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from pleiades_core.errors import ConfigurationError
from pleiades_core.settings import SEVERAL_PROJECTS, DemoSettings
from pleiades_core.youtube.key_pool import keys_of
from pleiades_core.youtube.keyring import POOLS, choose_keys, parse_pool, pools_of

PASTED = "AIzaCANARY-canary-0123456789-abcdefghij"


def test_strings_are_keys_of_one_project_for_every_pool() -> None:
    one, two = parse_pool(f'["{PASTED}", "demo-key-1"]')
    assert one.project == two.project == "default"
    assert one.pools == POOLS
    assert one.secret.get_secret_value() == PASTED


def test_the_cure_of_a_missing_key_works_in_a_shell_and_in_a_file(tmp_path: Path) -> None:
    """A shell removes the quotes of JSON that is not quoted itself; a `.env` file may have the same line."""
    with pytest.raises(ConfigurationError, match="no API key") as caught:
        keys_of(DemoSettings(home=tmp_path))
    (line,) = re.findall(r"YOUTUBE_API_KEY_POOL_JSON=\S+", caught.value.cure)
    line = line.replace('KEY"', 'demo-key-1"')
    command = ["sh", "-c", f'{line}\nprintf %s "$YOUTUBE_API_KEY_POOL_JSON"']
    by_shell = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".env").write_text(line)
    by_file = dotenv_values(tmp_path / ".env")["YOUTUBE_API_KEY_POOL_JSON"]
    assert by_shell == by_file == '["demo-key-1"]'


def test_objects_name_project_and_pools() -> None:
    (key,) = parse_pool('[{"key": "demo-key-1", "project": "acme", "pools": ["hunting"]}]')
    assert (key.project, key.pools) == ("acme", frozenset({"hunting"}))


def test_the_fingerprint_stands_for_the_key() -> None:
    """SHA-256 of "demo-key-1", its first eight digits, and no text of the key in `repr`."""
    (key,) = parse_pool('["demo-key-1"]')
    assert len(key.fingerprint) == 8
    assert int(key.fingerprint, 16) >= 0
    assert "demo-key" not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PASTED,
        "\ud800",
        f'"{PASTED}"',
        f'{{"key": "{PASTED}"}}',
        "[]",
        "[1]",
        "[null]",
        '["short"]',
        f'["{PASTED}\\n"]',
        f'["{PASTED} {PASTED}"]',
        f'["{PASTED}é"]',
        f'["{PASTED}", "{PASTED}"]',
        f'[{{"key": "{PASTED}", "project": ""}}]',
        f'[{{"key": "{PASTED}", "project": 3}}]',
        f'[{{"key": "{PASTED}", "pools": []}}]',
        f'[{{"key": "{PASTED}", "pools": "hunting"}}]',
        f'[{{"key": "{PASTED}", "pools": ["{PASTED}"]}}]',
        f'[{{"key": "{PASTED}", "pools": [["hunting"]]}}]',
        f'[{{"{PASTED}": "key"}}]',
        f'["{PASTED}"',
    ],
)
def test_a_malformed_pool_names_variable_and_cure_but_never_the_key(text: str) -> None:
    """People paste keys in every shape; whatever it was, it may be a secret."""
    with pytest.raises(ConfigurationError, match=r"^YOUTUBE_API_KEY_POOL_JSON ") as caught:
        parse_pool(text)
    assert "CANARY" not in repr(caught.value) + caught.value.cure
    assert caught.value.cure
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


THREE = (
    '[{"key": "first-of-one", "project": "one", "pools": ["hunting"]}, {"key": "only-of-two", "project": "two"},'
    ' {"key": "second-of-one", "project": "one", "pools": ["tracking"]}]'
)


def test_compliance_mode_uses_the_first_project_alone() -> None:
    """All of its keys, in their order, wherever they stand."""
    one, two, three = parse_pool(THREE)
    assert choose_keys([one, two, three], "on") == ((one, three), (two,))
    assert choose_keys([two, one, three], "on") == ((two,), (one, three))
    assert choose_keys([], "on") == ((), ())


def test_only_the_sentence_that_states_the_rule_turns_it_off() -> None:
    keys = parse_pool(THREE)
    assert choose_keys(keys, SEVERAL_PROJECTS) == (keys, ())
    assert "III.D.1.c" in SEVERAL_PROJECTS


@pytest.mark.parametrize("mode", ["off", "", "On", "true", SEVERAL_PROJECTS.upper(), SEVERAL_PROJECTS + " "])
def test_any_other_value_states_googles_rule_and_what_to_write(mode: str) -> None:
    with pytest.raises(ConfigurationError, match="PLEIADES_KEYS_COMPLIANCE_MODE") as caught:
        choose_keys(parse_pool(THREE), mode)
    assert "exactly one API project" in caught.value.cure
    assert SEVERAL_PROJECTS in caught.value.cure


def test_a_project_serves_the_pools_of_all_its_keys() -> None:
    assert pools_of(parse_pool(THREE)) == {"one": frozenset({"hunting", "tracking"}), "two": POOLS}
