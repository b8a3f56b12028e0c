# shellcheck shell=bash
# Packages of the distribution. The caller defines `say` and `die`.

# shellcheck disable=SC2034 # read by the scripts that source this
{
  up_needs=(openssl=openssl iproute2=ss python3=python3 util-linux=flock)
  node_needs=(containerd=containerd runc=runc containernetworking-plugins=/usr/lib/cni/ptp iptables=iptables iproute2=ip)
}

need() { # need PACKAGE=PROGRAM...: installs what is missing as root, otherwise prints the line that does
  local entry missing=()
  for entry; do
    command -v "${entry#*=}" >/dev/null || [ -x "${entry#*=}" ] || missing+=("${entry%%=*}")
  done
  ((${#missing[@]})) || return 0
  local line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive $line; } >&2 || die "could not install; run: apt-get update && $line"
  else
    die "missing on this machine: ${missing[*]}; as root, run: apt-get update && $line"
  fi
}
