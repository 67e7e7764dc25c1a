//! `bitsweep devices`: what can compute here, and what `--device` asks for.

use bitsweep_worker::Device;

use crate::cli;
use crate::failure::{Ending, Failure};

/// Devices of these names, whatever they are.
pub(crate) fn named(names: &[String]) -> Vec<Device> {
    names
        .iter()
        .map(|name| Device { name: name.clone(), description: String::new(), memory_bytes: None })
        .collect()
}

#[cfg(feature = "train")]
pub(crate) use here::{chosen, run};

#[cfg(not(feature = "train"))]
pub(crate) use elsewhere::{chosen, run};

#[cfg(feature = "train")]
mod here {
    use bitsweep_train::{AvailableDevice, DeviceName, available_devices, without_gpu};
    use comfy_table::{Table, presets};
    use serde_json::json;

    use super::*;

    /// The devices of these names; the embedded one if there is no name.
    pub(crate) fn chosen(names: &[String]) -> Result<Vec<Device>, Failure> {
        if names.is_empty() {
            return Ok(vec![Device::embedded()]);
        }
        let find = |name: &String| -> Result<Device, Failure> {
            let found = name.parse::<DeviceName>().and_then(DeviceName::find);
            let found = found.map_err(|error| Failure::Input(error.to_string()))?;
            Ok(Device {
                name: found.name.to_string(),
                description: found.description,
                memory_bytes: found.memory,
            })
        };
        names.iter().map(find).collect()
    }

    pub(crate) fn run(arguments: &cli::Devices) -> Result<Ending, Failure> {
        let devices = available_devices();
        let gpu = without_gpu();
        if arguments.json {
            println!("{:#}", document(&devices, gpu.as_deref()));
        } else {
            print!("{}", text(&devices, gpu.as_deref()));
        }
        Ok(Ending::Done)
    }

    fn document(devices: &[AvailableDevice], without_gpu: Option<&str>) -> serde_json::Value {
        let devices: Vec<_> = devices
            .iter()
            .map(|device| {
                json!({
                    "name": device.name.to_string(),
                    "description": device.description,
                    "threads": device.threads,
                    "memory_bytes": device.memory,
                })
            })
            .collect();
        json!({
            "devices": devices,
            "libtorch": cfg!(feature = "tch"),
            "without_gpu": without_gpu,
        })
    }

    fn text(devices: &[AvailableDevice], without_gpu: Option<&str>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["device", "size", "what it is"]);
        for device in devices {
            let size = match (device.threads, device.memory) {
                (_, Some(bytes)) => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
                (Some(1), None) => "1 thread".to_owned(),
                (Some(threads), None) => format!("{threads} threads"),
                (None, None) => String::new(),
            };
            table.add_row([device.name.to_string(), size, device.description.clone()]);
        }
        let mut text = format!("{}\n", table.trim_fmt());
        if let Some(reason) = without_gpu {
            text.push_str(&format!("\nno cuda:N: {reason}\n"));
        }
        if cfg!(not(feature = "tch")) {
            text.push_str(
                "cpu and cuda:N need LibTorch: prepare it with scripts/libtorch, then build with \
                 --features tch\n",
            );
        }
        text
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn gpu() -> AvailableDevice {
            AvailableDevice {
                name: DeviceName::Cuda(1),
                description: "Accelerator".to_owned(),
                threads: None,
                memory: Some(80 << 30),
            }
        }

        #[test]
        fn a_gpu_is_listed_with_its_memory() {
            let text = text(&[gpu()], None);
            assert!(text.contains("cuda:1"), "{text}");
            assert!(text.contains("80.0 GiB"), "{text}");
            assert!(!text.contains("no cuda"), "{text}");
            let document = document(&[gpu()], None);
            assert_eq!(document["devices"][0]["memory_bytes"], 85_899_345_920_u64);
            assert_eq!(document["without_gpu"], serde_json::Value::Null);
        }

        #[test]
        fn what_is_missing_is_said() {
            let text = text(&available_devices(), Some("no driver"));
            assert!(text.contains("flex"), "{text}");
            assert!(text.contains("no cuda:N: no driver"), "{text}");
            assert_eq!(text.contains("--features tch"), cfg!(not(feature = "tch")), "{text}");
        }

        #[test]
        fn only_devices_that_are_there_can_be_chosen() {
            let chosen_by = |name: &str| chosen(&[name.to_owned()]);
            assert_eq!(chosen_by("flex").expect("always there")[0].name, "flex");
            assert_eq!(chosen(&[]).expect("the default"), [Device::embedded()]);
            for name in ["cuda:99", "tpu"] {
                let failure = chosen_by(name).expect_err("not there");
                assert!(failure.message().contains(name), "{}", failure.message());
            }
        }
    }
}

#[cfg(not(feature = "train"))]
mod elsewhere {
    use super::*;

    const WITHOUT: &str = "this bitsweep was built without training, so nothing computes here; \
                           install it with its default features";

    /// Nothing trains here: names are what other programs call their devices.
    pub(crate) fn chosen(names: &[String]) -> Result<Vec<Device>, Failure> {
        if names.is_empty() { Ok(vec![Device::embedded()]) } else { Ok(named(names)) }
    }

    pub(crate) fn run(_: &cli::Devices) -> Result<Ending, Failure> {
        Err(Failure::Input(WITHOUT.to_owned()))
    }
}
