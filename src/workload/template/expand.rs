//! `$(NAME)` in values and words, as the kubelet replaces it.

/// What a process can be given in all: for more, the kernel refuses to start it. References to references grow beyond any
/// memory within a few lines.
pub(super) const ROOM: usize = 2 << 20;

/// `$(NAME)` replaced where `value_of` knows the name, and left as it stands otherwise, up to its end; `$$` is `$`. Nothing
/// where that takes more than the room that is left.
pub(super) fn expand<'a>(text: &str, value_of: impl Fn(&str) -> Option<&'a str>, room: &mut usize) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut closed) = (text, true);
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let name = from.strip_prefix("$(").filter(|_| closed).map(|after| after.split_once(')'));
        closed &= name != Some(None); // what has no end here has none further on
        match (name.flatten(), from.strip_prefix("$$")) {
            (Some((name, after)), _) => {
                match value_of(name) {
                    Some(value) => {
                        *room = room.checked_sub(value.len())?;
                        out.push_str(value);
                    }
                    None => out.extend(["$(", name, ")"]),
                }
                rest = after;
            }
            (None, escaped) => {
                out.push('$');
                rest = escaped.unwrap_or(&from[1..]);
            }
        }
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_replaced_within_the_room() {
        let expanded = |text: &str, mut room: usize| expand(text, |name| (name == "A").then_some("four"), &mut room);
        assert_eq!(expanded("$(A)-$$(A)-$(B)-$A", 4).as_deref(), Some("four-$(A)-$(B)-$A"));
        assert_eq!(expanded("$(B$(A))$(A", 4).as_deref(), Some("$(B$(A))$(A"));
        assert_eq!(expanded("$(A)$(A)", 8).as_deref(), Some("fourfour"));
        assert_eq!(expanded("$(A)$(A)", 7), None);
    }
}
