# shellcheck shell=bash
# What demos on a real node share: the node, a PostgreSQL of this machine, and programs of it in pods.

[ "$(id -u)" = 0 ] || die "a real node needs root"
cluster=tests/cluster/cluster
dir=${XDG_CACHE_HOME:-$HOME/.cache}/dbbudget/state/demo-$$
export CLUSTER_DIR=$dir
address=10.87.255.1 # of this machine, for pods
image=localhost/dbbudget:demo
data=$(mktemp -d) # PostgreSQL's own user gets there
port=$((20000 + RANDOM % 10000))
PATH=$("$cluster" bin):$PATH

finish() {
  trap - EXIT INT TERM
  step "Stopping the cluster and PostgreSQL, deleting both"
  "$cluster" down
  rm -rf "$data"
}

postgres() { # postgres PROGRAM ARG...: of the newest server, as its own user, until the cluster ends
  local programs
  programs=$(dirname "$(find /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)")
  CLUSTER_MEMBER=$dir:postgres setpriv --reuid=postgres --regid=postgres --clear-groups -- "$programs/$1" "${@:2}"
}
query() { postgres psql --host "$data" --port "$port" --username postgres --tuples-only --no-align "$@"; }

start_postgres() { # start_postgres ADDRESS DATABASE: with an empty table, gate
  (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$data/password") # fit for a URL
  chown -R postgres "$data"
  postgres initdb --auth=scram-sha-256 --auth-local=trust --username=postgres --pwfile="$data/password" --no-sync "$data/server" >/dev/null
  echo "host all all all scram-sha-256" >>"$data/server/pg_hba.conf"
  postgres postgres -D "$data/server" -p "$port" -k "$data" -c "listen_addresses=$1" -c fsync=off \
    >"$dir/postgres.log" 2>&1 </dev/null &
  disown
  wait_until "PostgreSQL" query --command "select 1"
  query --quiet --command "create database $2"
  query --quiet --dbname "$2" --command "create table gate (n int)"
}

start_node() { # start_node TARGET...: of cargo, dbbudget among them
  cargo build --locked --quiet "$@"
  "$cluster" up --owner $$ >/dev/null
  "$cluster" node
  eval "$("$cluster" env)"
  deploy/image "$dir/dbbudget.tar" "$image" "${CARGO_TARGET_DIR:-target}/debug/dbbudget"
  "$cluster" load "$dir/dbbudget.tar"
}

install_dbbudget() { # install_dbbudget VALUE: of the chart
  show helm install dbbudget charts/dbbudget --namespace dbbudget --create-namespace --wait \
    --set "image.repository=${image%:*},image.tag=${image#*:},image.pullPolicy=Never" --set "$1"
}

programs() { # sets what pods see of this machine, as their image would hold it: volumes, mounts, and variables for Python
  local name path
  clients=$(tests/clients/prepare)
  volumes="" mounts=""
  for path in usr:/usr lib:/lib lib64:/lib64 bin:/bin "installed:$clients" "clients:$PWD/tests/clients"; do
    name=${path%%:*} path=${path#*:}
    volumes+="{\"name\": \"$name\", \"hostPath\": {\"path\": \"$path\"}}, "
    [ "$name" != clients ] || path=/clients
    mounts+="{\"name\": \"$name\", \"mountPath\": \"$path\"}, "
  done
  volumes=${volumes%, } mounts=${mounts%, }
  # A command finds Python by its PATH.
  python="{\"name\": \"PYTHONDONTWRITEBYTECODE\", \"value\": \"1\"}, {\"name\": \"PATH\", \"value\": \"$clients/web/bin:/usr/bin:/bin\"},
    {\"name\": \"PYTHONPATH\", \"value\": \"/clients/python\"}"
}
