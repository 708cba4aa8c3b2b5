"""Serving HTTP: one start, one host check and one shutdown for every server of ours.

The UI of Dagster, the push receiver and the simulator are applications; serve.py serves them. Does not belong here: what an
application answers.
"""
