//! Events survive the wire.

use bitsweep_proto::v1;
use bitsweep_sweep::{Collapse, LayerReport, LayerState, TrialEvent};
use prost::Message;

fn layer(collapse: Option<Collapse>, activations: Option<f64>) -> LayerState {
    LayerState {
        name: "layer1.0.conv1".to_owned(),
        weight_center: 0.1,
        weight_half_width: 0.05,
        gamma: 1.5,
        activation_center: 0.6,
        activation_half_width: 0.5,
        below_interval: 0.25,
        zero: 0.5,
        clipped: 0.125,
        histogram: vec![3, 0, 1],
        histogram_max: 0.3,
        activation_zero: activations,
        activation_clipped: activations.map(|share| share / 2.0),
        collapse,
    }
}

#[test]
fn a_report_of_layers_keeps_how_each_collapsed() {
    let report = LayerReport {
        epoch: 3,
        step: 300,
        layers: vec![
            layer(None, None),
            layer(None, Some(0.0)),
            layer(Some(Collapse::HalfWidth), Some(0.5)),
            layer(Some(Collapse::Pruned), None),
            layer(Some(Collapse::Clipped), None),
        ],
    };
    let event = TrialEvent::Layers(report);
    let bytes = v1::TrialEvent::from(event.clone()).encode_to_vec();
    let read = v1::TrialEvent::decode(bytes.as_slice()).expect("a message");
    assert_eq!(TrialEvent::try_from(read).expect("valid"), event);
}

#[test]
fn an_unknown_way_to_collapse_is_refused_by_name() {
    let mut message = v1::LayerState::from(layer(None, None));
    for unknown in [0, 99] {
        message.collapse = Some(unknown);
        let error = LayerState::try_from(message.clone()).expect_err("refused").to_string();
        assert!(error.starts_with("message field layers.collapse: "), "{error}");
    }
}

#[test]
fn an_enum_field_is_named_with_its_message() {
    let progress = v1::Progress { phase: 99, ..Default::default() };
    let error = bitsweep_sweep::Progress::try_from(progress).expect_err("refused").to_string();
    assert_eq!(error, "message field progress.phase: 99 is unknown");
    let error = bitsweep_sweep::Started::try_from(v1::Started::default()).expect_err("refused");
    assert_eq!(error.to_string(), "message field started.provenance: is missing");
}
