//! Shapes of the networks against published parameter counts.

use bitsweep_sweep::{Architecture, Bits, ModelSpec, Network, Stem};

fn published(network: Network) -> Architecture {
    let model =
        ModelSpec { network, width: 1.0, stem: Stem::ImageNet, in_channels: 3, classes: 1000 };
    Architecture::new(&model, 224).expect("224 pixels are enough")
}

#[test]
fn resnets_have_the_published_parameter_counts() {
    assert_eq!(published(Network::ResNet18).parameters(), 11_689_512);
    assert_eq!(published(Network::ResNet34).parameters(), 21_797_672);
}

#[test]
fn resnets_have_the_published_multiply_accumulates() {
    // torchvision's model table: 1.81 and 3.66 GFLOPS (multiply-accumulates) at 224 pixels.
    let giga = |network| published(network).multiply_accumulates() as f64 / 1e9;
    assert!((giga(Network::ResNet18) - 1.81).abs() < 0.01);
    assert!((giga(Network::ResNet34) - 3.66).abs() < 0.01);
}

#[test]
fn only_the_first_and_last_layers_stay_in_full_precision() {
    for (network, weighted) in
        [(Network::ResNet18, 21), (Network::ResNet34, 37), (Network::AlexNet, 8)]
    {
        assert_eq!(published(network).quantized_layers(), weighted - 2, "{network}");
    }
}

#[test]
fn fewer_bits_store_fewer_bytes() {
    for network in Network::ALL {
        let architecture = published(network);
        assert_eq!(architecture.model_bytes(Bits::FULL), 4 * architecture.parameters());
        let bytes: Vec<u64> =
            [32, 4, 3, 2].map(|b| architecture.model_bytes(Bits::both(b))).to_vec();
        assert!(bytes.windows(2).all(|pair| pair[0] > pair[1]), "{network}: {bytes:?}");
    }
}

#[test]
fn images_too_small_for_the_strides_are_refused() {
    let model = ModelSpec {
        network: Network::AlexNet,
        width: 1.0,
        stem: Stem::ImageNet,
        in_channels: 1,
        classes: 10,
    };
    let message = Architecture::new(&model, 28).expect_err("refused");
    assert!(message.contains("28 pixels"), "{message}");
}
