//! The connections of a store; and those of tenants that share tables, each of which is one tenant's while it is used.
//!
//! Row level security looks at a setting of the connection, so what matters is that nothing is ever sent on one whose
//! setting is not known. Whatever comes from the pool is set before it is handed out. What comes back is set once more,
//! beside the caller, which also finds a connection that broke, or that was left in a transaction; only then it rests, to
//! be used again by the same tenant without a question. A connection on which that does not work is closed.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::runtime::Handle;

use super::Task;
use crate::model::TenantName;
use crate::sql::Texts;
use crate::storage::{doctor, failure, tenants};
use crate::{Error, Result};

/// One that rested this long is given back to the pool.
const REST: Duration = Duration::from_millis(500);
/// However busy, one is given back after this long, so that the pool's own rules, such as a lifetime, reach it.
const KEPT: Duration = Duration::from_secs(10);
/// How long a connection that comes back may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one of the application's own connections of a tenant may rest.
const IDLE: Duration = Duration::from_secs(10);

/// Where a store gets its connections from.
#[derive(Debug)]
pub(crate) struct Connections {
    pool: PgPool,
    tenant: Option<Arc<OfTenant>>,
    /// A pooler lends a server for each transaction.
    pooled: bool,
}

/// The connections of one tenant.
#[derive(Debug)]
struct OfTenant {
    name: TenantName,
    /// The statement that makes a connection this tenant's.
    enter: Arc<str>,
    shared: Arc<SharedConnections>,
    /// For the application's own SQL: their setting is never changed.
    own: OnceLock<PgPool>,
}

/// The connections that tenants share.
#[derive(Debug)]
pub(crate) struct SharedConnections {
    pool: PgPool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last one rested least.
    resting: Vec<Resting>,
    /// How many wait for a connection of the pool.
    waiting: usize,
    watch: Option<Task>,
}

#[derive(Debug)]
struct Resting {
    conn: PoolConnection<Postgres>,
    tenant: TenantName,
    taken: Instant,
    since: Instant,
}

impl Connections {
    /// All of a pool's.
    pub(crate) fn of(pool: PgPool) -> Self {
        Self { pool, tenant: None, pooled: false }
    }

    /// Each is in a transaction whenever it is asked something, as a pooler needs it.
    pub(crate) fn pooled(self, pooled: bool) -> Self {
        Self { pooled, ..self }
    }

    /// Those of one tenant, in the schema of these texts.
    pub(crate) fn of_tenant(shared: &Arc<SharedConnections>, texts: &Texts, name: &TenantName) -> Self {
        let enter = tenants::entering(texts, name).into();
        let of = OfTenant { name: name.clone(), enter, shared: Arc::clone(shared), own: OnceLock::new() };
        Self { pool: shared.pool.clone(), tenant: Some(Arc::new(of)), pooled: false }
    }

    /// A connection; a tenant's is set to it. Cancel safe.
    pub(crate) async fn acquire(&self) -> Result<Connection> {
        match &self.tenant {
            None => {
                let mut conn = Connection::of(self.pool.acquire().await?, None, Instant::now());
                conn.pooled = self.pooled;
                Ok(conn)
            }
            Some(of) => of.acquire().await,
        }
    }

    /// A transaction on a connection of its own. Cancel safe: it is begun in a task, and ended there when nobody takes it.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        let conn = self.acquire().await?.into_pooled();
        let begun = tokio::spawn(Transaction::begin(conn, None));
        // a task that nobody aborts ends without an answer only when the runtime does
        Ok(begun.await.map_err(|_gone| Error::PoolTimeout)??)
    }

    /// The name of the tenant that they are of.
    pub(crate) fn tenant(&self) -> Option<&TenantName> {
        self.tenant.as_ref().map(|of| &of.name)
    }

    /// The pool for the application's own SQL. A tenant's has connections of its own.
    pub(crate) fn pool(&self) -> &PgPool {
        match &self.tenant {
            None => &self.pool,
            Some(of) => of.own.get_or_init(|| of.open_own()),
        }
    }

    /// How to reach the database.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// How many there are at most.
    pub(crate) fn most(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// Whether the pool has no connection left to give.
    pub(crate) fn is_used_up(&self) -> bool {
        is_used_up(&self.pool)
    }
}

fn is_used_up(pool: &PgPool) -> bool {
    pool.is_closed() || (pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections())
}

impl OfTenant {
    async fn acquire(self: &Arc<Self>) -> Result<Connection> {
        let of = Some(Arc::clone(self));
        let (rested, waiting) = self.shared.take(&self.name);
        let mut taken = Instant::now();
        let mut other = match rested {
            Some(Resting { conn, tenant, taken, .. }) if tenant == self.name => {
                return Ok(Connection::of(conn, of, taken));
            }
            Some(resting) => {
                taken = resting.taken;
                Some(resting.conn)
            }
            None => None,
        };
        // as many of those that rested may be broken as there are
        let mut tries = 0..=self.shared.pool.options().get_max_connections();
        loop {
            let mut conn = match other.take() {
                Some(conn) => conn,
                None => self.shared.pool.acquire().await?,
            };
            // given up here, it goes to the pool: whoever takes it from there sets it anew
            match tenants::enter(&mut conn, &self.enter).await {
                Ok(()) => {
                    drop(waiting);
                    return Ok(Connection::of(conn, of, taken));
                }
                Err(error) if failure::unfit_connection(&error) => {
                    drop(conn.detach());
                    tracing::debug!(%error, "a connection was closed, as it was left unfit for use");
                    if tries.next().is_none() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Connections that are this tenant's whenever they are taken, whatever the application did with them before.
    fn open_own(&self) -> PgPool {
        let (opened, taken) = (Arc::clone(&self.enter), Arc::clone(&self.enter));
        let options = self.shared.pool.options().clone().min_connections(0).idle_timeout(IDLE);
        let options = options.after_connect(move |conn, _| {
            let enter = Arc::clone(&opened);
            Box::pin(async move { tenants::enter_raw(conn, &enter).await })
        });
        let options = options.before_acquire(move |conn, _| {
            let enter = Arc::clone(&taken);
            Box::pin(async move { tenants::enter_raw(conn, &enter).await.map(|()| true) })
        });
        options.connect_lazy_with(self.shared.pool.connect_options().as_ref().clone())
    }

    /// Looks at a connection that was used, sets it once more, and lets it rest.
    async fn give_back(self: Arc<Self>, mut conn: PoolConnection<Postgres>, taken: Instant) {
        match tokio::time::timeout(PATIENCE, tenants::enter(&mut conn, &self.enter)).await {
            Ok(Ok(())) => self.shared.rest(Resting { conn, tenant: self.name.clone(), taken, since: Instant::now() }),
            failed => {
                tracing::debug!(?failed, tenant = %self.name, "a connection was closed, as it was left unfit for use");
                drop(conn.detach());
            }
        }
    }
}

impl SharedConnections {
    pub(crate) fn of(pool: PgPool) -> Self {
        Self { pool, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // every change under it is whole before anything can panic
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that rests for this tenant; or another one's, when the pool has none to give. Unless it is this tenant's own,
    /// what comes back meanwhile goes to the pool, as somebody waits.
    fn take(self: &Arc<Self>, tenant: &TenantName) -> (Option<Resting>, Option<Waiting>) {
        let mut state = self.state();
        if let Some(own) = state.resting.iter().rposition(|it| it.tenant == *tenant) {
            return (Some(state.resting.remove(own)), None);
        }
        state.waiting += 1;
        let other = !state.resting.is_empty() && is_used_up(&self.pool);
        (other.then(|| state.resting.remove(0)), Some(Waiting(Arc::clone(self))))
    }

    /// Lets a connection rest, unless somebody waits for one of the pool.
    fn rest(self: &Arc<Self>, resting: Resting) {
        let mut state = self.state();
        if state.waiting > 0 || self.pool.is_closed() {
            drop(state);
            return drop(resting);
        }
        state.resting.push(resting);
        if state.watch.as_ref().is_none_or(Task::is_finished) {
            state.watch = Some(Task::spawn(watch(Arc::downgrade(self))));
        }
    }
}

impl Drop for SharedConnections {
    fn drop(&mut self) {
        if Handle::try_current().is_err() {
            // the pool would spawn a task for each; without a runtime they can only be closed
            self.state().resting.drain(..).for_each(|it| drop(it.conn.leak()));
        }
    }
}

/// Counts one who waits for a connection of the pool.
struct Waiting(Arc<SharedConnections>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// Gives back what rested, for as long as anybody shares the connections.
async fn watch(shared: Weak<SharedConnections>) {
    loop {
        tokio::time::sleep(REST / 5).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.state();
        let somebody_waits = state.waiting > 0;
        let tired = state.resting.iter().take_while(|it| somebody_waits || it.since.elapsed() >= REST).count();
        let tired: Vec<_> = state.resting.drain(..tired).collect();
        drop(state);
        drop(tired);
    }
}

/// A connection. Dropped, it goes back.
#[derive(Debug)]
pub(crate) struct Connection {
    /// `None` while it goes.
    conn: Option<PoolConnection<Postgres>>,
    of: Option<Arc<OfTenant>>,
    taken: Instant,
    /// Whether a transaction is being begun.
    beginning: bool,
    /// Whether statements on it begin transactions of their own.
    pooled: bool,
}

impl Connection {
    fn of(conn: PoolConnection<Postgres>, of: Option<Arc<OfTenant>>, taken: Instant) -> Self {
        Self { conn: Some(conn), of, taken, beginning: false, pooled: false }
    }

    /// A transaction on it.
    ///
    /// Cancel safe, where sqlx's own is not: of a `BEGIN` that was sent and whose answer was not awaited it knows nothing,
    /// so what is next on the connection would be answered, and never committed. Given up in between, it is closed.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Postgres>> {
        self.beginning = true;
        let Some(conn) = &mut self.conn else { unreachable!("a connection goes once") };
        let tx = sqlx::Connection::begin(&mut **conn).await?;
        self.beginning = false;
        Ok(tx)
    }

    /// As one of the pool, which nobody gives back to its tenant.
    fn into_pooled(mut self) -> PoolConnection<Postgres> {
        self.of = None;
        self.taken_out()
    }

    fn taken_out(&mut self) -> PoolConnection<Postgres> {
        match self.conn.take() {
            Some(conn) => conn,
            None => unreachable!("a connection goes once"),
        }
    }

    /// Without its pool, which may open another one.
    pub(crate) fn detach(self) -> PgConnection {
        self.into_pooled().detach()
    }

    /// Without its pool, which goes on counting it: for when the runtime is gone.
    pub(crate) fn leak(self) -> PgConnection {
        self.into_pooled().leak()
    }

    /// Closes it.
    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.into_pooled().close().await?)
    }

    /// Gives it back after our own statements alone were sent on it, and answered as they should: a tenant's rests at once.
    pub(crate) fn rest(mut self) {
        if let Some(of) = self.of.take().filter(|_| self.taken.elapsed() <= KEPT) {
            let (conn, tenant, taken) = (self.taken_out(), of.name.clone(), self.taken);
            of.shared.rest(Resting { conn, tenant, taken, since: Instant::now() });
        }
    }

    /// Has it closed when it is dropped, and not given back.
    pub(crate) fn close_on_drop(&mut self) {
        (self.of, self.pooled) = (None, false);
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.beginning {
            self.close_on_drop();
        }
        if let (true, Some(_), Ok(runtime)) = (self.pooled, &self.conn, Handle::try_current()) {
            return drop(runtime.spawn(give_back_outside_of_transactions(self.taken_out())));
        }
        let (Some(of), Some(_)) = (self.of.take(), &self.conn) else { return };
        let conn = self.taken_out();
        match Handle::try_current() {
            Err(_gone) => drop(conn.leak()),
            // those who wait are served by the pool
            Ok(_) if self.taken.elapsed() > KEPT || of.shared.state().waiting > 0 => drop(conn),
            Ok(runtime) => drop(runtime.spawn(of.give_back(conn, self.taken))),
        }
    }
}

/// Gives a connection back, unless a transaction is open on it: one whose `BEGIN` was given up would keep a server of the
/// pooler for as long as nobody uses it.
async fn give_back_outside_of_transactions(mut conn: PoolConnection<Postgres>) {
    match tokio::time::timeout(PATIENCE, doctor::holds_transaction(&mut conn)).await {
        Ok(Ok(false)) => {}
        failed => {
            tracing::debug!(?failed, "a connection was closed, as it was left in a transaction, or is unfit for use");
            drop(conn.detach());
        }
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.conn {
            Some(conn) => conn,
            None => unreachable!("a connection goes once"),
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.conn {
            Some(conn) => conn,
            None => unreachable!("a connection goes once"),
        }
    }
}
