//! One run, node by node, large products tile by tile. Between two steps everything is in this value, so a host may stop
//! at a budget and go on later; the nodes and their order are the same however a run is cut, and so are the bits.

use stoa_pipeline::{CheckedInputs, RunError};
use tract_onnx::prelude::{IntoTValue, TValue, TVec, TypedFact, TypedOp, tvec};
use tract_onnx::tract_core::ops::matmul::optimized::OptMatMul;
use tract_onnx::tract_core::plan::SimpleState;

use crate::Slicing;
use crate::broadcast;
use crate::error::reason;
use crate::model::Model;
use crate::product::Product;
use crate::tensors;
use crate::unwinding;
use stoa_types::tensor::Tensor;

pub struct Run {
    model: Model,
    state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    next: usize,
    /// What is done of the node `next`, where it is one that is split.
    product: Option<Product>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (next, of) = self.progress();
        write!(f, "Run {{ next: {next} of {of} }}")
    }
}

impl Run {
    pub(crate) fn new(model: Model, inputs: CheckedInputs) -> Result<Run, RunError> {
        let start = |error| RunError {
            node: "inputs".into(),
            operator: "start".into(),
            reason: reason(&error),
        };
        let mut state = model.plan.spawn().map_err(start)?;
        let values = inputs
            .tensors()
            .iter()
            .map(|tensor| tensors::to_tract(tensor).map(|tensor| tensor.into_tvalue()))
            .collect::<Result<TVec<TValue>, _>>()
            .map_err(start)?;
        state.set_inputs(values).map_err(start)?;
        Ok(Run {
            model,
            state,
            next: 0,
            product: None,
        })
    }

    /// Nodes that are done, and all of them.
    pub fn progress(&self) -> (u64, u64) {
        let of = self.model.plan.order_without_consts().len();
        (self.next as u64, of as u64)
    }

    /// The operator of the node that is next or under way.
    pub fn operator(&self) -> Option<String> {
        let id = self.model.plan.order_without_consts().get(self.next)?;
        let op = &self.model.plan.model().nodes()[*id].op;
        Some(op.name().into_owned())
    }

    /// Runs until all is done, or `may_continue` says no. It is asked after each node and within large products, so at
    /// least a node or a part of one runs.
    pub fn step(
        self,
        mut may_continue: impl FnMut() -> bool,
    ) -> Result<Slicing<Run, Vec<Tensor>>, RunError> {
        let (next, _) = self.progress();
        let order = self.model.plan.order_without_consts();
        let at = order.get(next as usize).copied();
        let model = self.model.clone();
        unwinding::guard(
            || self.advance(&mut may_continue),
            |reason| {
                let node = at.map(|id| &model.plan.model().nodes()[id]);
                RunError {
                    node: node.map_or("outputs".into(), |node| node.name.clone()),
                    operator: "at or after it".into(),
                    reason,
                }
            },
        )
    }

    fn advance(
        mut self,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<Slicing<Run, Vec<Tensor>>, RunError> {
        let plan = self.model.plan.clone();
        let order = plan.order_without_consts();
        while let Some(id) = order.get(self.next).copied() {
            if !self.run_node(id, may_continue)? {
                return Ok(Slicing::Paused(self));
            }
            self.next += 1;
            if self.next < order.len() && !may_continue() {
                return Ok(Slicing::Paused(self));
            }
        }
        self.outputs().map(Slicing::Done)
    }

    /// Runs to the end, for hosts without a limit on one message.
    pub fn finish(self) -> Result<Vec<Tensor>, RunError> {
        match self.step(|| true)? {
            Slicing::Done(outputs) => Ok(outputs),
            Slicing::Paused(_) => unreachable!("BUG: a run that may always continue paused"),
        }
    }

    /// `false`: the node is not done yet.
    fn run_node(
        &mut self,
        id: usize,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<bool, RunError> {
        let plan = self.model.plan.clone();
        let op = &plan.model().nodes()[id].op;
        let split = op
            .downcast_ref::<OptMatMul>()
            .filter(|_| self.model.is_split(id));
        if let (Some(op), Some(product)) = (split, &mut self.product) {
            let done = product.step(op, may_continue);
            return self.finish_product(id, done);
        }
        let inputs = self
            .state
            .prepare_inputs(id)
            .map_err(|error| self.error(id, &error))?;
        // Values go before the node runs, so that it may work in place where it is the last to use one.
        for done in &self.model.flush[self.next] {
            if *done != id {
                self.state.turn_state.values[*done] = None;
            }
        }
        if let Some(op) = split {
            let symbols = &self.state.turn_state.resolved_symbols;
            let product = Product::new(op, symbols, inputs);
            let product = product.map_err(|error| self.error(id, &error))?;
            let done = self.product.insert(product).step(op, may_continue);
            return self.finish_product(id, done);
        }
        if broadcast::applies(&**op, &inputs) {
            let sum = broadcast::sum(inputs).map_err(|error| self.error(id, &error))?;
            self.state.turn_state.values[id] = Some(tvec!(sum));
        } else {
            self.state
                .compute_one_with_inputs(id, inputs)
                .map_err(|error| self.error(id, &error))?;
        }
        self.drop_unused(id);
        Ok(true)
    }

    fn finish_product(
        &mut self,
        id: usize,
        done: tract_onnx::prelude::TractResult<bool>,
    ) -> Result<bool, RunError> {
        if !done.map_err(|error| self.error(id, &error))? {
            return Ok(false);
        }
        let product = self.product.take().expect("BUG: no product was under way");
        let output = product.into_output().into_tvalue();
        self.state.turn_state.values[id] = Some(tvec!(output));
        self.drop_unused(id);
        Ok(true)
    }

    /// A node whose result nobody needs.
    fn drop_unused(&mut self, id: usize) {
        if self.model.flush[self.next].contains(&id) {
            self.state.turn_state.values[id] = None;
        }
    }

    fn outputs(&mut self) -> Result<Vec<Tensor>, RunError> {
        let finish = |error: &_| RunError {
            node: "outputs".into(),
            operator: "finish".into(),
            reason: reason(error),
        };
        let values = self.state.outputs().map_err(|error| finish(&error))?;
        self.model
            .signature()
            .outputs
            .iter()
            .zip(values)
            .map(|(spec, value)| {
                tensors::from_tract(&spec.name, spec.datatype, &value)
                    .map_err(|error| finish(&error))
            })
            .collect()
    }

    fn error(&self, id: usize, error: &tract_onnx::prelude::TractError) -> RunError {
        let node = &self.model.plan.model().nodes()[id];
        RunError {
            node: node.name.clone(),
            operator: node.op.name().into_owned(),
            reason: reason(error),
        }
    }
}
