"""Builds the function's package for AWS Lambda: what its handler imports, the model, and no more.

    python3.12 deploy/aws/build.py --model DIR [--config smartgrid.toml] [--out deploy/aws/build]

It needs uv and nothing of the product's environment. The package is for the Python that runs this, on
Linux x86-64, by the hashes of ``requirements.lock`` beside it. ``--lock`` resolves that file anew.
"""

import argparse
import compileall
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
LOCK: Final = HERE / "requirements.lock"
ROOMS: Final = ("grid", "pipeline", "smartgrid")
"""The packages of ours that the handler imports from."""
MOST_BYTES: Final = 250_000_000
"""What Lambda takes, unzipped."""
RUNTIMES: Final = ("python3.12", "python3.13")
"""Lambda's own with a glibc that is new enough for the wheels (2.28)."""
PLATFORM: Final = "x86_64-manylinux_2_28"
LEFT_OUT: Final = ("tests", "__pycache__", "bin")
"""Folders of packages that no import needs."""
ONLY_SERVICE: Final = "sts"
"""Of all that botocore describes, what signing in to MSK may ask."""


class BuildError(Exception):
    """The package cannot be built as asked; the text says what to do."""


def build(out: Path, model: Path | None = None, config: Path | None = None) -> int:
    """Write the package into a new folder; its size in bytes.

    Args:
        out: the folder; what is there is replaced.
        model: directory of the model; none for a package that only shows its size.
        config: the settings file, for what is known of the sites.

    Raises:
        BuildError: if uv fails, a path is not there, or the package is too large.
    """
    for path in filter(None, (model, config)):
        if not path.exists():
            raise BuildError(f"{path}: not there; name the model's directory and the settings file")
    shutil.rmtree(out, ignore_errors=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    _uv(
        *("pip", "install", "--quiet", "--target", str(out), "--require-hashes", "-r", str(LOCK)),
        *("--python-version", version, "--python-platform", PLATFORM, "--only-binary", ":all:"),
    )
    for room in ROOMS:
        shutil.copytree(ROOT / room, out / room)
    _leave_out(out)
    if model is not None:
        shutil.copytree(model, out / "model")
    if config is not None:
        shutil.copyfile(config, out / "smartgrid.toml")
    return _checked_size(out)


def compile_all(out: Path) -> int:
    """Compile the sources beforehand, since the function cannot keep what it compiles; the new size.

    Raises:
        BuildError: if the package is too large with it.
    """
    mode = PycInvalidationMode.UNCHECKED_HASH  # whatever times a zip file gives to the sources
    compileall.compile_dir(out, quiet=2, invalidation_mode=mode, stripdir=str(out))
    return _checked_size(out)


def lock() -> None:
    """Resolve ``requirements.lock`` anew, at the product's own versions.

    Raises:
        BuildError: if uv finds no solution.
    """
    text = (ROOT / "requirements.lock").read_text("utf-8")
    pins = re.findall(r"^[a-z0-9].*?==[^\\\n]+", text, re.MULTILINE)
    _uv(
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
        *("--no-header", "--no-annotate", "--upgrade", "-c", "-", "-o", str(LOCK)),
        str(HERE / "requirements.in"),
        stdin="\n".join(pins),
    )


def _uv(*words: str, stdin: str | None = None) -> None:
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        raise BuildError("uv is not there; install it, or run this with the Python of .venv")
    done = subprocess.run(  # noqa: S603  our own words alone
        [found, *words], input=stdin, text=True, check=False, stderr=subprocess.PIPE
    )
    if done.returncode:
        raise BuildError(f"uv {words[1]}: {done.stderr.strip()}")


def _leave_out(out: Path) -> None:
    for name in LEFT_OUT:
        for folder in [path for path in out.rglob(name) if path.is_dir()]:
            shutil.rmtree(folder)
    for service in (out / "botocore" / "data").glob("*/"):
        if service.name != ONLY_SERVICE:
            shutil.rmtree(service)
    for stub in [*out.rglob("*.pyi"), *out.rglob("*.pyx"), *out.rglob("*.pxd")]:
        stub.unlink()


def _checked_size(out: Path) -> int:
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        most = f"Lambda's {MOST_BYTES / 1e6:.0f}"
        raise BuildError(f"{out}: {size / 1e6:.0f} MB, over {most}; shorten requirements.in or the model")
    return size


def main(words: Sequence[str] | None = None) -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="Build the function's package for AWS Lambda.")
    parser.add_argument("--model", type=Path, help="directory of the model that the function forecasts by")
    parser.add_argument("--config", type=Path, help="smartgrid.toml, for what is known of the sites")
    parser.add_argument("--out", type=Path, default=HERE / "build", help="folder of the package")
    parser.add_argument("--lock", action="store_true", help="resolve requirements.lock anew instead")
    asked = parser.parse_args(words)
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not asked.lock and asked.model is None:
        parser.error("--model: name the model's directory, such as the state's model/")
    if not asked.lock and runtime not in RUNTIMES:
        parser.error(f"this is {runtime}; run it by one of {', '.join(RUNTIMES)}, Lambda's own")
    try:
        if asked.lock:
            lock()
            return
        build(asked.out, asked.model, asked.config)
        size = compile_all(asked.out)
    except BuildError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{asked.out}: {size / 1e6:.0f} MB for Runtime={runtime}\n")


if __name__ == "__main__":
    main()
