"""Followed channels: which are followed, what their video counts say, and how far their past uploads were read.

Does not belong here: asking for new uploads (discover/sources/uploads.py), Atom feeds (discover/sources/feeds.py).
"""
