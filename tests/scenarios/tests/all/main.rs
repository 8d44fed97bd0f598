//! Scenarios over an endpoint. One program, so that all share one network and, where they can, one deployment.

mod authority;
mod certified;
mod certified_proposals;
mod content;
mod documented_lines;
mod fleet;
mod governance;
mod handover;
mod icp_cli;
mod icrc_suite;
mod neurons;
mod payment;
mod pushes;
mod registry;
mod reproducible;
mod serving;
mod top_up;
mod treasury;
mod upgrade;
mod upgrade_by_vote;
mod walk;
