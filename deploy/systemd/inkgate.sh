#!/bin/sh
# `inkgate` at the shell of this host: with the settings of the service and, for root, as its user, who owns the database.
set -eu
if [ -r /etc/inkgate/inkgate.env ]; then
  set -a
  . /etc/inkgate/inkgate.env
  set +a
fi
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)" # as the unit has it
if [ "$(id -u)" = 0 ]; then
  exec setpriv --reuid=inkgate --regid=inkgate --init-groups env HOME=/var/lib/inkgate /opt/inkgate/bin/inkgate "$@"
fi
exec /opt/inkgate/bin/inkgate "$@"
