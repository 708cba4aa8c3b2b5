"""Topics in every spelling, and signatures of every method that a hub may use."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.models import ChannelId
from pleiades_core.youtube.hub import channel_of_topic, signature_is_valid, topic_of

CHANNEL = ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")
SECRET = b"sixteen letters!"
BODY = b"<feed/>"


def signed(method: str, body: bytes = BODY, secret: bytes = SECRET) -> str:
    """The header that a hub would send."""
    return f"{method}={hmac.new(secret, body, method).hexdigest()}"


def test_the_topic_is_the_spelling_of_2026() -> None:
    assert topic_of(CHANNEL) == f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}"
    assert channel_of_topic(topic_of(CHANNEL)) == CHANNEL


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["youtube.com", "www.youtube.com"])
@pytest.mark.parametrize("path", ["feeds", "xml/feeds"])
def test_notices_come_with_either_spelling(scheme: str, host: str, path: str) -> None:
    assert channel_of_topic(f"{scheme}://{host}/{path}/videos.xml?channel_id={CHANNEL}") == CHANNEL


@pytest.mark.parametrize(
    "text",
    [
        "", CHANNEL, f"ftp://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}",
        f"https://www.youtube.com.example/feeds/videos.xml?channel_id={CHANNEL}",
        f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}\n",
        f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}x",
        f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL[:-1]}B",
        "https://www.youtube.com/feeds/videos.xml?playlist_id=PL1",
    ],
)  # fmt: skip
def test_anything_else_is_no_topic(text: str) -> None:
    assert channel_of_topic(text) is None


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_the_four_methods_of_websub(method: str) -> None:
    assert signature_is_valid(signed(method), BODY, SECRET)
    assert signature_is_valid(signed(method).upper().replace(method.upper(), method), BODY, SECRET)
    assert not signature_is_valid(signed(method), BODY + b" ", SECRET)
    assert not signature_is_valid(signed(method, secret=b"another"), BODY, SECRET)


@pytest.mark.parametrize(
    "header",
    [None, "", "sha1", "sha1=", "md5=" + "0" * 32, "sha256=" + "0" * 64, "sha1=" + "\u00e9" * 40, "sha1=" + "z" * 40],
)
def test_what_is_no_signature_is_not_valid(header: str | None) -> None:
    assert not signature_is_valid(header, BODY, SECRET)


def test_a_method_does_not_pass_with_another_ones_digest() -> None:
    assert not signature_is_valid(signed("sha1").replace("sha1", "sha256"), BODY, SECRET)


def test_no_secret_signs_nothing() -> None:
    """An empty one is what a forgotten setting would be, and anybody can sign with it."""
    assert not signature_is_valid(signed("sha256", secret=b""), BODY, b"")


@given(st.text(), st.binary())
def test_no_header_crashes(header: str, body: bytes) -> None:
    assert not signature_is_valid(header, body, SECRET)
