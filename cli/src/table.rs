//! Tables for the terminal: columns as wide as they must be, two spaces apart.

/// Lays rows out under a header. A column of numbers reads best when its header begins with a space: then it is
/// aligned to the right.
#[must_use]
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].trim().chars().count()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells
                .iter()
                .zip(header)
                .zip(widths)
                .map(|((cell, head), width)| {
                    if head.starts_with(' ') { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                })
                .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    std::iter::once(line(header.map(str::trim))).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["catalogue".to_owned(), "7".to_owned()], ["é".to_owned(), "1200".to_owned()]];
        assert_eq!(table(["NAME", " LAG"], &rows), "NAME        LAG\ncatalogue     7\né          1200\n");
    }
}
