# shellcheck shell=bash
# One real node: containerd, kubelet and kube-proxy on this machine, as root. All they write is kept in the cluster's
# folder where they can be told so; remove_node takes back the rest.

node_lock=/run/lock/dbbudget-node.lock

node() {
  must_be_up
  if [ -e "$dir/node" ] && running kubelet; then say "the node is up already"; return; fi
  [ "$(id -u)" = 0 ] || die "a real node needs root (cgroups, mounts, iptables); run this as root, or use: cluster kwok 1"
  need "${node_needs[@]}"
  claim_node
  ip addr replace "$node_ip/32" dev lo
  write_node_config
  start containerd
  exec 9>&-
  wait_for 30 containerd "containerd" ctr -a "$dir/containerd/sock" version
  load "$(built pause)/pause.tar"
  start gateway
  start kubelet
  start kube-proxy
  wait_for 60 kubelet "the node's readiness" kubectl wait --for=condition=Ready node/node-1 --timeout=2s
  say "node-1 is Ready"
}

claim_node() { # one node on this machine at a time; containerd and its containers inherit the lock and so hold it
  exec 9>>"$node_lock"
  flock -n 9 || die "this machine has a real node already, of the cluster in $(cat "$node_lock"); stop it with: CLUSTER_DIR=$(cat "$node_lock") cluster down"
  [ -z "$(ss -Hltn "sport = :10250")" ] || die "port 10250 is taken: another kubelet runs here, and two would fight over iptables; stop it first"
  echo "$dir" >"$node_lock"
  touch "$dir/node"
}

load() { # load TAR...
  local archive
  (($#)) || misuse "load takes image archives"
  [ -e "$dir/node" ] || die "this cluster has no real node; add it with: cluster node"
  for archive; do
    ctr -a "$dir/containerd/sock" -n k8s.io images import "$archive" >&2 || die "could not import $archive; expected an archive written by tests/cluster/image"
  done
}

write_node_config() {
  mkdir -p "$dir"/{containerd,cni,kubelet}
  cat >"$dir/cni/10-pods.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {"type": "host-local",
  "dataDir": "$dir/cni/addresses", "ranges": [[{"subnet": "10.87.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  # Overlay file systems cannot be stacked: in a container, layers are copied instead.
  local snapshotter=overlayfs
  [ "$(stat -f -c %T "$dir")" != overlayfs ] || snapshotter=native
  # restrict_oom_score_adj: a container may lack CAP_SYS_RESOURCE.
  cat >"$dir/containerd/config.toml" <<TOML
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$dir/containerd/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "$dir/containerd/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
TOML
  certificate node "/O=system:nodes/CN=system:node:node-1" "subjectAltName=IP:$node_ip,DNS:node-1"
  write_kubeconfig "$dir/kubelet/kubeconfig" "client-certificate: $dir/pki/node.crt, client-key: $dir/pki/node.key"
  write_kubelet_config
}

write_kubelet_config() { # only this cluster's authority gets in: a kubelet runs any command, as root
  cat >"$dir/kubelet/config.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
tlsCertFile: $dir/pki/node.crt
tlsPrivateKeyFile: $dir/pki/node.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: "$dir/pki/ca.crt"}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$dir/containerd/sock
podLogsDir: $dir/kubelet/logs
volumePluginDir: $dir/kubelet/plugins
makeIPTablesUtilChains: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
failCgroupV1: false
failSwapOn: false
oomScoreAdj: -1
readOnlyPort: 0
healthzPort: 0
evictionHard: {memory.available: 50Mi}
YAML
}

containers() { # the id of each container and sandbox; containerd names their cgroups after it
  find "$dir/containerd/state/io.containerd.runtime.v2.task/k8s.io" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null || true
}

container_processes() { # they outlive containerd, and their environment is their own
  local id
  for id in $(containers); do
    find /sys/fs/cgroup -path "*/k8s.io/$id*" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done | sort -un | paste -sd ' '
}

remove_node() { # after its processes are gone
  "$dir/bin/kube-proxy" --cleanup >>"$dir/kube-proxy.log" 2>&1 || say "kube-proxy could not remove its iptables rules"
  local chain
  for chain in INPUT OUTPUT; do iptables -D $chain -j KUBE-FIREWALL 2>/dev/null || true; done # what its cleanup forgets
  { iptables -F KUBE-FIREWALL && iptables -X KUBE-FIREWALL; } 2>/dev/null || true
  remove_traces
  ip addr del "$node_ip/32" dev lo 2>/dev/null || true
  rm -f "$node_lock"
}

remove_traces() { # what containerd, the CNI plugins and the kubelet keep outside the folder
  local id task
  for id in $(containers); do
    task=$dir/containerd/state/io.containerd.runtime.v2.task/k8s.io/$id
    rm -f /var/lib/cni/results/*-"$id"-*
    if [ -e "$task/address" ]; then rm -f "$(sed 's|^unix://||' "$task/address")"; fi
    find /sys/fs/cgroup -depth -path "*/k8s.io/$id*" -type d -exec rmdir {} + 2>/dev/null || true
  done
  find /sys/fs/cgroup -path "*/k8s.io" -type d -exec rmdir --ignore-fail-on-non-empty {} + 2>/dev/null || true
  rmdir --ignore-fail-on-non-empty /run/containerd/s /run/containerd 2>/dev/null || true
  if [ -d /var/log/containers ]; then find /var/log/containers -lname "$dir/*" -delete; fi
}
