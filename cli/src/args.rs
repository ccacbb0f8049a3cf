//! The command line: what each command is for and which flags it takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bench::flags::Benchmark;
use crate::config::Setting;
use crate::import::flags::ImportSource;

mod health;
mod log;
mod parked;
mod projection;

pub use health::HealthFlags;
pub use log::{LogFlags, LogReportFlags};
pub use parked::{ParkedCommand, ParkedListFlags, ParkedRetryFlags, ParkedShowFlags, ParkedSkipFlags};
pub use projection::{ProjectionFlags, RebuildFlags, VerifyFlags, VersionFlags, VersionsFlags};

/// An event-sourced shop backend: REST commands in, GraphQL queries out, an event log in between.
///
/// `headwater up` starts everything on this machine, with a database and an event log of its own; no other service
/// is needed. Every setting can be a flag, an environment variable or a line of a TOML file; `headwater config` shows
/// what is in force and where it comes from.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole system in one process; Ctrl-C stops it, and all data is there at the next start
    Up(UpFlags),
    /// Start one role, to run it as a process of its own
    ///
    /// Every role takes all settings, so that one file or one environment serves them all, and leaves alone those that
    /// are not its own. `projections`, `sagas` and `queries` need a database that they share: --database-url.
    #[command(subcommand)]
    Serve(Role),
    /// Bring in the data of a shop through the REST API
    #[command(subcommand)]
    Import(ImportSource),
    /// Show how far each projection is behind the event log
    Lag(ReportFlags),
    /// Build projections anew from the event log, beside the versions that readers use
    ///
    /// Whoever folds the projection builds it, while queries are answered from the version in use. The result is compared
    /// with that version at the same position of the log; when it is the same, readers switch to it. Ctrl-C cancels, and
    /// nothing has changed.
    Rebuild(RebuildFlags),
    /// Show the versions of each projection: in use, kept, being built
    Versions(VersionsFlags),
    /// Fold the event log once more, aside, and compare the result with the tables row by row
    ///
    /// The tables stay as they are; the system may run meanwhile. Ends with code 1 when something is not the same.
    Verify(VerifyFlags),
    /// Go back to the version of a projection that was in use before
    Rollback(ProjectionFlags),
    /// Take a version into use that differs from the one in use
    Accept(VersionFlags),
    /// Drop a version that readers do not use
    DropVersion(VersionFlags),
    /// Show and settle what waits because an event could not be folded
    ///
    /// An event that cannot be folded parks the row that it would change, or its stream if it cannot even be read. It and
    /// all later events of that row or stream wait; everything else goes on.
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// Show the orders and returns that stand still until somebody helps
    Sagas(ReportFlags),
    /// Look into the event log
    #[command(subcommand)]
    Log(LogCommand),
    /// Check, copy and look into the event log's node
    #[command(subcommand)]
    Node(NodeCommand),
    /// Measure the whole system on this machine, beside what its disk and database can do
    #[command(subcommand)]
    Bench(Benchmark),
    /// Drop everything derived from the event log; it is built again at the next start
    ///
    /// Nothing of the log is touched. Needed when the log was replaced or restored from an older copy. Stop
    /// `headwater up`, `headwater serve projections` and `headwater serve sagas` first.
    ResetViews(StorageFlags),
    /// Ask a running process whether it is ready
    ///
    /// For the health checks of containers, in whose images nothing else can ask. Ends with code 1 when it is not, and
    /// says what it waits for.
    Health(HealthFlags),
    /// Show every setting in force and where it comes from, with passwords masked
    Config(ConfigFlags),
}

/// For `up`.
#[derive(Debug, Clone, Default, Args)]
pub struct UpFlags {
    /// Begin with an empty shop: without this, the first start loads a small sample of a real one
    /// [env: HEADWATER_NO_SAMPLE]
    #[arg(long)]
    pub no_sample: bool,
    /// Every setting.
    #[command(flatten)]
    pub all: AllFlags,
}

/// One part of the system.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// The REST API: takes commands and appends events to the log
    Commands(CommandsFlags),
    /// The projection workers: fold events into the database's views
    Projections(AllFlags),
    /// The sagas: carry orders and returns to their end
    Sagas(AllFlags),
    /// The GraphQL API: answers from the views
    Queries(AllFlags),
    /// The event log: a node that EventStoreDB clients connect to
    Node(AllFlags),
    /// A payment gateway and a carrier to try the shop with, which keep a ledger of every call
    Sandbox(SandboxFlags),
}

/// For `serve commands`.
#[derive(Debug, Clone, Default, Args)]
pub struct CommandsFlags {
    /// Which commands to take, such as orders,payments: products, stock, users, orders, payments, shipments or returns.
    /// The addresses of the others are not there [env: HEADWATER_CONTEXTS] [default: all]
    #[arg(long, value_name = "NAMES")]
    pub contexts: Option<String>,
    /// Every setting.
    #[command(flatten)]
    pub all: AllFlags,
}

/// For `serve sandbox`.
#[derive(Debug, Clone, Default, Args)]
pub struct SandboxFlags {
    /// End when standard input does, and have no admin server: for `headwater up`, whose child it is then
    #[arg(long, hide = true)]
    pub child: bool,
    /// Every setting.
    #[command(flatten)]
    pub all: AllFlags,
}

/// Where the data is, and how to log.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data and logs")]
pub struct StorageFlags {
    /// The folder that holds all data [env: HEADWATER_DATA_DIR] [default: /var/lib/headwater for root, else
    /// headwater in the XDG data directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<String>,
    /// A TOML file with settings [env: HEADWATER_CONFIG] [default: headwater.toml in the data directory]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A PostgreSQL database to use instead of a private one [env: DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// How log lines look, text or json [env: HEADWATER_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, such as info or warn,engine=debug [env: RUST_LOG] [default: info, libraries warn; as text also
    /// request=warn, so without a line for every request]
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Memory for the latest requests and log lines on the admin server's page /ops, MiB; 0 for no such page
    /// [env: HEADWATER_OPS_MEMORY] [default: 16]
    #[arg(long, value_name = "MIB")]
    pub ops_memory: Option<String>,
    /// How long views keep what their rows were, for queries with `asOf`: an age such as 90d, all or off
    /// [env: HEADWATER_HISTORY] [default: all]
    #[arg(long, value_name = "AGE")]
    pub history: Option<String>,
}

/// Where to listen, and which log to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Addresses")]
pub struct NetworkFlags {
    /// Address of REST and GraphQL [env: HEADWATER_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Address of the event log's node [env: HEADWATER_NODE_LISTEN] [default: 127.0.0.1:2113]
    #[arg(long, value_name = "ADDRESS")]
    pub node_listen: Option<String>,
    /// Have the event log's node keep `$streams`, `$ce-<category>` and `$et-<type>`, as EventStoreDB's standard
    /// projections do: links in the log, for applications that follow a category
    /// [env: HEADWATER_START_STANDARD_PROJECTIONS]
    #[arg(long)]
    pub start_standard_projections: bool,
    /// Address of metrics, health and log level [env: HEADWATER_ADMIN_LISTEN] [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// Address of the sandbox for payment and shipping [env: HEADWATER_SANDBOX_LISTEN] [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDRESS")]
    pub sandbox_listen: Option<String>,
    /// Listen on addresses that other machines reach, though nobody has to log in
    /// [env: HEADWATER_ALLOW_UNAUTHENTICATED_NETWORK]
    #[arg(long)]
    pub allow_unauthenticated_network: bool,
    /// An EventStoreDB or KurrentDB to use instead of the node of our own, such as esdb://host:2113?tls=false
    /// [env: HEADWATER_EVENTSTORE]
    #[arg(long, value_name = "URL")]
    pub eventstore: Option<String>,
}

/// Every setting.
#[derive(Debug, Clone, Default, Args)]
pub struct AllFlags {
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
    /// Where to listen, and which log to use.
    #[command(flatten)]
    pub network: NetworkFlags,
    /// Who takes the money and carries the goods.
    #[command(flatten)]
    pub gateways: GatewayFlags,
    /// How the shop keeps its books.
    #[command(flatten)]
    pub shop: ShopFlags,
}

/// Who takes the money and carries the goods.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Payment and shipping")]
pub struct GatewayFlags {
    /// A payment gateway instead of the sandbox [env: HEADWATER_PAYMENT_GATEWAY]
    #[arg(long, value_name = "URL")]
    pub payment_gateway: Option<String>,
    /// A shipping gateway instead of the sandbox [env: HEADWATER_SHIPPING_GATEWAY]
    #[arg(long, value_name = "URL")]
    pub shipping_gateway: Option<String>,
    /// How long goods of the sandbox are on their way [env: HEADWATER_DELIVERY_DELAY] [default: 0]
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub delivery_delay: Option<String>,
}

/// How the shop keeps its books.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The shop")]
pub struct ShopFlags {
    /// Time zone whose days sales are summed up by, such as Europe/London; once there are sales, a change needs
    /// `headwater reset-views` [env: HEADWATER_SHOP_TIMEZONE] [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub shop_timezone: Option<String>,
}

/// For `lag` and `sagas`.
#[derive(Debug, Clone, Default, Args)]
pub struct ReportFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// What to look for in the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Read every event with this binary, and name those that it cannot read
    ///
    /// For use before a new binary takes over: an event of a version that it does not know stops the projections of its
    /// category, one that it cannot read otherwise parks its stream. The system may run meanwhile. Ends with code 1 when there are such events.
    Check(LogReportFlags),
}

/// What to do with a node.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Check every record and the whole index of a node that is stopped, and say what is wrong and where
    ///
    /// Changes nothing. Ends with code 1 when something is wrong. What an interrupted write left at the end of the log
    /// is not: it was never acknowledged.
    Verify(NodeVerifyFlags),
    /// Copy a node's log while the node runs, or when it is stopped
    ///
    /// The copy holds every event that was acknowledged before, each one checked, and can be served like the
    /// original. A copy that was interrupted is never taken for one: until it is whole its folder has another name.
    Backup(BackupFlags),
    /// Have a running node free what events take on disk that no read of their stream shows any more
    ///
    /// Those are the ones that $maxCount, $maxAge and $tb hide, what a stream had before it was deleted, and all but the
    /// newest metadata. They are gone for good then. The node serves meanwhile. Ctrl-C ends it; what was freed stays freed.
    Scavenge(ScavengeFlags),
    /// Show what a running node has written, what it takes on disk, and how its groups of consumers stand
    Stats(LogReportFlags),
}

/// For `node verify`.
#[derive(Debug, Clone, Args)]
pub struct NodeVerifyFlags {
    /// The folder of a node, or the data directory that it is in
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// For `node scavenge`.
#[derive(Debug, Clone, Args)]
pub struct ScavengeFlags {
    /// Which node, and in which form to tell.
    #[command(flatten)]
    pub log: LogReportFlags,
    /// Do not wait until it is done
    #[arg(long)]
    pub no_wait: bool,
}

/// For `node backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupFlags {
    /// The folder of a node, or the data directory that it is in
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The folder to make; must not exist yet
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// For `config`.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Every setting.
    #[command(flatten)]
    pub all: AllFlags,
}

/// What the command line gives: the settings, and the file to read the others from.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Settings with their texts.
    pub settings: Vec<(Setting, String)>,
}

impl From<StorageFlags> for Given {
    fn from(flags: StorageFlags) -> Self {
        let settings = [
            (Setting::DataDir, flags.data_dir),
            (Setting::DatabaseUrl, flags.database_url),
            (Setting::LogFormat, flags.log_format),
            (Setting::LogFilter, flags.log_filter),
            (Setting::OpsMemory, flags.ops_memory),
            (Setting::History, flags.history),
        ];
        Self { file: flags.config, settings: present(settings) }
    }
}

impl From<AllFlags> for Given {
    fn from(flags: AllFlags) -> Self {
        let network = flags.network;
        let settings = [
            (Setting::Listen, network.listen),
            (Setting::NodeListen, network.node_listen),
            (Setting::AdminListen, network.admin_listen),
            (Setting::SandboxListen, network.sandbox_listen),
            (Setting::PaymentGateway, flags.gateways.payment_gateway),
            (Setting::ShippingGateway, flags.gateways.shipping_gateway),
            (Setting::SandboxDeliveryDelay, flags.gateways.delivery_delay),
            (
                Setting::StartStandardProjections,
                network.start_standard_projections.then(|| "true".to_owned()),
            ),
            (
                Setting::AllowUnauthenticatedNetwork,
                network.allow_unauthenticated_network.then(|| "true".to_owned()),
            ),
            (Setting::EventStore, network.eventstore),
            (Setting::ShopTimezone, flags.shop.shop_timezone),
        ];
        let mut given = Self::from(flags.storage);
        given.settings.extend(present(settings));
        given
    }
}

impl From<CommandsFlags> for Given {
    fn from(flags: CommandsFlags) -> Self {
        let mut given = Self::from(flags.all);
        given.settings.extend(present([(Setting::Contexts, flags.contexts)]));
        given
    }
}

impl From<UpFlags> for Given {
    fn from(flags: UpFlags) -> Self {
        let mut given = Self::from(flags.all);
        given.settings.extend(flags.no_sample.then(|| (Setting::NoSample, "true".to_owned())));
        given
    }
}

fn present(settings: impl IntoIterator<Item = (Setting, Option<String>)>) -> Vec<(Setting, String)> {
    settings.into_iter().filter_map(|(setting, text)| Some((setting, text?))).collect()
}
