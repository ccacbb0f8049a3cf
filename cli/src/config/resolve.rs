//! From what was given to what is in force.

use std::path::{Path, PathBuf};

use command_side::{Contexts, UnknownContext};
use engine::KeepHistory;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use observability::http::REQUEST_LOG_TARGET;
use observability::{DEFAULT_LOG_FILTER, LogFormat};
use process_managers::gateway::{GatewayUrl, InvalidGatewayUrl};

use super::setting::{InForce, Setting, Source};
use super::{Config, address, file};
use crate::args::Given;
use crate::failure::Failure;

/// The log format for people.
const TEXT: &str = "text";

const CONFIG_VARIABLE: &str = "HEADWATER_CONFIG";
const FILE_IN_DATA_DIR: &str = "headwater.toml";

/// The longest delay that can be set, seconds: a day.
const SECONDS_MAX: i64 = 86_400;

/// The most memory for the page for operators, MiB.
const OPS_MEMORY_MAX: usize = 1_024;

/// What the process finds around it.
pub struct Environment<'a> {
    /// Looks a variable up.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Whether the user is root.
    pub is_root: bool,
}

impl Environment<'_> {
    /// A variable that is set to something.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

/// Works out the configuration in force.
///
/// # Errors
/// A setting cannot be read or is not allowed, or the file that was asked for is not there.
pub fn resolve(given: &Given, environment: &Environment<'_>) -> Result<Config, Failure> {
    let sources = Sources::find(given, environment)?;
    let in_force = Setting::ALL
        .into_iter()
        .map(|setting| match sources.value(setting) {
            Some((value, source)) => Ok(InForce { setting, value: Some(value), source }),
            None => {
                let value = default(setting, environment)?.map(|value| sources.suited(setting, value));
                Ok(InForce { setting, value, source: Source::Default })
            }
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    checked(in_force)
}

/// Everything that may say something about a setting, strongest first.
struct Sources<'a> {
    given: &'a Given,
    environment: &'a Environment<'a>,
    file: Option<(PathBuf, Vec<(Setting, String)>)>,
}

impl<'a> Sources<'a> {
    fn find(given: &'a Given, environment: &'a Environment<'a>) -> Result<Self, Failure> {
        let mut sources = Self { given, environment, file: None };
        let named = given.file.clone().or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
        sources.file = match named {
            Some(path) => Some(read_named(path)?),
            None => {
                let data_dir = match sources.value(Setting::DataDir) {
                    Some((value, _)) => Some(value),
                    None => default(Setting::DataDir, environment)?,
                };
                data_dir.map(|dir| read_in_data_dir(Path::new(&dir))).transpose()?.flatten()
            }
        };
        Ok(sources)
    }

    fn value(&self, setting: Setting) -> Option<(String, Source)> {
        let of = |settings: &[(Setting, String)]| {
            settings.iter().find(|(found, _)| *found == setting).map(|(_, value)| value.clone())
        };
        let flag = || of(&self.given.settings).map(|value| (value, Source::Flag(setting)));
        let variable =
            || self.environment.get(setting.variable()).map(|value| (value, Source::Environment(setting)));
        let file = || {
            let (path, settings) = self.file.as_ref()?;
            Some((of(settings)?, Source::File(path.clone())))
        };
        flag().or_else(variable).or_else(file)
    }

    /// A default, as it suits the other settings: text is for people at a terminal, who know what they have asked, and a
    /// line for each request that went well would hide the others from them.
    fn suited(&self, setting: Setting, default: String) -> String {
        let as_text = || self.value(Setting::LogFormat).is_none_or(|(format, _)| format == TEXT);
        match setting {
            Setting::LogFilter if as_text() => format!("{default},{REQUEST_LOG_TARGET}=warn"),
            _ => default,
        }
    }
}

/// A file and what it sets.
type FileSettings = (PathBuf, Vec<(Setting, String)>);

fn read_named(path: PathBuf) -> Result<FileSettings, Failure> {
    match file::read(&path)? {
        Some(settings) => Ok((path, settings)),
        None => Err(Failure::usage(format!("there is no configuration file {}", path.display()))
            .hint(format!("correct --config or {CONFIG_VARIABLE}"))),
    }
}

fn read_in_data_dir(dir: &Path) -> Result<Option<FileSettings>, Failure> {
    let path = dir.join(FILE_IN_DATA_DIR);
    let Some(settings) = file::read(&path)? else { return Ok(None) };
    if settings.iter().any(|(setting, _)| *setting == Setting::DataDir) {
        return Err(Failure::usage(format!("{} cannot move the data directory it is in", path.display()))
            .hint("give data-dir as a flag, or in a file named by --config"));
    }
    Ok(Some((path, settings)))
}

fn default(setting: Setting, environment: &Environment<'_>) -> Result<Option<String>, Failure> {
    let text = match setting {
        Setting::DataDir => return default_data_dir(environment).map(Some),
        Setting::DatabaseUrl | Setting::EventStore | Setting::PaymentGateway | Setting::ShippingGateway => {
            return Ok(None);
        }
        Setting::Listen => "127.0.0.1:8080",
        Setting::NodeListen => "127.0.0.1:2113",
        Setting::AdminListen => "127.0.0.1:9464",
        Setting::SandboxListen => "127.0.0.1:8090",
        Setting::SandboxDeliveryDelay => "0",
        Setting::AllowUnauthenticatedNetwork | Setting::StartStandardProjections | Setting::NoSample => {
            "false"
        }
        Setting::ShopTimezone => "UTC",
        Setting::Contexts => "all",
        Setting::LogFormat => TEXT,
        Setting::LogFilter => DEFAULT_LOG_FILTER,
        Setting::OpsMemory => "16",
        Setting::History => "all",
    };
    Ok(Some(text.to_owned()))
}

fn default_data_dir(environment: &Environment<'_>) -> Result<String, Failure> {
    if environment.is_root {
        return Ok("/var/lib/headwater".to_owned());
    }
    // The XDG specification: a relative path in the variable is to be ignored.
    let absolute =
        |variable: &str| environment.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("headwater").to_string_lossy().into_owned()).ok_or_else(|| {
        Failure::usage("there is no home directory to keep the data in")
            .hint("choose one: --data-dir DIRECTORY")
    })
}

/// Reads every value as what it has to be.
fn checked(in_force: Vec<InForce>) -> Result<Config, Failure> {
    let of = |setting: Setting| {
        in_force
            .iter()
            .find(|found| found.setting == setting)
            .ok_or_else(|| Failure::usage(format!("the setting {} is missing", setting.name())))
    };
    let text = |setting: Setting| Ok::<_, Failure>(of(setting)?.value.clone());
    let allowed = boolean(of(Setting::AllowUnauthenticatedNetwork)?)?;
    let listen = |setting: Setting| {
        let found = of(setting)?;
        let address = address::parse(found)?;
        address::check_reach(found, address, allowed)?;
        Ok::<_, Failure>(address)
    };
    let sandbox_listen = listen(Setting::SandboxListen)?;
    address::check_port(of(Setting::SandboxListen)?, sandbox_listen)?;
    Ok(Config {
        data_dir: directory(of(Setting::DataDir)?)?,
        listen: listen(Setting::Listen)?,
        node_listen: listen(Setting::NodeListen)?,
        start_standard_projections: boolean(of(Setting::StartStandardProjections)?)?,
        admin_listen: listen(Setting::AdminListen)?,
        sandbox_listen,
        delivery_delay: seconds(of(Setting::SandboxDeliveryDelay)?)?,
        payment_gateway: gateway(of(Setting::PaymentGateway)?)?,
        shipping_gateway: gateway(of(Setting::ShippingGateway)?)?,
        allow_unauthenticated_network: allowed,
        database_url: database_url(of(Setting::DatabaseUrl)?)?,
        eventstore: text(Setting::EventStore)?,
        shop_time_zone: time_zone(of(Setting::ShopTimezone)?)?,
        history: history(of(Setting::History)?)?,
        contexts: contexts(of(Setting::Contexts)?)?,
        no_sample: boolean(of(Setting::NoSample)?)?,
        log_format: log_format(of(Setting::LogFormat)?)?,
        log_filter: text(Setting::LogFilter)?.unwrap_or_default(),
        ops_memory: mebibytes(of(Setting::OpsMemory)?)?,
        in_force,
    })
}

fn directory(in_force: &InForce) -> Result<PathBuf, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    std::path::absolute(text).map_err(|_| {
        Failure::usage(format!("{} {text:?} is not a directory", address::named(in_force)))
            .hint("name one that is empty or not there yet, such as /var/lib/headwater")
    })
}

/// The text stays as it is; it may hold a password, so it is never shown.
fn database_url(in_force: &InForce) -> Result<Option<String>, Failure> {
    let Some(url) = &in_force.value else { return Ok(None) };
    match url.parse::<tokio_postgres::Config>() {
        Ok(_) => Ok(Some(url.clone())),
        Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}", address::named(in_force)))
            .hint("write it like postgresql://user:password@host:5432/database")),
    }
}

fn seconds(in_force: &InForce) -> Result<SignedDuration, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    let found = text.parse().ok().filter(|seconds| (0..=SECONDS_MAX).contains(seconds));
    found.map(SignedDuration::from_secs).ok_or_else(|| {
        let named = address::named(in_force);
        Failure::usage(format!("{named} must be whole seconds between 0 and {SECONDS_MAX}, not {text:?}"))
    })
}

fn mebibytes(in_force: &InForce) -> Result<usize, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    let found = text.parse().ok().filter(|mebibytes| *mebibytes <= OPS_MEMORY_MAX);
    found.ok_or_else(|| {
        let named = address::named(in_force);
        Failure::usage(format!("{named} must be whole MiB between 0 and {OPS_MEMORY_MAX}, not {text:?}"))
    })
}

fn history(in_force: &InForce) -> Result<KeepHistory, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    let age = || {
        let span: Span = text.parse().ok()?;
        let age = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        std::time::Duration::try_from(age).ok().map(KeepHistory::For)
    };
    let found = match text {
        "all" => Some(KeepHistory::Everything),
        "off" => Some(KeepHistory::Nothing),
        _ => age(),
    };
    found.ok_or_else(|| {
        Failure::usage(format!("{} {text:?} is no age", address::named(in_force)))
            .hint("write it like 90d or 12h; all keeps everything, off keeps nothing")
    })
}

fn gateway(in_force: &InForce) -> Result<Option<GatewayUrl>, Failure> {
    let read = |text: &String| {
        text.parse().map_err(|error: InvalidGatewayUrl| {
            Failure::usage(format!("{}: {error}", address::named(in_force)))
        })
    };
    in_force.value.as_ref().map(read).transpose()
}

fn contexts(in_force: &InForce) -> Result<Contexts, Failure> {
    let text = in_force.value.as_deref().unwrap_or_default();
    text.parse()
        .map_err(|error: UnknownContext| Failure::usage(format!("{}: {error}", address::named(in_force))))
}

fn boolean(in_force: &InForce) -> Result<bool, Failure> {
    match in_force.value.as_deref() {
        Some("true" | "1" | "yes") => Ok(true),
        Some("false" | "0" | "no") => Ok(false),
        other => Err(Failure::usage(format!(
            "{} must be true or false, not {:?}",
            address::named(in_force),
            other.unwrap_or_default()
        ))),
    }
}

/// From the database in the binary, so that days do not depend on the host.
fn time_zone(in_force: &InForce) -> Result<TimeZone, Failure> {
    let name = in_force.value.as_deref().unwrap_or_default();
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| {
        Failure::usage(format!("{} {name:?} is not a time zone", address::named(in_force)))
            .hint("use a name of the IANA database such as Europe/London or UTC")
    })
}

fn log_format(in_force: &InForce) -> Result<LogFormat, Failure> {
    match in_force.value.as_deref() {
        Some(TEXT) => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        other => Err(Failure::usage(format!(
            "{} must be text or json, not {:?}",
            address::named(in_force),
            other.unwrap_or_default()
        ))),
    }
}
