"""The report as one HTML file that needs nothing beside it."""

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from smartgrid.day.result import DayResult
from smartgrid.report.pictures import day_pictures
from smartgrid.report.summary import JsonDict


def render_page(results: tuple[DayResult, ...], summary: JsonDict) -> str:
    """The report page of a set of days; ``summary`` is the content of ``report.json``."""
    environment = Environment(
        loader=PackageLoader("smartgrid.report"), autoescape=select_autoescape(default=True), trim_blocks=True
    )
    environment.filters["number"] = _number
    days = [
        {
            "result": result,
            "summary": day,
            # Our own drawing code wrote these elements; no outside text is in them.
            "pictures": {title: Markup(svg) for title, svg in day_pictures(result).items()},  # noqa: S704
        }
        for result, day in zip(results, summary["days"], strict=True)
    ]
    return environment.get_template("report.html.j2").render(days=days, summary=summary)


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
