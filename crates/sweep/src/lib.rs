//! Sweep files, the plan they ask for, what trials report, and how trials compare.
//!
//! Pure: no I/O, no clock, no tensors. A [`SweepFile`] is the validated text of a sweep file,
//! a [`Plan`] its trials in dependency order, a [`TrialEvent`] what a training says of itself,
//! and a [`Comparison`] the table of quantized against full-precision accuracy.

mod architecture;
mod attempt;
mod comparison;
mod dataset;
mod event;
mod file;
mod id;
mod limit;
mod plan;
mod published;
mod trial;

pub use architecture::{Architecture, Layer, LayerKind};
pub use attempt::AttemptEnd;
pub use comparison::{
    Comparison, ComparisonCell, ComparisonRow, PairedTest, SeedMean, TrialOutcome, gap,
};
pub use dataset::{KnownDataset, known_dataset, known_datasets};
pub use event::{
    CheckpointSaved, Collapse, EpochSummary, Failure, FinalResult, LayerReport, LayerState, Level,
    LogLine, Metric, Phase, PointBatch, Progress, Provenance, Started, TrialEvent,
};
pub use file::{FileError, RetrySettings, SweepFile};
pub use id::{SweepId, TrialId, TrialName};
pub use plan::{ASSUMED_IMAGES_PER_CLASS, ImageCounts, Plan, PlannedTrial, SplitCounts};
pub use published::{Citation, PUBLISHED_DATASET, PublishedFigure, published, published_figure};
pub use trial::{
    BatchNormStatistics, Bits, ConvolutionAlgorithm, CorruptImages, DataSpec, Gamma, GroupSettings,
    IntervalInit, InvalidField, Loss, ModelSpec, Network, Normalization, OutputScale, Precision,
    QuantizerLearningRate, Role, Schedule, Stem, TrainSettings, TrainedParameters, TrialSpec,
};
