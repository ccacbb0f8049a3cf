//! Stands in for the crate of this name when the tests that the Rust clients ship are built: what they take for a container
//! is a node in a process of its own. It has just what those tests call.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use self::core::{ContainerPort, Mount, WaitFor};

/// The program and arguments that serve a node, one a line.
const COMMAND: &str = "HEADWATER_CONTAINER_COMMAND";
/// Where containers keep what they hold.
const VOLUMES: &str = "HEADWATER_CONTAINER_VOLUMES";
/// To the node: its folder, the port to serve on, whether the standard projections run.
const DIR: &str = "HEADWATER_CONTAINER_DIR";
const PORT: &str = "HEADWATER_CONTAINER_PORT";
const PROJECTIONS: &str = "HEADWATER_CONTAINER_PROJECTIONS";
/// What the node says, with its port, once it serves.
const SERVES: &str = "serves on port ";

static STARTED: AtomicU32 = AtomicU32::new(0);

pub mod core {
    //! What an image is described with.

    /// A port inside.
    #[derive(Debug, Clone, Copy)]
    pub enum ContainerPort {
        /// Of TCP.
        Tcp(u16),
    }

    /// A folder from outside.
    #[derive(Debug, Clone)]
    pub struct Mount {
        pub(crate) source: String,
    }

    impl Mount {
        /// The folder or volume that a container finds at `target`.
        pub fn bind_mount(source: impl Into<String>, _target: impl Into<String>) -> Self {
            Self { source: source.into() }
        }
    }

    /// What is waited for; here always for the node's own word.
    #[derive(Debug, Clone)]
    pub struct WaitFor;

    impl WaitFor {
        /// A line of its output.
        pub fn message_on_stdout(_message: &str) -> Self {
            Self
        }
    }
}

/// What a container is made from.
pub trait Image: Sized {
    /// Its name in a registry.
    fn name(&self) -> &str;
    /// Its version.
    fn tag(&self) -> &str;
    /// What it has done once it can be used.
    fn ready_conditions(&self) -> Vec<WaitFor>;
    /// Its settings.
    fn env_vars(&self) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)>;
    /// What it finds from outside.
    fn mounts(&self) -> impl IntoIterator<Item = &Mount>;
    /// The ports that it serves on.
    fn expose_ports(&self) -> &[ContainerPort];
}

/// An image and the port that it is to be reached at.
pub struct ContainerRequest<I> {
    image: I,
    port: u16,
}

impl<I: Image> From<I> for ContainerRequest<I> {
    fn from(image: I) -> Self {
        Self { image, port: 0 }
    }
}

/// What can be asked of an image before it is started.
pub trait ImageExt<I> {
    /// It is reached at this port of the machine.
    fn with_mapped_port(self, port: u16, inside: ContainerPort) -> ContainerRequest<I>;
}

impl<I: Image> ImageExt<I> for I {
    fn with_mapped_port(self, port: u16, _inside: ContainerPort) -> ContainerRequest<I> {
        ContainerRequest { image: self, port }
    }
}

pub mod runners {
    //! What starts a container.

    use std::io;

    use super::{ContainerAsync, ContainerRequest, Image};

    /// Starts it.
    #[allow(async_fn_in_trait)]
    pub trait AsyncRunner<I: Image> {
        /// Comes back once it serves.
        async fn start(self) -> io::Result<ContainerAsync<I>>;
    }

    impl<T: Into<ContainerRequest<I>>, I: Image> AsyncRunner<I> for T {
        async fn start(self) -> io::Result<ContainerAsync<I>> {
            ContainerAsync::start(self.into())
        }
    }
}

/// A node that runs until it is stopped or dropped.
pub struct ContainerAsync<I> {
    node: Mutex<Child>,
    port: u16,
    image: PhantomData<fn() -> I>,
}

impl<I: Image> ContainerAsync<I> {
    fn start(request: ContainerRequest<I>) -> io::Result<Self> {
        let command = std::env::var(COMMAND).map_err(io::Error::other)?;
        let mut words = command.lines();
        let projections = request
            .image
            .env_vars()
            .into_iter()
            .any(|(name, _)| name.into() == "EVENTSTORE_START_STANDARD_PROJECTIONS");
        let mut node = Command::new(words.next().unwrap_or_default())
            .args(words)
            .env(DIR, data_dir(&request.image)?)
            .env(PORT, request.port.to_string())
            .env(PROJECTIONS, projections.to_string())
            // It ends when its input does, so that it does not outlive a test that was killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = BufReader::new(node.stdout.take().ok_or_else(|| io::Error::other("no output"))?);
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once(SERVES)?;
            port.trim().parse().ok()
        });
        let port = port.ok_or_else(|| io::Error::other("the node has ended before it served"))?;
        Ok(Self { node: Mutex::new(node), port, image: PhantomData })
    }

    /// Where it is reached.
    pub async fn get_host_port_ipv4(&self, _inside: u16) -> io::Result<u16> {
        Ok(self.port)
    }

    /// Has it end, and waits until it has.
    pub async fn stop(&self) -> io::Result<()> {
        let mut node = self.node.lock().map_err(|_| io::Error::other("a test has panicked"))?;
        drop(node.stdin.take());
        node.wait().map(drop)
    }
}

impl<I> Drop for ContainerAsync<I> {
    fn drop(&mut self) {
        if let Ok(node) = self.node.get_mut() {
            drop(node.stdin.take());
            let _ = node.wait();
        }
    }
}

/// The folder of the volume that is mounted, which a later container finds again, else one of its own.
fn data_dir(image: &impl Image) -> io::Result<PathBuf> {
    let volumes = std::env::var(VOLUMES).map_err(io::Error::other)?;
    let own = format!("own-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
    let volume = image.mounts().into_iter().next().map_or(own, |mount| mount.source.clone());
    Ok(Path::new(&volumes).join(volume))
}
