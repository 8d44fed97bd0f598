//! From outputs to what they mean: pooled embeddings, or labels with scores.

use stoa_types::pipeline::{Activation, Class, Classes, Embedding, Pooling};
use stoa_types::tensor::{DataType, Tensor};

use super::Context;
use crate::error::RunError;
use crate::exponential::exponential;

/// An FP32 output, row-major.
struct Values {
    shape: Vec<usize>,
    data: Vec<f32>,
}

fn output(
    name: &str,
    rank: usize,
    context: &Context,
    outputs: &[Tensor],
) -> Result<Values, RunError> {
    let failed = |reason: String| RunError {
        node: name.to_owned(),
        operator: "answer".into(),
        reason,
    };
    let tensor = outputs
        .iter()
        .find(|tensor| tensor.name == name)
        .ok_or_else(|| failed("there is no such output".into()))?;
    let fits = tensor.datatype == DataType::FP32
        && tensor.shape.len() == rank
        && tensor.shape[0] == context.items;
    if !fits {
        return Err(failed(format!(
            "an answer for {} items needs an FP32 output of {rank} dimensions, this is {} {:?}",
            context.items, tensor.datatype, tensor.shape
        )));
    }
    let (elements, _) = tensor.data.as_chunks::<4>();
    Ok(Values {
        shape: tensor.shape.iter().map(|extent| *extent as usize).collect(),
        data: elements
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
    })
}

pub(super) fn embeddings(
    embedding: &Embedding,
    context: &Context,
    outputs: &[Tensor],
) -> Result<Vec<Vec<f32>>, RunError> {
    let rank = if embedding.pooling == Pooling::None {
        2
    } else {
        3
    };
    let values = output(&embedding.output, rank, context, outputs)?;
    let width = values.shape[rank - 1];
    let item = values.data.len() / values.shape[0].max(1);
    let mut vectors = Vec::with_capacity(values.shape[0]);
    for (index, data) in values.data.chunks(item.max(1)).enumerate() {
        let mut vector = match embedding.pooling {
            Pooling::None => data.to_vec(),
            pooling => {
                let (begin, end) = context.spans[index];
                let tokens = values.shape[1];
                pool(pooling, data, width, begin.min(tokens)..end.min(tokens))
            }
        };
        if embedding.normalise {
            normalise(&mut vector);
        }
        vectors.push(vector);
    }
    Ok(vectors)
}

fn pool(pooling: Pooling, data: &[f32], width: usize, tokens: std::ops::Range<usize>) -> Vec<f32> {
    let token = |at: usize| &data[at * width..(at + 1) * width];
    let count = tokens.len();
    // A text without tokens has no direction.
    if count == 0 {
        return vec![0.0; width];
    }
    match pooling {
        Pooling::None => unreachable!("BUG: nothing to pool"),
        Pooling::First => token(tokens.start).to_vec(),
        Pooling::Last => token(tokens.end - 1).to_vec(),
        Pooling::Mean => {
            let mut sum = vec![0.0_f32; width];
            for at in tokens {
                for (sum, value) in sum.iter_mut().zip(token(at)) {
                    *sum += value;
                }
            }
            sum.iter_mut().for_each(|sum| *sum /= count as f32);
            sum
        }
        Pooling::Max => {
            let mut max = token(tokens.start).to_vec();
            for at in tokens.skip(1) {
                for (max, value) in max.iter_mut().zip(token(at)) {
                    if *value > *max {
                        *max = *value;
                    }
                }
            }
            max
        }
    }
}

/// To length 1; zero stays zero. The squares are summed in f64, one after another.
fn normalise(vector: &mut [f32]) {
    let squares = vector.iter().fold(0.0_f64, |sum, value| {
        sum + f64::from(*value) * f64::from(*value)
    });
    let length = squares.sqrt();
    if length > 0.0 {
        for value in vector {
            *value = (f64::from(*value) / length) as f32;
        }
    }
}

pub(super) fn classes(
    classes: &Classes,
    labels: &[String],
    context: &Context,
    outputs: &[Tensor],
) -> Result<Vec<Vec<Class>>, RunError> {
    let values = output(&classes.output, 2, context, outputs)?;
    let width = values.shape[1];
    let rows = values.data.chunks(width.max(1)).map(|row| {
        let scores = activate(classes.activation, row);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        // Highest first, equal ones by index; NaN, which is neither, last.
        let key = |index: &usize| {
            if scores[*index].is_nan() {
                f32::NEG_INFINITY
            } else {
                scores[*index]
            }
        };
        order.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
        order
            .into_iter()
            .take(classes.top as usize)
            .map(|index| Class {
                index: index as u64,
                label: labels.get(index).cloned().unwrap_or_default(),
                score: scores[index],
            })
            .collect()
    });
    Ok(rows.collect())
}

fn activate(activation: Activation, row: &[f32]) -> Vec<f32> {
    match activation {
        Activation::None => row.to_vec(),
        Activation::Sigmoid => row.iter().map(|value| sigmoid(*value)).collect(),
        Activation::Softmax => {
            let max = row
                .iter()
                .fold(f32::NEG_INFINITY, |max, value| max.max(*value));
            let mut scores: Vec<f32> = row.iter().map(|value| exponential(value - max)).collect();
            let sum = scores.iter().fold(0.0_f32, |sum, score| sum + score);
            scores.iter_mut().for_each(|score| *score /= sum);
            scores
        }
    }
}

/// By the exponential of a number that is not positive, which is what [`exponential`] takes.
fn sigmoid(x: f32) -> f32 {
    let small = exponential(-x.abs());
    if x >= 0.0 {
        1.0 / (1.0 + small)
    } else {
        small / (1.0 + small)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(spans: &[(usize, usize)]) -> Context {
        Context {
            items: spans.len() as u64,
            tokens: 0,
            plain: false,
            spans: spans.to_vec(),
        }
    }

    fn tensor(shape: &[u64], values: &[f32]) -> Vec<Tensor> {
        vec![Tensor {
            name: "y".into(),
            datatype: DataType::FP32,
            shape: shape.to_vec(),
            data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }]
    }

    fn pooled(pooling: Pooling) -> Vec<Vec<f32>> {
        let embedding = Embedding {
            output: "y".into(),
            pooling,
            normalise: false,
        };
        // Two texts of three places and two numbers; the first has its tokens left, the second right.
        let outputs = tensor(
            &[2, 3, 2],
            &[1., 2., 5., 4., 90., 91., 92., 93., 7., 8., 9., 6.],
        );
        embeddings(&embedding, &context(&[(0, 2), (1, 3)]), &outputs).unwrap()
    }

    #[test]
    fn should_pool_tokens_and_leave_padding_out() {
        assert_eq!(pooled(Pooling::Mean), [[3., 3.], [8., 7.]]);
        assert_eq!(pooled(Pooling::Max), [[5., 4.], [9., 8.]]);
        assert_eq!(pooled(Pooling::First), [[1., 2.], [7., 8.]]);
        assert_eq!(pooled(Pooling::Last), [[5., 4.], [9., 6.]]);
    }

    #[test]
    fn should_give_unit_vectors_and_leave_zero_alone() {
        let mut vector = [3.0, -4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, -0.8]);
        let mut zero = [0.0; 2];
        normalise(&mut zero);
        assert_eq!(zero, [0.0; 2]);
    }

    #[test]
    fn should_order_classes_by_score_then_index() {
        let kind = Classes {
            output: "y".into(),
            activation: Activation::Softmax,
            top: 3,
        };
        let labels = ["a".to_owned(), "b".to_owned()];
        let outputs = tensor(&[1, 4], &[1.0, 3.0, 1.0, 3.0]);
        let found = classes(&kind, &labels, &context(&[(0, 0)]), &outputs).unwrap();
        let order: Vec<(u64, &str)> = found[0]
            .iter()
            .map(|class| (class.index, class.label.as_str()))
            .collect();
        assert_eq!(order, [(1, "b"), (3, ""), (0, "a")]);
        assert!((found[0][0].score - 0.440_398_5).abs() < 1e-6);
    }

    #[test]
    fn should_stay_finite_with_large_values() {
        for x in [-1e30_f32, -100.0, 0.0, 100.0, 1e30] {
            assert!((0.0..=1.0).contains(&sigmoid(x)), "{x}");
        }
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(activate(Activation::Softmax, &[1e38, -1e38]), [1.0, 0.0]);
    }
}
