"""The option that names a plant behind Modbus TCP."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from smartgrid.errors import SettingsError

ModbusOption = Annotated[
    str | None,
    typer.Option("--modbus", help="HOST:PORT of a plant behind Modbus TCP, such as smartgrid plant."),
]


def modbus_address(text: str | None) -> dict[str, Any] | None:
    """The part of the settings that the option gives; the register map stays that of ``smartgrid.toml``.

    Raises:
        SettingsError: for anything but HOST:PORT.
    """
    if text is None:
        return None
    try:
        address = urlsplit(f"//{text}")
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if host is None or port is None or address.netloc != text:
        raise SettingsError(f"--modbus {text!r}: write it like 127.0.0.1:5020")
    return {"host": host, "port": port}
