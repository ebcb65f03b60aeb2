#!/usr/bin/env bash
#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.
#
# Install what bindep.txt asks for and this machine does not have. Does
# nothing where nothing is missing; says what to install where it may not.
set -u

cd "$(dirname "$0")/.." || exit 2
profiles=${*:-test}

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q bindep \
    || exit 1

# shellcheck disable=SC2086
missing=$("$work/venv/bin/bindep" -b -f bindep.txt $profiles)
[ -n "$missing" ] || exit 0
echo "not installed: $(echo $missing)"

sudo=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "install them; without root this script cannot" >&2
        exit 0
    fi
    sudo="sudo -nE"
fi

if command -v apt-get >/dev/null; then
    # No service is started by its installation: the tests start their own.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    $sudo apt-get update -q >/dev/null \
        && $sudo apt-get install -q -y --no-install-recommends $missing \
            >/dev/null
elif command -v dnf >/dev/null; then
    $sudo dnf install -q -y $missing
else
    echo "no package manager that this script knows" >&2
fi
