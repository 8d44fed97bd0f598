//! Scenarios over an endpoint. One program, so that all share one network and, where they can, one deployment.

mod authority;
mod certified;
mod content;
mod fleet;
mod governance;
mod handover;
mod payment;
mod pushes;
mod reproducible;
mod top_up;
mod upgrade;
mod walk;
