//! What a module says about itself, read without touching its code: the methods
//! it exports, its metadata, its memory and the data to put there.
//!
//! `validate` has the checks that need the whole module; what is read here is
//! cheap enough to be read again whenever a module is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use stoa_localnet_wire::Metadata;
use wasmparser::{
    DataKind, ElementItems, ElementKind, ExternalKind, Operator, Parser, Payload, TypeRef,
};

use super::imports;
use crate::limits::*;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    #[error("the module has {given} bytes, more than the {max} allowed")]
    TooLarge { given: usize, max: usize },
    #[error("the gzipped module could not be unpacked: {0}")]
    Gzip(String),
    #[error("{0}")]
    Malformed(String),
    #[error("the code section has {given} bytes, more than the {max} allowed")]
    CodeTooLarge { given: usize, max: usize },
    #[error("the module defines {given} functions, more than the {max} allowed")]
    TooManyFunctions { given: usize, max: usize },
    #[error("a function has {given} bytes, more than the {max} allowed")]
    FunctionTooLarge { given: usize, max: usize },
    #[error("the module defines {given} globals, more than the {max} allowed")]
    TooManyGlobals { given: usize, max: usize },
    #[error("the module exports {given} methods, more than the {max} allowed")]
    TooManyMethods { given: usize, max: usize },
    #[error("the names of the exported methods have {given} bytes, more than the {max} allowed")]
    MethodNamesTooLong { given: usize, max: usize },
    #[error("the module imports {module}.{name}, which the system does not offer")]
    UnknownImport { module: String, name: String },
    #[error("the import ic0.{name} has the wrong type: {detail}")]
    WrongImportType { name: String, detail: String },
    #[error("the module imports {what}; only functions of ic0 may be imported")]
    NotAFunction { what: String },
    #[error("the export '{name}' is not allowed: {reason}")]
    BadExport { name: String, reason: &'static str },
    #[error("the method '{0}' is exported more than once")]
    DuplicateMethod(String),
    #[error("the custom section '{name}' is not allowed: {reason}")]
    BadCustomSection { name: String, reason: &'static str },
    #[error("the custom sections have {given} bytes, more than the {max} allowed")]
    CustomSectionsTooLarge { given: usize, max: usize },
    #[error("the module defines {given} memories; one is allowed")]
    TooManyMemories { given: u32 },
    #[error("the memory starts with {given} pages, more than the {max} allowed")]
    MemoryTooLarge { given: u64, max: u64 },
    #[error("a table with 64-bit indices is not allowed")]
    Table64,
    #[error("a table starts with {given} elements, more than the {max} allowed")]
    TableTooLarge { given: u64, max: usize },
    #[error("a data segment is placed outside the memory")]
    DataOutOfBounds,
    #[error("the function '{0}' does not have the type that its role asks for")]
    BadEntryPointType(String),
    #[error("the module could not be compiled: {0}")]
    Compilation(String),
}

/// The entry points of a canister, by the export that names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum MethodKind {
    Update,
    Query,
    CompositeQuery,
    System,
}

const SYSTEM_METHODS: &[&str] = &[
    "canister_init",
    "canister_pre_upgrade",
    "canister_post_upgrade",
    "canister_inspect_message",
    "canister_heartbeat",
    "canister_global_timer",
    "canister_on_low_wasm_memory",
];

/// What is known of a module before it is compiled.
#[derive(Debug)]
pub struct ParsedModule {
    pub methods: BTreeSet<(MethodKind, String)>,
    /// The exports behind `methods`: export name and function index.
    pub entry_points: Vec<(String, u32)>,
    pub metadata: BTreeMap<String, Metadata>,
    pub memory: Option<MemoryLimits>,
    /// Active data segments: where they go, and where in the module they are.
    pub data: Vec<(u64, Range<usize>)>,
    pub start: Option<u32>,
    pub functions_imported: u32,
    pub functions_defined: u32,
    /// Of each defined function, how many parameters it has.
    pub parameters: Vec<u32>,
    pub globals: Vec<wasmparser::GlobalType>,
    pub tables: u32,
    /// Functions that a table or a global may hold.
    pub referenced_functions: BTreeSet<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryLimits {
    pub initial_pages: u64,
    pub max_pages: Option<u64>,
    /// Whether places in it are 64 bits wide.
    pub memory64: bool,
}

impl MemoryLimits {
    /// What it can grow to, whatever the module says.
    pub fn bytes_max(self) -> u64 {
        match self.memory64 {
            true => HEAP64_BYTES_MAX,
            false => HEAP_BYTES_MAX,
        }
    }
}

impl ParsedModule {
    pub fn has_memory64(&self) -> bool {
        self.memory.is_some_and(|memory| memory.memory64)
    }
}

pub fn parse(plain: &[u8]) -> Result<ParsedModule, ModuleError> {
    let mut parsed = ParsedModule {
        methods: BTreeSet::new(),
        entry_points: Vec::new(),
        metadata: BTreeMap::new(),
        memory: None,
        data: Vec::new(),
        start: None,
        functions_imported: 0,
        functions_defined: 0,
        parameters: Vec::new(),
        globals: Vec::new(),
        tables: 0,
        referenced_functions: BTreeSet::new(),
    };
    let mut types: Vec<wasmparser::FuncType> = Vec::new();
    let mut function_types: Vec<u32> = Vec::new();
    let mut imported = Vec::new();
    for payload in Parser::new(0).parse_all(plain) {
        match payload.map_err(malformed)? {
            Payload::TypeSection(section) => {
                for group in section {
                    for sub in group.map_err(malformed)?.into_types() {
                        match sub.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(ty) => types.push(ty),
                            _ => {
                                return Err(ModuleError::Malformed(
                                    "only function types are supported".into(),
                                ));
                            }
                        }
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(malformed)?;
                    imported.push(import);
                    if let TypeRef::Func(ty) = import.ty {
                        function_types.push(ty);
                        parsed.functions_imported += 1;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                let given = section.count() as usize;
                if given > FUNCTIONS_MAX {
                    return Err(ModuleError::TooManyFunctions {
                        given,
                        max: FUNCTIONS_MAX,
                    });
                }
                parsed.functions_defined = section.count();
                for ty in section {
                    function_types.push(ty.map_err(malformed)?);
                }
            }
            Payload::TableSection(section) => {
                parsed.tables = section.count();
                for table in section {
                    let table = table.map_err(malformed)?.ty;
                    if table.table64 {
                        return Err(ModuleError::Table64);
                    }
                    let given = table.initial;
                    if given > TABLE_ELEMENTS_MAX as u64 {
                        return Err(ModuleError::TableTooLarge {
                            given,
                            max: TABLE_ELEMENTS_MAX,
                        });
                    }
                }
            }
            Payload::MemorySection(section) => {
                if section.count() > 1 {
                    return Err(ModuleError::TooManyMemories {
                        given: section.count(),
                    });
                }
                for memory in section {
                    let memory = memory.map_err(malformed)?;
                    let limits = MemoryLimits {
                        initial_pages: memory.initial,
                        max_pages: memory.maximum,
                        memory64: memory.memory64,
                    };
                    let max = limits.bytes_max() / WASM_PAGE_BYTES;
                    if memory.initial > max {
                        return Err(ModuleError::MemoryTooLarge {
                            given: memory.initial,
                            max,
                        });
                    }
                    parsed.memory = Some(limits);
                }
            }
            Payload::GlobalSection(section) => {
                let given = section.count() as usize;
                if given > GLOBALS_MAX {
                    return Err(ModuleError::TooManyGlobals {
                        given,
                        max: GLOBALS_MAX,
                    });
                }
                for global in section {
                    let global = global.map_err(malformed)?;
                    note_references(global.init_expr.get_operators_reader(), &mut parsed)?;
                    parsed.globals.push(global.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    add_export(&mut parsed, export.name, export.kind, export.index)?;
                }
            }
            Payload::StartSection { func, .. } => parsed.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element.map_err(malformed)?;
                    if let ElementKind::Active { offset_expr, .. } = &element.kind {
                        note_references(offset_expr.get_operators_reader(), &mut parsed)?;
                    }
                    match element.items {
                        ElementItems::Functions(functions) => {
                            for function in functions {
                                parsed
                                    .referenced_functions
                                    .insert(function.map_err(malformed)?);
                            }
                        }
                        ElementItems::Expressions(_, expressions) => {
                            for expression in expressions {
                                let expression = expression.map_err(malformed)?;
                                note_references(expression.get_operators_reader(), &mut parsed)?;
                            }
                        }
                    }
                }
            }
            Payload::CodeSectionStart { size, .. } => {
                let given = size as usize;
                if given > CODE_SECTION_BYTES_MAX {
                    return Err(ModuleError::CodeTooLarge {
                        given,
                        max: CODE_SECTION_BYTES_MAX,
                    });
                }
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let given = (range.end - range.start) as usize;
                if given > FUNCTION_BYTES_MAX {
                    return Err(ModuleError::FunctionTooLarge {
                        given,
                        max: FUNCTION_BYTES_MAX,
                    });
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data.map_err(malformed)?;
                    if let DataKind::Active { offset_expr, .. } = &data.kind {
                        let offset = constant_offset(offset_expr)?;
                        let end = data.range.end as usize;
                        parsed.data.push((offset, end - data.data.len()..end));
                    }
                }
            }
            Payload::CustomSection(section) => {
                add_custom_section(&mut parsed, section.name(), section.data())?;
            }
            _ => {}
        }
    }
    // How wide places in the heap are is known only now: the imports come before the memory.
    for import in &imported {
        check_import(import, &types, parsed.has_memory64())?;
    }
    for ty in function_types
        .iter()
        .skip(parsed.functions_imported as usize)
    {
        let ty = types
            .get(*ty as usize)
            .ok_or_else(|| ModuleError::Malformed("a function names an unknown type".into()))?;
        parsed.parameters.push(ty.params().len() as u32);
    }
    check_names(&parsed)?;
    check_data(&parsed)?;
    check_entry_points(&parsed, &types, &function_types)?;
    Ok(parsed)
}

pub fn malformed(error: wasmparser::BinaryReaderError) -> ModuleError {
    ModuleError::Malformed(error.to_string())
}

fn check_import(
    import: &wasmparser::Import,
    types: &[wasmparser::FuncType],
    memory64: bool,
) -> Result<(), ModuleError> {
    let TypeRef::Func(ty) = import.ty else {
        return Err(ModuleError::NotAFunction {
            what: format!("{}.{}", import.module, import.name),
        });
    };
    let known = match import.module {
        "ic0" => imports::find(import.name),
        _ => None,
    };
    let Some(known) = known else {
        return Err(ModuleError::UnknownImport {
            module: import.module.into(),
            name: import.name.into(),
        });
    };
    let given = types
        .get(ty as usize)
        .ok_or_else(|| ModuleError::Malformed("an import names an unknown type".into()))?;
    if imports::matches(known.params, given.params(), memory64)
        && imports::matches(known.results, given.results(), memory64)
    {
        return Ok(());
    }
    Err(ModuleError::WrongImportType {
        name: import.name.into(),
        detail: format!("{:?} -> {:?}", given.params(), given.results()),
    })
}

fn add_export(
    parsed: &mut ParsedModule,
    name: &str,
    kind: ExternalKind,
    index: u32,
) -> Result<(), ModuleError> {
    if kind != ExternalKind::Func
        || !name.starts_with("canister_") && !name.starts_with("canister ")
    {
        return Ok(());
    }
    let bad = |reason| ModuleError::BadExport {
        name: name.to_string(),
        reason,
    };
    let (kind, method) = if let Some((prefix, method)) = name.split_once(' ') {
        let kind = match prefix {
            "canister_update" => MethodKind::Update,
            "canister_query" => MethodKind::Query,
            "canister_composite_query" => MethodKind::CompositeQuery,
            _ => return Err(bad("the prefix is reserved")),
        };
        (kind, method)
    } else if SYSTEM_METHODS.contains(&name) {
        (MethodKind::System, name)
    } else {
        return Err(bad("the prefix is reserved"));
    };
    if index < parsed.functions_imported {
        return Err(bad("an imported function cannot be a method"));
    }
    let taken = kind != MethodKind::System
        && [
            MethodKind::Update,
            MethodKind::Query,
            MethodKind::CompositeQuery,
        ]
        .into_iter()
        .any(|other| parsed.methods.contains(&(other, method.to_string())));
    if taken || !parsed.methods.insert((kind, method.to_string())) {
        return Err(ModuleError::DuplicateMethod(method.to_string()));
    }
    parsed.entry_points.push((name.to_string(), index));
    Ok(())
}

fn add_custom_section(
    parsed: &mut ParsedModule,
    name: &str,
    content: &[u8],
) -> Result<(), ModuleError> {
    let Some(rest) = name.strip_prefix("icp:") else {
        return Ok(());
    };
    let bad = |reason| ModuleError::BadCustomSection {
        name: name.to_string(),
        reason,
    };
    let (public, key) = match rest.split_once(' ') {
        Some(("public", key)) => (true, key),
        Some(("private", key)) => (false, key),
        _ => {
            return Err(bad(
                "its name must begin with 'icp:public ' or 'icp:private '",
            ));
        }
    };
    let metadata = Metadata {
        public,
        content: content.to_vec(),
    };
    if parsed.metadata.insert(key.to_string(), metadata).is_some() {
        return Err(bad("there is another of that name"));
    }
    if parsed.metadata.len() > CUSTOM_SECTIONS_MAX {
        return Err(bad("there are too many"));
    }
    Ok(())
}

fn check_names(parsed: &ParsedModule) -> Result<(), ModuleError> {
    let methods = || {
        parsed
            .methods
            .iter()
            .filter(|(kind, _)| *kind != MethodKind::System)
    };
    let given = methods().count();
    if given > EXPORTED_METHODS_MAX {
        return Err(ModuleError::TooManyMethods {
            given,
            max: EXPORTED_METHODS_MAX,
        });
    }
    let given = methods().map(|(_, name)| name.len()).sum();
    if given > EXPORTED_NAME_BYTES_MAX {
        return Err(ModuleError::MethodNamesTooLong {
            given,
            max: EXPORTED_NAME_BYTES_MAX,
        });
    }
    let given = parsed
        .metadata
        .iter()
        .map(|(name, section)| name.len() + section.content.len())
        .sum();
    if given > CUSTOM_SECTION_BYTES_MAX {
        return Err(ModuleError::CustomSectionsTooLarge {
            given,
            max: CUSTOM_SECTION_BYTES_MAX,
        });
    }
    Ok(())
}

fn check_data(parsed: &ParsedModule) -> Result<(), ModuleError> {
    let size = parsed
        .memory
        .map_or(0, |memory| memory.initial_pages * WASM_PAGE_BYTES);
    let fits =
        |(offset, range): &(u64, Range<usize>)| offset.saturating_add(range.len() as u64) <= size;
    match parsed.data.iter().all(fits) {
        true => Ok(()),
        false => Err(ModuleError::DataOutOfBounds),
    }
}

/// Every entry point takes nothing and returns nothing.
fn check_entry_points(
    parsed: &ParsedModule,
    types: &[wasmparser::FuncType],
    function_types: &[u32],
) -> Result<(), ModuleError> {
    for (name, index) in &parsed.entry_points {
        let ty = function_types
            .get(*index as usize)
            .and_then(|ty| types.get(*ty as usize))
            .ok_or_else(|| {
                ModuleError::Malformed(format!("the export '{name}' names no function"))
            })?;
        if !ty.params().is_empty() || !ty.results().is_empty() {
            return Err(ModuleError::BadEntryPointType(name.clone()));
        }
    }
    Ok(())
}

fn note_references(
    mut reader: wasmparser::OperatorsReader,
    parsed: &mut ParsedModule,
) -> Result<(), ModuleError> {
    while !reader.eof() {
        if let Operator::RefFunc { function_index } = reader.read().map_err(malformed)? {
            parsed.referenced_functions.insert(function_index);
        }
    }
    Ok(())
}

fn constant_offset(expression: &wasmparser::ConstExpr) -> Result<u64, ModuleError> {
    match expression
        .get_operators_reader()
        .read()
        .map_err(malformed)?
    {
        Operator::I32Const { value } => Ok(u64::from(value as u32)),
        Operator::I64Const { value } => Ok(value as u64),
        _ => Err(ModuleError::Malformed(
            "a data segment is not placed by a constant".into(),
        )),
    }
}
