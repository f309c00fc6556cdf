#!/bin/sh
# First process of a machine that stands in for a remote one: sshd and a Docker engine of its own.
#
# The tests' public key comes in AUTHORIZED_KEY: for `dev`, who may use the engine, and for `outsider`, who may not.
# What the engine keeps lies in /var/lib/docker (a volume). It listens on tcp port 2376 as well, for who has the
# certificates in /certs. Signal TERM ends everything.
set -eu

mkdir -p /run/sshd /certs
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for name in dev outsider; do
  install -d -m 700 -o "$name" -g "$name" "/home/$name/.ssh"
  printf '%s\n' "$AUTHORIZED_KEY" >"/home/$name/.ssh/authorized_keys"
  chown "$name" "/home/$name/.ssh/authorized_keys"
done
/usr/sbin/sshd -D -e >/var/log/sshd.log 2>&1 &

cd /certs
if [ ! -f cert.pem ]; then
  make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
  sign() { openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -out "$2" -extfile "$1.ext"; }
  address=$(hostname -i | cut -d ' ' -f 1)
  printf 'subjectAltName=IP:%s\nextendedKeyUsage=serverAuth\n' "$address" >server.ext
  printf 'extendedKeyUsage=clientAuth\n' >client.ext
  {
    make_key ca-key.pem
    openssl req -x509 -new -key ca-key.pem -days 30 -subj /CN=rig -out ca.pem
    for name in server client; do
      make_key "$name-key.pem"
      openssl req -new -key "$name-key.pem" -subj "/CN=$name" -out "$name.csr"
    done
    sign server server.pem
    sign client cert.pem
    mv client-key.pem key.pem
  } 2>/dev/null
fi

# Left behind where the machine was killed; the engine would refuse to start over them.
rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid
exec dockerd --group docker --storage-driver overlay2 \
  --host unix:///var/run/docker.sock --host tcp://0.0.0.0:2376 \
  --tlsverify --tlscacert /certs/ca.pem --tlscert /certs/server.pem --tlskey /certs/server-key.pem \
  >/var/log/dockerd.log 2>&1
