#!/bin/sh
# The `inkgate` command of this host: uses the settings of the service, and for root also its user, who owns the database.
set -eu
if [ -r /etc/inkgate/inkgate.env ]; then
  set -a
  . /etc/inkgate/inkgate.env
  set +a
fi
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)" # as in the unit file
if [ "$(id -u)" = 0 ]; then
  exec setpriv --reuid=inkgate --regid=inkgate --init-groups env HOME=/var/lib/inkgate /opt/inkgate/bin/inkgate "$@"
fi
exec /opt/inkgate/bin/inkgate "$@"
