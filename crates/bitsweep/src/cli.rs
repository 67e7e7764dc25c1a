//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Exit codes, told at the end of `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0    done; for run: every trial finished
  1    not done: trials failed, nobody answers, the disk is full, ...
  2    bad input: arguments or sweep file
  130  stopped by Ctrl-C or by your answer; the same command continues

First steps:
  bitsweep run quickstart            train a small sweep here and watch it
  bitsweep check my-sweep.toml       see what a sweep file asks for, without running it
  bitsweep tui                       watch a sweep that runs elsewhere";

/// Sweeps the bit-widths of QIL-quantized networks and shows what accuracy each width costs.
#[derive(Debug, Parser)]
#[command(name = "bitsweep", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole sweep on this machine: coordinator, workers and dashboard
    Run(Run),
    /// Print what a sweep file asks for: trials, parameters, bytes at each width
    Check(Check),
    /// Hold sweeps and hand their trials to workers
    Coordinator(Coordinator),
    /// Train the trials that a coordinator hands out
    Worker(Worker),
    /// List what can compute on this machine with this build
    Devices(Devices),
    /// Give a sweep file to a coordinator
    Submit(Submit),
    /// Open the dashboard on a coordinator's sweep
    Tui(Tui),
    /// Print where sweeps stand
    Status(Status),
    /// Write everything a sweep measured, or the weights of a trial
    Export(Export),
    /// Measure the accuracy of a weights file on images
    Eval(Eval),
    /// Pack a folder of images for fast loading, or tell what a data set holds
    Data(Data),
    /// Stop a sweep for good: its running trials end, its waiting ones never start
    Cancel(OneSweep),
    /// Try failed and cancelled trials of a sweep again
    Resume(OneSweep),
    /// Train one trial, told what on standard input; workers start this
    #[command(hide = true)]
    Trial,
}

/// Where the coordinator is.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Coordinator's address, for example 127.0.0.1:7270 [default: the one of the state folder]
    #[arg(long, env = "BITSWEEP_COORDINATOR", value_name = "ADDRESS")]
    pub(crate) coordinator: Option<String>,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct State {
    /// Folder of the coordinator's state [default: bitsweep in the platform's state folder]
    #[arg(long = "state", env = "BITSWEEP_STATE", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Sweep file, or the name of one that comes with bitsweep: quickstart
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) state: State,
    /// Worker processes [default: one a core, at most as many as trials can run side by side]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: Option<u32>,
    /// Threads of each trial [default: the cores divided among the workers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// What computes: flex, cpu or cuda:N; several take turns. See `bitsweep devices` [default: flex]
    #[arg(long = "device", value_name = "NAME", value_delimiter = ',')]
    pub(crate) devices: Vec<String>,
    /// Print lines instead of opening the dashboard; so it is without a terminal, too
    #[arg(long)]
    pub(crate) headless: bool,
    /// Start the sweep anew even if the same one is there already
    #[arg(long)]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Sweep file, or the name of one that comes with bitsweep: quickstart
    pub(crate) file: String,
}

#[derive(Debug, Args)]
pub(crate) struct Coordinator {
    /// Address to listen on; loopback only, reach it from elsewhere through an ssh tunnel
    #[arg(long, default_value = "127.0.0.1:7270", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    pub(crate) at: At,
    /// Name shown to people [default: the host's]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Trials side by side, one process each
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) slots: u32,
    /// Threads of each trial [default: the cores divided among the slots]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// What computes: flex, cpu or cuda:N; several take turns. See `bitsweep devices` [default: flex]
    #[arg(long = "device", value_name = "NAME", value_delimiter = ',')]
    pub(crate) devices: Vec<String>,
    /// Folder for checkpoints on their way [default: a folder of its own in the state folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// Program that trains a trial, instead of this one's own `trial` command
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) trainer: Option<PathBuf>,
    /// End when standard input closes; set by `bitsweep run` for its own workers
    #[arg(long, hide = true)]
    pub(crate) exit_with_parent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// Sweep file, or the name of one that comes with bitsweep: quickstart
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// Start the sweep anew even if the same one is there already
    #[arg(long)]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// Sweep's id, the start of it, or its name [default: the newest]
    pub(crate) sweep: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Sweep's id, the start of it, or its name [default: all, a line each]
    pub(crate) sweep: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Sweep's id, the start of it, or its name; for safetensors TRIAL or SWEEP/TRIAL
    pub(crate) sweep: String,
    /// json: everything in one document; csv: the points, a row each; safetensors: a trial's weights
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub(crate) format: Format,
    /// File to write [default: standard output; for safetensors TRIAL.safetensors]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) at: At,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Json,
    Csv,
    Safetensors,
}

#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Weights: an export of bitsweep, or .pth or .safetensors in torchvision's names
    pub(crate) weights: PathBuf,
    /// Folder of images, or a data set that needs none: fashion-mnist-mini, fashion-mnist
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: String,
    /// Network of weights that bitsweep did not export: resnet18, resnet34 or alexnet
    #[arg(long, value_name = "NAME", value_parser = network)]
    pub(crate) network: Option<bitsweep_sweep::Network>,
    /// What the folder holds: image-folder, packed, cifar10 or fashion-mnist
    #[arg(long, default_value = "image-folder", value_name = "KIND")]
    pub(crate) data_set: String,
    /// Lines of a class and a folder's name, tab between; for a folder without all of the network's classes
    #[arg(long, value_name = "FILE")]
    pub(crate) class_index: Option<PathBuf>,
    /// Images to use, balanced over the classes [default: all; on its own data set as many as an export's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) images: Option<u32>,
    /// Side of the network's images, in pixels [default: the export's, otherwise 224]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) resolution: Option<u32>,
    /// Shorter side before the centre crop [default: the export's, otherwise 256 for 224]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub(crate) resize: Option<u32>,
    /// Mean of pixels in [0, 1], a number a channel [default: the export's, otherwise ImageNet's]
    #[arg(long, value_name = "X,Y,Z", value_delimiter = ',')]
    pub(crate) mean: Option<Vec<f32>>,
    /// Deviation of pixels in [0, 1], a number a channel [default: the export's, otherwise ImageNet's]
    #[arg(long, value_name = "X,Y,Z", value_delimiter = ',')]
    pub(crate) deviation: Option<Vec<f32>>,
    /// Evaluate another image in the place of one that cannot be decoded, and name it, instead of ending
    #[arg(long)]
    pub(crate) skip_corrupt: bool,
    /// What computes: flex, cpu or cuda:N
    #[arg(long, default_value = "flex", value_name = "DEVICE")]
    pub(crate) device: String,
    /// Images a batch
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) batch_size: u32,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A network by its name.
fn network(name: &str) -> Result<bitsweep_sweep::Network, String> {
    bitsweep_sweep::Network::from_name(name).ok_or_else(|| {
        let names = bitsweep_sweep::Network::ALL.map(bitsweep_sweep::Network::as_str);
        format!("there are {}", names.join(", "))
    })
}

#[derive(Debug, Args)]
pub(crate) struct OneSweep {
    /// Sweep's id, the start of it, or its name
    pub(crate) sweep: String,
    #[command(flatten)]
    pub(crate) at: At,
}

#[derive(Debug, Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Decode and resize a folder's images into shards that are mapped into memory
    Pack(DataPack),
    /// Print classes, images, sizes and fingerprints of a folder or of a packed data set
    Info(DataInfo),
}

#[derive(Debug, Args)]
pub(crate) struct DataPack {
    /// Folder with train/ and val/ (or test/), each with a folder of images for each class
    pub(crate) folder: PathBuf,
    /// Folder to write to; a packing that was stopped goes on
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Pixels that the shorter side of every image gets
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: u32,
    /// Pack images as large as they are
    #[arg(long, conflicts_with = "size")]
    pub(crate) keep_size: bool,
    /// Threads that decode [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// What to do with images that cannot be decoded
    #[arg(long, value_enum, default_value_t = Corrupt::Fail)]
    pub(crate) corrupt_images: Corrupt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Corrupt {
    /// Stop and name the file
    Fail,
    /// Leave them out, and list them at the end
    Skip,
}

#[derive(Debug, Args)]
pub(crate) struct DataInfo {
    /// Folder of images, or a folder that `bitsweep data pack` has written
    pub(crate) path: PathBuf,
    /// Read every shard of a packed data set and compare its hash
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
