//! What the platform counts of a module before it accepts it, and the limits.

use anyhow::Result;
use wasmparser::{Parser, Payload};

/// Seen enforced on mainnet; older documents say 10 MiB.
const CODE_SECTION_BYTES_MAX: u64 = 12 * 1024 * 1024;
const MODULE_BYTES_MAX: u64 = 100 * 1024 * 1024;
const FUNCTIONS_MAX: u64 = 50_000;
const GLOBALS_MAX: u64 = 1_000;

#[derive(Default, Debug, PartialEq, Eq)]
pub struct Shape {
    pub module_bytes: u64,
    pub code_section_bytes: u64,
    pub functions: u64,
    pub globals: u64,
    /// Imports from elsewhere than `ic0`, as `module.name`.
    pub foreign_imports: Vec<String>,
}

impl Shape {
    pub fn of(module: &[u8]) -> Result<Self> {
        let mut shape = Self {
            module_bytes: module.len() as u64,
            ..Self::default()
        };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::CodeSectionStart {
                    count,
                    unchecked_range,
                    ..
                } => {
                    shape.code_section_bytes = unchecked_range.end - unchecked_range.start;
                    shape.functions = count.into();
                }
                Payload::GlobalSection(globals) => shape.globals = globals.count().into(),
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        if import.module != "ic0" {
                            shape
                                .foreign_imports
                                .push(format!("{}.{}", import.module, import.name));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    /// Why the platform would refuse the module; empty where it would not.
    pub fn violations(&self) -> Vec<String> {
        let limits = [
            ("module bytes", self.module_bytes, MODULE_BYTES_MAX),
            (
                "code section bytes",
                self.code_section_bytes,
                CODE_SECTION_BYTES_MAX,
            ),
            ("functions", self.functions, FUNCTIONS_MAX),
            ("globals", self.globals, GLOBALS_MAX),
        ];
        let mut violations: Vec<String> = limits
            .into_iter()
            .filter(|(_, given, max)| given > max)
            .map(|(what, given, max)| format!("{given} {what}, at most {max} are allowed"))
            .collect();
        if !self.foreign_imports.is_empty() {
            violations.push(format!(
                "it imports {}, only ic0 exists",
                self.foreign_imports.join(", ")
            ));
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic, version, one type, two functions of that type with empty bodies.
    const TWO_FUNCTIONS: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x03\x02\0\0\x0a\x07\x02\x02\0\x0b\x02\0\x0b";

    #[test]
    fn should_count_functions_and_code() {
        let shape = Shape::of(TWO_FUNCTIONS).unwrap();
        assert_eq!((shape.functions, shape.code_section_bytes), (2, 7));
        assert!(shape.violations().is_empty());
    }

    #[test]
    fn should_name_each_limit_that_is_passed() {
        let shape = Shape {
            code_section_bytes: CODE_SECTION_BYTES_MAX + 1,
            functions: FUNCTIONS_MAX + 1,
            foreign_imports: vec!["env.now".into()],
            ..Shape::default()
        };
        let violations = shape.violations().join("\n");
        assert!(violations.contains("code section"));
        assert!(violations.contains("50001 functions"));
        assert!(violations.contains("env.now"));
    }

    #[test]
    fn should_refuse_what_is_not_wasm() {
        assert!(Shape::of(b"hello").is_err());
    }
}
