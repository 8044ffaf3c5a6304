#!/usr/bin/env bash
# Builds the clients of other languages into build/bench/peers; says which toolchain is missing, and goes on
set -euo pipefail
cd "$(dirname "$0")"
out=$(cd ../.. && pwd)/build/bench/peers
mkdir -p "$out"
missing=0

build() {  # NAME TOOL WHAT_TO_DO COMMAND...
  local name=$1 tool=$2
  shift 2
  if ! command -v "$tool" >/dev/null; then
    echo "bench/peers: no $tool on this machine: $name is left out"
    missing=$((missing + 1))
  elif "$@" >"$out/$name.log" 2>&1; then
    echo "bench/peers: $name built with $("$tool" $([[ $tool == go ]] && echo version || echo --version) | head -1)"
  else
    tail -n 20 "$out/$name.log"
    echo "bench/peers: $name does not build (log: $out/$name.log): left out"
    missing=$((missing + 1))
  fi
}
go_peer() { (cd go && nice -n 10 go build -o "$out/go_peer" .); }
# Debian's sources of Prometheus' parser, which lie in a GOPATH: nothing is downloaded.
expfmt_peer() { (cd expfmt && GO111MODULE=off GOPATH=/usr/share/gocode nice -n 10 go build -o "$out/expfmt_peer" main.go); }
go_scrape() { (cd go && nice -n 10 go build -o "$out/go_scrape" ./scrape); }
rust_peer() {
  (cd rust && CARGO_TARGET_DIR="$out/cargo" nice -n 10 cargo build --release --locked) &&
    cp "$out/cargo/release/rust-peer" "$out/rust_peer"
}
node_peer() {
  mkdir -p "$out/node"
  cp node/package.json node/package-lock.json node/ws_peer.js "$out/node"
  (cd "$out/node" && npm ci --no-audit --no-fund)
}
build go go go_peer
build go-scrape go go_scrape
build expfmt go expfmt_peer
build rust cargo rust_peer
build node npm node_peer
echo "bench/peers: $((5 - missing)) of 5 at hand"
