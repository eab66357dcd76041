"""The InfluxDB server that the settings name, with its token from the environment or a file."""

from typing import TYPE_CHECKING

from smartgrid.errors import SettingsError
from smartgrid.settings import Settings

if TYPE_CHECKING:
    from pipeline.influx_target import InfluxTarget


def influx_target(settings: Settings) -> "InfluxTarget":
    """The server, bucket and token to use.

    Raises:
        SettingsError: if no server is named, or its token cannot be had.
        StoreError: if the URL is none.
    """
    from pipeline.influx_target import InfluxTarget  # noqa: PLC0415  its client is slow to import

    if settings.influx_url is None:
        raise SettingsError("influx_url: not set; name the server, such as http://127.0.0.1:8086")
    return InfluxTarget(
        url=settings.influx_url,
        org=settings.influx_org,
        bucket=settings.influx_bucket,
        token=_token(settings),
        write_timeout_s=settings.influx_write_timeout_s,
    )


def _token(settings: Settings) -> str:
    if settings.influx_token is not None:
        return settings.influx_token.get_secret_value().strip()
    path = settings.influx_token_file
    if path is None:
        raise SettingsError("influx_token: not set; set SMARTGRID_INFLUX_TOKEN or influx_token_file")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"influx_token_file={path}: cannot be read ({error.strerror})") from error
