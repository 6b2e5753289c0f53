//! Who is measured. The first is what all others are measured by.

mod by_hand_on_sqlx;
mod by_hand_on_tokio_postgres;
mod by_hand_tables;
mod rillflow;

use futures_util::future::BoxFuture;

use crate::Result;
use crate::contest::{Case, Workers};
use crate::server::Server;

/// How many streams of 100 events there are to load and read.
pub(crate) const STREAMS: usize = 200;
pub(crate) const PAGE: i64 = 1000;

pub(crate) trait Contestant: Send + Sync {
    fn name(&self) -> &'static str;

    /// The database that it uses in a case: one for each kind of case, so that none finds what another left.
    fn database(&self, case: Case) -> String;

    /// Workers that are ready to begin; none when it does not take part.
    fn workers<'a>(&'a self, server: &'a Server, case: Case) -> BoxFuture<'a, Result<Workers>>;
}

pub(crate) fn all() -> Vec<Box<dyn Contestant>> {
    vec![
        Box::new(by_hand_on_tokio_postgres::ByHand),
        Box::new(by_hand_on_sqlx::ByHand),
        Box::new(rillflow::Rillflow { batch_appends: true }),
        Box::new(rillflow::Rillflow { batch_appends: false }),
    ]
}

/// The database of a contestant in a kind of case.
pub(crate) fn database(contestant: &str, case: Case) -> String {
    format!("{contestant}_{:?}", case.kind()).to_lowercase()
}

/// Something else each time.
#[derive(Clone, Debug)]
pub(crate) struct Turns(usize);

impl Turns {
    pub(crate) fn new(worker: usize) -> Self {
        Self(worker.wrapping_mul(7919))
    }

    pub(crate) fn next(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
