//! What a command has to say: lines for people, JSON for programs.

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
            println!("{:#}", self.json);
        } else {
            for line in &self.lines {
                println!("{line}");
            }
        }
    }

    /// Below the line of the command that said it.
    pub fn print_indented(&self) {
        for line in &self.lines {
            println!("            {line}");
        }
    }
}
