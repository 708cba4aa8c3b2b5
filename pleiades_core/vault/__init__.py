"""The vault: every sample and every video's description, for ever, as Parquet.

Two places (docs/architecture.md): the journal takes small immutable batches as they come; the archive holds one file for every
closed UTC day. `query.py` reads both as one.
"""
