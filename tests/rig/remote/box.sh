#!/bin/sh
# First process of a machine that stands in for a remote one: sshd and a Docker engine of its own.
#
# The tests' public key comes in AUTHORIZED_KEY. What the engine keeps lies in /var/lib/docker (a volume).
# Signal TERM ends everything.
set -eu
log=/var/log/dockerd.log

mkdir -p /run/sshd
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for name in dev outsider; do
  install -d -m 700 -o "$name" -g "$name" "/home/$name/.ssh"
  printf "%s\n" "$AUTHORIZED_KEY" >"/home/$name/.ssh/authorized_keys"
  chown "$name" "/home/$name/.ssh/authorized_keys"
done

# Control groups as a machine's own: processes of this group would keep dockerd from giving shares to containers.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init
  xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
  sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control || true
fi

/usr/sbin/sshd -D -e >/var/log/sshd.log 2>&1 &
rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid
# shellcheck disable=SC2086 # options are words
exec dockerd --group docker --storage-driver overlay2 ${DOCKERD_OPTIONS:-} >"$log" 2>&1
