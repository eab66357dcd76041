"""Sites in the settings: what is told, and what is refused."""

import math
from pathlib import Path

import pytest

from pipeline.site_rules import SiteRules
from smartgrid.errors import SettingsError
from smartgrid.settings import Settings, load_settings
from smartgrid.site_settings import site_rules

EXAMPLE = """
lateness_s = 3600

[sites.feeder-7]
time_zone = "Europe/Berlin"
cadence_s = 60
load_kw = [0, 5000]
solar_kw = [-2, inf]

[sites.feeder-7-east]
parent = "feeder-7"
"""


def read(folder: Path, text: str) -> Settings:
    (folder / "smartgrid.toml").write_text(text)
    return load_settings(state=folder)


def test_the_engine_gets_each_sites_time_zone_and_bounds(tmp_path: Path) -> None:
    settings = read(tmp_path, EXAMPLE)
    assert settings.lateness_s == 3600
    assert site_rules(settings.sites) == {
        "feeder-7": SiteRules("Europe/Berlin", {"load_kw": (0.0, 5000.0), "solar_kw": (-2.0, math.inf)}),
        "feeder-7-east": SiteRules(),
    }
    assert settings.sites["feeder-7"].cadence_s == 60
    assert settings.sites["feeder-7-east"].parent == "feeder-7"


def test_the_example_of_the_module_is_this_one() -> None:
    text = Path(str(site_rules.__code__.co_filename)).read_text("utf-8")
    example = [line.removeprefix("    ") for line in text.split('"""')[1].splitlines()]
    assert EXAMPLE.strip() in "\n".join(example)


def test_without_sites_nothing_is_bounded_and_the_lateness_is_the_streams_own(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.sites, settings.lateness_s) == ({}, None)


def test_a_variable_may_leave_an_end_open_with_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTGRID_SITES", '{"A": {"net_load_kw": [null, 5], "wind_kw": [0, null]}}')
    assert site_rules(load_settings(state=tmp_path).sites) == {
        "A": SiteRules(None, {"wind_kw": (0.0, math.inf), "net_load_kw": (-math.inf, 5.0)})
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[sites.a]\ntime_zone = "Mars"', "sites.a.time_zone = 'Mars': no IANA time zone; write it like"),
        (
            "[sites.a]\nload_kw = [5, 0]",
            "sites.a.load_kw = [5, 0]: low must lie below high; write",
        ),
        ("[sites.a]\nload_kw = [5, 5]", "sites.a.load_kw = [5, 5]: low must lie below high"),
        ("[sites.a]\nload_kw = [inf, inf]", "low must lie below high"),
        (
            "[sites.a]\nwind_kw = [nan, 0]",
            "sites.a.wind_kw = [nan, 0]: NaN bounds nothing; write",
        ),
        ("[sites.a]\nsolar_kw = [1]", "sites.a.solar_kw.1 = [1]: Field required"),
        ("[sites.a]\nload_kv = [0, 1]", "sites.a.load_kv = [0, 1]: Extra inputs are not permitted"),
        ("[sites.a]\ncadence_s = 0", "sites.a.cadence_s = 0: Input should be greater than 0"),
        ('[sites.""]\n', "should have at least 1 character"),
        ('[sites.a]\nparent = "b"', "a.parent = 'b': no such site; add a table for it, or correct the name"),
        ('[sites.a]\nparent = "a"', "a.parent = 'a': the site is its own ancestor; take out one"),
        (
            '[sites.a]\nparent = "b"\n[sites.b]\nparent = "c"\n[sites.c]\nparent = "b"',
            "b.parent = 'c': the site is its own ancestor",
        ),
        ("lateness_s = -1", "lateness_s = -1: Input should be greater than or equal to 0"),
        ("lateness_s = inf", "lateness_s = inf: Input should be less than or equal to 604800"),
        ("lateness_s = nan", "lateness_s = nan: Input should be"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_the_fix(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_a_message_about_many_sites_stays_short(tmp_path: Path) -> None:
    many = "".join(f"[sites.s{i}]\nload_kw = [0, 1]\n" for i in range(100))
    with pytest.raises(SettingsError) as error:
        read(tmp_path, many + '[sites.odd]\nparent = "gone"')
    assert "odd.parent = 'gone'" in str(error.value)
    assert len(str(error.value)) < 300
