//! Commands about calling models and paying for it.

use std::path::{Path, PathBuf};

use candid::Principal;
use clap::{Args, Subcommand, ValueEnum};
use serde_bytes::ByteBuf;
use stoa_client::sample::parse_input;
use stoa_client::{ClientError, Result};
use stoa_inference_api::{Payment, Token};
use stoa_types::pipeline::{Input, TextInput};

use super::Version;

/// What pays for a call.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Purse {
    /// Your allowance in ICP; credit that covers the price goes first
    Icp,
    /// Your allowance in governance tokens; credit that covers the price goes first
    Stoa,
    /// Your prepaid credit in ICP alone
    Credit,
    /// Your prepaid credit in governance tokens alone
    StoaCredit,
}

impl Purse {
    pub fn payment(self) -> Payment {
        let allowance = |token| Payment::Allowance {
            token,
            from_subaccount: None,
        };
        match self {
            Purse::Icp => allowance(Token::Icp),
            Purse::Stoa => allowance(Token::Governance),
            Purse::Credit => Payment::Credit { token: Token::Icp },
            Purse::StoaCredit => Payment::Credit {
                token: Token::Governance,
            },
        }
    }
}

#[derive(Args)]
pub struct OnInference {
    #[command(flatten)]
    pub version: Version,
    /// Inference canister; where absent one to which the registry sends callers of the version
    #[arg(long)]
    pub inference: Option<Principal>,
}

#[derive(Args)]
pub struct Load {
    #[command(flatten)]
    pub on: OnInference,
    /// What pays, where the DAO asks a price for loads
    #[arg(long)]
    pub pay: Option<Purse>,
}

/// An input said on the command line itself.
#[derive(Args)]
pub struct Inline {
    /// A text as the input, rather than a file; repeat it for several
    #[arg(long, conflicts_with = "input")]
    pub text: Vec<String>,
    /// A PNG or JPEG file as the input; repeat it for several
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "text"])]
    pub image: Vec<PathBuf>,
}

impl Inline {
    /// The input of a call: `json` is a file of it, or `-` for standard input.
    pub fn or(self, json: Option<&Path>) -> Result<Input> {
        let file = |path: &Path| {
            let path = path.to_owned();
            |source| ClientError::File { path, source }
        };
        if let Some(path) = json {
            let text = if path == Path::new("-") {
                std::io::read_to_string(std::io::stdin())
            } else {
                std::fs::read_to_string(path)
            };
            return parse_input(&text.map_err(file(path))?);
        }
        if !self.text.is_empty() {
            let texts = self.text.into_iter();
            return Ok(Input::Texts(
                texts.map(|text| TextInput { text, pair: None }).collect(),
            ));
        }
        let images = self.image.iter().map(|path| {
            let bytes = std::fs::read(path).map_err(file(path))?;
            Ok(ByteBuf::from(bytes))
        });
        Ok(Input::Images(images.collect::<Result<_>>()?))
    }
}

#[derive(Args)]
pub struct Infer {
    #[command(flatten)]
    pub on: OnInference,
    /// A file of JSON, - for standard input: {"inputs": [..]} of the Open Inference Protocol, {"texts": ["..."]}, {"images": ["<base64>"]} or {"rows": [[..]]}
    #[arg(required_unless_present_any = ["text", "image"])]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    pub inline: Inline,
    /// Refuse to pay more than this, in ICP
    #[arg(long)]
    pub max_price: Option<String>,
    #[arg(long, default_value = "icp")]
    pub pay: Purse,
    /// A free preview without a receipt, where the DAO allows it
    #[arg(long, conflicts_with_all = ["pay", "submit"])]
    pub preview: bool,
    /// Do not wait: print the number of the job
    #[arg(long)]
    pub submit: bool,
}

#[derive(Args)]
pub struct Job {
    /// What `infer --submit` printed
    pub id: u64,
    #[arg(long)]
    pub inference: Option<Principal>,
    /// Wait until it has ended
    #[arg(long)]
    pub wait: bool,
}

#[derive(Args)]
pub struct OfCredit {
    /// In governance tokens rather than ICP
    #[arg(long)]
    pub stoa: bool,
    #[arg(long)]
    pub inference: Option<Principal>,
}

impl OfCredit {
    pub fn token(&self) -> Token {
        if self.stoa {
            Token::Governance
        } else {
            Token::Icp
        }
    }
}

#[derive(Subcommand)]
pub enum Credit {
    /// Show what you have prepaid and what royalties you are owed
    Show {
        #[arg(long)]
        inference: Option<Principal>,
    },
    /// Prepay calls from your allowance
    Deposit {
        /// In tokens, as 1.5
        amount: String,
        #[command(flatten)]
        of: OfCredit,
    },
    /// Take prepaid tokens back; the ledger's fee is taken from them
    Withdraw {
        /// In tokens, as 1.5
        amount: String,
        #[command(flatten)]
        of: OfCredit,
    },
    /// Have your royalties paid now
    Claim {
        #[command(flatten)]
        of: OfCredit,
    },
    /// Make a secret that lets HTTP clients spend your credit, and print it once
    AddKey {
        /// What it may spend in all, in tokens
        limit: String,
        /// To know it by
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it expires
        #[arg(long)]
        days: Option<u64>,
        #[command(flatten)]
        of: OfCredit,
    },
    /// List your keys by their hashes
    Keys {
        #[arg(long)]
        inference: Option<Principal>,
    },
    /// Take a key back
    RemoveKey {
        /// Its hash, 64 hexadecimal digits
        hash: String,
        #[arg(long)]
        inference: Option<Principal>,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        infer: Infer,
    }

    fn input(arguments: &[&str]) -> Result<Input, String> {
        let line = ["stoa", "a/b"].iter().chain(arguments);
        let infer = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let Infer { input, inline, .. } = infer.infer;
        inline
            .or(input.as_deref())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn should_take_texts_and_pictures_from_the_command_line_and_everything_from_a_file() {
        let text = |text: &str| TextInput {
            text: text.to_owned(),
            pair: None,
        };
        let texts = Input::Texts(vec![text("one"), text("two")]);
        assert_eq!(
            input(&["--text", "one", "--text", "two"]),
            Ok(texts.clone())
        );
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let json = file("input.json", r#"{"texts": ["one", "two"]}"#);
        assert_eq!(input(&[&json]), Ok(texts));
        let images = Input::Images(vec![ByteBuf::from(*b"png")]);
        assert_eq!(input(&["--image", &file("scan.png", "png")]), Ok(images));
    }

    #[test]
    fn should_say_which_input_is_missing_there_twice_or_not_readable() {
        for (arguments, words) in [
            (&[] as &[&str], "required"),
            (&["x.json", "--text", "one"], "cannot be used with"),
            (
                &["--text", "one", "--image", "x.png"],
                "cannot be used with",
            ),
            (&["/nowhere/x.json"], "/nowhere/x.json"),
            (&["--image", "/nowhere/x.png"], "/nowhere/x.png"),
        ] {
            let error = input(arguments).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
