"""Reference pages that are generated from the code: `python -m docgen` writes them, and with `--check` compares them.

A module for each page: `text()` returns what the page says. Does not belong here: pages that people write.
"""
