//! One file for each group of commands: they read their arguments, call the client and say what came out.

mod admission;
mod credit;
mod deploy;
mod governance;
mod inference;
mod library;
mod model;
mod network;
mod neuron;
mod propose;
mod status;
mod tokens;
mod treasury;
mod verify;
mod walk;

use stoa_client::Result;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::output::Output;

pub async fn run(arguments: Arguments) -> Result<Output> {
    // The future of the largest command would else be part of every other's.
    Box::pin(dispatch(arguments)).await
}

async fn dispatch(arguments: Arguments) -> Result<Output> {
    let context = Context::new(arguments.global);
    match arguments.command {
        Command::Network(command) => network::run(&context, command).await,
        Command::Deploy(arguments) => deploy::deploy(&context, arguments).await,
        Command::Handover => deploy::hand_over(&context).await,
        Command::Identity => tokens::identity(&context),
        Command::Balance(arguments) => tokens::balance(&context, arguments).await,
        Command::Transfer(arguments) => tokens::transfer(&context, arguments).await,
        Command::Approve(arguments) => tokens::approve(&context, arguments).await,
        Command::Publisher(command) => library::publisher(&context, command).await,
        Command::Model(command) => model::run(&context, command).await,
        Command::Propose(command) => propose::propose(&context, command).await,
        Command::Neuron(command) => neuron::run(&context, command).await,
        Command::Vote(arguments) => governance::vote(&context, arguments).await,
        Command::Proposal(command) => governance::proposal(&context, command).await,
        Command::Treasury(arguments) => treasury::treasury(&context, arguments).await,
        Command::Load(arguments) => inference::load(&context, arguments).await,
        Command::Quote(arguments) => inference::quote(&context, arguments).await,
        Command::Infer(arguments) => inference::infer(&context, arguments).await,
        Command::Job(arguments) => inference::job(&context, arguments).await,
        Command::Credit(command) => credit::run(&context, command).await,
        Command::Route(arguments) => inference::route(&context, arguments).await,
        Command::TopUp(arguments) => inference::top_up(&context, arguments).await,
        Command::Receipt(command) => verify::receipt(&context, command).await,
        Command::Walk(arguments) => walk::walk(&context, arguments).await,
        Command::Status => status::status(&context).await,
    }
}
