"""Parquet files: the same rows give the same bytes, and no flipped bit goes unnoticed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import CorruptFile
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of

#: A title may spell the name of the checksum, and an all-zero one.
_TABLE = pa.table(
    {
        "vid": pa.array([1, 2, 2**40], pa.int64()),
        "title": ["pleiades.sha256 \x18@" + "0" * 64, "", "a title"],
    }
).replace_schema_metadata({"pleiades.day": "2026-03-01"})


def test_rows_and_footer_come_back() -> None:
    content = parquet.encode(_TABLE, delta=("vid",))
    back = parquet.decode(content, schema=_TABLE.schema, origin="x")
    assert back.equals(_TABLE)
    assert back.schema.metadata == {b"pleiades.day": b"2026-03-01"}
    assert content == parquet.encode(_TABLE, delta=("vid",))
    checked = parquet.check(content, origin="x")
    assert (checked.sha256, checked.size) == (sha256_of(content), len(content))
    assert checked.metadata[b"pleiades.day"] == b"2026-03-01"


def test_every_flipped_bit_is_noticed() -> None:
    content = parquet.encode(_TABLE, delta=("vid",))
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            with pytest.raises(CorruptFile, match="journal/x"):
                parquet.check(bytes(flipped), origin="journal/x")


@given(st.data())
def test_every_cut_and_every_addition_is_noticed(data: st.DataObject) -> None:
    content = parquet.encode(_TABLE, delta=("vid",))
    end = data.draw(st.integers(0, len(content) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))
    place = data.draw(st.integers(0, len(content)))
    for damaged in (content[:end], content[end + 1 :], content[:place] + more + content[place:]):
        with pytest.raises(CorruptFile):
            parquet.check(damaged, origin="x")


def test_a_file_that_others_wrote_is_refused() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(_TABLE, sink)
    with pytest.raises(CorruptFile, match="no checksum of Pleiades"):
        parquet.decode(sink.getvalue().to_pybytes(), schema=_TABLE.schema, origin="x")
