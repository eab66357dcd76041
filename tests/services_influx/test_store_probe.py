"""Whether InfluxDB takes writes, asked without writing."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget
from smartgrid.settings import Settings
from smartgrid.store_probe import store_problem

pytestmark = pytest.mark.service


def settings_of(target: InfluxTarget) -> Settings:
    return Settings(
        state=Path("nowhere"),
        influx_url=target.url,
        influx_org=target.org,
        influx_bucket=target.bucket,
        influx_token=SecretStr(target.token),
    )


def test_a_server_that_takes_writes_is_no_problem_and_gets_none(
    target: InfluxTarget, store: InfluxStore
) -> None:
    assert store_problem(settings_of(target)) is None
    assert store.sites() == []


def test_a_problem_is_named_with_its_fix_and_without_the_token(target: InfluxTarget) -> None:
    wrong = {
        "store init": replace(target, bucket="no-such-bucket"),
        "set influx_token": replace(target, token="-".join(["not", "this", "one"])),
        "start InfluxDB": replace(target, url="http://127.0.0.1:9"),
    }
    for fix, changed in wrong.items():
        problem = store_problem(settings_of(changed))
        assert problem is not None
        assert fix in problem
        assert changed.token not in problem


def test_settings_that_lack_the_token_are_a_problem_too(target: InfluxTarget) -> None:
    problem = store_problem(settings_of(target).model_copy(update={"influx_token": None}))
    assert problem == "influx_token: not set; set SMARTGRID_INFLUX_TOKEN or influx_token_file"
