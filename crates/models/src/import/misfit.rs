//! Why a state does not fit a network, for people.

use std::collections::BTreeMap;

use super::network::{Recognized, recognize};
use crate::config::{Architecture, ModelConfig, Stem};
use crate::state::{QUANTIZER, State, StateError};

/// Groups of names that one message spells out.
const SHOWN: usize = 5;

/// Says in one line why `state` is not a network of `config`: the cause where it can be told (another
/// network, another number of classes, channels or width, quantized or not), otherwise the names.
pub fn explain(error: &StateError, state: &State, config: &ModelConfig) -> String {
    let expected = Recognized::of(config);
    if let Some(found) = recognize(state).filter(|found| *found != expected) {
        return format!("the file holds {found}, the network is {expected}");
    }
    let mut rest = error.clone();
    let mut causes = shape_causes(&mut rest, config);
    causes.extend(quantizer_causes(&mut rest));
    causes.extend(renamed(&mut rest, state));
    for (what, names) in [("missing", &rest.missing), ("unexpected", &rest.unexpected)] {
        if !names.is_empty() {
            causes.push(format!("{what}: {}", grouped(names)));
        }
    }
    for (name, found, expected) in rest.mis_shaped.iter().take(SHOWN) {
        causes.push(format!("{name} is {found:?} where the network has {expected:?}"));
    }
    if rest.mis_shaped.len() > SHOWN {
        causes.push(format!("{} more of other shapes", rest.mis_shaped.len() - SHOWN));
    }
    causes.join("; ")
}

/// Takes out of `rest` what a number of the configuration explains.
fn shape_causes(rest: &mut StateError, config: &ModelConfig) -> Vec<String> {
    let (first, head) = match config.architecture {
        Architecture::ResNet18 | Architecture::ResNet34 => ("conv1", "fc"),
        Architecture::AlexNet => ("features.0", "classifier.6"),
    };
    let mut causes = Vec::new();
    let mut width = false;
    for (name, found, expected) in &rest.mis_shaped {
        if *name == format!("{first}.weight") && found.len() == 4 {
            let ([outputs, inputs, kernel, _], [own_outputs, own_inputs, own_kernel, _]) =
                (four(found), four(expected));
            if inputs != own_inputs {
                causes.push(format!(
                    "{name} reads images of {inputs} channels, the network {own_inputs}"
                ));
            }
            if kernel != own_kernel {
                let stem = match config.stem {
                    Stem::ImageNet => "imagenet",
                    Stem::Small => "small",
                };
                causes.push(format!(
                    "{name} is {kernel}×{kernel}, the network's stem \"{stem}\" has {own_kernel}×{own_kernel}"
                ));
            }
            if outputs != own_outputs {
                width = true;
                causes.push(format!(
                    "{name} has {outputs} channels, the network {own_outputs}: another width than {}",
                    config.width
                ));
            }
        } else if *name == format!("{head}.weight")
            && let ([classes, ..], [own, ..]) = (found.as_slice(), expected.as_slice())
            && classes != own
        {
            causes.push(format!("{name} has {classes} classes, the network {own}"));
        }
    }
    let explained = |name: &str| {
        width || name == format!("{first}.weight") || name.strip_prefix(head).is_some()
    };
    if !causes.is_empty() {
        rest.mis_shaped.retain(|(name, ..)| !explained(name));
    }
    causes
}

fn four(shape: &[usize]) -> [usize; 4] {
    std::array::from_fn(|axis| shape.get(axis).copied().unwrap_or(1))
}

/// Takes quantizers out of `rest` where the widths explain them.
fn quantizer_causes(rest: &mut StateError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut take = |names: &mut Vec<String>, text: &str| {
        let before = names.len();
        names.retain(|name| !name.contains(QUANTIZER));
        let taken = before - names.len();
        if taken > 0 {
            causes.push(format!("{text} ({taken} values)"));
        }
    };
    take(&mut rest.missing, "the network has intervals that the file has not");
    take(&mut rest.unexpected, "the file has intervals that the network, at its widths, has not");
    causes
}

/// Takes out of `rest` pairs of a missing and an unexpected name that only one shape joins.
fn renamed(rest: &mut StateError, state: &State) -> Vec<String> {
    let mut causes = Vec::new();
    rest.missing.retain(|missing| {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let mut alike = rest.unexpected.iter().filter(|name| last(name) == last(missing));
        let (Some(only), None) = (alike.next().cloned(), alike.next()) else { return true };
        let shape = state.get(&only).map(|tensor| tensor.shape.clone()).unwrap_or_default();
        causes.push(format!("{missing} is missing; {only} {shape:?} may be it under another name"));
        rest.unexpected.retain(|name| *name != only);
        false
    });
    causes
}

/// `bn1.{bias, weight}, fc.{bias, weight} and 40 more`.
fn grouped(names: &[String]) -> String {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        let (layer, part) = name.rsplit_once('.').unwrap_or(("", name));
        groups.entry(layer).or_default().push(part);
    }
    let shown: Vec<String> = groups
        .iter()
        .take(SHOWN)
        .map(|(layer, parts)| match parts.as_slice() {
            parts if layer.is_empty() => parts.join(", "),
            [part] => format!("{layer}.{part}"),
            parts => format!("{layer}.{{{}}}", parts.join(", ")),
        })
        .collect();
    let hidden: usize = groups.values().skip(SHOWN).map(Vec::len).sum();
    let shown = shown.join(", ");
    if hidden == 0 { shown } else { format!("{shown} and {hidden} more") }
}
