"""Page tokens: offsets as the small protobuf messages that YouTube encodes them in.

Belongs here: encoding and decoding. Does not belong here: how many items a page has (methods.py). `CDIQAA` is {1: 50, 2: 0} and
leads forward, `CBkQAQ` is {1: 25, 2: 1} and leads back; `EAAaBlBUOkNESQ` is {2: 0, 3: "PT:CDI"} with `CDI` = {1: 50}, the form
of playlistItems.list (decoded from public captures, 2026-11-22).
"""

from __future__ import annotations

import base64
import binascii

from pleiades_core.simulator.api.error_bodies import invalid_page_token

# Protobuf field headers: number << 3 | wire type.
_OFFSET, _TURN, _INNER = 0x08, 0x10, 0x1A
_MOST = 10_000_000


def token(offset: int, *, backward: bool = False) -> str:
    """The token of search and charts for the page that begins at `offset`."""
    return _b64(bytes([_OFFSET]) + _varint(offset) + bytes([_TURN, int(backward)]))


def playlist_token(offset: int, *, backward: bool = False) -> str:
    """The token of playlistItems.list for the page that begins at `offset`."""
    inner = b"PT:" + _b64(bytes([_OFFSET]) + _varint(offset)).encode()
    return _b64(bytes([_TURN, int(backward), _INNER, len(inner)]) + inner)


def start_of(page_token: str, size: int) -> int:
    """The first item of the page that a token of search or charts leads to.

    Raises:
        Refusal: the API's, for any other token.
    """
    offset, rest = _read_offset(_raw(page_token))
    if len(rest) != 2 or rest[0] != _TURN or rest[1] > 1:  # noqa: PLR2004
        raise invalid_page_token()
    return max(0, offset - size) if rest[1] else offset


def playlist_start_of(page_token: str, size: int) -> int:
    """The first item of the page that a token of playlistItems.list leads to.

    Raises:
        Refusal: the API's, for any other token.
    """
    raw = _raw(page_token)
    head = 4
    if len(raw) < head or raw[0] != _TURN or raw[1] > 1 or raw[2] != _INNER or raw[3] != len(raw) - head:
        raise invalid_page_token()
    inner = raw[head:]
    if not inner.startswith(b"PT:"):
        raise invalid_page_token()
    offset, rest = _read_offset(_raw(inner[3:].decode("ascii", "replace")))
    if rest:
        raise invalid_page_token()
    return max(0, offset - size) if raw[1] else offset


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid_page_token() from None
    return raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004  seven bits to a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _read_offset(raw: bytes) -> tuple[int, bytes]:
    if not raw or raw[0] != _OFFSET:
        raise invalid_page_token()
    number = 0
    for index, byte in enumerate(raw[1:]):
        number |= (byte & 0x7F) << (7 * index)
        if number > _MOST:
            break
        if not byte & 0x80:
            return number, raw[index + 2 :]
    raise invalid_page_token()
