//! Rewriting a module so that it counts its own instructions and gives up its
//! mutable state.
//!
//! A counter, a mutable i64 global added behind the module's own, starts at the
//! message's limit and falls. Straight code between two branch targets is paid
//! for at its beginning; where control can come back (a function, a loop) the
//! counter is then compared with zero, and below zero the code traps. So a
//! count is exact at every branch, and runs ahead by at most one straight piece
//! inside it. Bulk instructions pay for their operand first, in functions
//! added behind the module's own.
//!
//! Nothing is inserted into an index space but at its end, hence the module's
//! instructions are copied as they are. Active data segments become empty
//! passive ones: the host writes their bytes once, at installation, and a fresh
//! instance must not write them again over the heap. (An empty segment behaves
//! as an active one does after instantiation: dropped.) The start function
//! becomes an export, for installation to call.

use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, Encode, ExportKind, ExportSection,
    Function, Instruction, Module, RawSection, SectionId, ValType,
};
use wasmparser::{DataKind, FunctionBody, Operator, Parser, Payload};

use super::parse::{ParsedModule, malformed};
use super::{ModuleError, cost, internal};

/// Names the rewriting; part of the key under which compiled code is kept.
pub const VERSION: u32 = 3;

pub fn instrument(plain: &[u8], parsed: &ParsedModule) -> Result<Vec<u8>, ModuleError> {
    let mut sections = Sections::default();
    let mut bodies = Vec::new();
    let mut data = DataSection::new();
    let mut data_count = None;
    for payload in Parser::new(0).parse_all(plain) {
        match payload.map_err(malformed)? {
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::DataCountSection { count, .. } => data_count = Some(count),
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment.map_err(malformed)?;
                    match segment.kind {
                        DataKind::Passive => data.passive(segment.data.iter().copied()),
                        DataKind::Active { .. } => data.passive([]),
                    };
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    sections.keep(id, &plain[range.start as usize..range.end as usize]);
                }
            }
        }
    }

    let counter = parsed.globals.len() as u32;
    let charge = parsed.functions_imported + parsed.functions_defined;
    let memory64 = parsed.has_memory64();
    let type_count = sections.count(SectionId::Type)?;
    let mut instruction_count = 0;
    let mut changes_references = changes_reference_globals(parsed);
    let mut code = CodeSection::new();
    for (body, parameters) in bodies.iter().zip(&parsed.parameters) {
        let metered = meter(plain, body, *parameters, counter, charge, memory64)?;
        instruction_count += metered.instructions;
        changes_references |= metered.changes_tables;
        code.raw(&metered.body);
    }
    // What a bulk instruction is told can be either wide.
    for operand in [ValType::I32, ValType::I64] {
        code.function(&charge_function(counter, operand));
    }

    let exports = exports(parsed, counter, instruction_count, changes_references);
    let mut module = Module::new();
    let types = [ValType::I32, ValType::I64].map(charge_type);
    sections.append(&mut module, SectionId::Type, &types)?;
    sections.append(&mut module, SectionId::Import, &[])?;
    let functions = [type_count, type_count + 1].map(|index| encoded(&index));
    sections.append(&mut module, SectionId::Function, &functions)?;
    sections.append(&mut module, SectionId::Table, &[])?;
    sections.append(&mut module, SectionId::Memory, &[])?;
    sections.append(&mut module, SectionId::Global, &[counter_global()])?;
    module.section(&exports);
    sections.append(&mut module, SectionId::Element, &[])?;
    if let Some(count) = data_count {
        module.section(&DataCountSection { count });
    }
    module.section(&code);
    if !data.is_empty() {
        module.section(&data);
    }
    Ok(module.finish())
}

/// Sections that are copied, perhaps with entries added at the end.
#[derive(Default)]
struct Sections<'a> {
    kept: Vec<(u8, &'a [u8])>,
}

impl<'a> Sections<'a> {
    fn keep(&mut self, id: u8, content: &'a [u8]) {
        self.kept.push((id, content));
    }

    /// The number of entries, and the bytes of the entries.
    fn entries(&self, id: SectionId) -> Result<(u32, &'a [u8]), ModuleError> {
        let Some((_, content)) = self.kept.iter().find(|(kept, _)| *kept == id as u8) else {
            return Ok((0, &[]));
        };
        let mut reader = wasmparser::BinaryReader::new(content, 0);
        let count = reader.read_var_u32().map_err(malformed)?;
        Ok((count, &content[reader.current_position()..]))
    }

    fn count(&self, id: SectionId) -> Result<u32, ModuleError> {
        Ok(self.entries(id)?.0)
    }

    fn append(
        &self,
        module: &mut Module,
        id: SectionId,
        added: &[Vec<u8>],
    ) -> Result<(), ModuleError> {
        let (count, entries) = self.entries(id)?;
        let count = count + added.len() as u32;
        if count == 0 {
            return Ok(());
        }
        let mut content = encoded(&count);
        content.extend_from_slice(entries);
        for entry in added {
            content.extend_from_slice(entry);
        }
        module.section(&RawSection {
            id: id as u8,
            data: &content,
        });
        Ok(())
    }
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// (func (param operand) (result operand))
fn charge_type(operand: ValType) -> Vec<u8> {
    let mut bytes = vec![0x60];
    [operand].as_slice().encode(&mut bytes);
    [operand].as_slice().encode(&mut bytes);
    bytes
}

/// (global (mut i64) (i64.const 0))
fn counter_global() -> Vec<u8> {
    let mut bytes = encoded(&ValType::I64);
    bytes.push(0x01);
    ConstExpr::i64_const(0).encode(&mut bytes);
    bytes
}

/// Takes its operand from the counter and returns it.
fn charge_function(counter: u32, operand: ValType) -> Function {
    let mut function = Function::new([]);
    let mut taken = vec![Instruction::GlobalGet(counter), Instruction::LocalGet(0)];
    if operand == ValType::I32 {
        taken.push(Instruction::I64ExtendI32U);
    } else {
        // More than there can be of anything, and not so much that the counter wraps around.
        taken.extend([
            Instruction::I64Const(i64::from(u32::MAX) << 8),
            Instruction::LocalGet(0),
            Instruction::I64Const(i64::from(u32::MAX) << 8),
            Instruction::I64LtU,
            Instruction::Select,
        ]);
    }
    taken.extend([Instruction::I64Sub, Instruction::GlobalSet(counter)]);
    for instruction in taken
        .iter()
        .chain(&[
            Instruction::GlobalGet(counter),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ])
        .chain(&[Instruction::LocalGet(0), Instruction::End])
    {
        function.instruction(instruction);
    }
    function
}

fn changes_reference_globals(parsed: &ParsedModule) -> bool {
    let is_reference = |global: &wasmparser::GlobalType| {
        matches!(global.content_type, wasmparser::ValType::Ref(_))
    };
    parsed
        .globals
        .iter()
        .any(|global| global.mutable && is_reference(global))
}

fn exports(
    parsed: &ParsedModule,
    counter: u32,
    instructions: u64,
    changes_references: bool,
) -> ExportSection {
    let mut exports = ExportSection::new();
    for (name, function) in &parsed.entry_points {
        exports.export(name, ExportKind::Func, *function);
    }
    exports.export(internal::COUNTER, ExportKind::Global, counter);
    let count = format!("{}{instructions}", internal::INSTRUCTION_COUNT);
    exports.export(&count, ExportKind::Global, counter);
    if parsed.memory.is_some() {
        exports.export(internal::MEMORY, ExportKind::Memory, 0);
    }
    if parsed.tables > 0 {
        exports.export(internal::CALLBACKS, ExportKind::Table, 0);
    }
    if let Some(start) = parsed.start {
        exports.export(internal::START, ExportKind::Func, start);
    }
    for (index, global) in parsed.globals.iter().enumerate() {
        if global.mutable {
            exports.export(
                &format!("{}{index}", internal::GLOBAL),
                ExportKind::Global,
                index as u32,
            );
        }
    }
    if changes_references {
        for index in 0..parsed.tables {
            exports.export(
                &format!("{}{index}", internal::TABLE),
                ExportKind::Table,
                index,
            );
        }
        for index in &parsed.referenced_functions {
            exports.export(
                &format!("{}{index}", internal::FUNCTION),
                ExportKind::Func,
                *index,
            );
        }
    }
    exports
}

struct MeteredBody {
    body: Vec<u8>,
    instructions: u64,
    changes_tables: bool,
}

/// Something to insert at a place in a function.
struct Mark {
    at: usize,
    insert: Insert,
}

enum Insert {
    /// Pay for the straight code that begins here.
    Pay { cost: u64, reentrant: bool },
    /// Write the counter back before control leaves the function.
    Spill,
    /// Read it again when control has come back.
    Reload,
    /// Pay for the operand of a bulk instruction, which is on the stack.
    PayOperand { wide: bool },
}

/// Inside a function the counter lives in a local, which can be a register; it
/// is written back before control leaves the function. A trap therefore misses
/// what the function did since it last called another: the price of a message
/// that trapped is a little too low, and no other count is.
fn meter(
    plain: &[u8],
    body: &FunctionBody,
    parameters: u32,
    counter: u32,
    charge: u32,
    memory64: bool,
) -> Result<MeteredBody, ModuleError> {
    let mut reader = body.get_operators_reader().map_err(malformed)?;
    let first = reader.original_position() as usize;
    let mut marks = vec![Mark {
        at: first,
        insert: Insert::Pay {
            cost: cost::FUNCTION_ENTRY,
            reentrant: true,
        },
    }];
    let mut piece = 0;
    let mut instructions = 0;
    let mut changes_tables = false;
    // How many blocks are open inside the function's own.
    let mut depth = 0u32;
    while !reader.eof() {
        let at = reader.original_position() as usize;
        let operator = reader.read().map_err(malformed)?;
        let next = reader.original_position() as usize;
        instructions += 1;
        if let Insert::Pay { cost, .. } = &mut marks[piece].insert {
            *cost += cost::of(&operator, memory64);
        }
        use Operator::*;
        changes_tables |= matches!(
            operator,
            TableFill { .. }
                | TableCopy { .. }
                | TableInit { .. }
                | TableSet { .. }
                | TableGrow { .. }
        );
        let leaves = match &operator {
            Return
            | Unreachable
            | ReturnCall { .. }
            | ReturnCallIndirect { .. }
            | Call { .. }
            | CallIndirect { .. } => true,
            Br { relative_depth } | BrIf { relative_depth } => *relative_depth == depth,
            BrTable { targets } => {
                let mut outermost = targets.default() == depth;
                for target in targets.targets() {
                    outermost |= target.map_err(malformed)? == depth;
                }
                outermost
            }
            End => depth == 0,
            _ => false,
        };
        if leaves {
            marks.push(Mark {
                at,
                insert: Insert::Spill,
            });
        }
        match &operator {
            Call { .. } | CallIndirect { .. } => marks.push(Mark {
                at: next,
                insert: Insert::Reload,
            }),
            MemoryFill { .. }
            | MemoryCopy { .. }
            | MemoryInit { .. }
            | TableFill { .. }
            | TableCopy { .. }
            | TableInit { .. } => {
                // The size of a segment, and all of a table, is counted in 32 bits.
                let wide = memory64 && matches!(operator, MemoryFill { .. } | MemoryCopy { .. });
                marks.push(Mark {
                    at,
                    insert: Insert::PayOperand { wide },
                });
            }
            Block { .. } | Loop { .. } | If { .. } => depth += 1,
            End => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends_piece = matches!(
            operator,
            Loop { .. }
                | If { .. }
                | Else
                | End
                | Br { .. }
                | BrIf { .. }
                | BrTable { .. }
                | Return
                | Unreachable
                | ReturnCall { .. }
                | ReturnCallIndirect { .. }
        );
        if ends_piece {
            piece = marks.len();
            let reentrant = matches!(operator, Loop { .. });
            marks.push(Mark {
                at: next,
                insert: Insert::Pay { cost: 0, reentrant },
            });
        }
    }
    let (mut metered, local) = locals(plain, body, parameters, first)?;
    let mut copied = first;
    for mark in &marks {
        metered.extend_from_slice(&plain[copied..mark.at]);
        copied = mark.at;
        mark.insert
            .encode(mark.at == first, local, counter, charge, &mut metered);
    }
    metered.extend_from_slice(&plain[copied..body.range().end as usize]);
    Ok(MeteredBody {
        body: metered,
        instructions,
        changes_tables,
    })
}

/// The function's locals with one more for the counter, and its index.
fn locals(
    plain: &[u8],
    body: &FunctionBody,
    parameters: u32,
    first: usize,
) -> Result<(Vec<u8>, u32), ModuleError> {
    let mut reader = body.get_locals_reader().map_err(malformed)?;
    let groups = reader.get_count();
    let start = reader.original_position() as usize;
    let mut index = parameters;
    for _ in 0..groups {
        index += reader.read().map_err(malformed)?.0;
    }
    let mut bytes = encoded(&(groups + 1));
    bytes.extend_from_slice(&plain[start..first]);
    1u32.encode(&mut bytes);
    ValType::I64.encode(&mut bytes);
    Ok((bytes, index))
}

impl Insert {
    fn encode(&self, enters: bool, local: u32, counter: u32, charge: u32, out: &mut Vec<u8>) {
        let mut put = |instructions: &[Instruction]| {
            for instruction in instructions {
                instruction.encode(out);
            }
        };
        let spill = [
            Instruction::LocalGet(local),
            Instruction::GlobalSet(counter),
        ];
        let reload = [
            Instruction::GlobalGet(counter),
            Instruction::LocalSet(local),
        ];
        match *self {
            Self::Spill => put(&spill),
            Self::Reload => put(&reload),
            Self::PayOperand { wide } => {
                put(&spill);
                put(&[Instruction::Call(charge + u32::from(wide))]);
                put(&reload);
            }
            Self::Pay {
                cost: 0,
                reentrant: false,
            } => {}
            Self::Pay { cost, reentrant } => {
                put(&[
                    if enters {
                        Instruction::GlobalGet(counter)
                    } else {
                        Instruction::LocalGet(local)
                    },
                    Instruction::I64Const(cost as i64),
                    Instruction::I64Sub,
                    Instruction::LocalSet(local),
                ]);
                if reentrant {
                    put(&[
                        Instruction::LocalGet(local),
                        Instruction::I64Const(0),
                        Instruction::I64LtS,
                        Instruction::If(wasm_encoder::BlockType::Empty),
                    ]);
                    put(&spill);
                    put(&[Instruction::Unreachable, Instruction::End]);
                }
            }
        }
    }
}
