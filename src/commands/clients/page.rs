//! Text that is wrapped to a page of 100 columns, with headings.

use anstyle::{AnsiColor, Style};

pub(super) const WIDTH: usize = 100;
pub(super) const HEADING: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// A text under construction.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A heading, set off by an empty line from what stands before.
    pub(super) fn heading(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(&format!("{HEADING}{text}{HEADING:#}"));
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    /// A paragraph, wrapped; its first line begins with `label`, the others are indented as far. Without text: the label.
    pub(super) fn paragraph(&mut self, label: &str, text: &str) {
        self.styled(label, text, Style::new());
    }

    /// The same in a style.
    pub(super) fn styled(&mut self, label: &str, text: &str, style: Style) {
        let indent = label.chars().count();
        if text.is_empty() {
            self.line(label);
        }
        for (number, line) in wrapped(text, WIDTH - indent).into_iter().enumerate() {
            let start = if number == 0 { label.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{start}{style}{line}{style:#}"));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Lines of at most `width` characters, broken at spaces. A longer word gets a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
