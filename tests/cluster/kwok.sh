# shellcheck shell=bash
# Fake nodes: kwok plays the kubelet of nodes that exist as objects only. How pods start and end there: kwok/stages.yaml.

kwok() { # kwok N: nodes fake-1 to fake-N
  [[ $* =~ ^[1-9][0-9]{0,3}$ ]] || misuse "kwok takes the number of fake nodes, 1 to 9999"
  must_be_up
  build kwok
  ln -sfn "$(built kwok)" "$dir/kwok"
  running kwok || start kwok
  fake_nodes "$1" | kubectl apply -f - >/dev/null
  wait_for 60 kwok "the fake nodes' readiness" kubectl wait --for=condition=Ready nodes -l kwok.x-k8s.io/node=fake --timeout=5s
  say "$1 fake nodes are Ready"
}

fake_nodes() {
  local number room="cpu: '32', memory: 256Gi, pods: '1000'"
  for number in $(seq "$1"); do
    cat <<YAML
---
apiVersion: v1
kind: Node
metadata:
  name: fake-$number
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kwok.x-k8s.io/node: fake, kubernetes.io/hostname: fake-$number, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
status:
  allocatable: {$room}
  capacity: {$room}
YAML
  done
}
