//! What stands around a network's own names.

use std::collections::BTreeMap;

/// Names that training scripts and wrappers put before a network's own.
const WRAPPERS: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "_orig_mod",
];

/// What training scripts keep beside the network: starts of names.
const BESIDE: [&str; 12] = [
    "optimizer",
    "optim",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "ema",
    "model_ema",
    "criterion",
    "rng",
    "quantizer",
    "trained",
    "teacher",
];

/// Strips wrappers from the names and drops what a training script keeps beside the network, saying so:
/// known names, and single numbers such as the best accuracy.
pub(super) fn without_wrappers<T>(
    mut tensors: BTreeMap<String, T>,
    is_number: impl Fn(&T) -> bool,
    notes: &mut Vec<String>,
) -> BTreeMap<String, T> {
    while let Some(wrapper) = wrapper_of(&tensors, &is_number) {
        let prefix = format!("{wrapper}.");
        let mut inside = BTreeMap::new();
        let mut beside: BTreeMap<String, usize> = BTreeMap::new();
        for (name, tensor) in tensors {
            match name.strip_prefix(&prefix) {
                Some(own) => {
                    inside.insert(own.to_owned(), tensor);
                }
                None => *beside.entry(first(&name).to_owned()).or_default() += 1,
            }
        }
        notes.push(format!("stripped `{prefix}` from {} names", inside.len()));
        for (what, count) in beside {
            let plural = if count == 1 { "" } else { "s" };
            notes.push(format!("left out `{what}`: {count} tensor{plural} beside the network"));
        }
        tensors = inside;
    }
    tensors
}

/// The wrapper that all names of the network carry, if there is one.
fn wrapper_of<T>(
    tensors: &BTreeMap<String, T>,
    is_number: impl Fn(&T) -> bool,
) -> Option<&'static str> {
    WRAPPERS.into_iter().find(|wrapper| {
        let wrapped = |name: &str| first(name) == *wrapper && name.len() > wrapper.len();
        tensors.keys().any(|name| wrapped(name))
            && tensors
                .iter()
                .all(|(name, tensor)| wrapped(name) || is_beside(first(name)) || is_number(tensor))
    })
}

fn is_beside(name: &str) -> bool {
    BESIDE.iter().any(|start| {
        name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> (Vec<String>, Vec<String>) {
        let tensors = given.iter().map(|name| ((*name).to_owned(), ())).collect();
        let mut notes = Vec::new();
        (without_wrappers(tensors, |_: &()| false, &mut notes).into_keys().collect(), notes)
    }

    #[test]
    fn wrappers_are_stripped_one_after_the_other_and_named() {
        let (own, notes) = names(&["state_dict.module.conv1.weight", "state_dict.module.fc.bias"]);
        assert_eq!(own, ["conv1.weight", "fc.bias"]);
        assert_eq!(
            notes,
            ["stripped `state_dict.` from 2 names", "stripped `module.` from 2 names"]
        );
    }

    #[test]
    fn what_a_training_keeps_beside_the_network_is_left_out_and_named() {
        let (own, notes) = names(&[
            "model.fc.bias",
            "optimizer.state.0.momentum_buffer",
            "optimizer.state.1.momentum_buffer",
            "ema_state_dict.fc.bias",
        ]);
        assert_eq!(own, ["fc.bias"]);
        assert!(
            notes.contains(&"left out `optimizer`: 2 tensors beside the network".to_owned()),
            "{notes:?}"
        );
        assert!(notes.iter().any(|note| note.contains("`ema_state_dict`")), "{notes:?}");
    }

    #[test]
    fn names_beside_a_wrapper_that_nobody_knows_keep_everything_as_it_is() {
        let given = ["fc.bias", "module.conv1.weight"];
        assert_eq!(names(&given), (given.map(str::to_owned).to_vec(), Vec::new()));
    }

    #[test]
    fn a_network_without_wrapper_is_untouched() {
        let given = ["conv1.weight", "fc.bias"];
        assert_eq!(names(&given), (given.map(str::to_owned).to_vec(), Vec::new()));
    }
}
