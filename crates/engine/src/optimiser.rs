//! `tract`'s optimiser, in slices. It rewrites the graph patch by patch until no pass finds anything; `tract` runs that to
//! the end, here it can stop between two patches. The passes, their order and the patches are `tract`'s own, but for a rewrite that
//! comes before them (`repeats.rs`), so the optimised graph is the same however it is cut.

use std::collections::HashSet;

use tract_onnx::prelude::{TractResult, TypedModel};
use tract_onnx::tract_core::optim::{Optimizer, TypedPass};

use crate::error::LoadError;
use crate::loading::optimisation;
use crate::repeats;

#[derive(Debug)]
pub(crate) struct Optimising {
    passes: Vec<Box<dyn TypedPass>>,
    /// Patches that may be applied once only, by name.
    seen: HashSet<String>,
    at: usize,
    patched_in_round: bool,
    pub patches: u64,
}

impl Optimising {
    pub fn declutter() -> Self {
        Self::new(Optimizer::declutter())
    }

    pub fn codegen() -> Self {
        Self::new(Optimizer::codegen())
    }

    fn new(optimizer: Optimizer) -> Self {
        Optimising {
            passes: optimizer.passes,
            seen: HashSet::new(),
            at: 0,
            patched_in_round: false,
            patches: 0,
        }
    }

    /// `true`: done. At most `patches_max` patches in all, so that rewriting in circles ends.
    pub fn step(
        &mut self,
        model: &mut TypedModel,
        patches_max: u64,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<bool, LoadError> {
        let symbols = model.symbols.clone();
        let _proofs = symbols.proof_cache_session();
        if self.at == 0 && !self.patched_in_round {
            model.compact().map_err(optimisation)?;
        }
        loop {
            while self.at < self.passes.len() {
                match self.pass(model, patches_max, may_continue)? {
                    Pass::Stopped => return Ok(false),
                    Pass::Patched => self.patched_in_round = true,
                    Pass::Unchanged => self.at += 1,
                }
                model.compact().map_err(optimisation)?;
                if !may_continue() {
                    return Ok(false);
                }
            }
            if !std::mem::take(&mut self.patched_in_round) {
                return Ok(true);
            }
            self.at = 0;
        }
    }

    /// One pass over the graph. Stopping loses nothing: a pass starts over and finds what is left to do.
    fn pass(
        &mut self,
        model: &mut TypedModel,
        patches_max: u64,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<Pass, LoadError> {
        // Operators with a body optimise it through the session.
        let optimizer = Optimizer {
            passes: self.passes.clone(),
            steps: None,
        };
        let mut session = optimizer.session();
        let pass = &mut self.passes[self.at];
        pass.reset().map_err(optimisation)?;
        let mut patched = false;
        loop {
            let next: TractResult<_> = match repeats::patch(model) {
                Ok(None) => pass.next(&mut session, model),
                found => found,
            };
            let Some(mut patch) = next.map_err(optimisation)? else {
                break;
            };
            if let Some(name) = patch.dont_apply_twice.take()
                && !self.seen.insert(name)
            {
                continue;
            }
            patch.apply(model).map_err(optimisation)?;
            patched = true;
            self.patches += 1;
            if self.patches > patches_max {
                return Err(LoadError::Optimisation {
                    reason: format!("it takes more than {patches_max} rewrites"),
                });
            }
            if !may_continue() {
                self.patched_in_round = true;
                model.compact().map_err(optimisation)?;
                return Ok(Pass::Stopped);
            }
        }
        let direct = pass.run_direct(model).map_err(optimisation)?;
        Ok(if patched || direct {
            Pass::Patched
        } else {
            Pass::Unchanged
        })
    }
}

enum Pass {
    Patched,
    Unchanged,
    Stopped,
}
