#!/usr/bin/env bash
# Does in a virtual environment what Binder does with this checkout, then runs the lessons there:
#
#     scripts/emulate_binder.sh [VENV]
#
# Without VENV the environment is a temporary folder, removed at the end.
# What this cannot see, the Dockerfile itself, tests/test_binder.py reads.
set -euo pipefail

# What repo2docker 2026.4.0 puts into its image for Python 3.10 to 3.14 before it reads binder/.
base=(
    jupyterlab==4.4.9 notebook==7.4.7 ipywidgets==8.1.7 jupyter_server==2.17.0
    ipykernel==7.0.1 httpx==0.28.1 tornado==6.5.2
)

if [ $# -gt 0 ]; then
    mkdir -p "$1"
    venv=$(cd "$1" && pwd)
else
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=$(sed 's/^python-/python/' binder/runtime.txt)
if ! "$python" -c "" 2>/dev/null; then
    printf '%s does not run here; python3 stands in for it.\n' "$python"
    python=python3
fi

printf '%s\n' "- the base: $("$python" --version), ${base[*]}"
"$python" -m venv "$venv"
export REPO_DIR=$PWD NB_PYTHON_PREFIX=$venv KERNEL_PYTHON_PREFIX=$venv PATH=$venv/bin:$PATH
pip install --quiet "${base[@]}"

printf '%s\n' "- binder/requirements.txt"
pip install --quiet -r binder/requirements.txt
pip check

printf '%s\n' "- binder/postBuild"
./binder/postBuild
jupyter server extension list 2>&1 | grep "pusherkit._jupyter.*OK"

# Only now, so that no test tool can bring along what a lesson forgot to ask for.
# The project's own pytest options stay out: its plugins are not here, and Binder knows nothing of them.
printf '%s\n' "- the lessons, and Lab's settings"
pip install --quiet pytest nbval
pytest -c /dev/null --rootdir . --noconftest -p no:cacheprovider \
    --nbval --nbval-current-env --nbval-cell-timeout=60 \
    notebooks/*.ipynb tests/test_binder.py::test_jupyterlab_knows_the_settings
