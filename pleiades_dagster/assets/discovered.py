"""`discovered_videos`: today's key hunts, a past key folds the registry of its day again.

Does not belong here: how candidates are found and admitted (pleiades_core/discover).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from pleiades_core.batches.closing import finish_day
from pleiades_core.discover.hunt_report import HuntReport
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import QuotaExhausted
from pleiades_core.vault.archive import may_close
from pleiades_core.vault.layout import REGISTRY
from pleiades_dagster.checks import hunt_results, hunt_specs
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, note_skipped
from pleiades_dagster.resources import Opener
from pleiades_dagster.tables import FRESH_HOURLY, VIDEOS

KEY = dg.AssetKey("discovered_videos")


class HuntConfig(dg.Config):
    """Which sources to take today; all of them unless some are named."""

    sources: list[str] = Field(default_factory=lambda: list(SOURCES))


def discovered_videos(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, cut by `days`, of which the last is today."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        group_name="discover",
        kinds={"youtube", "postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=VIDEOS.metadata(vault_root),
        freshness_policy=FRESH_HOURLY,
        retry_policy=RETRY,
        # As `daily_metrics`: a check's result is stored with its partition only where a run has one (dagster 1.13).
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        check_specs=hunt_specs(KEY, days),
        pool="youtube_api",
        output_required=False,
    )
    def discovered(
        context: dg.AssetExecutionContext, config: HuntConfig, installation: dg.ResourceParam[Opener]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        """Videos found on one UTC day, and what is known of them.

        Today's key hunts: every source, details, admission; run it as often as quota allows. A past key folds the day's
        batches into `videos/date=D/day.parquet` again and calls nobody.
        """
        report: HuntReport | None = None
        resets_at = None
        words: dict[str, Any] | None = None
        if unknown := set(config.sources) - set(SOURCES):
            raise refusal(f"no such sources: {', '.join(sorted(unknown))}", cure=f"choose among {', '.join(SOURCES)}")
        with as_failures(), installation.open() as opened:
            now, day = opened.clock.now(), day_of(context.partition_key)
            if day == now.date():
                try:
                    report = opened.hunter().hunt(config.sources)
                except QuotaExhausted as spent:
                    resets_at = spent.resets_at
                    words = {"status": "partial", "resets_at": dg.MetadataValue.timestamp(resets_at)}
                else:
                    resets_at = report.resets_at
                    words = metadata_of(report) | {"status": "partial" if resets_at else "complete"}
            elif may_close(day, now):
                closed, _ = finish_day(opened.database, opened.vault, opened.clock, REGISTRY, day)
                words = metadata_of(closed) | {"dagster/row_count": closed.rows, "file": REGISTRY.day_key(day)}
            else:
                note_skipped(context, context.partition_key, now)
            results = hunt_results(opened, report, resets_at)
        if words is not None:
            yield dg.MaterializeResult(metadata=words)
        yield from results

    return discovered
