#!/usr/bin/env bash
# usage: .ci/peers.sh [FOLDER]   (as root)
# Puts exim4 and OpenSMTPD, which Debian lets nobody install beside Postfix, into a folder of their own, with the
# libraries that they need, and adds their users. Five megabytes; a few seconds.
set -euo pipefail
to=${1:-/usr/local/lib/flyball-peers}
[ -x "$to/usr/sbin/exim4" ] && [ -x "$to/usr/sbin/smtpd" ] && exit 0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
cd "$tmp"
apt-get update -q
apt-get download -q exim4-daemon-light exim4-base opensmtpd libgnutls-dane0 libidn12 libnsl2 libevent-2.1-7 libunbound8 \
	libpcre2-8-0 libdb5.3
for deb in *.deb; do dpkg-deb -x "$deb" "$to"; done
for user in Debian-exim opensmtpd opensmtpq; do
	getent passwd "$user" >/dev/null ||
		useradd --system --no-create-home --user-group --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
done
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
