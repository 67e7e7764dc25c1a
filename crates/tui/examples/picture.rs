//! Prints a picture of a live sweep as SVG:
//! `cargo run -p bitsweep-tui --example picture -- ADDRESS [SWEEP] > picture.svg`.

use std::error::Error;
use std::io::{Write, stdout};

use bitsweep_tui::{Appearance, DashboardOptions, picture};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("give the coordinator's address, host:port")?;
    let mut options = DashboardOptions::new(address);
    options.sweep = arguments.next();
    options.appearance = Appearance { zone: options.appearance.zone, ..Appearance::full() };
    stdout().write_all(picture(options, 120, 32).await?.as_bytes())?;
    Ok(())
}
