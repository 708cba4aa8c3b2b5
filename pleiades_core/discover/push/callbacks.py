"""Address and secret that the hub gets for each channel: it calls the address, and signs with the secret.

Belongs here: both, derived from the one secret of the installation, so that nothing is stored. Does not belong here: requests
to the hub (subscriptions.py), answering it (receiver.py).

WebSub signs notices but not the request that verifies a subscription, so the address itself is one that only the hub knows:
otherwise anybody could confirm subscriptions that do not exist, and the channels would fall silent unnoticed.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import ChannelId
from pleiades_core.settings import SETTINGS_FILE, DemoSettings, Settings
from pleiades_core.videoid import is_channel_id

#: Hexadecimal digits: 80 bits cannot be guessed over a network.
_TOKEN_DIGITS = 20
_TOKEN_OF = b"callback:"


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Addresses and secrets of one installation. The secret does not show in `repr`."""

    #: Without a slash at the end.
    base_url: str
    _secret: bytes = field(repr=False)

    @property
    def prefix(self) -> str:
        """The path of `base_url`, which a proxy in front may have removed or not. Empty or beginning with a slash."""
        return urlsplit(self.base_url).path

    def address(self, channel_id: ChannelId) -> str:
        """The address that the hub calls for one channel."""
        return f"{self.base_url}/{channel_id}/{self.token(channel_id)}"

    def token(self, channel_id: ChannelId) -> str:
        """The part of the address that nobody can guess."""
        return hmac.new(self._secret, _TOKEN_OF + channel_id.encode(), hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]

    def secret(self, channel_id: ChannelId) -> str:
        """The secret that signs the channel's notices. Each channel has its own, so no channel can send notices for another."""
        return hmac.new(self._secret, channel_id.encode(), hashlib.sha256).hexdigest()

    def channel_in(self, path: str) -> tuple[ChannelId | None, bool]:
        """The channel in the path of a request; and True if its token is right."""
        parts = path.removeprefix(self.prefix).strip("/").split("/")
        if len(parts) > 2 or not is_channel_id(parts[0]):  # noqa: PLR2004  a channel and a token
            return None, False
        channel_id = ChannelId(parts[0])
        given = parts[1] if len(parts) > 1 else ""
        return channel_id, hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token(channel_id).encode())


def callbacks_of(settings: Settings) -> Callbacks:
    """The callbacks of an installation.

    Raises:
        ConfigurationError: push is not set up.
    """
    if settings.push.callback_url is None:
        raise ConfigurationError(
            "PLEIADES_PUSH_CALLBACK_URL is not set",
            cure=_cure(
                settings, "push.callback_url", "the public https address of the proxy before `pleiades push`; docs/push.md"
            ),
        )
    if settings.push.secret is None:
        raise ConfigurationError(
            "PLEIADES_PUSH_SECRET is not set",
            cure=_cure(settings, "push.secret", 'what `python -c "import secrets; print(secrets.token_urlsafe(32))"` prints'),
        )
    parts = urlsplit(settings.push.callback_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            "PLEIADES_PUSH_CALLBACK_URL is not an address that a hub can call",
            cure="write it as https://host/path, without ? and #",
        )
    return Callbacks(settings.push.callback_url.rstrip("/"), settings.push.secret.get_secret_value().encode())


def _cure(settings: Settings, name: str, value: str) -> str:
    """Where the setting `name` gets its value. A demo's home does not look at the environment."""
    if isinstance(settings, DemoSettings):
        return f'write {name} = "…" into {settings.home / SETTINGS_FILE}, since a demo does not read the environment: {value}'
    return f"set it to {value}"
