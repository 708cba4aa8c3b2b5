"""The settings of an installation: groups.py declares them, loading.py reads them."""

from pleiades_core.settings.groups import SEVERAL_PROJECTS, YOUTUBE_URL
from pleiades_core.settings.loading import (
    ENV_FILE,
    SETTINGS_FILE,
    WELL_KNOWN,
    DemoSettings,
    Settings,
    load_settings,
    setting_names,
)

__all__ = [
    "ENV_FILE", "SETTINGS_FILE", "SEVERAL_PROJECTS", "WELL_KNOWN", "YOUTUBE_URL", "DemoSettings", "Settings", "load_settings",
    "setting_names",
]  # fmt: skip
