"""What Dagster shows of a step that failed."""

from __future__ import annotations

from typing import Any, NamedTuple

import dagster as dg


class ShownFailure(NamedTuple):
    """The description and the metadata (raw values by name) of a `dagster.Failure`."""

    description: str
    metadata: dict[str, Any]


def shown_failure(result: dg.ExecuteInProcessResult, step: str) -> ShownFailure:
    """The failure of `step`. AssertionError if there is none."""
    data = result.failure_data_for_node(step)
    assert data is not None, f"{step} did not fail"
    failure = data.user_failure_data
    assert failure is not None, data.error
    return ShownFailure(str(failure.description), {name: value.value for name, value in failure.metadata.items()})
