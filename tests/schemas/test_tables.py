"""Every table goes through Parquet with its schema, nullability included."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.parts import conversation_rows
from schemas.tables import SCHEMAS, SPLITS
from tests.schemas.rows import table


def through_parquet(data: pa.Table) -> pa.Table:
    file = io.BytesIO()
    pq.write_table(data, file, compression="zstd")
    return pq.read_table(file)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_survives_parquet(name: str) -> None:
    data = table(name, {}, {})
    back = through_parquet(data)
    assert back.schema.equals(SCHEMAS[name])
    assert [field.nullable for field in back.schema] == [field.nullable for field in SCHEMAS[name]]
    assert back.equals(data)
    assert all(back[field.name].null_count == 2 for field in back.schema if field.nullable)


@pytest.mark.parametrize("name", SCHEMAS)
def test_required_columns_refuse_nulls(name: str) -> None:
    required = [field for field in SCHEMAS[name] if not field.nullable]
    assert required, "a table of nothing but unknowns"
    for field in required:
        data = table(name, {})
        broken = data.set_column(data.schema.get_field_index(field.name), field, pa.nulls(1, field.type))
        if pa.types.is_list(field.type):  # Parquet has no null list in a required column: it is an empty one
            assert through_parquet(broken)[field.name].to_pylist() == [[]]
            continue
        with pytest.raises((pa.ArrowInvalid, OSError), match="null"):
            through_parquet(broken)


def test_splits_share_one_schema() -> None:
    assert all(SCHEMAS[split] is SCHEMAS["train"] for split in SPLITS)


def test_conversations_are_told_apart_by_position_not_by_id() -> None:
    rows = [{"conversation_id": "same", "position": position} for position in (0, 1, 2, 0, 1)]
    assert conversation_rows(table("messages", *rows)).tolist() == [0, 0, 0, 1, 1]
    assert conversation_rows(table("messages")).tolist() == []
