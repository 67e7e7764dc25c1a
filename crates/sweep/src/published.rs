//! Published ImageNet accuracies, with where they come from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::trial::{Bits, Network};

/// Name of the data set that the figures are of, in sweep files.
pub const PUBLISHED_DATASET: &str = "imagenet";

/// Where a figure was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Title of the paper.
    pub title: String,
    /// For example `Jung et al.`.
    pub authors: String,
    /// Of the publication.
    pub year: u16,
    /// In the paper; `None` where the paper itself was not read.
    pub table: Option<String>,
    /// arXiv number.
    pub arxiv: Option<String>,
    /// The document in which the figure was read, which may quote the paper; `None`: not read anywhere.
    pub read_in: Option<String>,
}

/// `Jung et al. 2019, Table 1, arXiv:1808.05779`.
impl std::fmt::Display for Citation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.authors, self.year)?;
        if let Some(table) = &self.table {
            write!(f, ", {table}")?;
        }
        if let Some(arxiv) = &self.arxiv {
            write!(f, ", arXiv:{arxiv}")?;
        }
        Ok(())
    }
}

/// A published accuracy.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedFigure {
    /// Short name of the method, for example `QIL`.
    pub method: String,
    /// What sets it apart within its method; `None`: the method as its authors propose it.
    pub variant: Option<String>,
    /// The network.
    pub network: Network,
    /// The widths.
    pub bits: Bits,
    /// Percent on ImageNet's validation images.
    pub top1: f64,
    /// Full-precision top-1 of the same paper, in percent.
    pub baseline: Option<f64>,
    /// Whether `baseline` was read and not remembered.
    pub baseline_verified: bool,
    /// Whether `top1` was read and not remembered.
    pub verified: bool,
    /// What to know before comparing.
    pub note: Option<String>,
    /// Where it comes from.
    pub citation: Citation,
}

impl PublishedFigure {
    /// Points against the paper's own full-precision network; `None` where that is unknown.
    pub fn gap(&self) -> Option<f64> {
        self.baseline.map(|baseline| self.top1 - baseline)
    }
}

/// All figures, in the order of the data file: QIL first.
pub fn published() -> &'static [PublishedFigure] {
    static FIGURES: LazyLock<Vec<PublishedFigure>> = LazyLock::new(|| {
        let text = include_str!("../data/published.toml");
        read(text).expect("the figures that ship with the program are well-formed, as a test shows")
    });
    &FIGURES
}

/// The figure of a method as its authors propose it.
pub fn published_figure(
    method: &str,
    network: Network,
    bits: Bits,
) -> Option<&'static PublishedFigure> {
    published().iter().find(|f| {
        f.method == method && f.variant.is_none() && f.network == network && f.bits == bits
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    paper: Vec<Paper>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Paper {
    method: String,
    variant: Option<String>,
    title: String,
    authors: String,
    year: u16,
    table: Option<String>,
    arxiv: Option<String>,
    read_in: Option<String>,
    verified: bool,
    note: Option<String>,
    #[serde(default)]
    baselines: BTreeMap<String, f64>,
    #[serde(default)]
    baselines_verified: bool,
    figures: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    network: Network,
    weights: u8,
    activations: u8,
    top1: f64,
}

fn read(text: &str) -> Result<Vec<PublishedFigure>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let of = |paper: Paper| {
        let citation = Citation {
            title: paper.title,
            authors: paper.authors,
            year: paper.year,
            table: paper.table,
            arxiv: paper.arxiv,
            read_in: paper.read_in,
        };
        let (baselines, rows) = (paper.baselines, paper.figures);
        rows.into_iter().map(move |row| PublishedFigure {
            method: paper.method.clone(),
            variant: paper.variant.clone(),
            network: row.network,
            bits: Bits { weights: row.weights, activations: row.activations },
            top1: row.top1,
            baseline: baselines.get(row.network.as_str()).copied(),
            baseline_verified: paper.baselines_verified
                && baselines.contains_key(row.network.as_str()),
            verified: paper.verified,
            note: paper.note.clone(),
            citation: citation.clone(),
        })
    };
    Ok(file.paper.into_iter().flat_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_plausible_and_stands_once() {
        let mut seen = Vec::new();
        for figure in published() {
            assert!(figure.top1 > 20.0 && figure.top1 < 80.0, "{figure:?}");
            assert!(!figure.bits.is_full() && Bits::is_valid_width(figure.bits.weights));
            assert_eq!(figure.verified, figure.citation.read_in.is_some(), "{figure:?}");
            let key = (&figure.method, &figure.variant, figure.network, figure.bits);
            assert!(!seen.contains(&key), "{key:?} stands twice");
            seen.push(key);
        }
    }

    #[test]
    fn the_paper_of_the_method_is_there_in_full() {
        // Jung et al. 2019, Table 1.
        let table = [
            (Network::ResNet18, [70.4, 70.1, 69.2, 65.7], 70.2),
            (Network::ResNet34, [73.7, 73.7, 73.1, 70.6], 73.7),
            (Network::AlexNet, [61.9, 62.0, 61.3, 58.1], 61.8),
        ];
        for (network, accuracies, baseline) in table {
            for (bits, top1) in [5, 4, 3, 2].into_iter().zip(accuracies) {
                let figure = published_figure("QIL", network, Bits::both(bits)).expect("published");
                assert_eq!((figure.top1, figure.baseline), (top1, Some(baseline)));
                assert!(figure.verified && figure.baseline_verified);
                assert_eq!(
                    figure.citation.to_string(),
                    "Jung et al. 2019, Table 1, arXiv:1808.05779"
                );
            }
        }
    }

    #[test]
    fn a_gap_needs_a_baseline_of_the_same_paper() {
        let qil = published_figure("QIL", Network::ResNet18, Bits::both(2)).expect("published");
        assert!((qil.gap().expect("a baseline") + 4.5).abs() < 1e-9);
        let dorefa = published_figure("DoReFa", Network::ResNet18, Bits::both(2)).expect("quoted");
        assert_eq!(dorefa.gap(), None);
    }
}
