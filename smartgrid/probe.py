"""``python -m smartgrid.probe [healthz|readyz]``: asks the role beside it how it does, for health checks.

It needs nothing but Python, and takes as long: containers ask every few seconds.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

PORT_VARIABLE: Final = "SMARTGRID_METRICS_PORT"
PATIENCE_S: Final = 4.0
WELL: Final = 200


def problem(port: str | None, question: str) -> str | None:
    """What is wrong with the role on this machine that answers at ``port``; None where all is well.

    Args:
        port: as the variable has it; None where it is not set.
        question: ``healthz`` or ``readyz``.
    """
    if port is None or not port.isascii() or not port.isdecimal():
        return f"{PORT_VARIABLE}={port!r}: nobody can be asked; set it to the port of the role's probes"
    connection = HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE_S)
    try:
        connection.request("GET", f"/{question}")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        return f"127.0.0.1:{port}/{question}: no answer ({error})"
    finally:
        connection.close()
    return None if answer.status == WELL else f"127.0.0.1:{port}/{question}: {answer.status} {text}"


def main(arguments: list[str]) -> int:
    """The exit code: 0 well, 1 not, 2 where the command line was not understood."""
    if len(arguments) > 1 or not set(arguments) <= {"healthz", "readyz"}:
        sys.stderr.write("usage: python -m smartgrid.probe [healthz|readyz]\n")
        return 2
    found = problem(os.environ.get(PORT_VARIABLE), *(arguments or ["healthz"]))
    if found is not None:
        sys.stderr.write(f"{found}\n")
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
