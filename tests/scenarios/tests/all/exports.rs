//! Statement 20: what the modules export is what the list beside this file says. A method that is new has to be put there by
//! somebody who has thought of who may call it.

use std::io::Read;

use stoa_scenarios::wasm_folder;

const ALLOWED: &str = include_str!("exports.txt");

/// Entry points of the module, as `<module> <kind> <method>` or `<module> <entry point>`.
fn exports(name: &str) -> Vec<String> {
    let packed = wasm_folder().read(name).expect("built").bytes;
    let mut module = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut module)
        .expect("a canister in gzip");
    wasmparser::Parser::new(0)
        .parse_all(&module)
        .filter_map(|payload| match payload.expect("a module") {
            wasmparser::Payload::ExportSection(section) => Some(section),
            _ => None,
        })
        .flatten()
        .map(|export| export.expect("an export").name.to_owned())
        // The system calls nothing else (a memory, a table).
        .filter(|export| export.starts_with("canister_"))
        .map(|export| format!("{name} {}", export.replacen("canister_", "", 1)))
        .collect()
}

#[test]
fn should_export_what_the_list_allows_and_nothing_else() {
    let mut modules: Vec<&str> = ALLOWED
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    modules.dedup();
    let mut found: Vec<String> = modules.iter().flat_map(|name| exports(name)).collect();
    found.sort_unstable();
    let allowed: Vec<&str> = ALLOWED.lines().collect();
    assert!(allowed.is_sorted(), "exports.txt is sorted");
    for line in &found {
        assert!(
            allowed.contains(&line.as_str()),
            "not in exports.txt: {line}"
        );
    }
    for line in allowed {
        assert!(
            found.iter().any(|export| export == line),
            "no longer exported: {line}"
        );
    }
}

/// So that no module is left out of the list.
#[test]
fn should_list_every_module_that_a_deployment_installs() {
    for name in [
        "cmc",
        "frontend",
        "governance",
        "inference",
        "ledger",
        "registry",
        "shard",
    ] {
        let entry = format!("{name} init");
        assert!(ALLOWED.lines().any(|line| line == entry), "{name}");
    }
}
