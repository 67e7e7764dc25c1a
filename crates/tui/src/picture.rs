//! A picture of a live sweep, for documents.

use tokio::sync::mpsc;

use crate::clock::now_ms;
use crate::error::TuiError;
use crate::link::{Connection, Target};
use crate::model::{Event, Model};
use crate::options::DashboardOptions;
use crate::screenshot::screenshot;

/// The Sweep screen as the coordinator's first answer fills it, as SVG, on a terminal of
/// `width` × `height` characters. Waits for a first sweep where there is none.
///
/// # Errors
/// When nobody answers, or the coordinator refuses.
pub async fn picture(
    options: DashboardOptions,
    width: u16,
    height: u16,
) -> Result<String, TuiError> {
    let (sender, mut updates) = mpsc::channel(64);
    let target = Target { address: options.address, sweep: options.sweep };
    let _connection = Connection::open(target, sender).await?;
    let mut model = Model::new(options.leave, now_ms());
    while let Some(event) = updates.recv().await {
        let is_snapshot = matches!(event, Event::Update(_));
        model.update(event, now_ms());
        if is_snapshot {
            break;
        }
    }
    Ok(screenshot(&model, width, height, &options.appearance))
}
