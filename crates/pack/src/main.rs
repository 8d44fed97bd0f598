//! Turns what the compiler gives into what is installed: shrunk, with its Candid
//! interface as public metadata, gzipped, and within the platform's limits.
//!
//! The output is a function of the input alone (no time stamp, no path), because a
//! stranger must get the module hash that a proposal names.

mod shape;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use flate2::{Compression, GzBuilder};
use ic_wasm::metadata::{Kind, add_metadata};

use crate::shape::Shape;

#[derive(Parser)]
#[command(about = "Packs a compiled canister for installation")]
struct Arguments {
    /// Name of the canister; names the output files.
    #[arg(long)]
    name: String,
    /// The module as the compiler left it.
    #[arg(long)]
    wasm: PathBuf,
    /// Its Candid interface, stored as public `candid:service` metadata.
    #[arg(long)]
    did: PathBuf,
    /// Folder for `<name>.wasm` and `<name>.wasm.gz`.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let compiled = fs::read(&arguments.wasm)
        .with_context(|| format!("cannot read {}", arguments.wasm.display()))?;
    let interface = fs::read(&arguments.did)
        .with_context(|| format!("cannot read {}", arguments.did.display()))?;

    let mut module = ic_wasm::utils::parse_wasm(&compiled, false)
        .with_context(|| format!("{} is not a Wasm module", arguments.wasm.display()))?;
    ic_wasm::shrink::shrink(&mut module);
    add_metadata(&mut module, Kind::Public, "candid:service", interface);
    let packed = module.emit_wasm();

    let shape = Shape::of(&packed)?;
    let gzipped = gzip(&packed)?;
    println!(
        "{:<12} {:>10} bytes, {:>9} gzipped, code section {:>10}, functions {:>6}, globals {:>3}",
        arguments.name,
        packed.len(),
        gzipped.len(),
        shape.code_section_bytes,
        shape.functions,
        shape.globals
    );
    let violations = shape.violations();
    if !violations.is_empty() {
        bail!(
            "{} cannot be installed: {}",
            arguments.name,
            violations.join("; ")
        );
    }

    fs::create_dir_all(&arguments.out)?;
    fs::write(
        arguments.out.join(format!("{}.wasm", arguments.name)),
        packed,
    )?;
    fs::write(
        arguments.out.join(format!("{}.wasm.gz", arguments.name)),
        gzipped,
    )?;
    Ok(())
}

/// Gzip without a name and with time stamp 0.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_gzip_equal_bytes_equally() {
        let first = gzip(b"the same module").unwrap();
        assert_eq!(first, gzip(b"the same module").unwrap());
        assert_eq!(
            first[4..8],
            [0; 4],
            "a time stamp would change the module hash"
        );
    }
}
