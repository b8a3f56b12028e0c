//! What is asked of `dbbudget reserve`, understood before any cluster is.

use std::env;

use jiff::SignedDuration;
use thiserror::Error;

use super::Args;
use crate::api::reserved::is_name;

/// Longer than this it is no longer for a while.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To keep connections.
    Keep {
        /// Of this budget; nothing: the only one.
        budget: Option<String>,
        /// As this.
        name: String,
        /// How many.
        connections: u32,
        /// For how long.
        lasts: SignedDuration,
    },
    /// To give them back.
    Release {
        /// Of this budget; nothing: the only one.
        budget: Option<String>,
        /// As this.
        name: String,
    },
}

/// What makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Usage {
    /// No number.
    #[error("{0:?} is no number of connections; expected 1 to 1000000, as in: dbbudget reserve 5 --for 30m")]
    Number(String),
    /// A number where connections are given back.
    #[error("--release gives back all that is kept under a name; leave out the number {0}")]
    Released(String),
    /// No name for it.
    #[error("{0:?} cannot be a name here; expected at most 63 of a-z, 0-9, - and ., as in: --name migration")]
    Name(String),
    /// Too long.
    #[error("30 days at most; for longer, raise spec.reserve of the budget")]
    Long,
}

impl Wish {
    /// Understands the arguments.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn of(args: &Args) -> Result<Self, Usage> {
        let name = args.name.clone().unwrap_or_else(user);
        if !is_name(&name) {
            return Err(Usage::Name(name));
        }
        let (first, budget) = (args.connections.clone(), args.budget.clone());
        if args.release {
            // The only place is the budget's.
            return match (first, budget) {
                (Some(number), Some(_)) => Err(Usage::Released(number)),
                (Some(number), None) if number.parse::<u32>().is_ok() => Err(Usage::Released(number)),
                (budget, _) => Ok(Self::Release { budget, name }),
            };
        }
        let number = first.unwrap_or_default();
        let connections = number.parse().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or(Usage::Number(number))?;
        let lasts = args.lasts.unwrap_or_default();
        if lasts > LONGEST { Err(Usage::Long) } else { Ok(Self::Keep { budget, name, connections, lasts }) }
    }

    /// The budget that was named.
    #[must_use]
    pub fn budget(&self) -> Option<&str> {
        let (Self::Keep { budget, .. } | Self::Release { budget, .. }) = self;
        budget.as_deref()
    }
}

/// Who this is on this machine, as far as that can be a name.
fn user() -> String {
    let user = env::var("USER").unwrap_or_default().to_lowercase();
    let user: String = user.chars().map(|c| if is_name(&c.to_string()) { c } else { '-' }).take(63).collect();
    if user.is_empty() { "somebody".to_owned() } else { user }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn wish(line: &str) -> Result<Wish, Usage> {
        let args =
            Line::try_parse_from(["reserve"].into_iter().chain(line.split(' '))).expect("options that exist").args;
        Wish::of(&args)
    }

    #[test]
    fn what_is_typed_is_understood() {
        let (budget, name, lasts) = (Some("db".to_owned()), "psql".to_owned(), SignedDuration::from_mins(30));
        let keep = Wish::Keep { budget: budget.clone(), name: name.clone(), connections: 5, lasts };
        assert_eq!(wish("5 --for 30m db --name psql"), Ok(keep));
        assert_eq!(wish("--release db --name psql"), Ok(Wish::Release { budget, name: name.clone() }));
        assert_eq!(wish("--release --name psql"), Ok(Wish::Release { budget: None, name }));
        assert!(wish("5 --for 30m").is_ok(), "a name is found");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_an_example() {
        for (line, error) in [
            ("db --for 30m", Usage::Number("db".into())),
            ("0 --for 30m", Usage::Number("0".into())),
            ("5 --for 800h", Usage::Long),
            ("5 --for 30m --name A_b", Usage::Name("A_b".into())),
            ("5 --release", Usage::Released("5".into())),
            ("5 db --release", Usage::Released("5".into())),
        ] {
            assert_eq!(wish(line), Err(error), "{line}");
        }
    }
}
