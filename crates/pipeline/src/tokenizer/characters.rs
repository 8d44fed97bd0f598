//! Kinds of characters.

use super::unicode_tables::{BERT_MARK, CLEANED, LETTER, MARK, NUMBER, PUNCTUATION, Ranges, WORD};

fn contains(ranges: Ranges, c: char) -> bool {
    let code = c as u32;
    ranges
        .binary_search_by(|(first, last)| {
            if *last < code {
                std::cmp::Ordering::Less
            } else if *first > code {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

pub(super) fn is_letter(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_alphabetic(),
        _ => contains(LETTER, c),
    }
}

pub(super) fn is_number(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_digit(),
        _ => contains(NUMBER, c),
    }
}

pub(super) fn is_punctuation(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_punctuation(),
        _ => contains(PUNCTUATION, c),
    }
}

/// `\w`.
pub(super) fn is_word(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric() || c == '_',
        _ => contains(WORD, c),
    }
}

/// What `StripAccents` removes.
pub(super) fn is_mark(c: char) -> bool {
    !c.is_ascii() && contains(MARK, c)
}

/// What BERT's normalizer removes of accents: fewer.
pub(super) fn is_bert_mark(c: char) -> bool {
    !c.is_ascii() && contains(BERT_MARK, c)
}

/// What the normalizer of BERT removes.
pub(super) fn is_cleaned(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r'),
        _ => contains(CLEANED, c),
    }
}

/// Blocks of ideographs, each of which BERT takes for a word.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_answer_for_ascii_as_the_tables_do() {
        for c in '\0'..='\x7f' {
            assert_eq!(is_letter(c), contains(LETTER, c), "{c:?}");
            assert_eq!(is_number(c), contains(NUMBER, c), "{c:?}");
            assert_eq!(is_punctuation(c), contains(PUNCTUATION, c), "{c:?}");
            assert_eq!(is_word(c), contains(WORD, c), "{c:?}");
            assert_eq!(is_cleaned(c), contains(CLEANED, c), "{c:?}");
            assert!(!contains(MARK, c) && !contains(BERT_MARK, c), "{c:?}");
        }
    }
}
