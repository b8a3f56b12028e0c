# How a demo talks.

strong="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then strong=$'\e[1;36m' plain=$'\e[0m'; fi
step() { printf '\n%s## %s%s\n' "$strong" "$*" "$plain"; }
die() { echo "demo: $*" >&2; exit 1; }
show() { # show COMMAND...: as one would type it, then what it prints
  printf '%s$ %s%s\n' "$strong" "$*" "$plain"
  "$@"
}

wait_until() { # wait_until WHAT COMMAND...: or fail after 30 seconds
  local what=$1 deadline=$((SECONDS + 30))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || die "waited in vain for $what"
    sleep 0.05
  done
}
