//! `[dataset]`, `[training-dataset]` and `[init]`.

mod reading;

use bitsweep_sweep::{CorruptImages, DataSpec, Normalization, Role, Stem};
use reading::{error_of, folder, plan, spec, sweep};

/// The images of a folder with these keys.
#[track_caller]
fn images(data: &str) -> DataSpec {
    plan(&folder(data, "")).trials[0].spec.data.clone()
}

/// A folder at the given side, with keys.
#[track_caller]
fn images_at(side: u32, data: &str) -> DataSpec {
    let text = folder(data, "").replacen("224", &side.to_string(), 1);
    plan(&text).trials[0].spec.data.clone()
}

#[test]
fn folders_of_large_images_are_prepared_as_imagenet_is() {
    let expected = DataSpec {
        name: "image-folder".to_owned(),
        path: Some("/sweeps/images".to_owned()),
        resolution: 224,
        flip: true,
        random_resized_crop: Some([0.08, 1.0]),
        validation_resize: Some(256),
        normalization: Normalization::ImageNet,
        ..DataSpec::default()
    };
    assert_eq!(images(""), expected);
    let model = plan(&folder("", "")).trials[0].spec.model;
    assert_eq!((model.classes, model.in_channels, model.stem), (100, 3, Stem::ImageNet));
}

#[test]
fn folders_of_small_images_are_taken_as_they_are() {
    let expected = DataSpec {
        name: "image-folder".to_owned(),
        path: Some("/sweeps/images".to_owned()),
        resolution: 32,
        flip: true,
        ..DataSpec::default()
    };
    assert_eq!(images_at(32, ""), expected);
}

#[test]
fn each_key_changes_its_own_part_and_no_other() {
    type Change = fn(&mut DataSpec);
    let keys: [(&str, Change); 14] = [
        ("train-images = 500", |d| d.train_images = Some(500)),
        ("validation-images = 200", |d| d.validation_images = Some(200)),
        ("flip = false", |d| d.flip = false),
        ("crop-padding = 0", |_| {}),
        ("random-resized-crop = true", |_| {}),
        ("random-resized-crop = [0.35, 1]", |d| d.random_resized_crop = Some([0.35, 1.0])),
        ("random-resized-crop = false", |d| d.random_resized_crop = None),
        ("random-resized-crop = false\ncrop-padding = 4", |d| {
            (d.random_resized_crop, d.crop_padding) = (None, 4);
        }),
        ("color-jitter = [0.4, 0.3, 0.2, 0.1]", |d| d.color_jitter = Some([0.4, 0.3, 0.2, 0.1])),
        ("validation-resize = 232", |d| d.validation_resize = Some(232)),
        ("validation-resize = false", |d| d.validation_resize = None),
        ("normalization = \"dataset\"", |d| d.normalization = Normalization::Dataset),
        ("corrupt-images = \"skip\"", |d| d.corrupt_images = CorruptImages::Skip),
        ("corrupt-images = \"fail\"", |_| {}),
    ];
    for (key, change) in keys {
        let mut expected = images("");
        change(&mut expected);
        assert_eq!(images(key), expected, "{key}");
    }
    assert_eq!(images_at(64, "random-resized-crop = true").random_resized_crop, Some([0.08, 1.0]));
    assert_eq!(images_at(64, "validation-resize = 73").validation_resize, Some(73));
    let packed = folder("", "").replace("image-folder", "packed");
    assert_eq!(plan(&packed).trials[0].spec.data, DataSpec { name: "packed".into(), ..images("") });
}

/// The folder, and quantized trials trained on other images.
fn elsewhere(training: &str, rest: &str) -> String {
    folder("", rest).replacen("[train]", &format!("[training-dataset]\n{training}\n[train]"), 1)
}

const OTHER: &str = "name = \"image-folder\"\npath = \"/other\"";

#[test]
fn quantized_trials_are_trained_on_the_other_images_and_all_evaluated_on_the_first() {
    let text = elsewhere(
        &format!("{OTHER}\ntrain-images = 5000\nrandom-resized-crop = [0.5, 1.0]"),
        "loss = \"distillation\"",
    );
    let plan = plan(&text.replacen("[dataset]", "control = true\n[dataset]", 1));
    let expected = DataSpec {
        name: "image-folder".to_owned(),
        path: Some("/other".to_owned()),
        resolution: 224,
        train_images: Some(5000),
        flip: true,
        random_resized_crop: Some([0.5, 1.0]),
        validation_resize: Some(256),
        normalization: Normalization::ImageNet,
        ..DataSpec::default()
    };
    for trial in &plan.trials {
        let quantized = trial.spec.role == Role::Quantized;
        assert_eq!(trial.spec.training_data, quantized.then(|| expected.clone()));
        assert_eq!(trial.spec.data, images(""), "{}", trial.spec.name);
    }
}

#[test]
fn other_images_are_normalized_as_the_network_expects() {
    let text = elsewhere(OTHER, "loss = \"distillation\"").replacen(
        "classes",
        "normalization = \"dataset\"\nclasses",
        1,
    );
    let plan = plan(&text);
    let training = spec(&plan, "resnet18-4-s0").training_data.as_ref();
    assert_eq!(training.map(|d| d.normalization), Some(Normalization::Dataset));
}

#[test]
fn labels_of_other_images_are_learned_where_the_classes_agree() {
    let text = elsewhere(&format!("{OTHER}\nclasses = 100"), "");
    assert!(spec(&plan(&text), "resnet18-4-s0").training_data.is_some());
}

#[test]
fn baselines_start_from_weights_by_network_and_their_children_from_them() {
    let text = folder("", "[init]\nresnet18 = \"weights/resnet18.safetensors\"");
    let plan = plan(&text);
    let weights = Some("/sweeps/weights/resnet18.safetensors");
    assert_eq!(spec(&plan, "resnet18-32-s0").initial_weights.as_deref(), weights);
    assert_eq!(spec(&plan, "resnet18-4-s0").initial_weights, None);
}

#[test]
fn weights_and_quantizers_can_be_evaluated_without_training() {
    let text = folder("", "[init]\nresnet18 = \"/r.pth\"").replacen("epochs = 10", "epochs = 0", 1);
    let plan = plan(&text);
    assert!(plan.trials.iter().all(|t| t.spec.train.epochs == 0));
    assert!(plan.trials.iter().all(|t| t.cost > 0.0), "evaluations cost something");
}

#[test]
fn each_bad_value_is_refused_with_its_line() {
    let data = |keys: &str| folder(keys, "");
    let without = |line: &str| folder("", "").replacen(line, "", 1);
    let init = |line: &str| folder("", &format!("[init]\n{line}"));
    let cifar =
        |keys: &str| sweep("32, 4", "").replacen("\"/cifar\"", &format!("\"/cifar\", {keys}"), 1);
    let mini = |keys: &str| {
        let text = sweep("32, 4", "");
        text.replacen(
            "name = \"cifar10\", path = \"/cifar\"",
            &format!("name = \"fashion-mnist-mini\", {keys}"),
            1,
        )
    };
    let distilled = |keys: &str| elsewhere(&format!("{OTHER}\n{keys}"), "loss = \"distillation\"");
    let bad = [
        without("classes = 100\n"),
        without("resolution = 224\n"),
        without("path = \"images\"\n"),
        without("\"images\"").replacen("path = ", "path = \"\"", 1),
        without("224").replacen("resolution = ", "resolution = 2000", 1),
        without("100").replacen("classes = ", "classes = 0", 1),
        data("channels = 1"),
        data("train-images = 99"),
        data("crop-padding = 4"),
        data("random-resized-crop = 0.08"),
        data("random-resized-crop = [0.08]"),
        data("random-resized-crop = [0.0, 1.0]"),
        data("random-resized-crop = [0.9, 0.5]"),
        data("color-jitter = 0.4"),
        data("color-jitter = [0.4, 0.4, 0.4]"),
        data("color-jitter = [0.4, 0.4, 0.4, 0.9]"),
        data("validation-resize = 200"),
        data("validation-resize = true"),
        data("normalization = \"image-net\""),
        data("corrupt-images = \"ignore\""),
        data("colour-jitter = [0.4, 0.4, 0.4, 0.1]"),
        cifar("classes = 10"),
        cifar("corrupt-images = \"skip\""),
        mini("color-jitter = [0.4, 0.4, 0.4, 0.1]"),
        mini("normalization = \"imagenet\""),
        mini("path = \"/here\""),
        elsewhere(OTHER, ""),
        elsewhere(&format!("{OTHER}\nclasses = 50"), ""),
        elsewhere("name = \"fashion-mnist\"\nresolution = 224", "loss = \"distillation\""),
        distilled("resolution = 128"),
        distilled("validation-images = 500"),
        distilled("normalization = \"imagenet\""),
        distilled("").replacen("[32, 4, 2]", "[32]", 1),
        init("resnet34 = \"r.pth\""),
        init("resnet18 = \"r.onnx\""),
        init("resnet18 = true"),
        init("resnet81 = \"r.pth\""),
        folder("", "parameters = \"quantizers-only\"").replacen(
            "[dataset]",
            "control = true\n[dataset]",
            1,
        ),
    ];
    let messages: Vec<String> = bad.iter().map(|text| error_of(text)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}
