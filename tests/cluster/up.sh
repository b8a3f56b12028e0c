# shellcheck shell=bash
# Starting a control plane: folder, port, certificates, programs, and the watch over its owner.

up() { # up [--owner PID] [--audit]
  local owner="" audit=""
  while (($#)); do
    case $1 in
      --owner) owner=${2:-}; [[ $owner =~ ^[0-9]+$ ]] || misuse "--owner is '$owner'; expected a process id"; shift 2 ;;
      --audit) audit=yes; shift ;;
      *) misuse "up knows no argument $1" ;;
    esac
  done
  [ -z "$owner" ] || [ -d "/proc/$owner" ] || die "--owner is $owner; no such process runs"
  [ -z "$owner" ] || [ -n "${CLUSTER_DIR:-}" ] || use_dir "$cache/state/owner-$owner"
  need "${up_needs[@]}"
  build kube pause
  # What an earlier run left behind would otherwise hold memory and ports for ever. Another `up` or `down` may be at it.
  (sweep) || say "could not sweep everything; going on"
  lock_dir
  if is_up; then
    [ -z "$owner" ] || die "a cluster runs in $dir already; choose another CLUSTER_DIR, or stop it with: cluster down"
    say "already up"
  else
    wipe
    trap remove EXIT
    start_control_plane "$owner" "$audit"
    trap - EXIT
  fi
  echo "$dir/kubeconfig"
}

lock_dir() { # locks the folder, made if need be; held until this script ends
  local children
  while :; do
    mkdir -p "$dir"
    children=$(find "$dir" -mindepth 1 -maxdepth 1 | wc -l)
    [ -e "$dir/.cluster" ] || ((children == 0)) || die "$dir holds files that are no cluster's; choose an empty CLUSTER_DIR"
    exec 8<"$dir"
    flock 8
    [ ! "$dir" -ef /dev/fd/8 ] || return 0 # otherwise `down` deleted it while we waited
  done
}

start_control_plane() { # start_control_plane OWNER AUDIT
  local started=$SECONDS
  chmod 700 "$dir"
  touch "$dir/.cluster"
  if [ -n "$1" ]; then watch_owner "$1"; fi
  if [ -n "$2" ]; then
    printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' >"$dir/audit-policy.yaml"
  fi
  ln -s "$(built kube)" "$dir/bin"
  claim_port
  start etcd
  write_credentials
  wait_for 30 etcd "etcd's socket" test -S "$dir/etcd.sock"
  start kube-apiserver
  write_scheduler_config
  wait_for 60 kube-apiserver "the API server's readiness" kubectl get --raw /readyz
  start kube-controller-manager
  start kube-scheduler
  wait_for 60 kube-controller-manager "the default service account" kubectl -n default get serviceaccount default
  touch "$dir/ready"
  say "Kubernetes is up in $((SECONDS - started)) s, on port $(port)"
}

claim_port() { # a port that nobody listens on and no other cluster has claimed, below the range of outgoing connections
  local try
  mkdir -p "$registry"
  for try in $(shuf -i 20000-29999 -n 200); do
    [ -z "$(ss -Hltn "sport = :$try")" ] || continue
    ln -s "$dir" "$registry/$try" 2>/dev/null || continue # makes the claim, or fails: atomic
    echo "$try" >"$dir/port"
    return
  done
  die "found no free port between 20000 and 29999 in 200 tries"
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

certificate() { # certificate NAME SUBJECT [EXTENSION]: signed by this cluster's own authority
  new_key "$dir/pki/$1.key"
  openssl req -new -key "$dir/pki/$1.key" -subj "$2" -out "$dir/pki/$1.csr"
  printf 'extendedKeyUsage=serverAuth,clientAuth\n%s\n' "${3:-}" >"$dir/pki/$1.ext"
  openssl x509 -req -in "$dir/pki/$1.csr" -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key" -CAcreateserial -days 3650 \
    -extfile "$dir/pki/$1.ext" -out "$dir/pki/$1.crt" 2>/dev/null
}

write_credentials() {
  local token names
  mkdir "$dir/pki"
  openssl genrsa -out "$dir/pki/sa.key" 2048 2>/dev/null # service account tokens: RS256, which every client verifies
  new_key "$dir/pki/ca.key"
  openssl req -x509 -new -key "$dir/pki/ca.key" -subj "/CN=test cluster" -days 3650 -out "$dir/pki/ca.crt" \
    -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  names=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1,IP:$node_ip
  certificate apiserver "/O=system:masters/CN=kube-apiserver" "subjectAltName=$names"
  token=$(openssl rand -hex 16)
  echo "$token,admin,admin,system:masters" >"$dir/pki/tokens.csv"
  write_kubeconfig "$dir/kubeconfig" "token: $token"
}

write_kubeconfig() { # write_kubeconfig FILE USER
  cat >"$1" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster: {server: "https://127.0.0.1:$(port)", certificate-authority-data: $(base64 -w0 "$dir/pki/ca.crt")}
users: [{name: user, user: {$2}}]
contexts: [{name: test, context: {cluster: test, user: user}}]
current-context: test
YAML
}

write_scheduler_config() {
  cat >"$dir/scheduler.yaml" <<YAML
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: "$dir/kubeconfig", qps: 1000, burst: 2000}
YAML
}

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; } # tells a process from a later one of the same id

watch_owner() { # watch_owner PID: a process outside every session of the owner's, which outlives any signal to it
  echo "$1 $(start_time "$1")" >"$dir/owner"
  mkdir "$dir/scripts" # the checkout may be deleted before its cluster
  cp "$here/cluster" "$here"/*.sh "$dir/scripts"
  # `down` ends whatever carries the mark, so the watch drops it before it calls `down` itself.
  # shellcheck disable=SC2016 # expanded by the inner shell
  CLUSTER_MEMBER=$dir:watch CLUSTER_DIR=$dir setsid bash -c \
    'tail --pid="$1" -s 0.2 -f /dev/null; exec env -u CLUSTER_MEMBER "$2" down' watch "$1" "$dir/scripts/cluster" \
    >"$dir/watch.log" 2>&1 </dev/null 8>&- &
}

owner_alive() { # owner_alive: no owner counts as alive
  local pid started
  [ -e "$dir/owner" ] || return 0
  read -r pid started <"$dir/owner"
  [ "$(start_time "$pid")" = "$started" ]
}

owner_words() { if [ ! -e "$dir/owner" ]; then echo none; elif owner_alive; then cut -d' ' -f1 "$dir/owner"; else echo dead; fi; }
