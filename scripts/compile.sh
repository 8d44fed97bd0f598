# Compiles canisters and native code side by side; sourced by scripts/run and scripts/test.
# Side by side, because the link of the inference canister keeps one core busy for minutes and leaves the others idle.

# Every native call selects the whole workspace with dependencies of tests: another selection gives dependencies other features, and
# wasmtime and tract would be compiled twice.
readonly everything=(--workspace --all-targets)
# The same features; the one small test is what makes cargo count those of tests.
readonly programs=(--workspace --bin stoa --bin stoa-localnet --bin stoa-pack --test manifest_digest)

compile() { # what cargo shall select...
  local log=target/canisters.log canisters=0
  # What packs canisters comes first: two cargos cannot build into one folder at the same time.
  cargo build --locked --quiet --workspace --bin stoa-pack --test manifest_digest
  STOA_PACK_IS_BUILT=yes scripts/build >"$log" 2>&1 &
  canisters=$!
  if ! cargo build --locked --quiet "$@"; then
    kill "$canisters" 2>/dev/null || true
    return 1
  fi
  if ! wait "$canisters"; then
    cat "$log" >&2
    return 1
  fi
  grep -v '^ *\(Compiling\|Downloaded\|Downloading\|Finished\)' "$log"
}
