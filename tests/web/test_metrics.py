"""`/metrics`: what Prometheus reads, and who else may."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from menagerie.web.routes import metrics
from tests.engines.overviews import SeenEngines, lively_figures
from tests.web.serving import Parts, parts, serving

NOON = 1_700_049_600.0


def counting(folder: Path, **settings: object) -> Parts:
    """Parts with the figures of a busy day."""
    given = parts(folder, **settings)
    given.engines = SeenEngines()
    given.figures = lively_figures(NOON)
    given.routers = (metrics.router,)
    return given


async def test_prometheus_reads_what_was_counted_and_what_is_so_now(tmp_path: Path) -> None:
    async with serving(counting(tmp_path)) as client, client.get("/metrics") as response:
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}

        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {"menagerie_turns_entered", "menagerie_turn_wait_seconds", "menagerie_load_seconds"} <= set(
        families
    )
    assert {"menagerie_memory_reserved_bytes", "menagerie_engines", "menagerie_build"} <= set(families)
    assert all(family.documentation for family in families.values())


async def test_open_metrics_are_there_for_who_asks(tmp_path: Path) -> None:
    wanted = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with serving(counting(tmp_path)) as client, client.get("/metrics", headers=wanted) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert (await response.text()).endswith("# EOF\n")


async def test_no_path_and_no_address_is_told(tmp_path: Path) -> None:
    async with serving(counting(tmp_path)) as client, client.get("/metrics") as response:
        told = await response.text()
    assert "Phi-4-mini" in told
    assert "/srv" not in told
    assert "127.0.0.1" not in told


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        ({"metrics": "10.0.0.0/8"}, {}, 403),
        ({"metrics": "10.0.0.0/8,127.0.0.1"}, {}, 200),
        ({}, {"X-Forwarded-For": "10.1.2.3"}, 403),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-For": "10.1.2.3"}, 403),
        ({"trusted_proxies": "127.0.0.1", "metrics": "10.0.0.0/8"}, {"X-Forwarded-For": "10.1.2.3"}, 200),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1, 10.1.2.3"}, 403),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-For": "what?"}, 200),
    ],
)
async def test_the_address_of_the_client_decides(
    tmp_path: Path, settings: dict[str, str], headers: dict[str, str], status: int
) -> None:
    given = counting(tmp_path, **settings)
    async with serving(given) as client, client.get("/metrics", headers=headers) as response:
        assert response.status == status
        assert ("menagerie_turns" in await response.text()) == (status == 200)


async def test_who_may_not_read_is_told_so_in_their_language(tmp_path: Path) -> None:
    given = counting(tmp_path, metrics="10.0.0.0/8")
    asked = {"Accept": "application/json", "Accept-Language": "fr"}
    async with serving(given) as client, client.get("/metrics", headers=asked) as response:
        error = (await response.json())["error"]
        assert error["code"] == "request.address_refused"
        assert "MENAGERIE_METRICS" in error["message"]
        assert response.headers["Content-Language"] == "fr"
