//! Scenarios over an endpoint. One program, so that all share one network and, where they can, one deployment.

mod authority;
mod certified;
mod certified_proposals;
mod content;
mod fleet;
mod documented_lines;
mod governance;
mod handover;
mod neurons;
mod icrc_suite;
mod payment;
mod pushes;
mod reproducible;
mod top_up;
mod treasury;
mod upgrade;
mod upgrade_by_vote;
mod walk;
