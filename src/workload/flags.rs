//! Where the number of a flag stands in a container's command or args, so that it can be replaced there. Only what is
//! certain is found: plain digits, once, outside quotes.

use std::ops::Range;

use super::template::Container;

/// A list of words of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `command`.
    Command,
    /// `args`.
    Args,
}

impl List {
    /// The field of a container.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Args => "args",
        }
    }
}

/// Bytes of one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which list.
    pub list: List,
    /// Which word of it.
    pub index: usize,
    /// Which bytes of that.
    pub bytes: Range<usize>,
}

/// Why a flag is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsure {
    /// It stands there more than once.
    Repeated,
    /// What follows it is no plain number.
    NoNumber,
    /// A shell's script has more than one command, or the image's own arguments are not known.
    NoPlace,
}

/// The words of a container, each with its place.
fn words(container: &Container) -> impl Iterator<Item = (List, usize, &str)> {
    let command = container.command.iter().enumerate().map(|(i, w)| (List::Command, i, w.as_str()));
    command.chain(container.args.iter().enumerate().map(|(i, w)| (List::Args, i, w.as_str())))
}

/// The script of `sh -c SCRIPT`, with its place.
fn script(container: &Container) -> Option<(List, usize, &str)> {
    let all: Vec<_> = words(container).collect();
    let shell = |word: &str| ["sh", "bash", "ash", "dash"].contains(&word.rsplit('/').next().unwrap_or(word));
    let takes_script = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = all.windows(2).position(|pair| shell(pair[0].2) && takes_script(pair[1].2))?;
    all.get(at + 2).copied()
}

/// Where the number of one of these flags stands; nothing where none of them is set.
///
/// # Errors
/// Why it cannot be replaced.
pub fn number_of(container: &Container, flags: &[String]) -> Result<Option<Spot>, Unsure> {
    let found = if let Some((list, index, text)) = script(container) {
        in_tokens(&tokens(text), flags, |_, bytes| Spot { list, index, bytes })
    } else {
        let all: Vec<_> = words(container).collect();
        let tokens: Vec<_> = all.iter().map(|(.., word)| Token { text: word, from: 0, quoted: false }).collect();
        in_tokens(&tokens, flags, |at, bytes| Spot { list: all[at].0, index: all[at].1, bytes })
    };
    match found.as_slice() {
        [] => Ok(None),
        [one] => one.clone().map(Some),
        _ => Err(Unsure::Repeated),
    }
}

/// Where a flag may be added: a list to append to, or the end of a script that is one command.
///
/// # Errors
/// Where that is not certain.
pub fn end_of(container: &Container) -> Result<End, Unsure> {
    if let Some((list, index, text)) = script(container) {
        let plain = !text.contains(['|', '&', ';', '\n', '#', '(', ')', '`', '<', '>']);
        return if plain { Ok(End::Script { list, index }) } else { Err(Unsure::NoPlace) };
    }
    // Args in place of none would replace those that the image brings.
    let known = !container.command.is_empty() || !container.args.is_empty();
    if known { Ok(End::Args) } else { Err(Unsure::NoPlace) }
}

/// Where a flag may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the last of the args.
    Args,
    /// At the end of a shell's script.
    Script {
        /// Which list holds it.
        list: List,
        /// Which word it is.
        index: usize,
    },
}

/// A word of a script, and where it begins there.
struct Token<'a> {
    text: &'a str,
    from: usize,
    quoted: bool,
}

/// The words of a shell's script. Quotes are kept, and mark a word as one that is not touched.
fn tokens(script: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut begun, mut quote, mut quoted) = (Vec::new(), None, None, false);
    for (at, c) in script.char_indices().chain([(script.len(), ' ')]) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c.is_whitespace() || ";&|()".contains(c) => {
                if let Some(from) = begun.take() {
                    tokens.push(Token { text: &script[from..at], from, quoted });
                }
                quoted = false;
            }
            None => {
                begun.get_or_insert(at);
                if c == '"' || c == '\'' {
                    (quote, quoted) = (Some(c), true);
                }
            }
        }
    }
    if let Some(from) = begun {
        tokens.push(Token { text: &script[from..], from, quoted: true }); // a quote that is never closed
    }
    tokens
}

/// Each place where a flag stands: its number, or why that cannot be read.
fn in_tokens(
    tokens: &[Token],
    flags: &[String],
    spot: impl Fn(usize, Range<usize>) -> Spot,
) -> Vec<Result<Spot, Unsure>> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // Puma's `min:max`: the second counts.
    let number = |text: &str| match text.split_once(':') {
        Some((min, max)) if digits(min) && digits(max) => Some(min.len() + 1..text.len()),
        None if digits(text) => Some(0..text.len()),
        _ => None,
    };
    let place = |at: usize, skip: usize| {
        let Some(token) = tokens.get(at).filter(|t| !t.quoted) else { return Err(Unsure::NoNumber) };
        let found = number(&token.text[skip..]).ok_or(Unsure::NoNumber)?;
        let from = token.from + skip;
        Ok(spot(at, from + found.start..from + found.end))
    };
    let matches = tokens.iter().enumerate().filter_map(|(at, token)| {
        flags.iter().find_map(|flag| {
            let rest = token.text.strip_prefix(flag.as_str())?;
            let short = !flag.starts_with("--");
            match rest.strip_prefix('=') {
                Some(_) => Some(place(at, flag.len() + 1)),
                None if rest.is_empty() => Some(place(at + 1, 0)),
                None if short && rest.starts_with(|c: char| c.is_ascii_digit()) => Some(place(at, flag.len())),
                None => None,
            }
        })
    });
    matches.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(command: &[&str], args: &[&str]) -> Container {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        Container { command: list(command), args: list(args), ..Container::default() }
    }

    /// The word with the number's place marked.
    fn found(command: &[&str], args: &[&str]) -> Result<Option<String>, Unsure> {
        let flags = ["-w".to_owned(), "--workers".to_owned()];
        let spot = number_of(&container(command, args), &flags)?;
        Ok(spot.map(|spot| {
            let word = match spot.list {
                List::Command => command[spot.index],
                List::Args => args[spot.index],
            };
            format!("{}[{}]{}", &word[..spot.bytes.start], &word[spot.bytes.clone()], &word[spot.bytes.end..])
        }))
    }

    #[test]
    fn the_number_is_found_in_every_spelling() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(found(&["gunicorn", "-w", "4", "app"], &[]), some("[4]"));
        assert_eq!(found(&["gunicorn"], &["-w4"]), some("-w[4]"));
        assert_eq!(found(&["gunicorn"], &["app", "--workers=12"]), some("--workers=[12]"));
        assert_eq!(found(&["gunicorn", "app", "--workers"], &["4"]), some("[4]"));
        assert_eq!(found(&["puma", "-w", "2:6"], &[]), some("2:[6]"));
        assert_eq!(
            found(&["sh", "-c", "migrate && exec gunicorn -w 4 app; echo done"], &[]),
            some("migrate && exec gunicorn -w [4] app; echo done")
        );
        assert_eq!(found(&["/bin/bash", "-lc"], &["gunicorn app --workers=4"]), some("gunicorn app --workers=[4]"));
        assert_eq!(found(&["gunicorn", "app"], &["--worker-class", "4"]), Ok(None));
    }

    #[test]
    fn what_is_not_certain_is_left_alone() {
        assert_eq!(found(&["gunicorn", "-w", "$(WORKERS)"], &[]), Err(Unsure::NoNumber));
        assert_eq!(found(&["gunicorn", "-w"], &[]), Err(Unsure::NoNumber));
        assert_eq!(found(&["sh", "-c", "gunicorn -w $(nproc)"], &[]), Err(Unsure::NoNumber));
        assert_eq!(found(&["sh", "-c", "gunicorn -w '4'"], &[]), Err(Unsure::NoNumber));
        assert_eq!(found(&["gunicorn", "-w", "4", "--workers=2"], &[]), Err(Unsure::Repeated));
        assert_eq!(found(&["sh", "-c", "a -w 4 & b -w 4"], &[]), Err(Unsure::Repeated));
        // Another program's arguments, in quotes.
        assert_eq!(found(&["sh", "-c", "mlflow server --gunicorn-opts '-w 4 x'"], &[]), Ok(None));
    }

    #[test]
    fn a_flag_is_added_only_where_the_end_is_known() {
        assert_eq!(end_of(&container(&["inngest", "start"], &[])), Ok(End::Args));
        assert_eq!(end_of(&container(&[], &["start"])), Ok(End::Args));
        assert_eq!(end_of(&container(&[], &[])), Err(Unsure::NoPlace));
        let script = Ok(End::Script { list: List::Command, index: 2 });
        assert_eq!(end_of(&container(&["sh", "-c", "exec inngest start"], &[])), script);
        assert_eq!(end_of(&container(&["sh", "-c", "inngest start; sleep 1"], &[])), Err(Unsure::NoPlace));
    }
}
