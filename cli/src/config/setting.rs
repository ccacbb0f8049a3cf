//! The settings by name.

use std::fmt;
use std::path::PathBuf;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Where all data is kept.
    DataDir,
    /// REST and GraphQL.
    Listen,
    /// The node of the event log.
    NodeListen,
    /// Whether the node keeps the system streams of the standard projections.
    StartStandardProjections,
    /// Metrics, health and log level.
    AdminListen,
    /// Whether other addresses than loopback may be listened on.
    AllowUnauthenticatedNetwork,
    /// Payment and shipping to try out.
    SandboxListen,
    /// How long goods of the sandbox are on their way.
    SandboxDeliveryDelay,
    /// The payment gateway.
    PaymentGateway,
    /// The shipping gateway.
    ShippingGateway,
    /// A database instead of a private one.
    DatabaseUrl,
    /// A log instead of a node of our own.
    EventStore,
    /// The zone of the shop's days.
    ShopTimezone,
    /// How long what rows were is kept.
    History,
    /// Which contexts the commands are of.
    Contexts,
    /// Whether a new shop begins without the sample.
    NoSample,
    /// How log lines look.
    LogFormat,
    /// What is logged.
    LogFilter,
    /// How much memory the page for operators may take.
    OpsMemory,
}

impl Setting {
    /// Every setting, in the order they are shown.
    pub const ALL: [Setting; 19] = [
        Setting::DataDir,
        Setting::Listen,
        Setting::NodeListen,
        Setting::StartStandardProjections,
        Setting::AdminListen,
        Setting::SandboxListen,
        Setting::AllowUnauthenticatedNetwork,
        Setting::DatabaseUrl,
        Setting::EventStore,
        Setting::PaymentGateway,
        Setting::ShippingGateway,
        Setting::SandboxDeliveryDelay,
        Setting::ShopTimezone,
        Setting::History,
        Setting::Contexts,
        Setting::NoSample,
        Setting::LogFormat,
        Setting::LogFilter,
        Setting::OpsMemory,
    ];

    /// The name of the flag without its dashes, and the key in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Setting::DataDir => "data-dir",
            Setting::Listen => "listen",
            Setting::NodeListen => "node-listen",
            Setting::StartStandardProjections => "start-standard-projections",
            Setting::AdminListen => "admin-listen",
            Setting::SandboxListen => "sandbox-listen",
            Setting::SandboxDeliveryDelay => "delivery-delay",
            Setting::PaymentGateway => "payment-gateway",
            Setting::ShippingGateway => "shipping-gateway",
            Setting::AllowUnauthenticatedNetwork => "allow-unauthenticated-network",
            Setting::DatabaseUrl => "database-url",
            Setting::EventStore => "eventstore",
            Setting::ShopTimezone => "shop-timezone",
            Setting::History => "history",
            Setting::Contexts => "contexts",
            Setting::NoSample => "no-sample",
            Setting::LogFormat => "log-format",
            Setting::LogFilter => "log-filter",
            Setting::OpsMemory => "ops-memory",
        }
    }

    /// The environment variable.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Setting::DataDir => "HEADWATER_DATA_DIR",
            Setting::Listen => "HEADWATER_LISTEN",
            Setting::NodeListen => "HEADWATER_NODE_LISTEN",
            Setting::StartStandardProjections => "HEADWATER_START_STANDARD_PROJECTIONS",
            Setting::AdminListen => "HEADWATER_ADMIN_LISTEN",
            Setting::SandboxListen => "HEADWATER_SANDBOX_LISTEN",
            Setting::SandboxDeliveryDelay => "HEADWATER_DELIVERY_DELAY",
            Setting::PaymentGateway => "HEADWATER_PAYMENT_GATEWAY",
            Setting::ShippingGateway => "HEADWATER_SHIPPING_GATEWAY",
            Setting::AllowUnauthenticatedNetwork => "HEADWATER_ALLOW_UNAUTHENTICATED_NETWORK",
            Setting::DatabaseUrl => "DATABASE_URL",
            Setting::EventStore => "HEADWATER_EVENTSTORE",
            Setting::ShopTimezone => "HEADWATER_SHOP_TIMEZONE",
            Setting::History => "HEADWATER_HISTORY",
            Setting::Contexts => "HEADWATER_CONTEXTS",
            Setting::NoSample => "HEADWATER_NO_SAMPLE",
            Setting::LogFormat => "HEADWATER_LOG_FORMAT",
            Setting::LogFilter => "RUST_LOG",
            Setting::OpsMemory => "HEADWATER_OPS_MEMORY",
        }
    }

    /// The setting that a key of the file names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name)
    }
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag(Setting),
    /// A variable.
    Environment(Setting),
    /// A configuration file.
    File(PathBuf),
    /// Nobody gave one.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(setting) => write!(f, "flag --{}", setting.name()),
            Source::Environment(setting) => write!(f, "environment {}", setting.variable()),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A setting with its value as text. The text may hold a password: show it by [`super::masked`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Which.
    pub setting: Setting,
    /// Its value; `None` when there is none and none is needed.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
}
