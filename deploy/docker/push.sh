#!/bin/sh
# push.sh VERSION PLATFORMS REGISTRY: push what build.sh made for each platform, and join it under REGISTRY/inkgate/NAME:VERSION.
#
#   PLATFORMS   linux/amd64,linux/arm64
#   REGISTRY    host:port; DOCKER_INSECURE=1 (environment) for one without TLS
set -eu
version=${1:?version}
platforms=$(echo "${2:?PLATFORMS=linux/amd64,linux/arm64}" | tr , ' ')
registry=${3:?REGISTRY=host:port}
insecure=${DOCKER_INSECURE:+--insecure}
for name in gateway worker; do
  joined=$registry/inkgate/$name:$version
  set --
  for platform in $platforms; do
    image=$joined-${platform##*/}
    docker tag "inkgate/$name:$version-${platform##*/}" "$image"
    docker push --quiet "$image"
    set -- "$@" "$image"
  done
  docker manifest rm "$joined" >/dev/null 2>&1 || true # of an earlier attempt, in the folder of the client
  docker manifest create $insecure "$joined" "$@"
  docker manifest push $insecure --purge "$joined"
  echo "$joined: $platforms"
done
