//! Until the branch that owns parameters is merged.
impl crate::memory::State {
    pub fn set_parameters(&mut self, new: crate::parameters::Parameters) {
        self.parameters.set(crate::cbor::Cbor(new));
    }
}
