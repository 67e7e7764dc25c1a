//! Comma-separated values (RFC 4180).

/// A line with its end; fields with commas, quotes or line ends are quoted.
pub(crate) fn line(fields: &[&str]) -> String {
    let quoted = |field: &&str| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            (*field).to_owned()
        }
    };
    fields.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_need_it_are_quoted() {
        assert_eq!(line(&["a", "b,c", "say \"no\"", ""]), "a,\"b,c\",\"say \"\"no\"\"\",\n");
    }
}
