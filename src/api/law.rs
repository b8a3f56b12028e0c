//! A rule said once for both who judge by it: the API server, in CEL, and [`mod@super::check`], in Rust. The sentence that
//! a person sees is the same text for both.

use std::sync::Arc;

use kube::core::{Message, Rule};
use serde_json::Value;

type Test = Arc<dyn Fn(&Value) -> bool + Send + Sync>;
type Text = Arc<dyn Fn(&Value) -> String + Send + Sync>;

/// What an object, or a part of one, must keep. `self` is that part, its defaults filled in.
#[derive(Clone)]
pub struct Law {
    /// In CEL: true where it is kept.
    pub cel: String,
    /// JSON pointer, from the part, to the field that it is about; empty: the part as a whole.
    pub field: &'static str,
    kept: Test,
    /// What is wrong otherwise: the first case that applies; the last one always does.
    cases: Vec<Case>,
}

#[derive(Clone)]
struct Case {
    cel: String,
    applies: Test,
    sentence: Sentence,
}

/// A text in which each `{}` stands for something of the object.
#[derive(Clone)]
struct Sentence {
    pieces: Vec<&'static str>,
    arguments: Vec<Argument>,
}

/// A part of a sentence that comes from the object.
#[derive(Clone)]
pub enum Argument {
    /// The same for every object.
    Known(String),
    /// A text: the expression in CEL, and in Rust.
    Text(String, Text),
    /// A number, likewise.
    Number(String, Text),
}

impl Law {
    /// A law with one sentence.
    pub fn new(
        cel: impl Into<String>,
        kept: impl Fn(&Value) -> bool + Send + Sync + 'static,
        sentence: &'static str,
        arguments: Vec<Argument>,
    ) -> Self {
        let always = Case {
            cel: String::new(),
            applies: Arc::new(|_| true),
            sentence: Sentence { pieces: sentence.split("{}").collect(), arguments },
        };
        Self { cel: cel.into(), field: "", kept: Arc::new(kept), cases: vec![always] }
    }

    /// Says which field it is about; only one that is there whenever it is broken.
    pub const fn on(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    /// With another sentence where this applies.
    pub fn when(
        mut self,
        cel: impl Into<String>,
        applies: impl Fn(&Value) -> bool + Send + Sync + 'static,
        sentence: &'static str,
        arguments: Vec<Argument>,
    ) -> Self {
        let sentence = Sentence { pieces: sentence.split("{}").collect(), arguments };
        self.cases.insert(0, Case { cel: cel.into(), applies: Arc::new(applies), sentence });
        self
    }

    /// What is wrong with an object, if anything.
    pub fn broken_by(&self, object: &Value) -> Option<String> {
        if (self.kept)(object) {
            return None;
        }
        self.cases.iter().find(|case| (case.applies)(object)).map(|case| case.sentence.of(object))
    }
}

impl From<Law> for Rule {
    fn from(law: Law) -> Self {
        let rule = Rule::new(law.cel);
        let (last, first) = law.cases.split_last().map_or((None, &[][..]), |(last, first)| (Some(last), first));
        let Some(last) = last else { return rule };
        if first.is_empty() && last.sentence.arguments.is_empty() {
            return rule.message(Message::Message(last.sentence.pieces.concat()));
        }
        let before: Vec<_> = first.iter().map(|case| format!("{} ? {} : ", case.cel, case.sentence.cel())).collect();
        rule.message(Message::Expression(before.concat() + &last.sentence.cel()))
    }
}

impl Sentence {
    fn of(&self, object: &Value) -> String {
        let mut texts = self.arguments.iter().map(|argument| match argument {
            Argument::Known(text) => text.clone(),
            Argument::Text(_, read) | Argument::Number(_, read) => read(object),
        });
        self.pieces.iter().flat_map(|piece| [(*piece).to_owned(), texts.next().unwrap_or_default()]).collect()
    }

    /// In CEL. A number needs `format`, for the cost of `string(number)` has no bound to the API server.
    fn cel(&self) -> String {
        let read: Vec<&Argument> = self.arguments.iter().filter(|a| !matches!(a, Argument::Known(_))).collect();
        if read.iter().any(|argument| matches!(argument, Argument::Number(..))) {
            let format = self.joined(|text| text.replace('%', "%%"), |a| a.placeholder().to_owned()).concat();
            let expressions: Vec<&str> = read.iter().map(|argument| argument.cel()).collect();
            return format!("{}.format([{}])", quote(&format), expressions.join(", "));
        }
        let mut parts = self.joined(quote, |argument| argument.cel().to_owned());
        parts.retain(|part| part != "''");
        parts.join(" + ")
    }

    /// The texts, each made one with the known ones beside it, and what is read between them.
    fn joined(&self, text: impl Fn(&str) -> String, read: impl Fn(&Argument) -> String) -> Vec<String> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut arguments = self.arguments.iter();
        for piece in &self.pieces {
            literal.push_str(piece);
            match arguments.next() {
                Some(Argument::Known(known)) => literal.push_str(known),
                Some(argument) => parts.extend([text(&std::mem::take(&mut literal)), read(argument)]),
                None => {}
            }
        }
        parts.push(text(&literal));
        parts
    }
}

/// A CEL string of this text.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `self`, or a field below it, in CEL.
pub fn this(path: &str) -> String {
    if path.is_empty() { "self".to_owned() } else { format!("self.{path}") }
}

/// The value at a path (`capacity.static`); nothing where it is not set.
pub fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.split('.').filter(|step| !step.is_empty());
    steps.into_iter().try_fold(object, |value, step| value.get(step)).filter(|value| !value.is_null())
}

/// Whether a field is set.
pub fn has(object: &Value, path: &str) -> bool {
    at(object, path).is_some()
}

/// The text of a field; empty where it is none.
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number of a field.
pub fn number(object: &Value, path: &str) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// How many items a field has.
pub fn size(object: &Value, path: &str) -> usize {
    match at(object, path) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(fields)) => fields.len(),
        _ => 0,
    }
}

impl Argument {
    fn cel(&self) -> &str {
        match self {
            Self::Known(_) => "",
            Self::Text(cel, _) | Self::Number(cel, _) => cel,
        }
    }

    const fn placeholder(&self) -> &'static str {
        if matches!(self, Self::Number(..)) { "%d" } else { "%s" }
    }

    /// The text of a field.
    pub fn text(path: &'static str) -> Self {
        Self::Text(this(path), Arc::new(move |object| text(object, path).to_owned()))
    }

    /// The text of a field in quotes, control characters escaped.
    pub fn quoted(path: &'static str) -> Self {
        let cel = format!("strings.quote({})", this(path));
        Self::Text(cel, Arc::new(move |object| format!("{:?}", text(object, path))))
    }

    /// The number of a field.
    pub fn number(path: &'static str) -> Self {
        Self::computed(this(path), move |object| number(object, path).unwrap_or_default())
    }

    /// How long the text of a field is.
    pub fn length(path: &'static str) -> Self {
        let length = move |object: &Value| text(object, path).chars().count();
        Self::computed(format!("size({})", this(path)), move |object| i64::try_from(length(object)).unwrap_or(i64::MAX))
    }

    /// A number that is worked out.
    pub fn computed(cel: impl Into<String>, number: impl Fn(&Value) -> i64 + Send + Sync + 'static) -> Self {
        Self::Number(cel.into(), Arc::new(move |object| number(object).to_string()))
    }

    /// A text that is known beforehand.
    pub fn known(text: impl Into<String>) -> Self {
        Self::Known(text.into())
    }
}
