//! `stoa model`: from a folder into the library and back.

mod find;
mod init;
mod lifecycle;
mod pull;
mod push;
mod show;
mod verify;

use stoa_client::Result;

use crate::arguments::model::Model;
use crate::context::Context;
use crate::output::Output;

pub async fn run(context: &Context, command: Model) -> Result<Output> {
    match command {
        Model::Init(arguments) => init::init(&arguments),
        Model::Push(arguments) => push::push(context, arguments).await,
        Model::Submit(arguments) => lifecycle::submit(context, arguments).await,
        Model::Withdraw(arguments) => lifecycle::withdraw(context, arguments).await,
        Model::Price(arguments) => lifecycle::price(context, arguments).await,
        Model::Pull(arguments) => pull::pull(context, arguments).await,
        Model::Verify(arguments) => verify::verify(context, arguments).await,
        Model::Show(arguments) => show::show(context, arguments).await,
        Model::List(arguments) => find::list(context, arguments).await,
        Model::Search(arguments) => find::search(context, arguments).await,
    }
}
