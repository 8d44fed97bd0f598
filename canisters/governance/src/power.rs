//! The total voting power at any time without visiting neurons.
//!
//! Between events a neuron's power is a polynomial of its stake `s`, its dissolve
//! delay `d` and its age `a`:
//!
//! ```text
//! power = s · (1 + Bd·d / 100·D) · (1 + Ba·a / 100·A)
//!       = s + s·d·Bd/100D + s·a·Ba/100A + s·d·a·Bd·Ba/(100D·100A)
//! ```
//! where `d` is fixed or `end - t`, and `a` is nothing, fixed or `t - birth`. So four
//! sums over all neurons, of a few kinds each, give the total at any `t`. A neuron
//! changes its kind at known times (its age reaches `A`; its delay falls under the
//! least that may vote): those stand in a queue, and working off what is due costs
//! one neuron each.
//!
//! What must hold: `Sums` is what adding every neuron's `Count` anew would give; the
//! total is the exact sum rounded up, so ballots, each rounded down, never exceed it
//! (and miss it by less than one unit for each neuron and rounding).
//!
//! Times in the sums count from genesis. Bounds: Σs < 2^64, durations ≤ 2^30 s, times
//! < 2^31 s (68 years after genesis), so Σ s·d·birth < 2^125 fits 128 bits.

use minicbor::{Decode, Encode};
use num_bigint::BigUint;

use crate::neuron::{Dissolve, VotingState};
use crate::parameters::PowerRules;
use crate::refusal::Refusal;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum Kind {
    /// No vote: its dissolve delay is under the least.
    #[default]
    #[n(0)]
    Uncounted,
    /// Stands still and its age still grows.
    #[n(1)]
    Aging {
        #[n(0)]
        delay: u64,
        /// Since genesis.
        #[n(1)]
        birth: u64,
    },
    /// Stands still with the full age bonus.
    #[n(2)]
    Aged {
        #[n(0)]
        delay: u64,
    },
    /// Its delay runs out at `end`, since genesis.
    #[n(3)]
    Dissolving {
        #[n(0)]
        end: u64,
    },
    /// Runs out too, but from so far that the bonus is still full.
    #[n(4)]
    DissolvingFromAfar,
    /// Has no delay left, where none is needed to vote.
    #[n(5)]
    Dissolved,
}

/// How one neuron is counted, and until when that is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Count {
    #[n(0)]
    pub kind: Kind,
    #[n(1)]
    pub stake_e8s: u64,
    /// Seconds since the epoch; the queue has an entry under it.
    #[n(2)]
    pub until: Option<u64>,
}

impl Count {
    pub fn of(state: &VotingState, now: u64, rules: &PowerRules, genesis: u64) -> Self {
        let counted = |kind, until| Self {
            kind,
            stake_e8s: state.stake_e8s,
            until,
        };
        let delay = state.dissolve_delay_seconds(now);
        if delay < rules.min_dissolve_delay_seconds {
            return Self::default();
        }
        let (min, max) = (
            rules.min_dissolve_delay_seconds,
            rules.max_dissolve_delay_seconds,
        );
        match state.dissolve {
            Dissolve::Delay(delay) => {
                let delay = delay.min(max);
                let aged_at = state
                    .aging_since_seconds
                    .saturating_add(rules.max_age_seconds);
                if aged_at <= now {
                    return counted(Kind::Aged { delay }, None);
                }
                let birth = state
                    .aging_since_seconds
                    .checked_sub(genesis)
                    .expect("BUG: a neuron older than governance");
                counted(Kind::Aging { delay, birth }, Some(aged_at))
            }
            Dissolve::At(_) if delay == 0 => counted(Kind::Dissolved, None),
            Dissolve::At(at) if delay > max => counted(Kind::DissolvingFromAfar, Some(at - max)),
            Dissolve::At(at) => {
                let end = at
                    .checked_sub(genesis)
                    .expect("BUG: a neuron that dissolved before governance was");
                // The first time at which it may not vote, or at which nothing is left.
                let until = if min == 0 { at } else { at - min + 1 };
                counted(Kind::Dissolving { end }, Some(until))
            }
        }
    }
}

/// Sums over neurons; each field names its kinds and summand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Sums {
    /// All counted: s.
    #[n(0)]
    pub stake: u64,
    /// Aging and Aged: s·d.
    #[cbor(n(1), with = "crate::cbor::wide")]
    pub still_stake_delay: u128,
    /// Dissolving: s.
    #[n(2)]
    pub dissolving_stake: u64,
    /// Dissolving: s·end.
    #[cbor(n(3), with = "crate::cbor::wide")]
    pub dissolving_stake_end: u128,
    /// DissolvingFromAfar: s.
    #[n(4)]
    pub afar_stake: u64,
    /// Aging: s.
    #[n(5)]
    pub aging_stake: u64,
    /// Aging: s·birth.
    #[cbor(n(6), with = "crate::cbor::wide")]
    pub aging_stake_birth: u128,
    /// Aging: s·d.
    #[cbor(n(7), with = "crate::cbor::wide")]
    pub aging_stake_delay: u128,
    /// Aging: s·d·birth.
    #[cbor(n(8), with = "crate::cbor::wide")]
    pub aging_stake_delay_birth: u128,
    /// Aged: s.
    #[n(9)]
    pub aged_stake: u64,
    /// Aged: s·d.
    #[cbor(n(10), with = "crate::cbor::wide")]
    pub aged_stake_delay: u128,
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Subtract,
}

impl Change {
    fn narrow(self, sum: &mut u64, by: u64) {
        *sum = match self {
            Self::Add => sum.checked_add(by),
            Self::Subtract => sum.checked_sub(by),
        }
        .expect("BUG: a sum of stakes leaves its range");
    }

    fn wide(self, sum: &mut u128, factors: [u64; 3]) {
        let product = factors
            .iter()
            .try_fold(1u128, |product, factor| {
                product.checked_mul(u128::from(*factor))
            })
            .expect("BUG: a summand of voting power leaves its range");
        *sum = match self {
            Self::Add => sum.checked_add(product),
            Self::Subtract => sum.checked_sub(product),
        }
        .expect("BUG: a sum of voting power leaves its range");
    }
}

impl Sums {
    pub fn add(&mut self, count: &Count) {
        self.change(count, Change::Add);
    }

    pub fn subtract(&mut self, count: &Count) {
        self.change(count, Change::Subtract);
    }

    fn change(&mut self, count: &Count, change: Change) {
        let stake = count.stake_e8s;
        if count.kind != Kind::Uncounted {
            change.narrow(&mut self.stake, stake);
        }
        match count.kind {
            Kind::Uncounted | Kind::Dissolved => {}
            Kind::Aging { delay, birth } => {
                change.wide(&mut self.still_stake_delay, [stake, delay, 1]);
                change.narrow(&mut self.aging_stake, stake);
                change.wide(&mut self.aging_stake_birth, [stake, birth, 1]);
                change.wide(&mut self.aging_stake_delay, [stake, delay, 1]);
                change.wide(&mut self.aging_stake_delay_birth, [stake, delay, birth]);
            }
            Kind::Aged { delay } => {
                change.wide(&mut self.still_stake_delay, [stake, delay, 1]);
                change.narrow(&mut self.aged_stake, stake);
                change.wide(&mut self.aged_stake_delay, [stake, delay, 1]);
            }
            Kind::Dissolving { end } => {
                change.narrow(&mut self.dissolving_stake, stake);
                change.wide(&mut self.dissolving_stake_end, [stake, end, 1]);
            }
            Kind::DissolvingFromAfar => change.narrow(&mut self.afar_stake, stake),
        }
    }

    /// The total at `now`, rounded up. Right only where no event is due.
    pub fn total(&self, now: u64, rules: &PowerRules, genesis: u64) -> Result<u64, Refusal> {
        let t = BigUint::from(now.saturating_sub(genesis));
        let max_delay = BigUint::from(rules.max_dissolve_delay_seconds);
        let max_age = BigUint::from(rules.max_age_seconds);
        let big = |number: u128| BigUint::from(number);
        let stake_delay = big(self.still_stake_delay)
            + (big(self.dissolving_stake_end) - &t * self.dissolving_stake)
            + &max_delay * self.afar_stake;
        let stake_age =
            &t * self.aging_stake - big(self.aging_stake_birth) + &max_age * self.aged_stake;
        let stake_delay_age = &t * big(self.aging_stake_delay) - big(self.aging_stake_delay_birth)
            + &max_age * big(self.aged_stake_delay);
        // Over the common denominator 100·D · 100·A; without a longest time there is
        // no bonus for it, and it stays out of the fraction.
        let (delay_bonus, delay_base) = bonus(max_delay, rules.max_dissolve_delay_bonus_percentage);
        let (age_bonus, age_base) = bonus(max_age, rules.max_age_bonus_percentage);
        let numerator = &delay_base * &age_base * self.stake
            + stake_delay * &delay_bonus * &age_base
            + stake_age * &age_bonus * &delay_base
            + stake_delay_age * &delay_bonus * &age_bonus;
        let denominator = delay_base * age_base;
        let rounded_up = (numerator + &denominator - 1u32) / denominator;
        u64::try_from(rounded_up).map_err(|_| Refusal::VotingPowerTooLarge)
    }
}

fn bonus(max: BigUint, percentage: u64) -> (BigUint, BigUint) {
    if max == BigUint::ZERO {
        (BigUint::ZERO, BigUint::from(1u32))
    } else {
        (BigUint::from(percentage), max * 100u32)
    }
}
