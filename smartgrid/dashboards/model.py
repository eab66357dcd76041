"""Panels and dashboards, and the JSON by which Grafana knows them.

Ids and positions follow from the order alone: panels of a row share its width.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

DATASOURCE: Final = {"type": "influxdb", "uid": "smartgrid-influxdb"}
"""As ``deploy/grafana/provisioning/datasources`` names it."""
GRID_WIDTH: Final = 24
SCHEMA_VERSION: Final = 41
SITE: Final = "${site:doublequote}"
"""The chosen site in a query: Grafana writes it as a quoted Flux text."""
SITES_QUERY: Final = """import "influxdata/influxdb/schema"

schema.tagValues(
    bucket: v.defaultBucket,
    tag: "site",
    predicate: (r) => r._measurement == "telemetry",
    start: v.timeRangeStart,
    stop: v.timeRangeStop,
)
"""

Kind = Literal["timeseries", "stat", "table"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """How one column is drawn.

    Attributes:
        name: what people read.
        fill_to: column down to which the area is filled, as the band's upper edge has it.
        unit: Grafana's unit, where it is not the panel's.
        dashed: whether the line is.
    """

    name: str
    fill_to: str | None = None
    unit: str | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        description: what a reader must know to read it right.
        queries: Flux, with Grafana's ``v.…`` variables.
        kind: how it is drawn.
        unit: Grafana's unit, such as ``kwatt``.
        series: how each column is drawn; others as they come.
        label: tag that names the series, where each comes under the same column.
        steps: whether a value holds until the next; else points are joined.
        thresholds: colour by least value, the first for whatever is lower.
    """

    title: str
    description: str
    queries: tuple[str, ...]
    kind: Kind = "timeseries"
    unit: str = "short"
    series: Mapping[str, Series] = field(default_factory=dict)
    label: str | None = None
    steps: bool = False
    thresholds: tuple[tuple[float | None, str], ...] = ((None, "green"),)

    def document(self, number: int, place: Mapping[str, int]) -> Json:
        """The panel as Grafana has it."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": dict(place),
            "targets": [
                {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "query": query}
                for i, query in enumerate(self.queries)
            ],
            "fieldConfig": {
                "defaults": self._defaults(),
                "overrides": [_override(*item) for item in self.series.items()],
            },
            "options": _OPTIONS[self.kind],
        }

    def _defaults(self) -> Json:
        steps = [{"color": color, "value": value} for value, color in self.thresholds]
        defaults: Json = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.label is not None:
            defaults["displayName"] = f"${{__field.labels.{self.label}}}"
        if self.kind == "timeseries":
            interpolation = "stepAfter" if self.steps else "linear"
            defaults["custom"] = {"lineInterpolation": interpolation, "showPoints": "auto"}
        return defaults


_OPTIONS: Final[Mapping[str, Json]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "table": {"cellHeight": "sm", "showHeader": True},
}


def _override(column: str, drawn: Series) -> Json:
    properties: list[Json] = [{"id": "displayName", "value": drawn.name}]
    if drawn.unit is not None:
        properties.append({"id": "unit", "value": drawn.unit})
    if drawn.dashed:
        properties.append({"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}})
    if drawn.fill_to is not None:
        properties.append({"id": "custom.fillBelowTo", "value": drawn.fill_to})
    return {"matcher": {"id": "byName", "options": column}, "properties": properties}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, as wide as each other.

    Attributes:
        height: in Grafana's grid.
        panels: from left to right; their number divides 24.
    """

    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard, for one site at a time.

    Attributes:
        uid: its identity and the end of its address; never change it.
        title: in Grafana's list.
        description: whom it serves.
        rows: from the top.
        since: how far back it begins, in Grafana's words.
        refresh: how often it is read anew.
    """

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    since: str = "now-6h"
    refresh: str = "30s"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, from the top left."""
        return tuple(panel for row in self.rows for panel in row.panels)

    def document(self) -> Json:
        """The dashboard as Grafana has it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["smartgrid"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "refresh": self.refresh,
            "templating": {"list": [_SITE_CHOICE]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        number, top = 0, 0
        for row in self.rows:
            width = GRID_WIDTH // len(row.panels)
            for i, panel in enumerate(row.panels):
                number += 1
                yield panel.document(number, {"h": row.height, "w": width, "x": i * width, "y": top})
            top += row.height


_SITE_CHOICE: Final[Json] = {
    "name": "site",
    "label": "Site",
    "type": "query",
    "datasource": DATASOURCE,
    "query": {"refId": "sites", "query": SITES_QUERY},
    "definition": SITES_QUERY,
    "refresh": 2,  # when the time range changes
    "sort": 1,
    "multi": False,
    "includeAll": False,
    "regex": "/^[^$]+$/",  # in a Flux text, "$" may begin an expression
    "current": {"text": "area", "value": "area"},
}
