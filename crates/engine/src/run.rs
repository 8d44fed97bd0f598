//! One run, node by node. Between two steps everything is in this value, so a host may stop at a budget
//! and go on later; the nodes and their order are the same however a run is cut, and so are the bits.

use tract_onnx::prelude::{IntoTValue, TValue, TVec, TypedFact, TypedOp};
use tract_onnx::tract_core::plan::SimpleState;

use crate::Slicing;
use crate::error::{RunError, reason};
use crate::model::{CheckedInputs, Model};
use crate::tensors;
use stoa_types::tensor::Tensor;

pub struct Run {
    model: Model,
    state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    next: usize,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Run {{ next: {} of {} }}",
            self.next,
            self.model.plan.order_without_consts().len()
        )
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
        })
    }

    /// Runs nodes until all are done, or `may_continue` says no. It is asked after each node, so at least one
    /// node runs.
    pub fn step(
        mut self,
        mut may_continue: impl FnMut() -> bool,
    ) -> Result<Slicing<Run, Vec<Tensor>>, RunError> {
        let plan = self.model.plan.clone();
        let order = plan.order_without_consts();
        while let Some(id) = order.get(self.next).copied() {
            self.run_node(id)?;
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

    fn run_node(&mut self, id: usize) -> Result<(), RunError> {
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
        self.state
            .compute_one_with_inputs(id, inputs)
            .map_err(|error| self.error(id, &error))?;
        if self.model.flush[self.next].contains(&id) {
            self.state.turn_state.values[id] = None;
        }
        Ok(())
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
