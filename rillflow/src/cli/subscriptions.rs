//! `rillflow subscriptions`.

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::connect::Session;
use super::events::{Columns, Shown};
use super::failure::Failure;
use super::out::{count, maybe, moment};
use super::{Done, Ran, interrupted};
use crate::subscriptions::{GroupStatus, SubscriptionFilter, SubscriptionInfo, SubscriptionOptions};
use crate::{Error, Store};

/// What to do with subscriptions.
#[derive(Debug, Subcommand)]
pub(super) enum Subscriptions {
    /// Make a subscription, or give it another filter.
    Create(Create),
    /// All subscriptions.
    List,
    /// A subscription and all its groups.
    Status(One),
    /// Stop the delivery, in whatever process it runs.
    Pause(InGroup),
    /// Let what was paused go on.
    Resume(InGroup),
    /// Send a subscription, or one of its groups, to a position: it gets everything after it, again or not at all.
    Reset {
        #[command(flatten)]
        one: InGroup,
        /// The position after which it goes on.
        #[arg(value_parser = clap::value_parser!(i64).range(0..))]
        position: i64,
    },
    /// Delete a subscription with its groups and their checkpoints. Asks first.
    Delete(One),
    /// Take part as a member: print events as they come, and acknowledge each.
    Tail(Tail),
    /// The groups of a subscription.
    Groups(One),
    /// How far a group is, and who belongs to it.
    GroupStatus {
        /// The subscription's name.
        name: String,
        /// The group.
        #[arg(long)]
        group: String,
    },
    /// The events that were given up.
    DlqList {
        #[command(flatten)]
        one: InGroup,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Have dead letters tried anew.
    DlqRequeue(Letters),
    /// Give dead letters up for good.
    DlqDelete(Letters),
}

/// One subscription.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The subscription's name.
    name: String,
}

/// A subscription, or one of its groups.
#[derive(Debug, Args)]
pub(super) struct InGroup {
    /// The subscription's name.
    name: String,
    /// This group only.
    #[arg(long)]
    group: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct Letters {
    /// The subscription's name.
    name: String,
    /// A letter, as `dlq-list` numbers it; may be given several times.
    #[arg(long, required = true)]
    id: Vec<i64>,
}

/// A subscription to be.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name.
    name: String,
    /// Only events of this name; may be given several times.
    #[arg(long, value_name = "NAME")]
    event_type: Vec<String>,
    /// Only streams of this category; may be given several times.
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
    /// Only this stream, by id; may be given several times.
    #[arg(long, value_name = "ID")]
    stream: Vec<Uuid>,
    /// Only streams whose alias begins so, such as `orders:`.
    #[arg(long, value_name = "PREFIX")]
    stream_prefix: Option<String>,
    /// The position after which a group begins that has not been here before.
    #[arg(long, value_name = "POSITION", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    start_from: i64,
}

/// What to print.
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// The subscription's name.
    name: String,
    /// The group to take part in.
    #[arg(long)]
    group: Option<String>,
    /// End after this many events.
    #[arg(long, value_name = "EVENTS")]
    limit: Option<u64>,
    #[command(flatten)]
    columns: Columns,
}

impl Subscriptions {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let store = session.store().await?;
        let all = store.subscriptions();
        match self {
            Self::Create(create) => create.run(session, &store).await?,
            Self::List => list(session, &all.list().await?)?,
            Self::Status(one) | Self::Groups(one) => groups(session, &store, &one.name).await?,
            Self::Pause(it) => {
                it.known(&store, all.pause(&it.name, it.group.as_deref()).await).await?;
                groups(session, &store, &it.name).await?;
            }
            Self::Resume(it) => {
                it.known(&store, all.resume(&it.name, it.group.as_deref()).await).await?;
                groups(session, &store, &it.name).await?;
            }
            Self::Reset { one: it, position } => {
                it.known(&store, all.reset(&it.name, it.group.as_deref(), position).await).await?;
                groups(session, &store, &it.name).await?;
            }
            Self::Delete(one) => delete(session, &store, &one.name).await?,
            Self::Tail(tail) => tail.run(session, &store).await?,
            Self::GroupStatus { name, group } => {
                known(&store, &name).await?;
                let status = all.group_status(&name, &group).await?;
                group_status(session, &status.ok_or_else(|| no_group(&name, Some(&group)))?)?;
            }
            Self::DlqList { one, limit } => letters(session, &store, &one, limit.into()).await?,
            Self::DlqRequeue(it) => {
                known(&store, &it.name).await?;
                it.done(session, "requeued", all.requeue(&it.name, &it.id).await?)?;
            }
            Self::DlqDelete(it) => {
                known(&store, &it.name).await?;
                it.done(session, "deleted", all.delete_dead_letters(&it.name, &it.id).await?)?;
            }
        }
        Ok(Done::Well)
    }
}

async fn known(store: &Store, name: &str) -> Result<SubscriptionInfo, Failure> {
    store.subscriptions().get(name).await?.ok_or_else(|| {
        let help = format!("`rillflow subscriptions create {name}` makes it, `rillflow subscriptions list` names all");
        Failure::failed(format!("there is no subscription `{name}`"), help)
    })
}

fn no_group(name: &str, group: Option<&str>) -> Failure {
    let problem = match group {
        Some(group) => format!("subscription `{name}` has no group `{group}`"),
        None => format!("nobody has subscribed to `{name}` yet"),
    };
    Failure::failed(problem, "a group is made by its first member; `rillflow subscriptions groups` names all")
}

impl InGroup {
    /// Tells a group that is missing from a subscription that is.
    async fn known(&self, store: &Store, changed: crate::Result<()>) -> Result<(), Failure> {
        match changed {
            Err(Error::UnknownSubscription { .. }) => {
                known(store, &self.name).await?;
                Err(no_group(&self.name, self.group.as_deref()))
            }
            changed => Ok(changed?),
        }
    }
}

impl Letters {
    fn done(&self, session: &mut Session, how: &str, number: u64) -> Result<(), Failure> {
        if number == 0 {
            let help = format!("`rillflow subscriptions dlq-list {}` names those there are", self.name);
            return Err(Failure::failed(format!("`{}` has no such dead letter", self.name), help));
        }
        session.out.show(&json!({ how: number }), |out| out.line(&format!("{} {how}", count(number, "dead letter"))))
    }
}

async fn delete(session: &mut Session, store: &Store, name: &str) -> Result<(), Failure> {
    known(store, name).await?;
    session.confirm(&format!("Delete subscription {name}, its groups and how far they are?"))?;
    store.subscriptions().delete(name).await?;
    session.out.show(&json!({ "deleted": name }), |out| out.line(&format!("deleted {name}")))
}

impl Create {
    async fn run(self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
        let filter = SubscriptionFilter {
            event_types: some(self.event_type),
            categories: some(self.category),
            stream_ids: (!self.stream.is_empty()).then_some(self.stream),
            stream_prefix: self.stream_prefix,
            ..Default::default()
        };
        let options = SubscriptionOptions::after(self.start_from);
        store.subscriptions().create_or_update(&self.name, &filter, &options).await?;
        let info = known(store, &self.name).await?;
        session.out.show(&info, |out| out.line(&format!("{} begins after position {}", info.name, info.start_position)))
    }
}

fn list(session: &mut Session, all: &[SubscriptionInfo]) -> Result<(), Failure> {
    session.out.show(all, |out| {
        let rows = all.iter().map(|it| {
            [it.name.clone(), it.start_position.to_string(), moment(it.created_at), json!(it.filter).to_string()]
        });
        out.table(["subscription", "begins after", "made", "filter"], rows, "No subscriptions.")
    })
}

async fn groups(session: &mut Session, store: &Store, name: &str) -> Result<(), Failure> {
    known(store, name).await?;
    let all = store.subscriptions().groups(name).await?;
    session.out.show(&all, |out| {
        let rows = all.iter().map(|it| {
            let numbers = [it.position, it.lag, it.members.len() as i64, it.retries, it.dead_letters];
            let [position, lag, members, retries, letters] = numbers.map(|n| n.to_string());
            [name_of(it), it.status.clone(), position, lag, members, retries, letters]
        });
        let headings = ["group", "status", "position", "behind", "members", "retries", "dead letters"];
        out.table(headings, rows, "Nobody has subscribed yet.")
    })
}

fn name_of(group: &GroupStatus) -> String {
    group.group.clone().unwrap_or_else(|| "(none)".to_owned())
}

fn group_status(session: &mut Session, it: &GroupStatus) -> Result<(), Failure> {
    session.out.show(it, |out| {
        out.facts([
            ("subscription", it.subscription.clone()),
            ("group", name_of(it)),
            ("status", it.status.clone()),
            ("position", it.position.to_string()),
            ("behind", format!("{} positions, {:.1} s", it.lag, it.lag_seconds)),
            ("retries", it.retries.to_string()),
            ("dead letters", it.dead_letters.to_string()),
        ])?;
        let rows = it.members.iter().map(|member| {
            let owned = it.partitions.iter().filter(|partition| partition.owner == Some(member.member)).count();
            [member.member.to_string(), owned.to_string(), moment(member.joined_at)]
        });
        out.table(["member", "partitions", "since"], rows, "No member is alive.")
    })
}

impl Tail {
    async fn run(self, session: &mut Session, store: &Store) -> Result<(), Failure> {
        let mut stopped = std::pin::pin!(interrupted());
        let info = known(store, &self.name).await?;
        let options =
            SubscriptionOptions { group: self.group, ..SubscriptionOptions::after(info.start_position) }.manual();
        let (handle, mut events) = store.subscriptions().subscribe(&self.name, info.filter, options).await?;
        let printing = async {
            let mut left = self.limit.unwrap_or(u64::MAX);
            while left > 0 {
                let next = tokio::select! {
                    next = events.recv() => next,
                    () = &mut stopped => None,
                };
                let Some(event) = next else { break };
                let shown = Shown::new(&event);
                session.out.show_line(&shown, || self.columns.line(&shown))?;
                // what was printed was seen: nothing else of it can fail
                handle.ack(event.global_seq).await?;
                left -= 1;
            }
            Ok(())
        };
        let printed = printing.await;
        // the others need not wait until its leases run out, also when nobody reads any more
        let left = handle.shutdown().await;
        printed.and(left.map_err(Failure::from))
    }
}

async fn letters(session: &mut Session, store: &Store, of: &InGroup, limit: i64) -> Result<(), Failure> {
    known(store, &of.name).await?;
    let letters = store.subscriptions().dead_letters(&of.name, of.group.as_deref(), limit).await?;
    session.out.show(&letters, |out| {
        let rows = letters.iter().map(|it| {
            let (id, position, attempts) = (it.id.to_string(), it.position.to_string(), it.attempts.to_string());
            [id, position, it.stream_id.to_string(), attempts, moment(it.dead_at), maybe(it.error.clone())]
        });
        out.table(["id", "position", "stream", "attempts", "given up", "error"], rows, "No dead letters.")
    })
}
