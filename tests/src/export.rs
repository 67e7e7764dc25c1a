//! What `bitsweep export --format json` writes.

use std::collections::BTreeMap;

use serde_json::Value;

/// A sweep with everything it measured.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its trials in plan order.
    pub trials: Vec<Trial>,
}

/// One trial of an export.
#[derive(Clone, Debug)]
pub struct Trial(pub Value);

impl Export {
    /// Reads the document.
    pub fn parse(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let trials = document["trials"].as_array().unwrap().iter().cloned().map(Trial).collect();
        Self { trials }
    }

    /// The trial of that name.
    pub fn trial(&self, name: &str) -> &Trial {
        self.trials.iter().find(|trial| trial.name() == name).unwrap()
    }
}

impl Trial {
    /// Its name within the sweep.
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    /// The word for its state.
    pub fn state(&self) -> &str {
        self.0["state"].as_str().unwrap()
    }

    /// How each of its attempts ended; `running` where one has not.
    pub fn ends(&self) -> Vec<&str> {
        self.attempts().iter().map(|a| a["end"].as_str().unwrap_or("running")).collect()
    }

    /// Its attempts, oldest first.
    pub fn attempts(&self) -> &[Value] {
        self.0["attempts"].as_array().unwrap()
    }

    /// Points by metric, in the order of the document.
    pub fn series(&self) -> BTreeMap<String, Vec<(u64, f64)>> {
        // JSON has no word for what is not a number.
        let value =
            |value: &Value| if value.is_null() { f64::NAN } else { value.as_f64().unwrap() };
        let point = |point: &Value| (point[0].as_u64().unwrap(), value(&point[1]));
        let series = self.0["series"].as_object().unwrap().iter();
        series
            .map(|(metric, points)| {
                (metric.clone(), points.as_array().unwrap().iter().map(point).collect())
            })
            .collect()
    }

    /// The numbers of its epochs, in the order of the document.
    pub fn epochs(&self) -> Vec<u64> {
        let epochs = self.0["epochs"].as_array().unwrap();
        epochs.iter().map(|epoch| epoch["epoch"].as_u64().unwrap()).collect()
    }

    /// Steps of the whole trial, from its specification.
    pub fn total_steps(&self) -> u64 {
        let spec = |pointer: &str| self.0["spec"].pointer(pointer).unwrap().as_u64().unwrap();
        let (images, batch) = (spec("/data/train_images"), spec("/train/batch_size"));
        let per_epoch = images.div_ceil(batch);
        assert_eq!(images % batch, 0, "choose sizes that leave no doubt about a last batch");
        per_epoch * self.total_epochs()
    }

    /// Epochs of the whole trial, from its specification.
    pub fn total_epochs(&self) -> u64 {
        self.0["spec"]["train"]["epochs"].as_u64().unwrap()
    }

    /// Asserts that the trial is finished and that no step and no epoch is missing or there twice.
    #[track_caller]
    pub fn assert_complete(&self) {
        let name = self.name();
        assert_eq!(self.state(), "finished", "{name}: {:?}", self.attempts());
        assert_eq!(self.ends().last(), Some(&"finished"), "{name}");
        let series = self.series();
        let all: Vec<u64> = (1..=self.total_steps()).collect();
        let steps = |metric: &str| -> Vec<u64> {
            series.get(metric).into_iter().flatten().map(|(step, _)| *step).collect()
        };
        assert_eq!(steps("step-loss"), all, "{name}: steps of step-loss");
        let per_epoch = self.total_steps() / self.total_epochs();
        let ends: Vec<u64> = (1..=self.total_epochs()).map(|epoch| epoch * per_epoch).collect();
        assert_eq!(steps("train-loss"), ends, "{name}: steps of train-loss");
        let evaluated = steps("top1");
        // A trial that starts from a parent is evaluated once before its first step.
        let after = evaluated.strip_prefix(&[0][..]).unwrap_or(&evaluated);
        assert_eq!(after, ends, "{name}: steps of top1");
        for (metric, points) in &series {
            let ascends = points.windows(2).all(|pair| pair[0].0 < pair[1].0);
            assert!(ascends, "{name}: {metric} has a step twice or out of order");
        }
        let epochs = self.epochs();
        let counted: Vec<u64> = (1..=self.total_epochs()).collect();
        let after = epochs.strip_prefix(&[0][..]).unwrap_or(&epochs);
        assert_eq!(after, counted, "{name}: epochs");
    }
}
