"""Objects: files under keys, created once or replaced by compare-and-swap, and never half there.

Belongs here: the protocol `Objects` (base.py) and one module for each kind of store, which keeps the protocol's promises by the
means of that store. Today that is a local folder (local.py); `gcs` (Google Cloud Storage) and `hf` (Hugging Face Hub) follow.
Does not belong here: what a key means (vault/layout.py).
"""

from pleiades_core.storage.objects.base import Capabilities, Objects, publish, sha256_of
from pleiades_core.storage.objects.local import LocalObjects

__all__ = ["Capabilities", "LocalObjects", "Objects", "publish", "sha256_of"]
