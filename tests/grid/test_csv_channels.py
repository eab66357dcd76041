"""Which column becomes which channel: names, units, currencies, ``--map``, and net load."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from grid.csv_columns import parse_mapping
from grid.csv_series import CsvSeries, read_csv_series
from grid.errors import CsvError

STAMPS = ("2024-01-01T00:00:00Z", "2024-01-01T00:15:00Z", "2024-01-01T00:30:00Z")


def read(folder: Path, header: str, *rows: str, **mapping: str) -> CsvSeries:
    """Read a file of these columns beside the time; missing rows repeat the last."""
    filled = [*rows, *[rows[-1]] * (len(STAMPS) - len(rows))]
    lines = [f"ts_utc,{header}", *(f"{stamp},{row}" for stamp, row in zip(STAMPS, filled, strict=True))]
    path = folder / "area.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_csv_series(path, mapping=mapping)


def values(found: CsvSeries, column: str) -> list[float]:
    return list(found.series.frame[column])


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("load_kw", "load_kw"),
        ("demand_kw", "load_kw"),
        ("operational_demand_kw", "load_kw"),
        ("total_gen_kw", "load_kw"),
        ("net_load_kw", "net_load_kw"),
        ("residual_load_kw", "net_load_kw"),
        ("site_net_kw", "net_load_kw"),
        ("price_usd_per_mwh", "price_usd_per_mwh"),
        ("rt_usd_per_mwh", "price_usd_per_mwh"),
        ("rrp_usd_per_mwh", "price_usd_per_mwh"),
        ("da_price_usd_per_mwh", "da_price_usd_per_mwh"),
        ("da_usd_per_mwh", "da_price_usd_per_mwh"),
    ],
)
def test_each_name_and_alias_feeds_its_channel(tmp_path: Path, name: str, column: str) -> None:
    assert values(read(tmp_path, name, "12.5"), column) == [12.5] * 3


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("solar_kw", "solar_kw"),
        ("pv_kw", "solar_kw"),
        ("wind_kw", "wind_kw"),
        ("frequency_hz", "frequency_hz"),
    ],
)
def test_each_optional_name_feeds_its_channel_beside_a_load(tmp_path: Path, name: str, column: str) -> None:
    found = read(tmp_path, f"load_kw,{name}", "100,50.5")
    assert values(found, column) == [50.5] * 3
    assert found.report.ignored_columns == ()


@pytest.mark.parametrize(
    ("unit", "in_kw"), [("w", 0.25), ("kw", 250.0), ("mw", 250_000.0), ("MW", 250_000.0)]
)
def test_power_is_read_in_the_unit_that_its_name_says(tmp_path: Path, unit: str, in_kw: float) -> None:
    found = read(tmp_path, f"load_{unit}", "250")
    assert values(found, "load_kw") == pytest.approx([in_kw] * 3, rel=1e-12)
    assert found.report.columns["load"].unit == unit.lower()


def test_columns_of_one_file_may_have_different_units(tmp_path: Path) -> None:
    found = read(tmp_path, "load_mw,solar_kw,wind_w", "2,300,40000")
    assert values(found, "net_load_kw") == pytest.approx([2000.0 - 300.0 - 40.0] * 3)


def test_names_are_read_in_any_case_and_with_blanks_and_quotes_around(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_text(
        '" TS_UTC ", "Load_MW", PV_kW\n"2024-01-01T00:00Z", "1.5",3\n2024-01-01T00:15Z , 1.5 , 4\n'
    )
    found = read_csv_series(path)
    assert values(found, "net_load_kw") == [1497.0, 1496.0]


@pytest.mark.parametrize("currency", ["usd", "aud", "eur"])
def test_the_prices_currency_is_named_and_nothing_is_converted(tmp_path: Path, currency: str) -> None:
    found = read(tmp_path, f"rrp_{currency}_per_mwh,da_{currency}_per_mwh", "-31.5,17500")
    assert (values(found, "price_usd_per_mwh"), values(found, "da_price_usd_per_mwh")) == (
        [-31.5] * 3,
        [17500.0] * 3,
    )
    assert found.series.currency == found.report.currency == currency.upper()
    assert any(f"currency {currency.upper()}" in line for line in found.report.lines())


@pytest.mark.parametrize(
    ("header", "source"),
    [("load_kw,price_eur_per_mwh", "file"), ("load_kw,da_eur_per_mwh", "none"), ("load_kw,x", "none")],
)
def test_the_price_source_is_the_file_only_where_it_has_real_time_prices(
    tmp_path: Path, header: str, source: str
) -> None:
    assert read(tmp_path, header, "1,2").series.price_source == source


def test_a_file_of_prices_alone_has_no_net_load_and_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, "price_usd_per_mwh", "30")
    assert np.isnan(values(found, "net_load_kw")).all()
    assert not found.report.has_net_load
    assert "no net load: the file has neither net_load nor load" in found.report.notes


def test_a_mapped_column_wins_over_the_names(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,feeder_7_w,pv_kw", "1,9000,2", load="feeder_7_w")
    assert values(found, "net_load_kw") == [7.0] * 3
    assert found.report.ignored_columns == ("load_kw",)


def test_a_column_that_is_mapped_elsewhere_no_longer_claims_its_own_channel(tmp_path: Path) -> None:
    found = read(tmp_path, "net_load_kw,solar_kw", "10,3", load="net_load_kw")
    assert values(found, "net_load_kw") == [7.0] * 3


def test_mapping_resolves_two_columns_that_claim_one_channel(tmp_path: Path) -> None:
    with pytest.raises(
        CsvError, match=r"line 1: several columns claim load \(load_kw, demand_mw\).*--map load="
    ):
        read(tmp_path, "load_kw,demand_mw", "1,2")
    assert values(read(tmp_path, "load_kw,demand_mw", "1,2", load="demand_mw"), "load_kw") == [2000.0] * 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["load"], ["'load'", "CHANNEL=COLUMN", "load=total_gen_mw"]),
        (["=total_w"], ["'=total_w'", "CHANNEL=COLUMN"]),
        (["load="], ["'load='", "CHANNEL=COLUMN"]),
        (["lode=total_w"], ["'lode'", "the channels are", "load", "da_price", "frequency_hz"]),
        (["load=a_w", "load=b_w"], ["load twice", "a_w", "b_w"]),
        (["load=a_w", "solar=a_w"], ["'a_w'", "both load and solar"]),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(options: list[str], named: list[str]) -> None:
    with pytest.raises(CsvError) as caught:
        parse_mapping(options)
    assert all(text in str(caught.value) for text in named), str(caught.value)


def test_a_mapping_splits_at_its_first_equals_sign_and_drops_blanks() -> None:
    assert parse_mapping([" load = a=b_kw ", "price=x_usd_per_mwh"]) == {
        "load": "a=b_kw",
        "price": "x_usd_per_mwh",
    }


def test_one_column_may_feed_both_prices_but_never_two_powers(tmp_path: Path) -> None:
    found = read(tmp_path, "x_usd_per_mwh", "5", price="x_usd_per_mwh", da_price="x_usd_per_mwh")
    assert values(found, "da_price_usd_per_mwh") == values(found, "price_usd_per_mwh") == [5.0] * 3
    with pytest.raises(CsvError, match="both load and wind"):
        read(tmp_path, "x_kw", "5", load="x_kw", wind="x_kw")


@pytest.mark.parametrize(
    ("header", "mapping", "named"),
    [
        ("x_kw", {}, ["no column gives load, net_load or a price", "'x_kw'", "--map load=COLUMN"]),
        ("solar_kw", {}, ["no column gives load", "'solar_kw'"]),
        ("load", {}, ["'load'", "_w, _kw or _mw", "--map load=COLUMN"]),
        ("load_gw", {}, ["'load_gw'", "_w, _kw or _mw"]),
        ("load_kwh", {}, ["'load_kwh'", "_w, _kw or _mw"]),
        ("load_kw,wind", {}, ["'wind'", "_w, _kw or _mw"]),
        ("load_kw,price", {}, ["'price'", "_<currency>_per_mwh"]),
        ("load_kw,price_per_mwh", {}, ["'price_per_mwh'", "_<currency>_per_mwh"]),
        ("load_kw,price_eur_per_kwh", {}, ["'price_eur_per_kwh'", "_<currency>_per_mwh"]),
        ("load_kw,rrp_cents_per_kwh", {}, ["'rrp_cents_per_kwh'", "_<currency>_per_mwh"]),
        ("load_kw,da_eur_mwh", {}, ["'da_eur_mwh'", "_<currency>_per_mwh"]),
        ("load_kw,frequency", {}, ["'frequency'", "_hz"]),
        ("total", {"load": "total"}, ["--map load=total", "unit", "_w, _kw or _mw"]),
        ("x_usd_per_mwh", {"load": "x_usd_per_mwh"}, ["--map load=x_usd_per_mwh", "_w, _kw or _mw"]),
        ("x_kw", {"price": "x_kw"}, ["--map price=x_kw", "_<currency>_per_mwh"]),
        ("x_kw", {"load": "y_kw"}, ["--map load=y_kw", "no column 'y_kw'", "'x_kw'"]),
        ("x_kw", {"lode": "x_kw"}, ["'lode'", "the channels are"]),
        (
            "price_usd_per_mwh,da_eur_per_mwh",
            {},
            ["more than one currency", "price_usd_per_mwh, da_eur_per_mwh", "remove a column"],
        ),
    ],
)
def test_columns_that_cannot_be_told_are_an_error_that_names_field_and_fix(
    tmp_path: Path, header: str, mapping: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(CsvError) as caught:
        read(tmp_path, header, ",".join(["1"] * len(header.split(","))), **mapping)
    text = str(caught.value)
    assert text.startswith(str(tmp_path / "area.csv"))
    assert all(part in text for part in named), text


def test_a_currency_of_a_column_that_is_not_read_does_not_matter(tmp_path: Path) -> None:
    found = read(tmp_path, "price_usd_per_mwh,gas_eur_per_mwh", "1,2")
    assert found.report.currency == "USD"
    assert found.report.ignored_columns == ("gas_eur_per_mwh",)


def test_a_quantity_of_another_kind_claims_no_channel(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,day_ahead_solar_mw,wind_usd_per_mwh,load_hz", "1,2,3,4")
    assert values(found, "net_load_kw") == [1.0] * 3
    assert found.report.ignored_columns == ("day_ahead_solar_mw", "wind_usd_per_mwh", "load_hz")


@pytest.mark.parametrize(
    ("header", "row", "net_load_kw", "formula"),
    [
        ("load_kw", "100", 100.0, "net_load is load"),
        ("load_kw,solar_kw", "100,30", 70.0, "net_load is load - solar"),
        ("load_kw,wind_kw", "100,90", 10.0, "net_load is load - wind"),
        ("load_kw,solar_kw,wind_kw", "100,30,90", -20.0, "net_load is load - solar - wind"),
    ],
)
def test_net_load_is_load_less_the_parts_that_the_file_has(
    tmp_path: Path, header: str, row: str, net_load_kw: float, formula: str
) -> None:
    found = read(tmp_path, header, row)
    assert values(found, "net_load_kw") == [net_load_kw] * 3
    assert formula in found.report.notes


@pytest.mark.parametrize("blank", ["", "NaN", "nan", "NA", "n/a", "null", "None", "<NA>", "  "])
@pytest.mark.parametrize("row", ["{},30,90", "100,{},90", "100,30,{}"])
def test_a_blank_in_an_existing_column_makes_that_rows_net_load_missing(
    tmp_path: Path, row: str, blank: str
) -> None:
    found = read(tmp_path, "load_kw,solar_kw,wind_kw", "100,30,90", row.format(blank), "100,30,90")
    np.testing.assert_array_equal(values(found, "net_load_kw"), [-20.0, np.nan, -20.0])
    assert (found.report.used, found.report.set_aside, found.report.net_load_rows) == (3, 0, 2)
    assert any(note.startswith("missing values: ") and note.endswith("_kw 1") for note in found.report.notes)
    assert not any(note.startswith("no row has a net load") for note in found.report.notes)


def test_a_blank_price_leaves_the_rows_net_load_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,price_usd_per_mwh", "100,", "100,5", "100,5")
    assert values(found, "net_load_kw") == [100.0] * 3
    np.testing.assert_array_equal(values(found, "price_usd_per_mwh"), [np.nan, 5.0, 5.0])


def test_a_given_net_load_that_is_blank_is_not_made_up_from_its_parts(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,net_load_kw", "100,100", "100,", "100,100")
    np.testing.assert_array_equal(values(found, "net_load_kw"), [100.0, np.nan, 100.0])


def test_a_given_net_load_stands_where_one_of_its_parts_is_blank(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,solar_kw,net_load_kw", "100,30,70", "100,,70", "100,30,70")
    assert values(found, "net_load_kw") == [70.0] * 3
    assert not any("differs" in note for note in found.report.notes)


def test_a_solar_column_that_is_blank_throughout_leaves_no_net_load_and_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,solar_kw", "100,")
    assert not found.report.has_net_load
    assert any(note.startswith("no row has a net load") for note in found.report.notes)


@pytest.mark.parametrize(
    ("given", "reported"), [("70.06", False), ("-70", True), ("70.08", True), ("0", True)]
)
def test_a_given_net_load_wins_and_more_than_a_thousandth_apart_is_reported(
    tmp_path: Path, given: str, reported: bool
) -> None:
    found = read(tmp_path, "load_kw,solar_kw,net_load_kw", "100,30,70", f"100,30,{given}", "100,30,70")
    assert values(found, "net_load_kw") == [70.0, float(given), 70.0]
    remarks = [note for note in found.report.notes if "differs from load - solar by more than 0.1%" in note]
    assert len(remarks) == reported
    assert not reported or ("in 1 rows" in remarks[0] and "net_load is used" in remarks[0])


def test_an_exporting_site_agrees_with_its_parts_within_a_thousandth_too(tmp_path: Path) -> None:
    found = read(tmp_path, "load_kw,solar_kw,net_load_kw", "100,170,-70.06")
    assert not any("differs" in note for note in found.report.notes)


def test_a_name_without_a_unit_is_ignored_where_another_column_gives_the_channel(tmp_path: Path) -> None:
    found = read(tmp_path, "load,load_kw", "1,2")
    assert values(found, "load_kw") == [2.0] * 3
    assert found.report.ignored_columns == ("load",)


def test_columns_without_a_name_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, "load_kw,,", "1,,x").report.ignored_columns == ()


def test_a_file_packed_by_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    plain = read(tmp_path, "load_kw", "1", "2", "3")
    packed = tmp_path / "packed.csv"
    packed.write_bytes(gzip.compress((tmp_path / "area.csv").read_bytes()))
    assert read_csv_series(packed).series.frame.equals(plain.series.frame)


def test_the_report_is_json_and_says_what_was_read_from_where(tmp_path: Path) -> None:
    report = read(tmp_path, "demand_mw,note,rt_usd_per_mwh", "1,x,2").report
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert document["columns"] == {
        "load": {"column": "demand_mw", "unit": "mw"},
        "price": {"column": "rt_usd_per_mwh", "unit": "usd_per_mwh"},
    }
    assert (document["rows"], document["used"], document["cadence_s"]) == (3, 3, 900.0)
    assert (document["start_utc"], document["end_utc"]) == (
        "2024-01-01T00:00:00+00:00",
        "2024-01-01T00:30:00+00:00",
    )
    assert "load from demand_mw, price from rt_usd_per_mwh; currency USD" in report.lines()
    assert "ignored columns: 'note'" in report.lines()


def test_a_column_name_cannot_disturb_the_terminal(tmp_path: Path) -> None:
    text = "\n".join(read(tmp_path, "load_kw,\x1b[2J\u202e", "1,2").report.lines())
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_column_name_may_hold_a_semicolon_or_a_bar(tmp_path: Path) -> None:
    assert read(tmp_path, "load_kw,a;b|c", "1,2").report.ignored_columns == ("a;b|c",)
