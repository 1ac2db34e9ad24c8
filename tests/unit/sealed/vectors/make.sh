#!/bin/sh
# Generates bouncycastle.json with the Java example's code. Needs a JDK and BouncyCastle's bcprov jar.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
jar=${BCPROV:-/usr/share/java/bcprov.jar}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -encoding UTF-8 -cp "$jar" -d "$classes" "$here/MakeVectors.java" "$here/../../../../examples/java/Sealing.java"
java -Dfile.encoding=UTF-8 -cp "$jar:$classes" MakeVectors > "$here/bouncycastle.json"
