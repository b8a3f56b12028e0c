# shellcheck shell=bash
# Stopping. There is one way down, for a cluster that is well and for what a crash left: kill every process that
# carries the cluster's mark, take back what a node changed outside the folder, delete the folder.

must_exist() { [ -e "$dir/ready" ] || die "no cluster in $dir; start one with: cluster up"; }

down() {
  if [ -d "$dir" ]; then
    [ -e "$dir/.cluster" ] || { [ -z "$(ls -A "$dir")" ] && rmdir "$dir" && return; } || die "$dir is no cluster's folder; not deleted"
    exec 8<"$dir"
    flock 8
  fi
  remove
}

remove() { # the caller holds the folder's lock
  wipe
  [ ! -d "$dir" ] || rmdir "$dir"
}

wipe() { # the caller holds the folder's lock; the folder stays, empty, so that the lock does
  local link
  kill_members
  if [ -e "$dir/node" ]; then remove_node; fi
  if [ -e "$dir/.cluster" ]; then
    awk -v inside="$dir/" 'index($2, inside) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
    find "$dir" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  fi
  for link in "$registry"/*; do
    if [ -L "$link" ] && [ "$(readlink "$link")" = "$dir" ]; then rm -f "$link"; fi
  done
}

kill_members() { # again and again, as one may start another before it is killed
  local pids round
  for round in {1..100}; do
    pids=$(members | cut -d' ' -f1 | paste -sd ' ')
    if [ -e "$dir/node" ]; then pids+=" $(container_processes)"; fi
    [ -n "${pids// /}" ] || return 0
    # shellcheck disable=SC2086 # a list
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  say "after $round rounds of SIGKILL these live on: $pids"
}

sweep() {
  local found
  {
    for found in "$registry"/*; do if [ -L "$found" ]; then readlink "$found"; fi; done
    ls -d "$cache"/state/* 2>/dev/null || true
    marked | cut -d' ' -f2
  } | sort -u | while read -r found; do
    use_dir "$found"
    sweep_one 8>&-
  done
}

sweep_one() {
  if [ -d "$dir" ]; then
    exec 8<"$dir"
    flock -n 8 || return 0 # someone is at work on it
    if [ -e "$dir/ready" ] && owner_alive && [ -n "$(members)" ]; then return 0; fi
    [ -e "$dir/.cluster" ] || return 0
  fi
  say "removing what is left of $dir"
  remove
}
