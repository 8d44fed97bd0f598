# Which compiler builds for wasm32-unknown-unknown; sourced by scripts/setup and scripts/build.
# Sets WASM_CARGO (array) and exports what that cargo needs. Returns 1 where none is there.
#
# Three ways, the first that works: the active rustup toolchain has the target; Debian's
# rustc-web builds the standard library itself from rust-web-src. (scripts/setup tries
# `rustup target add` in between.)

wasm_target=wasm32-unknown-unknown

rustup_has_wasm_target() {
  local libdir
  libdir=$(rustc --print target-libdir --target "$wasm_target" 2>/dev/null) && compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# The highest wasm-ld-N, since Debian moves N.
newest_wasm_ld() {
  compgen -c wasm-ld- | grep -E '^wasm-ld-[0-9]+$' | sort -t- -k3 -n | tail -n 1
}

debian_has_wasm_compiler() {
  [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && [ -n "$(newest_wasm_ld)" ] &&
    [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

choose_wasm_toolchain() {
  local sysroot
  WASM_BUILD_FLAGS=(--target "$wasm_target")
  if rustup_has_wasm_target; then
    sysroot=$(rustc --print sysroot)
    WASM_CARGO=(cargo)
    wasm_toolchain_name="$(rustc --version) (active toolchain)"
  elif debian_has_wasm_compiler; then
    sysroot=$(/usr/bin/rustc --print sysroot)
    WASM_CARGO=(env "PATH=/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 /usr/bin/cargo)
    WASM_BUILD_FLAGS+=(-Zbuild-std=std,panic_abort)
    wasm_toolchain_name="$(/usr/bin/rustc --version) (Debian's rustc-web, building std)"
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(newest_wasm_ld)
  else
    return 1
  fi
  # Paths of this machine must not reach the module: its hash is what proposals name.
  local cargo_home=${CARGO_HOME:-$HOME/.cargo}
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Ctarget-feature=+simd128 --cfg getrandom_backend=\"custom\" --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$PWD=/stoa --remap-path-prefix=$sysroot=/rust"
}
