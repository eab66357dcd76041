"""Now: alarms, the figures of this moment with their age, and the last hour against its forecast."""

from dataclasses import dataclass

from nicegui import ui

from operator_console.alarms import Alarm
from operator_console.chart import chart_options
from operator_console.elements import heading
from operator_console.frame import Frame
from operator_console.ledger_view import AssetsSeen
from operator_console.series_view import ChartSeen
from operator_console.snapshot import Snapshot
from operator_console.viewpoint import Age
from operator_console.words import MISSING, LocalTime, figure, flow, old


class Tile:
    """A figure with its name, what belongs to it, and its age; grey once it is stale."""

    def __init__(self, name: str, key: str, lines: int) -> None:
        with ui.element("section").classes("tile").props(f'data-is="{key}"') as self._tile:
            ui.label(name).classes("name")
            self._value = ui.label(MISSING).classes("value")
            self.inside = ui.element("div")
            self._lines = [ui.label().classes("line") for _ in range(lines)]
            self._age = ui.label().classes("age")

    def show(self, value: str, lines: list[str], age: Age | None = None) -> None:
        """Show new values; without an age it is never grey."""
        self._value.set_text(value)
        for label, text in zip(self._lines, lines, strict=True):
            label.set_text(text)
        if age is not None:
            self._age.set_text(old(age))
            self._tile.classes(replace="tile old" if age.stale else "tile")


class Meter:
    """A bar from 0 to 100 %."""

    def __init__(self) -> None:
        with ui.element("div").classes("meter").props('aria-hidden="true"') as self._frame:
            self._bar = ui.element("div").style("width: 0%")

    def show(self, pct: float | None) -> None:
        """Fill it so far; a missing value hides it."""
        self._frame.set_visibility(pct is not None)
        self._bar.style(replace=f"width: {min(100.0, max(0.0, pct or 0.0)):.0f}%")


@dataclass
class NowPage:
    """The page's elements, and what they show."""

    frame: Frame
    _alarms_shown: tuple[tuple[Alarm, str], ...] | None = None
    _chart_shown: object = None

    def __post_init__(self) -> None:
        """Build it."""
        with self.frame.content:
            ui.label("Now").classes("unseen").props('role="heading" aria-level="1"')
            self.alarms = ui.element("div").classes("alarms").props('aria-live="polite" data-is="alarms"')
            with ui.element("div").classes("cards"):
                self.load = Tile("Net load, metered", "net-load", 1)
                self.band = Tile("Forecast in 30 min", "forecast", 2)
                self.price = Tile("Price now", "price", 2)
                self.battery = Tile("Battery", "battery", 3)
                with self.battery.inside:
                    self.soc = Meter()
                self.peaker = Tile("Gas peaker", "peaker", 2)
                self.trust = Tile("Trust in telemetry", "trust", 1)
            with ui.element("section").classes("panel"):
                heading("Net load against its forecast, kW", 2)
                options = chart_options(ChartSeen(0), live=True)
                self.chart = ui.echart(options).classes("chart").props('data-is="chart"')

    def show(self, seen: Snapshot, local: LocalTime) -> None:
        """Show a view of the plant."""
        source = self.frame.room.source
        self._figures(seen, local)
        self._assets(seen.ledger.assets)
        price = seen.price
        since = local.at(price.interval_start, seconds=False)
        self.price.show(
            figure(price.real_time, digits=2),
            [f"{source.currency} per MWh since {since}", f"day ahead {figure(price.day_ahead, digits=2)}"],
        )
        self._show_alarms(seen.alarms, local)
        self._show_chart(seen.chart, live=not seen.native.age.stale)

    def _figures(self, seen: Snapshot, local: LocalTime) -> None:
        load, band, trust = seen.metered, seen.band, seen.trust
        native = figure(seen.native.net_load_kw, "kW")
        self.load.show(figure(load.net_load_kw, "kW"), [f"without our assets {native}"], load.age)
        self.band.show(
            figure(band.p50_kw, "kW"),
            [
                f"{figure(band.p10_kw)} to {figure(band.p90_kw, 'kW')}",
                f"{figure(band.change_kw, 'kW', sign=True)} by {local.at(band.target_at, seconds=False)}",
            ],
            band.age,
        )
        worth = "no objection" if not trust.alarm else f"suspected: {trust.kind}"
        channel = f" in {trust.channel}" if trust.alarm and trust.channel else ""
        self.trust.show(f"{100 * trust.trust:.0f} %", [worth + channel], seen.native.age)

    def _assets(self, assets: AssetsSeen) -> None:
        battery, peaker = assets.battery, assets.peaker
        if battery is None or peaker is None:
            self.battery.show(MISSING, ["", "", ""], assets.age)
            self.peaker.show(MISSING, ["", ""], assets.age)
            self.soc.show(None)
            return
        doing = flow(battery.power_kw, "charging", "discharging")
        self.soc.show(battery.soc_pct)
        self.battery.show(
            figure(battery.soc_pct, "%", 1),
            [
                f"{figure(battery.power_kw, 'kW')} {doing}".strip(),
                f"setpoint {figure(battery.setpoint_kw, 'kW')}",
                f"{figure(battery.soc_kwh, 'kWh')}, {figure(battery.cycles_today, digits=2)} cycles today",
            ],
            assets.age,
        )
        self.peaker.show(
            figure(peaker.power_kw, "kW") if peaker.on else "off",
            [f"setpoint {figure(peaker.setpoint_kw, 'kW')}", f"starts today {peaker.starts_today}"],
            assets.age,
        )

    def _show_alarms(self, alarms: tuple[Alarm, ...], local: LocalTime) -> None:
        shown = tuple((alarm, local.at(alarm.since)) for alarm in alarms)
        if shown == self._alarms_shown:
            return
        self._alarms_shown = shown
        self.alarms.clear()
        with self.alarms:
            for alarm, since in shown:
                kind = "bad" if alarm.severity == "critical" else "warn"
                with ui.element("div").classes(f"alarm {kind}"):
                    ui.label(alarm.title).classes("title")
                    ui.label(alarm.text).classes("text")
                    ui.label(f"since {since}").classes("since")
            if not shown:
                with ui.element("div").classes("alarm good"):
                    ui.label("No alarms").classes("title")

    def _show_chart(self, chart: ChartSeen, *, live: bool) -> None:
        # The window moves on with the next pulse; in between nothing is sent.
        lines = chart.metered, chart.native, chart.p50, live
        if lines == self._chart_shown:
            return
        self._chart_shown = lines
        self.chart.options.update(chart_options(chart, live=live))
        self.chart.update()
