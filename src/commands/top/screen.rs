//! A terminal on which one picture replaces the other.

use std::io::{self, Write};

/// Another screen, without a cursor, on which long lines are cut; what was on the terminal comes back afterwards.
const OPEN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const CLOSE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Lines of a terminal that does not say how many it has.
const LINES: usize = 24;

/// The terminal, until this is dropped.
pub struct Screen<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Screen<'a> {
    /// Takes the terminal.
    pub fn open(out: &'a mut dyn Write) -> io::Result<Self> {
        out.write_all(OPEN.as_bytes())?;
        Ok(Self { out })
    }

    /// Draws. What does not fit is counted.
    pub fn draw(&mut self, text: &str, trouble: Option<&str>) -> io::Result<()> {
        let height = terminal_size::terminal_size().map_or(LINES, |(_, height)| usize::from(height.0));
        self.out.write_all(picture(text, trouble, height).as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        // Nobody looks any more if that fails.
        let _ = self.out.write_all(CLOSE.as_bytes()).and_then(|()| self.out.flush());
    }
}

fn picture(text: &str, trouble: Option<&str>, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(2).max(1);
    let mut picture = String::from("\x1b[H");
    for line in lines.iter().take(room) {
        picture.extend([line, "\x1b[K\n"]);
    }
    let foot = match (trouble, lines.len().saturating_sub(room)) {
        (Some(why), _) => format!("the cluster does not answer: {why}"),
        (None, 0) => String::new(),
        (None, more) => format!("… {more} more lines: --once, or a budget's name"),
    };
    picture.extend([&foot, "\x1b[K\x1b[J"]);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fits_and_says_what_is_missing() {
        assert_eq!(picture("a\nb\n", None, 10), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[K\x1b[J");
        assert!(picture("a\nb\nc\nd\n", None, 4).contains("… 2 more lines"));
        assert!(picture("a\n", Some("refused"), 4).ends_with("the cluster does not answer: refused\x1b[K\x1b[J"));
    }
}
