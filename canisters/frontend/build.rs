//! Lists the files of the built page as `include_bytes!`, so that the module's hash covers the page: the vote that upgrades this
//! canister is a vote on every byte a visitor gets.
//!
//! A canister is built from `frontend/build`; native builds, which only test how files are served, from `placeholder`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let for_wasm = env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32");
    let folder = if for_wasm {
        root.join("../../frontend/build")
    } else {
        root.join("placeholder")
    };
    println!("cargo:rerun-if-changed={}", folder.display());
    assert!(
        folder.join("index.html").is_file(),
        "{} has no index.html: build the page first (scripts/build does)",
        folder.display()
    );
    let mut files = Vec::new();
    list(&folder, &folder, &mut files);
    files.sort();
    let mut code = String::from("[\n");
    for file in &files {
        let path = fs::canonicalize(folder.join(file)).expect("it was listed");
        code += &format!("    ({file:?}, include_bytes!({path:?}) as &[u8]),\n");
    }
    code += "]\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("files.rs");
    fs::write(out, code).expect("OUT_DIR can be written to");
}

fn list(root: &Path, folder: &Path, files: &mut Vec<String>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry that can be read").path();
        if path.is_dir() {
            list(root, &path, files);
        } else {
            let relative = path.strip_prefix(root).expect("it is below the root");
            files.push(
                relative
                    .to_str()
                    .expect("names are UTF-8")
                    .replace('\\', "/"),
            );
        }
    }
}
