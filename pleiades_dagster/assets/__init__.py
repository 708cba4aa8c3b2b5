"""The assets of Pleiades: one module for each group of assets that belong together (building.py says how it looks)."""
