//! What each WebAssembly instruction costs.
//!
//! The numbers are the network's own: a canister tuned here must meet the same
//! limits there. Costs that depend on an operand (bytes moved, elements copied)
//! are added at run time by the code that `instrument` inserts.

use wasmparser::Operator;

/// Charged on entry to every function, besides its instructions.
pub const FUNCTION_ENTRY: u64 = 1;

/// The fixed cost of one instruction. With a 64-bit memory an access costs twice as much: its
/// bounds are checked by instructions of their own.
pub fn of(operator: &Operator, memory64: bool) -> u64 {
    use Operator::*;
    if memory64 && accesses_memory(operator) {
        return 2;
    }
    match operator {
        Block { .. } | Loop { .. } | Else | End => 0,

        If { .. } | Br { .. } | BrIf { .. } | BrTable { .. } => 2,
        GlobalGet { .. } | GlobalSet { .. } => 2,
        F32Add | F32Sub | F32Mul | F64Add | F64Sub | F64Mul => 2,
        F32Ceil | F32Floor | F32Trunc | F32Nearest => 2,
        F64Ceil | F64Floor | F64Trunc | F64Nearest => 2,
        F32Copysign => 2,
        I8x16LtU | I8x16GtU | I16x8LtU | I16x8GtU | I32x4LtU | I32x4GtU => 2,
        I8x16ShrU | I16x8Shl | I16x8ShrS | I16x8ShrU => 2,
        I32x4Shl | I32x4ShrS | I32x4ShrU | I64x2Shl | I64x2ShrU => 2,
        I16x8ExtAddPairwiseI8x16U | I16x8ExtMulHighI8x16S | I16x8ExtMulHighI8x16U => 2,
        I32x4Mul | I32x4ExtMulLowI16x8S | I32x4ExtMulHighI16x8S => 2,
        I32x4ExtMulLowI16x8U | I32x4ExtMulHighI16x8U => 2,
        F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest => 2,
        F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest => 2,
        F32x4Abs | F32x4Neg | F32x4Add | F32x4Sub | F32x4Mul => 2,
        F64x2Abs | F64x2Neg | F64x2Add | F64x2Sub | F64x2Mul => 2,
        I32x4TruncSatF32x4S | I32x4TruncSatF64x2SZero => 2,

        ReturnCall { .. } | F32Div | F64Copysign => 3,
        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge => 3,
        F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge => 3,
        F32ConvertI32S | F32ConvertI64S | F64ConvertI32S | F64ConvertI64S => 3,
        I8x16Shuffle { .. } | I8x16Popcnt | I8x16Shl | I8x16ShrS | I64x2ShrS => 3,
        I32x4ExtAddPairwiseI16x8U | I32x4TruncSatF64x2UZero => 3,

        F32x4Min | F32x4Max | F64x2Min | I64x2Mul => 4,
        I32x4TruncSatF32x4U | F32x4ConvertI32x4U => 4,

        Call { .. } | TableGet { .. } | TableSet { .. } | RefIsNull => 5,
        F64Div | F32Sqrt | F32x4Sqrt | F64x2Max => 5,

        F64Sqrt => 8,

        I32DivS | I32DivU | I32RemS | I32RemU => 10,
        I64DivS | I64DivU | I64RemS | I64RemU => 10,
        CallIndirect { .. } | F32x4Div => 10,

        F64x2Div => 12,
        F64x2Sqrt => 14,
        F32ConvertI32U | F32ConvertI64U | F64ConvertI32U | F64ConvertI64U => 16,
        F32Min | F32Max | F64Min | F64Max => 18,

        I32TruncF32S | I32TruncF32U | I32TruncF64S | I32TruncF64U => 20,
        I64TruncF32S | I64TruncF32U | I64TruncF64S | I64TruncF64U => 20,
        I32TruncSatF32S | I32TruncSatF32U | I32TruncSatF64S | I32TruncSatF64U => 20,
        I64TruncSatF32S | I64TruncSatF32U | I64TruncSatF64S | I64TruncSatF64U => 20,
        MemorySize { .. } => 20,

        ReturnCallIndirect { .. } => 60,

        MemoryFill { .. } | MemoryCopy { .. } | MemoryInit { .. } => 100,
        TableFill { .. } | TableCopy { .. } | TableInit { .. } | TableSize { .. } => 100,

        RefFunc { .. } => 130,

        MemoryGrow { .. } | TableGrow { .. } | DataDrop { .. } | ElemDrop { .. } => 300,

        _ => 1,
    }
}

fn accesses_memory(operator: &Operator) -> bool {
    use Operator::*;
    matches!(
        operator,
        I32Load { .. }
            | I64Load { .. }
            | F32Load { .. }
            | F64Load { .. }
            | I32Load8S { .. }
            | I32Load8U { .. }
            | I32Load16S { .. }
            | I32Load16U { .. }
            | I64Load8S { .. }
            | I64Load8U { .. }
            | I64Load16S { .. }
            | I64Load16U { .. }
            | I64Load32S { .. }
            | I64Load32U { .. }
            | I32Store { .. }
            | I64Store { .. }
            | F32Store { .. }
            | F64Store { .. }
            | I32Store8 { .. }
            | I32Store16 { .. }
            | I64Store8 { .. }
            | I64Store16 { .. }
            | I64Store32 { .. }
            | V128Load { .. }
            | V128Load8x8S { .. }
            | V128Load8x8U { .. }
            | V128Load16x4S { .. }
            | V128Load16x4U { .. }
            | V128Load32x2S { .. }
            | V128Load32x2U { .. }
            | V128Load8Splat { .. }
            | V128Load16Splat { .. }
            | V128Load32Splat { .. }
            | V128Load64Splat { .. }
            | V128Load32Zero { .. }
            | V128Load64Zero { .. }
            | V128Load8Lane { .. }
            | V128Load16Lane { .. }
            | V128Load32Lane { .. }
            | V128Load64Lane { .. }
            | V128Store { .. }
            | V128Store8Lane { .. }
            | V128Store16Lane { .. }
            | V128Store32Lane { .. }
            | V128Store64Lane { .. }
    )
}
