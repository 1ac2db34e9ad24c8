#!/bin/sh
# build.sh VERSION [PLATFORMS]: build inkgate/gateway and inkgate/worker, and print their sizes.
#
#   PLATFORMS      linux/amd64,linux/arm64 or one of them; none: the engine's own. Each image is tagged VERSION-amd64 or
#                  VERSION-arm64; with one platform, or none, also VERSION, which compose and `make bundle` take.
#   PYTHON_IMAGE   (environment) the base image, for a release named by its digest
#
# One build for each platform, so that any engine can do it: several in one need a builder of their own. Each stage runs
# on its image's platform, because install.sh ends by starting what it installed; on another processor that needs
# qemu-user-static (`docker run --privileged --rm tonistiigi/binfmt --install arm64`, on Debian its package).
set -eu
version=${1:?version}
platforms=$(echo "${2:-}" | tr , ' ')
cd "$(dirname "$0")/../.."

build() { # TARGET PLATFORM, which may be empty
  image=inkgate/$1:$version${2:+-${2##*/}}
  docker build --network host --file deploy/docker/Dockerfile --target "$1" ${2:+--platform "$2"} \
    ${PYTHON_IMAGE:+--build-arg "PYTHON=$PYTHON_IMAGE"} --tag "$image" .
  built=$(docker image inspect --format '{{.Os}}/{{.Architecture}}' "$image")
  # An engine takes a base image that it has under that name, whatever its platform.
  [ -z "$2" ] || [ "$built" = "$2" ] ||
    { echo "build.sh: $image became $built: the base image is not for $2; name one with PYTHON_IMAGE" >&2; exit 1; }
  docker image inspect --format "$image $built {{.Size}} bytes" "$image"
}

for target in gateway worker; do
  for platform in ${platforms:-''}; do
    [ "$platform" != "''" ] || platform=
    build "$target" "$platform"
    case $platforms in '' | *' '*) ;; *) docker tag "$image" "inkgate/$target:$version" ;; esac
  done
done
