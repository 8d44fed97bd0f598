//! Running one entry point of a canister, and keeping or dropping what it did.
//!
//! Every execution has an instance of its own, on a private view of the
//! canister's memory. Nothing outside changes until `Execution::commit`.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use wasmtime::{Func, Global, Instance, Ref, Store, Table, Trap, Val};

use crate::error::{ExecutionError, TrapCode};
use crate::memory::{Files, HeapWrites, PagedFile, StableMemory};
use crate::system_api::{Closure, MessageContext};
use crate::wasm::{Heap, PreparedModule, engine, internal};

/// All that a canister's code has written and that was kept.
#[derive(Clone, Debug)]
pub struct CanisterMemory {
    pub heap: Heap,
    /// By the order of `PreparedModule::globals`; empty before the first execution.
    pub globals: Arc<Vec<SavedValue>>,
    /// By the order of `PreparedModule::tables`; empty before the first execution.
    pub tables: Arc<Vec<Vec<SavedValue>>>,
    pub stable: StableImage,
}

#[derive(Clone, Debug)]
pub struct StableImage {
    pub file: Arc<PagedFile>,
    pub pages: u64,
}

impl StableImage {
    pub fn new(files: &Files) -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(files.create()?),
            pages: 0,
        })
    }

    pub fn open(&self) -> StableMemory {
        StableMemory::new(Arc::clone(&self.file), self.pages)
    }
}

impl CanisterMemory {
    /// The memory of a module that has not run yet.
    pub fn fresh(files: &Files, module: &PreparedModule, stable: StableImage) -> io::Result<Self> {
        let heap = Heap::new(
            files,
            module.memory.map_or(0, |memory| memory.initial_pages),
        )?;
        module.write_data(&heap.file)?;
        Ok(Self {
            heap,
            globals: Arc::default(),
            tables: Arc::default(),
            stable,
        })
    }

    pub fn bytes(&self) -> u64 {
        self.heap.bytes() + self.stable.pages * crate::limits::WASM_PAGE_BYTES
    }
}

/// The value of a global or of a table's element, outside any instance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum SavedValue {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A function by its index in the module.
    Function(Option<u32>),
}

/// Where an execution begins.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    Export(&'a str),
    Callback(Closure),
}

/// An instance at work, or one that has finished.
pub struct Execution {
    store: Store<MessageContext>,
    instance: Instance,
    module: Arc<PreparedModule>,
    functions: Option<HashMap<usize, u32>>,
    limit: u64,
}

/// What the steps of a composite query have written so far, over the committed
/// memory: a later step that fails returns to it.
pub struct Layer {
    heap_pages: u64,
    heap: Vec<(usize, Vec<u8>)>,
    globals: Vec<SavedValue>,
    tables: Vec<Vec<SavedValue>>,
    stable_pages: u64,
    stable: Vec<(u64, Vec<u8>)>,
}

/// How an execution ended.
#[derive(Debug)]
pub struct Ended {
    pub result: Result<(), ExecutionError>,
    pub instructions: u64,
    /// What it might have used.
    pub instructions_max: u64,
}

impl Execution {
    /// Sets up an instance on the memory; no code of the canister runs.
    pub fn start(
        module: &Arc<PreparedModule>,
        memory: &CanisterMemory,
        context: MessageContext,
    ) -> Result<Self, ExecutionError> {
        let mut store = Store::new(engine(), context);
        store.limiter(|context| context);
        store.data_mut().heap_bytes_max = module.heap_bytes_max();
        memory.heap.use_for_next_instance();
        let instance = module.instance.instantiate(&mut store).map_err(machine)?;
        store.data_mut().memory = instance.get_memory(&mut store, internal::MEMORY);
        store.data_mut().counter = instance.get_global(&mut store, internal::COUNTER);
        let mut execution = Self {
            store,
            instance,
            module: Arc::clone(module),
            functions: None,
            limit: 0,
        };
        execution.restore(memory).map_err(machine)?;
        Ok(execution)
    }

    /// Runs one entry point. May be called again, with the context set up anew:
    /// the steps of a composite query share their memory.
    pub fn run(&mut self, entry: Entry) -> Ended {
        self.limit = self.store.data().instruction_limit;
        let result = self.set_counter().and_then(|()| self.call(entry));
        let left = self.instructions_left();
        let instructions = u64::try_from(self.limit as i64 - left)
            .unwrap_or(0)
            .min(self.limit);
        Ended {
            result,
            instructions,
            instructions_max: self.limit,
        }
    }

    pub fn context(&self) -> &MessageContext {
        self.store.data()
    }

    pub fn context_mut(&mut self) -> &mut MessageContext {
        self.store.data_mut()
    }

    /// Gives up what was written.
    pub fn discard(self) -> MessageContext {
        self.store.into_data()
    }

    /// Finds what was written to the heap. Not needed before `commit`, but it
    /// takes time that nobody need wait for.
    pub fn writes(&self) -> io::Result<HeapWrites> {
        match self.store.data().memory {
            Some(memory) => HeapWrites::find(memory.data(&self.store)),
            None => Ok(HeapWrites::default()),
        }
    }

    /// Writes what was written into the files and takes over sizes, globals and
    /// tables. The caller keeps readers of the files away.
    pub fn commit(
        self,
        writes: &HeapWrites,
        memory: &mut CanisterMemory,
    ) -> io::Result<MessageContext> {
        let mut context = self.commit_heap(writes, memory)?;
        context.stable.commit()?;
        memory.stable.pages = context.stable.pages();
        Ok(context)
    }

    /// As `commit`, but stable memory stays in the context, written to and not kept.
    pub fn commit_heap(
        mut self,
        writes: &HeapWrites,
        memory: &mut CanisterMemory,
    ) -> io::Result<MessageContext> {
        if let Some(heap) = self.store.data().memory {
            writes.write_to(heap.data(&self.store), &memory.heap.file)?;
            memory.heap.pages = heap.size(&self.store);
        }
        memory.globals = Arc::new(self.save_globals().map_err(other)?);
        memory.tables = Arc::new(self.save_tables().map_err(other)?);
        Ok(self.store.into_data())
    }

    /// What was written so far.
    pub fn layer(&mut self) -> io::Result<Layer> {
        let (heap_pages, heap) = match self.store.data().memory {
            Some(memory) => {
                let content = memory.data(&self.store);
                let written = HeapWrites::find(content)?.content(content);
                (memory.size(&self.store), written)
            }
            None => (0, Vec::new()),
        };
        let stable = &mut self.store.data_mut().stable;
        let (stable_pages, stable) = (stable.pages(), stable.written_content()?);
        Ok(Layer {
            heap_pages,
            heap,
            globals: self.save_globals().map_err(other)?,
            tables: self.save_tables().map_err(other)?,
            stable_pages,
            stable,
        })
    }

    /// The same execution as it was when the layer was taken of it.
    pub fn returned_to(
        self,
        layer: &Layer,
        memory: &CanisterMemory,
    ) -> Result<Self, ExecutionError> {
        let module = Arc::clone(&self.module);
        let mut context = self.store.into_data();
        context.memory = None;
        context.counter = None;
        context.stable = memory.stable.open();
        context
            .stable
            .grow(layer.stable_pages - context.stable.pages());
        for (offset, bytes) in &layer.stable {
            context.stable.write(*offset, bytes).map_err(machine)?;
        }
        let below = CanisterMemory {
            globals: Arc::new(layer.globals.clone()),
            tables: Arc::new(layer.tables.clone()),
            ..memory.clone()
        };
        let mut execution = Self::start(&module, &below, context)?;
        if let Some(heap) = execution.store.data().memory {
            let missing = layer.heap_pages - heap.size(&execution.store);
            heap.grow(&mut execution.store, missing).map_err(machine)?;
            let content = heap.data_mut(&mut execution.store);
            for (offset, bytes) in &layer.heap {
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
        Ok(execution)
    }

    fn set_counter(&mut self) -> Result<(), ExecutionError> {
        let counter = self
            .store
            .data()
            .counter
            .ok_or_else(|| machine("BUG: no instruction counter"))?;
        counter
            .set(&mut self.store, Val::I64(self.limit as i64))
            .map_err(machine)
    }

    fn instructions_left(&mut self) -> i64 {
        match self
            .store
            .data()
            .counter
            .map(|counter| counter.get(&mut self.store))
        {
            Some(Val::I64(left)) => left,
            _ => 0,
        }
    }

    fn call(&mut self, entry: Entry) -> Result<(), ExecutionError> {
        let called = match entry {
            Entry::Export(name) => {
                let function = self
                    .instance
                    .get_typed_func::<(), ()>(&mut self.store, name)
                    .map_err(|_| machine(format!("BUG: no export {name}")))?;
                function.call(&mut self.store, ())
            }
            Entry::Callback(closure) => {
                let function = self.callback(closure.function)?;
                let mismatch = |_: wasmtime::Error| {
                    violation("function invocation does not match its signature")
                };
                if self.module.has_memory64() {
                    let function = function.typed::<u64, ()>(&self.store).map_err(mismatch)?;
                    function.call(&mut self.store, closure.environment)
                } else {
                    let function = function.typed::<u32, ()>(&self.store).map_err(mismatch)?;
                    // What a 32-bit module gave fits.
                    function.call(&mut self.store, closure.environment as u32)
                }
            }
        };
        called.map_err(|error| self.reason(&error))
    }

    /// The element of the module's first table. One beyond its end does not exist; one
    /// that is no function breaks the canister's promise.
    fn callback(&mut self, index: u32) -> Result<Func, ExecutionError> {
        let table = self
            .instance
            .get_table(&mut self.store, internal::CALLBACKS)
            .ok_or_else(|| violation("table not found"))?;
        match table.get(&mut self.store, u64::from(index)) {
            Some(Ref::Func(Some(function))) => Ok(function),
            Some(Ref::Func(None)) => Err(violation("unexpected null function reference")),
            Some(_) => Err(violation("not a function reference")),
            None => Err(ExecutionError::FunctionNotFound {
                table: 0,
                function: index,
            }),
        }
    }

    fn reason(&mut self, error: &wasmtime::Error) -> ExecutionError {
        if let Some(reason) = self.store.data_mut().error.take() {
            return reason;
        }
        let code = match error.downcast_ref::<Trap>() {
            Some(Trap::UnreachableCodeReached) if self.instructions_left() < 0 => {
                return ExecutionError::InstructionLimitExceeded { limit: self.limit };
            }
            Some(Trap::UnreachableCodeReached) => TrapCode::Unreachable,
            Some(Trap::StackOverflow) => TrapCode::StackOverflow,
            Some(Trap::MemoryOutOfBounds) => TrapCode::HeapOutOfBounds,
            Some(Trap::TableOutOfBounds) => TrapCode::TableOutOfBounds,
            Some(Trap::IntegerDivisionByZero) => TrapCode::IntegerDivByZero,
            Some(_) => TrapCode::Other,
            None => return machine(format!("{error:#}")),
        };
        ExecutionError::Trapped(code)
    }

    fn restore(&mut self, memory: &CanisterMemory) -> wasmtime::Result<()> {
        for (index, saved) in self
            .module
            .globals
            .clone()
            .into_iter()
            .zip(memory.globals.iter())
        {
            let value = self.value_of(*saved)?;
            self.global(index)?.set(&mut self.store, value)?;
        }
        for (index, saved) in self
            .module
            .tables
            .clone()
            .into_iter()
            .zip(memory.tables.iter())
        {
            let table = self.table(index)?;
            let size = table.size(&self.store);
            if (saved.len() as u64) > size {
                table.grow(&mut self.store, saved.len() as u64 - size, Ref::Func(None))?;
            }
            for (element, saved) in saved.iter().enumerate() {
                if let Val::FuncRef(function) = self.value_of(*saved)? {
                    table.set(&mut self.store, element as u64, Ref::Func(function))?;
                }
            }
        }
        Ok(())
    }

    fn save_globals(&mut self) -> wasmtime::Result<Vec<SavedValue>> {
        self.module
            .globals
            .clone()
            .into_iter()
            .map(|index| {
                let value = self.global(index)?.get(&mut self.store);
                self.saved_from(value)
            })
            .collect()
    }

    fn save_tables(&mut self) -> wasmtime::Result<Vec<Vec<SavedValue>>> {
        let mut tables = Vec::new();
        for index in self.module.tables.clone() {
            let table = self.table(index)?;
            let mut saved = Vec::new();
            for element in 0..table.size(&self.store) {
                let value = match table.get(&mut self.store, element) {
                    Some(Ref::Func(function)) => Val::FuncRef(function),
                    _ => Val::FuncRef(None),
                };
                saved.push(self.saved_from(value)?);
            }
            tables.push(saved);
        }
        Ok(tables)
    }

    fn global(&mut self, index: u32) -> wasmtime::Result<Global> {
        let name = format!("{}{index}", internal::GLOBAL);
        self.instance
            .get_global(&mut self.store, &name)
            .ok_or_else(|| wasmtime::Error::msg(format!("BUG: no {name}")))
    }

    fn table(&mut self, index: u32) -> wasmtime::Result<Table> {
        let name = format!("{}{index}", internal::TABLE);
        self.instance
            .get_table(&mut self.store, &name)
            .ok_or_else(|| wasmtime::Error::msg(format!("BUG: no {name}")))
    }

    fn value_of(&mut self, saved: SavedValue) -> wasmtime::Result<Val> {
        Ok(match saved {
            SavedValue::I32(value) => Val::I32(value),
            SavedValue::I64(value) => Val::I64(value),
            SavedValue::F32(bits) => Val::F32(bits),
            SavedValue::F64(bits) => Val::F64(bits),
            SavedValue::V128(bits) => Val::V128(bits.into()),
            SavedValue::Function(None) => Val::FuncRef(None),
            SavedValue::Function(Some(index)) => {
                let name = format!("{}{index}", internal::FUNCTION);
                let function = self.instance.get_func(&mut self.store, &name);
                Val::FuncRef(Some(
                    function.ok_or_else(|| wasmtime::Error::msg(format!("BUG: no {name}")))?,
                ))
            }
        })
    }

    fn saved_from(&mut self, value: Val) -> wasmtime::Result<SavedValue> {
        Ok(match value {
            Val::I32(value) => SavedValue::I32(value),
            Val::I64(value) => SavedValue::I64(value),
            Val::F32(bits) => SavedValue::F32(bits),
            Val::F64(bits) => SavedValue::F64(bits),
            Val::V128(bits) => SavedValue::V128(bits.into()),
            Val::FuncRef(None) => SavedValue::Function(None),
            Val::FuncRef(Some(function)) => {
                let address = function.to_raw(&mut self.store) as usize;
                let index = self.function_indices().get(&address).copied();
                SavedValue::Function(Some(
                    index
                        .ok_or_else(|| wasmtime::Error::msg("BUG: a function without an index"))?,
                ))
            }
            _ => SavedValue::Function(None),
        })
    }

    /// The functions that can be referred to, by their address in this instance.
    fn function_indices(&mut self) -> &HashMap<usize, u32> {
        if self.functions.is_none() {
            let mut indices = HashMap::new();
            for index in self.module.functions.clone() {
                let name = format!("{}{index}", internal::FUNCTION);
                if let Some(function) = self.instance.get_func(&mut self.store, &name) {
                    indices.insert(function.to_raw(&mut self.store) as usize, index);
                }
            }
            self.functions = Some(indices);
        }
        self.functions.get_or_insert_default()
    }
}

fn violation(detail: &str) -> ExecutionError {
    ExecutionError::ContractViolation(detail.to_string())
}

fn machine(error: impl std::fmt::Display) -> ExecutionError {
    ExecutionError::Machine(error.to_string())
}

fn other(error: wasmtime::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}
