#!/usr/bin/env bash
# Makes a fresh clone able to run: system packages (when it may), .venv from hashed locks, Kafka and Debezium through Maven.
# Running it again costs nothing: each step is stamped with the hash of what it was made from.
# With the argument `tests`, also what only the tests need; with `browser`, what the tests of the dashboards need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 2; }
hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# Runs a long step beside a line every ten seconds that says how far it is: watched PROGRESS LOG COMMAND...
watched() {
    local progress=$1 log=$2 step started=$SECONDS
    shift 2
    "$@" </dev/null >>"$log" 2>&1 &
    step=$!
    # A script's background commands do not hear Ctrl-C themselves.
    trap 'kill "$step" 2>/dev/null; exit 130' INT TERM
    while kill -0 "$step" 2>/dev/null; do
        sleep 1
        if (((SECONDS - started) % 10 == 0)); then say "  $((SECONDS - started)) s: $("$progress" "$log")"; fi
    done
    trap - INT TERM
    wait "$step"
}

# The reason of a failed step: a network that does not answer, else what the tool calls an error, else its last words.
reason_in() {
    if grep -qiE 'failure resolving|failure in name resolution|name or service not known|failed to (resolve|lookup)|could not resolve host|unknown host|network is unreachable|connection refused|timed out' "$1"; then
        echo "the network does not answer (details in $1)"
    else
        grep -m1 -iE '^(E:|error|\[ERROR\]|  ×)' "$1" || tail -1 "$1"
    fi
}

python_stamp=$(hash_of requirements.lock ops/installer.lock pyproject.toml)-$PWD
jars_stamp=$(hash_of connectors/kafka/pom.xml)

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "Python 3.11 or newer is needed (apt-get install python3 on Debian 12, Ubuntu 24.04 or newer)"
}

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }
has_java() { java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'; }
java_package() {
    local package
    for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
        if apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; return; fi
    done
    echo openjdk-17-jre-headless
}

missing_packages() {
    is_stamped .venv/.stamp "$python_stamp" || "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    has_postgres || echo postgresql
    has_java || java_package
    is_stamped .run/kafka/.stamp "$jars_stamp" || command -v mvn >/dev/null || echo maven
    command -v setpriv >/dev/null || echo util-linux
    if [ "${1:-}" = tests ]; then
        command -v isql >/dev/null || echo unixodbc
        compgen -G '/usr/lib/*/odbc/psqlodbcw.so' >/dev/null || echo odbc-postgresql
    fi
    if [ "${1:-}" = browser ]; then command -v chromium >/dev/null || echo chromium; fi
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Debian's package would start a PostgreSQL of its own on port 5432: not while we install it.
without_a_cluster() {
    local drop_in=/etc/postgresql-common/createcluster.d/cx-signals.conf
    as_root mkdir -p "${drop_in%/*}"
    echo 'create_main_cluster = false' | as_root tee "$drop_in" >/dev/null
    "$@" || { as_root rm -f "$drop_in"; return 1; }
    as_root rm -f "$drop_in"
}

apt_progress() {
    { grep -oE '^(Get:[0-9]+|Err:[0-9]+|Unpacking [^ ]+|Setting up [^ ]+|Processing triggers for [^ ]+)' "$1" || echo starting; } |
        tail -1 | sed -E 's/^Get:([0-9]+)/file \1 fetched/; s/^Err:.*/a download fails, apt tries again/'
}

install_packages() {
    local packages="$*" log=.run/logs/apt.log
    command -v apt-get >/dev/null || stop "please install what Debian calls: $packages"
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || stop "please install: sudo apt-get install -y $packages"
    say "installing $packages (apt-get, log in $log)"
    : >"$log"
    watched apt_progress "$log" as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q || true
    # shellcheck disable=SC2086  # a list of package names
    watched apt_progress "$log" without_a_cluster as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $packages ||
        stop "apt-get could not install $packages: $(reason_in "$log")"
}

# pip's own configuration names the package index, if any; uv reads other variables.
use_pips_index() {
    local index
    index=$(.venv/bin/pip config get global.index-url 2>/dev/null || true)
    export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}"
    [ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX
    # Certificates as pip takes them: the machine's, where it has any.
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS=1; fi
    if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE=$PIP_CERT; fi
}

packages_in_place() {
    local places=(.venv/lib/python3*/site-packages/*.dist-info)
    echo "${#places[@]} of about $(grep -c '^[a-zA-Z0-9]' requirements.lock) packages in place"
}

make_python() {
    local log=.run/logs/python.log
    say "Python packages into .venv, from requirements.lock with hashes (log in $log)"
    : >"$log"
    [ -x .venv/bin/pip ] && .venv/bin/python -c 'import sys' 2>/dev/null || { rm -rf .venv && "$python" -m venv .venv; }
    watched packages_in_place "$log" .venv/bin/pip install --quiet --require-hashes -r ops/installer.lock ||
        stop "pip could not install uv: $(reason_in "$log")"
    use_pips_index
    local uv=(.venv/bin/uv pip install --quiet --python .venv/bin/python --link-mode copy)
    watched packages_in_place "$log" "${uv[@]}" --require-hashes -r requirements.lock ||
        stop "uv could not install the Python packages: $(reason_in "$log")"
    watched packages_in_place "$log" "${uv[@]}" --no-deps --no-build-isolation --editable . ||
        stop "uv could not install the project itself: $(reason_in "$log")"
    echo "$python_stamp" >.venv/.stamp
}

jars_progress() { echo "$(grep -c 'Downloaded from' "$1") files downloaded, $(find .run/kafka -name '*.jar' 2>/dev/null | wc -l) jars in place"; }

make_jars() {
    local log=.run/logs/maven.log
    say "Kafka, Kafka Connect and Debezium into .run/kafka, from connectors/kafka/pom.xml (Maven, about 90 MB, log in $log)"
    rm -rf .run/kafka
    : >"$log"
    watched jars_progress "$log" mvn -B package -Dparts.directory="$PWD/.run/kafka" -f connectors/kafka/pom.xml ||
        stop "Maven could not resolve the parts: $(reason_in "$log")"
    echo "$jars_stamp" >.run/kafka/.stamp
}

python=$(find_python)
mkdir -p .run/logs
packages=$(missing_packages "${1:-}" | tr '\n' ' ')
[ -z "$packages" ] || install_packages "${packages% }"
is_stamped .venv/.stamp "$python_stamp" || make_python
is_stamped .run/kafka/.stamp "$jars_stamp" || make_jars
say "everything is there"
