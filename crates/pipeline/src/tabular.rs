//! Rows of named columns to tensors: scaled numbers, categories as places or indices, texts as they are.

use stoa_types::manifest::Signature;
use stoa_types::pipeline::{CategoryEncoding, Cell, ColumnKind, TabularPipeline};
use stoa_types::tensor::{DataType, Tensor};

use super::{Context, PipelineError, check_items, invalid, items_max, number};
use crate::error::InputError;

#[derive(Debug)]
pub(super) struct TableInput {
    columns: Vec<Column>,
    targets: Vec<Target>,
    items_max: u64,
}

#[derive(Debug)]
struct Target {
    name: String,
    datatype: DataType,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// Which of the targets takes it.
    target: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Number {
        mean: f32,
        deviation: f32,
        missing: Option<f64>,
    },
    Category {
        values: Vec<String>,
        encoding: CategoryEncoding,
    },
    Text,
}

/// What a cell becomes.
enum Value {
    Number(f64),
    Text(String),
}

impl TableInput {
    pub fn new(table: &TabularPipeline, signature: &Signature) -> Result<Self, PipelineError> {
        let mut targets: Vec<Target> = Vec::new();
        let mut columns = Vec::new();
        let mut rows_max = u64::MAX;
        for column in &table.columns {
            rows_max = rows_max.min(items_max(signature, &column.input)?);
            let target = match targets
                .iter()
                .position(|target| target.name == column.input)
            {
                Some(target) => target,
                None => {
                    let spec = signature
                        .inputs
                        .iter()
                        .find(|spec| spec.name == column.input);
                    let datatype = spec
                        .map(|spec| spec.datatype)
                        .ok_or_else(|| invalid(&column.name, "its input is missing"))?;
                    targets.push(Target {
                        name: column.input.clone(),
                        datatype,
                    });
                    targets.len() - 1
                }
            };
            let kind = match &column.kind {
                ColumnKind::Text => Kind::Text,
                ColumnKind::Number {
                    mean,
                    deviation,
                    missing,
                } => Kind::Number {
                    mean: number(&column.name, mean)?,
                    deviation: number(&column.name, deviation)?,
                    missing: missing
                        .as_deref()
                        .map(|missing| number(&column.name, missing).map(f64::from))
                        .transpose()?,
                },
                ColumnKind::Category { values, encoding } => Kind::Category {
                    values: values.clone(),
                    encoding: *encoding,
                },
            };
            columns.push(Column {
                name: column.name.clone(),
                target,
                kind,
            });
        }
        Ok(TableInput {
            columns,
            targets,
            items_max: rows_max,
        })
    }

    pub fn prepare(&self, rows: &[Vec<Cell>]) -> Result<(Vec<Tensor>, Context), InputError> {
        check_items("rows", rows.len(), self.items_max)?;
        let mut data: Vec<Vec<u8>> = vec![Vec::new(); self.targets.len()];
        let mut elements = vec![0_u64; self.targets.len()];
        for (index, row) in rows.iter().enumerate() {
            if row.len() != self.columns.len() {
                return Err(InputError::Item {
                    item: format!("rows[{index}]"),
                    reason: format!(
                        "{} columns are expected, not {}",
                        self.columns.len(),
                        row.len()
                    ),
                });
            }
            for (column, cell) in self.columns.iter().zip(row) {
                let refuse = |reason: String| InputError::Item {
                    item: format!("rows[{index}].{}", column.name),
                    reason,
                };
                for value in column.values(cell).map_err(refuse)? {
                    let datatype = self.targets[column.target].datatype;
                    write(datatype, value, &mut data[column.target]).map_err(refuse)?;
                    elements[column.target] += 1;
                }
            }
        }
        let count = rows.len() as u64;
        let tensors =
            self.targets
                .iter()
                .zip(data)
                .zip(elements)
                .map(|((target, data), elements)| Tensor {
                    name: target.name.clone(),
                    datatype: target.datatype,
                    shape: vec![count, elements / count],
                    data,
                });
        let context = Context {
            items: count,
            tokens: 0,
            plain: false,
            spans: Vec::new(),
        };
        Ok((tensors.collect(), context))
    }
}

impl Column {
    fn values(&self, cell: &Cell) -> Result<Vec<Value>, String> {
        match (&self.kind, cell) {
            (Kind::Text, Cell::Text(text)) => Ok(vec![Value::Text(text.clone())]),
            (Kind::Text, _) => Err("a text is expected".into()),
            (
                &Kind::Number {
                    mean,
                    deviation,
                    missing,
                },
                cell,
            ) => {
                let value = match (cell, missing) {
                    (Cell::Number(value), _) if value.is_finite() => *value,
                    (Cell::Missing, Some(missing)) => missing,
                    (Cell::Missing, None) => return Err("a number is missing".into()),
                    _ => return Err("a finite number is expected".into()),
                };
                // A column that is not scaled keeps integers of any size.
                if (mean, deviation) == (0.0, 1.0) {
                    return Ok(vec![Value::Number(value)]);
                }
                let scaled = (value as f32 - mean) / deviation;
                Ok(vec![Value::Number(f64::from(scaled))])
            }
            (Kind::Category { values, encoding }, cell) => {
                let index = match cell {
                    Cell::Text(text) => Some(
                        values
                            .iter()
                            .position(|value| value == text)
                            .ok_or_else(|| format!("`{text}` is not one of its categories"))?,
                    ),
                    Cell::Missing => None,
                    Cell::Number(_) => return Err("a category is expected".into()),
                };
                Ok(match encoding {
                    CategoryEncoding::Index => {
                        vec![Value::Number(index.map_or(-1.0, |index| index as f64))]
                    }
                    CategoryEncoding::OneHot => (0..values.len())
                        .map(|at| Value::Number(f64::from(u8::from(Some(at) == index))))
                        .collect(),
                })
            }
        }
    }
}

fn write(datatype: DataType, value: Value, data: &mut Vec<u8>) -> Result<(), String> {
    let number = match value {
        Value::Text(text) if datatype == DataType::BYTES => {
            data.extend((text.len() as u32).to_le_bytes());
            data.extend(text.as_bytes());
            return Ok(());
        }
        Value::Text(_) => return Err(format!("a text does not become {datatype}")),
        Value::Number(number) => number,
    };
    macro_rules! integer {
        ($kind:ty) => {{
            let integer = number as $kind;
            if integer as f64 != number {
                return Err(format!("{number} does not fit {datatype}"));
            }
            data.extend(integer.to_le_bytes());
        }};
    }
    match datatype {
        DataType::FP32 => data.extend((number as f32).to_le_bytes()),
        DataType::FP64 => data.extend(number.to_le_bytes()),
        DataType::FP16 => {
            let half = half::f16::from_f32(number as f32);
            data.extend(half.to_bits().to_le_bytes());
        }
        DataType::INT8 => integer!(i8),
        DataType::INT16 => integer!(i16),
        DataType::INT32 => integer!(i32),
        DataType::INT64 => integer!(i64),
        DataType::UINT8 => integer!(u8),
        DataType::UINT16 => integer!(u16),
        DataType::UINT32 => integer!(u32),
        DataType::UINT64 => integer!(u64),
        DataType::BOOL | DataType::BYTES => {
            return Err(format!("a number does not become {datatype}"));
        }
    }
    Ok(())
}
