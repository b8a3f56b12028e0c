# shellcheck shell=bash
# The programs of a cluster: how each is called, how one is started and stopped, which are running. Every process,
# and what it starts, carries CLUSTER_MEMBER=FOLDER:PROGRAM in its environment, so none can be lost.

node_ip=10.87.255.1      # of the loopback device while a real node runs; the kubelet refuses 127.0.0.1
service_range=10.96.0.0/16

# shellcheck disable=SC2054 # the commas are the API server's
command_of() { # command_of PROGRAM: sets the array `command`
  local etcd=unix://$dir/etcd.sock nobody=http://localhost:1 run=$dir/bin
  case $1 in
    etcd) # sockets: no port, and nobody else gets in. What it advertises must have a port, but no other member is
      # there to call it. No fsync: this data is thrown away.
      command=("$run/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn --enable-grpc-gateway=false
        --listen-client-urls "$etcd" --advertise-client-urls "$nobody" --listen-peer-urls "unix://$dir/peer.sock"
        --initial-advertise-peer-urls "$nobody" --initial-cluster "default=$nobody") ;;
    kube-apiserver)
      command=("$run/kube-apiserver" --etcd-servers "$etcd" --bind-address 127.0.0.1 --secure-port "$(port)"
        --advertise-address "$node_ip" --cert-dir "$dir/pki" --client-ca-file "$dir/pki/ca.crt"
        --tls-cert-file "$dir/pki/apiserver.crt" --tls-private-key-file "$dir/pki/apiserver.key"
        --kubelet-client-certificate "$dir/pki/apiserver.crt" --kubelet-client-key "$dir/pki/apiserver.key"
        --shutdown-watch-termination-grace-period 1s --kubelet-preferred-address-types InternalIP --token-auth-file "$dir/pki/tokens.csv"
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged
        --service-account-key-file "$dir/pki/sa.key" --service-account-signing-key-file "$dir/pki/sa.key"
        --service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range "$service_range")
      [ ! -e "$dir/audit-policy.yaml" ] || command+=(--audit-policy-file "$dir/audit-policy.yaml" --audit-log-path "$dir/audit.log") ;;
    kube-controller-manager) # the default client limits (20 and 50 requests/s) would slow every burst down
      command=("$run/kube-controller-manager" --kubeconfig "$dir/kubeconfig" --leader-elect=false --secure-port 0
        --kube-api-qps 1000 --kube-api-burst 2000 --use-service-account-credentials
        --service-account-private-key-file "$dir/pki/sa.key" --root-ca-file "$dir/pki/ca.crt") ;;
    kube-scheduler)
      command=("$run/kube-scheduler" --config "$dir/scheduler.yaml" --secure-port 0) ;;
    containerd)
      command=(containerd --config "$dir/containerd/config.toml") ;;
    gateway) # a TCP proxy: pods reach the API server, which listens on 127.0.0.1 only, at its advertised address
      command=("$run/etcd" gateway start --endpoints "127.0.0.1:$(port)" --listen-addr "$node_ip:$(port)" --retry-delay 1s) ;;
    kubelet)
      command=("$run/kubelet" --config "$dir/kubelet/config.yaml" --kubeconfig "$dir/kubelet/kubeconfig"
        --hostname-override node-1 --node-ip "$node_ip" --root-dir "$dir/kubelet/root" --cert-dir "$dir/kubelet/pki") ;;
    kube-proxy)
      command=("$run/kube-proxy" --kubeconfig "$dir/kubeconfig" --hostname-override node-1 --proxy-mode iptables
        --iptables-localhost-nodeports=false --healthz-bind-address 127.0.0.1:10256 --metrics-bind-address 127.0.0.1:10249) ;;
    kwok) # disregards the real node; leases keep the fake ones alive
      command=("$dir/kwok/kwok" --kubeconfig "$dir/kubeconfig" --config "$dir/kwok/stages.yaml" --node-ip 10.89.0.1
        --manage-all-nodes=false --manage-nodes-with-annotation-selector kwok.x-k8s.io/node=fake --node-lease-duration-seconds 40) ;;
  esac
}

start() { # start PROGRAM: in a session of its own, so that no signal meant for the caller's terminal reaches it
  local command
  command_of "$1"
  CLUSTER_MEMBER=$dir:$1 setsid "${command[@]}" >>"$dir/$1.log" 2>&1 </dev/null 8>&- &
  echo $! >"$dir/$1.pid"
  until running "$1" || ! kill -0 $! 2>/dev/null; do sleep 0.01; done # the mark appears with the exec
}

running() { # running PROGRAM: the process of its pid file lives and is still that program
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) && grep -qsz -Fx "CLUSTER_MEMBER=$dir:$1" "/proc/$pid/environ"
}

stop() { # stop PROGRAM [SIGNAL]: and wait until it has ended; after 20 seconds it is killed
  local pid deadline=$((SECONDS + 20))
  running "$1" || return 0
  pid=$(cat "$dir/$1.pid")
  kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  while running "$1"; do
    ((SECONDS < deadline)) || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.05
  done
}

marked() { # lines PID FOLDER PROGRAM of every cluster's processes, not those of a container with its own file system
  local file pid mark
  { grep -lsz "^CLUSTER_MEMBER=" /proc/[0-9]*/environ || true; } | while read -r file; do
    pid=${file//[!0-9]/}
    [ "/proc/$pid/ns/mnt" -ef /proc/self/ns/mnt ] || continue
    mark=$({ tr '\0' '\n' <"$file" | sed -n 's/^CLUSTER_MEMBER=//p'; } 2>/dev/null) || continue
    echo "$pid ${mark%:*} ${mark##*:}"
  done
}

members() { marked | awk -v dir="$dir" '$2 == dir'; }

control() { # control start|stop|restart [--now] PROGRAM
  local verb=$1 signal=TERM name
  shift
  [ "${1:-}" != --now ] || { signal=KILL; shift; }
  (($# == 1)) || misuse "$verb takes one program"
  name=$1
  case $name in apiserver | controller-manager | scheduler) name=kube-$name ;; esac
  case $name in
    etcd | kube-apiserver | kube-controller-manager | kube-scheduler) ;;
    kubelet | kube-proxy | kwok) [ -e "$dir/$name.pid" ] || die "this cluster has no $name yet" ;;
    *) misuse "$verb knows no program $1" ;;
  esac
  if [ "$verb" != start ]; then stop "$name" "$signal"; fi
  [ "$verb" != stop ] || return 0
  running "$name" || start "$name"
  if [ "$name" = kube-apiserver ]; then wait_for 60 kube-apiserver "the API server's readiness" kubectl get --raw /readyz; fi
}
