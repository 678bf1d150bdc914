#!/usr/bin/env bash
# Runs the lessons with the versions that Google Colab has, installed as docs/where-it-runs.md says:
#
#     scripts/emulate_colab.sh [VENV]
#
# Without VENV the environment is a temporary folder, removed at the end. VS Code's kernels are of
# the same kind. Their front ends, which draw the widgets, aren't here.
set -euo pipefail

# From the list of packages that Colab published on 2026-08-19; Python there is 3.13.
versions=(
    ipywidgets==7.7.1 ipykernel==6.17.1 ipython==7.34.0 httpx==0.28.1 anyio==4.14.2
    tornado==6.5.7 websockets==15.0.1 anywidget==0.9.21
)

if [ $# -gt 0 ]; then
    mkdir -p "$1"
    venv=$(cd "$1" && pwd)
else
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=python3.13
if ! "$python" -c "" 2>/dev/null; then
    printf '%s does not run here; python3 stands in for it.\n' "$python"
    python=python3
fi

printf '%s\n' "- Colab's: $("$python" --version), ${versions[*]}"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet "${versions[@]}"

# Without dependencies, so that nothing is replaced that Colab's own kernel is running with.
printf '%s\n' "- pusherkit"
"$venv/bin/pip" install --quiet --no-deps .

printf '%s\n' "- the lessons"
"$venv/bin/pip" install --quiet pytest nbval
PATH=$venv/bin:$PATH pytest -c /dev/null --rootdir . --noconftest -p no:cacheprovider \
    --nbval --nbval-current-env --nbval-cell-timeout=60 notebooks/*.ipynb
