# shellcheck shell=bash
# Compiling. Each folder with a go.mod is one component, built once into the cache under the hash of its files.

built() { # built COMPONENT: the folder of its programs in the cache
  local hash
  hash=$(cd "$here/$1" && { uname -m; sha256sum ./*; } | sha256sum | cut -c1-12)
  echo "$cache/$1-$hash"
}

build() { # build COMPONENT...
  local component
  for component; do
    [ -d "$(built "$component")" ] || build_once "$component"
  done
}

bin() { # bin [COMPONENT]: what a PATH begins with to find their programs
  [[ $* =~ ^(helm|kube)?$ ]] || misuse "bin takes helm or kube, or nothing for both"
  local component path=
  for component in ${1:-kube helm}; do
    build "$component"
    path+=:$(built "$component")
  done
  echo "${path#:}"
}

build_once() ( # build_once COMPONENT: a subshell, so that its end, however it comes, releases the lock
  out=$(built "$1")
  find_go
  mkdir -p "$cache"
  exec 7>"$cache/$1.lock"
  if ! flock -n 7; then
    say "another run is building $1; waiting for it"
    flock 7
  fi
  [ ! -d "$out" ] || exit 0
  say "building $1 once, $(duration_of "$1")…"
  begun=$SECONDS
  part=$out.part
  rm -rf "$part" && mkdir -p "$part"
  compile "$1" "$part" 7>&- &
  compiler=$!
  trap 'kill "$compiler" 2>/dev/null; rm -rf "$part"' EXIT
  while kill -0 "$compiler" 2>/dev/null; do
    sleep 1
    if (((SECONDS - begun) % 15 == 14)); then say "still building $1: $((SECONDS - begun)) s, $(wc -l <"$part.log") packages"; fi
  done
  wait "$compiler" || { tail -n 20 "$part.log" >&2; die "building $1 failed; the whole log is $part.log"; }
  "complete_$1" "$part"
  trap - EXIT
  mv -T "$part" "$out"
  rm -f "$part.log"
  say "built $1 in $((SECONDS - begun)) s"
)

duration_of() {
  case $1 in
    kube) echo "about 5 minutes on 2 cores" ;;
    kwok | helm) echo "about 1 minute on 2 cores" ;;
    *) echo "some seconds" ;;
  esac
}

find_go() {
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin:${HOME:-}/go/bin
  command -v go >/dev/null || die "Go is missing; the test cluster is compiled with it: install Go $(sed -n 's/^go //p' "$here/kube/go.mod") or later (https://go.dev/dl)"
}

compile() { # compile COMPONENT FOLDER: its own program, or the tools its go.mod names
  local target=. flags="-s -w" version
  cd "$here/$1" || exit
  [ -e main.go ] || target=tool
  version=$(sed -n 's/^\tk8s.io\/kubernetes v//p' go.mod)
  if [ -n "$version" ]; then
    local of=k8s.io/component-base/version
    flags+=" -X $of.gitVersion=v$version -X $of.gitMajor=${version%%.*} -X $of.gitMinor=$(cut -d. -f2 <<<"$version") -X $of.gitTreeState=clean"
  fi
  GOWORK=off exec go build -v -mod=readonly -buildvcs=false -trimpath -ldflags "$flags" -o "$2/" "$target" >"$2.log" 2>&1
}

complete_kube() { # one binary, a name for each program in it
  local name
  for name in etcd kubectl kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
    ln -s kube "$1/$name"
  done
}

complete_kwok() { # how fake nodes and pods start, from kwok's own files of the same version; how pods end, from ours
  local source
  source=$(cd "$here/kwok" && GOWORK=off go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
  { cat "$source/node/fast/node-initialize.yaml"; echo ---
    cat "$source/pod/fast/pod-ready.yaml"; echo ---
    cat "$here/kwok/stages.yaml"; } >"$1/stages.yaml"
}

complete_helm() { :; }

complete_pause() { # the image of every pod's sandbox on the real node
  mkdir "$1/root"
  mv "$1/pause" "$1/root/pause"
  "$here/image" "$1/pause.tar" localhost/pause:1 "$1/root" -- /pause
}
