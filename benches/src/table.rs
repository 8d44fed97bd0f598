//! Results as Markdown, so that a change shows in a diff and a page shows the table.

use std::fmt::Write as _;
use std::path::PathBuf;

/// One subject's results.
pub struct Table {
    title: String,
    notes: Vec<String>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &str, header: &[&str]) -> Self {
        Self {
            title: title.to_string(),
            notes: Vec::new(),
            header: header.iter().map(|cell| cell.to_string()).collect(),
            rows: Vec::new(),
        }
    }

    /// What was measured and how; for times also the machine.
    pub fn note(&mut self, text: &str) -> &mut Self {
        self.notes.push(text.to_string());
        self
    }

    /// # Panics
    /// If the row has another number of cells than the header.
    pub fn row(&mut self, cells: &[String]) -> &mut Self {
        assert_eq!(
            cells.len(),
            self.header.len(),
            "a cell for each column of {:?}",
            self.header
        );
        self.rows.push(cells.to_vec());
        self
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.title);
        for note in &self.notes {
            writeln!(text, "{note}\n").expect("text");
        }
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        text += &line(&self.header);
        text += &format!("|{}\n", "---|".repeat(self.header.len()));
        for row in &self.rows {
            text += &line(row);
        }
        text
    }

    /// Prints the table and writes it to `benches/results/<subject>.md`.
    pub fn publish(&self, subject: &str) {
        let text = self.markdown();
        print!("{text}");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("results")
            .join(format!("{subject}.md"));
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
