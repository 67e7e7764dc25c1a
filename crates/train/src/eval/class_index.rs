//! Which class a folder's name stands for.

use std::path::Path;

use crate::error::TrainError;

/// More classes than any data set has.
const MOST: usize = 1 << 16;

/// Names of the classes in order, from a file of lines `class TAB name` or `name TAB class`; what follows
/// another tab, empty lines and lines that start with `#` do not count. A class without a line has no name.
pub(super) fn read(path: &Path) -> Result<Vec<String>, TrainError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| TrainError::io("read class index", path, source))?;
    parse(&text)
        .map_err(|problem| TrainError::Data(format!("class index {}: {problem}", path.display())))
}

fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut columns = line.split('\t').map(str::trim);
        let (Some(first), Some(second)) = (columns.next(), columns.next()) else {
            return Err(format!("line {number} has no tab between a class and a folder's name"));
        };
        let (class, name) = match (first.parse::<usize>(), second.parse::<usize>()) {
            (Ok(class), _) => (class, second),
            (Err(_), Ok(class)) => (class, first),
            (Err(_), Err(_)) => {
                return Err(format!(
                    "line {number}: neither {first} nor {second} is a class number"
                ));
            }
        };
        if class >= MOST || name.is_empty() {
            return Err(format!(
                "line {number}: \"{line}\" is no class from 0 and a folder's name"
            ));
        }
        if names.len() <= class {
            names.resize(class + 1, String::new());
        }
        if !names[class].is_empty() {
            return Err(format!("line {number}: class {class} is {} already", names[class]));
        }
        name.clone_into(&mut names[class]);
    }
    if names.is_empty() {
        return Err("there is no class in it".to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_orders_further_columns_and_gaps_are_understood() {
        let by_class = parse("# synsets\n0\tn01440764\ttench\n\n2\tn01484850\tgreat_white_shark\n");
        assert_eq!(by_class, Ok(["n01440764", "", "n01484850"].map(str::to_owned).to_vec()));
        assert_eq!(parse("cat\t1\ndog\t0"), Ok(["dog", "cat"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, expected) in [
            ("0 cat", "line 1 has no tab"),
            ("0\tcat\n0\tdog", "line 2: class 0 is cat already"),
            ("cat\tdog", "line 1: neither cat nor dog"),
            ("99999999\tcat", "line 1"),
            ("# nothing\n", "no class"),
        ] {
            let problem = parse(text).expect_err("a mistake");
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
