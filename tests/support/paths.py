"""Where the checkout lies."""

from __future__ import annotations

from pathlib import Path

#: The top folder of the checkout.
ROOT = Path(__file__).parents[2]
