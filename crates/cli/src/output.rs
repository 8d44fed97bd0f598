//! What a command has to say: lines for people, JSON for programs.
//!
//! Who reads may stop reading (`stoa ... | head`): the program ends then without a word, as others do.

use std::io::{ErrorKind, Write as _};

use serde_json::Value;

pub struct Output {
    lines: Vec<String>,
    json: Value,
}

impl Output {
    pub fn new(line: impl Into<String>, json: Value) -> Self {
        Self {
            lines: vec![line.into()],
            json,
        }
    }

    pub fn lines(lines: Vec<String>, json: Value) -> Self {
        Self { lines, json }
    }

    /// More for people; programs have it elsewhere.
    pub fn followed_by(mut self, lines: Vec<String>) -> Self {
        self.lines.extend(lines);
        self
    }

    pub fn print(&self, as_json: bool) {
        if as_json {
            print_line(format_args!("{:#}", self.json));
        } else {
            for line in &self.lines {
                print_line(format_args!("{line}"));
            }
        }
    }

    /// Below the line of the command that said it.
    pub fn print_indented(&self) {
        for line in &self.lines {
            print_line(format_args!("            {line}"));
        }
    }
}

/// What a shell expects of a program whose reader has gone: 128 + SIGPIPE.
const NOBODY_READS: i32 = 141;

/// A line on standard output. Ends the program where it cannot be written.
pub fn print_line(line: std::fmt::Arguments) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{line}") {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(NOBODY_READS);
        }
        eprintln!("error: cannot write to standard output: {error}");
        std::process::exit(1);
    }
}

/// A size as people read it; exact below 1 KiB.
#[allow(clippy::cast_precision_loss)]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1 << 10 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A table: each column as wide as its widest cell.
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    all()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_write_sizes_as_people_read_them() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (90 << 20, "90.0 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn should_align_a_table_and_end_lines_where_they_end() {
        let rows = [
            vec!["long name".to_owned(), "x".to_owned()],
            vec!["é".to_owned(), String::new()],
        ];
        let table = columns(&["A", "B"], &rows);
        assert_eq!(table, ["A          B", "long name  x", "é"]);
    }
}
