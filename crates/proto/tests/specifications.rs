//! Specifications survive the wire, and what a specification cannot hold does not come off it.

use bitsweep_proto::v1;
use bitsweep_sweep::{
    BatchNormStatistics, Bits, ConvolutionAlgorithm, CorruptImages, DataSpec, Gamma, GroupSettings,
    IntervalInit, Loss, ModelSpec, Network, Normalization, OutputScale, Precision,
    QuantizerLearningRate, Role, Schedule, Stem, TrainSettings, TrainedParameters, TrialName,
    TrialSpec,
};
use proptest::option;
use proptest::prelude::*;
use prost::Message;

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn model() -> impl Strategy<Value = ModelSpec> {
    let stem = one_of(&[Stem::ImageNet, Stem::Small]);
    (one_of(&Network::ALL), 0.1..4.0, stem, 1_u32..=4, 1_u32..2000).prop_map(
        |(network, width, stem, in_channels, classes)| ModelSpec {
            network,
            width,
            stem,
            in_channels,
            classes,
        },
    )
}

fn data() -> impl Strategy<Value = DataSpec> {
    let images = (option::of(1_u32..), option::of(1_u32..));
    let place = ("[a-z-]{1,20}", option::of("/[a-z/]{1,20}"), 1_u32..=1024, images);
    let crop = (0.01..0.5, 0.5..=1.0).prop_map(|(smallest, largest)| [smallest, largest]);
    let jitter = (0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.0..=0.5);
    let changes = (any::<bool>(), 0_u32..=16, option::of(crop), option::of(jitter));
    let treatment = (
        option::of(0_u32..=1024),
        one_of(&[Normalization::Dataset, Normalization::ImageNet]),
        one_of(&[CorruptImages::Fail, CorruptImages::Skip]),
    );
    (place, changes, treatment).prop_map(|(place, changes, treatment)| {
        let (name, path, resolution, (train_images, validation_images)) = place;
        let (flip, crop_padding, random_resized_crop, jitter) = changes;
        let (beyond, normalization, corrupt_images) = treatment;
        DataSpec {
            name,
            path,
            resolution,
            train_images,
            validation_images,
            flip,
            crop_padding,
            random_resized_crop,
            color_jitter: jitter.map(|(b, c, s, h)| [b, c, s, h]),
            validation_resize: beyond.map(|beyond| resolution + beyond),
            normalization,
            corrupt_images,
        }
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let steps = (prop::collection::btree_set(1_u32..1000, 1..5), 0.01..0.99);
    prop_oneof![
        (0.0..=1.0).prop_map(|final_fraction| Schedule::Cosine { final_fraction }),
        steps.prop_map(|(epochs, factor)| Schedule::Step {
            epochs: epochs.into_iter().collect(),
            factor
        }),
        Just(Schedule::Constant),
    ]
}

fn group() -> impl Strategy<Value = GroupSettings> {
    (0.0..10.0, 0.0..1.0).prop_map(|(learning_rate_scale, weight_decay)| GroupSettings {
        learning_rate_scale,
        weight_decay,
    })
}

fn train() -> impl Strategy<Value = TrainSettings> {
    let lengths = (0_u32..1000, 2_u32..1000, 64_u32..10_000, 0.0..10.0);
    let optimizer = (0.001..1.0, schedule(), 0.0..0.99, any::<bool>(), 0.0..0.1, group(), group());
    let rate = prop_oneof![
        (0.0..1.0).prop_map(QuantizerLearningRate::Scale),
        Just(QuantizerLearningRate::PerLayer),
    ];
    let quantizers = (rate, 0.0..1.0, 0.0..0.1, 0.001..=1.0);
    let start = (
        one_of(&[Gamma::Fixed, Gamma::Learned]),
        one_of(&[IntervalInit::Search, IntervalInit::Inherit]),
        one_of(&[TrainedParameters::Joint, TrainedParameters::QuantizersOnly]),
        one_of(&[Loss::CrossEntropy, Loss::Distillation]),
    );
    let extras = (0.0..0.9, option::of(0.1..100.0), option::of(0.5..0.9999));
    let numbers = (
        one_of(&[OutputScale::None, OutputScale::Interval]),
        one_of(&[
            BatchNormStatistics::Recomputed,
            BatchNormStatistics::Running,
            BatchNormStatistics::Parent,
        ]),
        one_of(&[Precision::Single, Precision::Mixed]),
        one_of(&[ConvolutionAlgorithm::Winograd, ConvolutionAlgorithm::Direct]),
    );
    (lengths, optimizer, quantizers, start, extras, numbers).prop_map(
        |(lengths, optimizer, quantizers, start, extras, numbers)| TrainSettings {
            epochs: lengths.0,
            batch_size: lengths.1,
            calibration_images: lengths.2,
            warmup_epochs: lengths.3,
            learning_rate: optimizer.0,
            schedule: optimizer.1,
            momentum: optimizer.2,
            nesterov: optimizer.3,
            weight_decay: optimizer.4,
            batch_norm: optimizer.5,
            bias: optimizer.6,
            quantizer_learning_rate: quantizers.0,
            gamma_learning_rate_scale: quantizers.1,
            quantizer_weight_decay: quantizers.2,
            interval_step_limit: quantizers.3,
            gamma: start.0,
            interval_init: start.1,
            parameters: start.2,
            loss: start.3,
            label_smoothing: extras.0,
            gradient_clip_norm: extras.1,
            ema_decay: extras.2,
            output_scale: numbers.0,
            batch_norm_statistics: numbers.1,
            precision: numbers.2,
            convolution: numbers.3,
        },
    )
}

fn spec() -> impl Strategy<Value = TrialSpec> {
    let width = || prop_oneof![2_u8..=8, Just(32_u8)];
    let bits = (width(), width()).prop_map(|(weights, activations)| Bits { weights, activations });
    let name = || "[a-z0-9-]{1,30}".prop_map(TrialName::new);
    let role = one_of(&[Role::Baseline, Role::Quantized, Role::Control]);
    let place = (name(), bits, any::<u64>(), role, option::of(name()), option::of(name()));
    let weights = option::of("/[a-z]{1,9}\\.pth");
    (place, model(), weights, data(), option::of(data()), train()).prop_map(
        |(place, model, initial_weights, data, training_data, train)| TrialSpec {
            name: place.0,
            bits: place.1,
            seed: place.2,
            role: place.3,
            parent: place.4,
            reference: place.5,
            model,
            initial_weights,
            data,
            training_data,
            train,
        },
    )
}

proptest! {
    #[test]
    fn a_specification_survives_the_wire(spec in spec()) {
        let bytes = v1::TrialSpec::from(&spec).encode_to_vec();
        let read = v1::TrialSpec::decode(bytes.as_slice()).expect("a message");
        prop_assert_eq!(TrialSpec::try_from(read).expect("valid"), spec);
    }

    /// Nothing that a peer can send makes a specification that the domain does not allow.
    #[test]
    fn what_is_taken_off_the_wire_passes_the_domains_own_check(
        spec in spec(),
        at in 0_usize..400,
        bit in 0_u8..8,
    ) {
        let mut bytes = v1::TrialSpec::from(&spec).encode_to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(message) = v1::TrialSpec::decode(bytes.as_slice())
            && let Ok(spec) = TrialSpec::try_from(message)
        {
            prop_assert!(spec.check().is_ok());
        }
    }
}

fn plain() -> v1::TrialSpec {
    (&TrialSpec {
        name: TrialName::new("resnet18-4-s0"),
        bits: Bits::both(4),
        seed: 0,
        role: Role::Quantized,
        parent: Some(TrialName::new("resnet18-32-s0")),
        reference: Some(TrialName::new("resnet18-32-s0")),
        model: ModelSpec {
            network: Network::ResNet18,
            width: 1.0,
            stem: Stem::Small,
            in_channels: 3,
            classes: 10,
        },
        initial_weights: None,
        data: DataSpec { name: "cifar10".to_owned(), resolution: 32, ..DataSpec::default() },
        training_data: None,
        train: TrainSettings::default(),
    })
        .into()
}

/// What is said of the plain specification after `change`.
#[track_caller]
fn refusal(change: impl FnOnce(&mut v1::TrialSpec)) -> String {
    let mut message = plain();
    change(&mut message);
    TrialSpec::try_from(message).expect_err("refused").to_string()
}

#[test]
fn values_out_of_range_are_refused_by_the_name_of_their_field() {
    type Break = fn(&mut v1::TrainSettings);
    let settings: [(&str, Break); 24] = [
        ("train.epochs", |t| t.epochs = 100_001),
        ("train.batch_size", |t| t.batch_size = 0),
        ("train.learning_rate", |t| t.learning_rate = f64::NAN),
        ("train.learning_rate", |t| t.learning_rate = 0.0),
        ("train.schedule", |t| t.schedule = None),
        ("train.warmup_epochs", |t| t.warmup_epochs = -1.0),
        ("train.momentum", |t| t.momentum = 1.0),
        ("train.weight_decay", |t| t.weight_decay = f64::INFINITY),
        ("train.batch_norm", |t| t.batch_norm = None),
        ("train.bias.weight_decay", |t| {
            t.bias = Some(v1::GroupSettings { learning_rate_scale: 1.0, weight_decay: -1.0 });
        }),
        ("train.quantizer_learning_rate", |t| t.quantizer_learning_rate = None),
        ("train.gamma_learning_rate_scale", |t| t.gamma_learning_rate_scale = -1.0),
        ("train.quantizer_weight_decay", |t| t.quantizer_weight_decay = f64::NAN),
        ("train.interval_step_limit", |t| t.interval_step_limit = 0.0),
        ("train.gamma", |t| t.gamma = 0),
        ("train.gamma", |t| t.gamma = 99),
        ("train.calibration_images", |t| t.calibration_images = 0),
        ("train.parameters", |t| t.parameters = 0),
        ("train.loss", |t| t.loss = 0),
        ("train.label_smoothing", |t| t.label_smoothing = 1.0),
        ("train.gradient_clip_norm", |t| t.gradient_clip_norm = Some(0.0)),
        ("train.ema_decay", |t| t.ema_decay = Some(1.0)),
        ("train.output_scale", |t| t.output_scale = 0),
        ("train.precision", |t| t.precision = -1),
    ];
    for (field, change) in settings {
        let error = refusal(|spec| change(spec.train.as_mut().expect("set")));
        assert!(error.starts_with(&format!("message field {field}: ")), "{field}: {error}");
    }
}

#[test]
fn images_out_of_range_are_refused_by_the_name_of_their_field() {
    type Break = fn(&mut v1::DataSpec);
    let data: [(&str, Break); 8] = [
        ("resolution", |d| d.resolution = 0),
        ("train_images", |d| d.train_images = Some(0)),
        ("crop_padding", |d| d.crop_padding = 99),
        ("random_resized_crop", |d| {
            d.random_resized_crop = Some(v1::CropArea { smallest: 0.9, largest: 0.5 });
        }),
        ("random_resized_crop", |d| {
            d.random_resized_crop = Some(v1::CropArea { smallest: 0.0, largest: f64::NAN });
        }),
        ("color_jitter", |d| {
            d.color_jitter = Some(v1::ColorJitter { hue: 0.6, ..Default::default() });
        }),
        ("validation_resize", |d| d.validation_resize = Some(31)),
        ("normalization", |d| d.normalization = 0),
    ];
    for (field, change) in data {
        let error = refusal(|spec| change(spec.data.as_mut().expect("set")));
        assert!(error.starts_with(&format!("message field data.{field}: ")), "{field}: {error}");
        let error = refusal(|spec| {
            spec.training_data.clone_from(&spec.data);
            change(spec.training_data.as_mut().expect("set"));
        });
        let start = format!("message field training_data.{field}: ");
        assert!(error.starts_with(&start), "{field}: {error}");
    }
    let width = refusal(|spec| spec.model.as_mut().expect("set").width = f64::NAN);
    assert!(width.starts_with("message field model.width: "), "{width}");
}

#[test]
fn step_epochs_must_ascend() {
    let steps = |epochs: Vec<u32>| {
        let step = v1::StepSchedule { epochs, factor: 0.1 };
        refusal(|spec| {
            spec.train.as_mut().expect("set").schedule =
                Some(v1::train_settings::Schedule::Step(step));
        })
    };
    for epochs in [vec![], vec![0], vec![20, 10], vec![10, 10]] {
        assert!(steps(epochs.clone()).contains("train.schedule.epochs"), "{epochs:?}");
    }
}
