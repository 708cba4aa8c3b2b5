"""Followed channels: which are followed, how many videos they have, and how far their past uploads were read.

Does not belong here: requesting new uploads (discover/sources/uploads.py), Atom feeds (discover/sources/feeds.py).
"""
