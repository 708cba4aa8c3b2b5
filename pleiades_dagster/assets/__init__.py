"""The assets of Pleiades: one module for each group of assets (building.py describes the form of a module)."""
