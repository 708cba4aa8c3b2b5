"""The key pool as operators write it, and as they should not."""

from __future__ import annotations

import pytest

from pleiades_core.errors import ConfigurationError
from pleiades_core.youtube.keyring import POOLS, parse_pool

PASTED = "AIzaCANARY-canary-0123456789-abcdefghij"


def test_strings_are_keys_of_one_project_for_every_pool() -> None:
    one, two = parse_pool(f'["{PASTED}", "demo-key-1"]')
    assert one.project == two.project == "default"
    assert one.pools == POOLS
    assert one.secret.get_secret_value() == PASTED


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
