# Compiles canisters and native code side by side; sourced by scripts/run and scripts/test.
# Side by side, because the link of the inference canister keeps one core busy for minutes and leaves the others idle.

compile_everything() {
  local log=target/canisters.log canisters=0
  # What packs canisters comes first: two cargos cannot build into one folder at the same time.
  cargo build --locked --quiet --workspace --bin stoa-pack
  STOA_PACK_IS_BUILT=yes scripts/build >"$log" 2>&1 &
  canisters=$!
  # The whole workspace with its tests, whatever the caller needs of it: another selection gives dependencies other features,
  # and wasmtime and tract would be compiled twice.
  if ! cargo build --locked --quiet --workspace --all-targets; then
    kill "$canisters" 2>/dev/null || true
    return 1
  fi
  if ! wait "$canisters"; then
    cat "$log" >&2
    return 1
  fi
  grep -v '^ *\(Compiling\|Downloaded\|Downloading\|Finished\)' "$log"
}
