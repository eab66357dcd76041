"""The log-in: one small page without any library. It asks for the operator token, or spends a link's code."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

STATIC = files("operator_console") / "static"


def static_text(name: str) -> str:
    """A file of the package that pages carry inline."""
    return (STATIC / name).read_text("utf-8")


class LoginPage:
    """Renders it; nothing on it comes from the request but the place to go on to, which the script reads."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("operator_console"), autoescape=True, undefined=StrictUndefined
        )
        self._template = environment.get_template("login.html.j2")
        self._style = static_text("colours.css") + static_text("login.css")
        self._script = static_text("login.js")

    def show(self, home: str, problem: str = "", status: int = 200) -> HTMLResponse:
        """The page.

        Args:
            home: path of the console.
            problem: why the last try failed.
            status: of the answer.
        """
        html = self._template.render(home=home, problem=problem, style=self._style, script=self._script)
        return HTMLResponse(html, status)
