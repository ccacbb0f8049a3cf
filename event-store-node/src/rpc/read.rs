//! Read: one stream or everything, both ways, a number of events or a subscription. What was asked is checked here;
//! the first page is read before the call is answered, so that a failure is the call's.

use std::time::Instant;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::read_all::AllRead;
use super::read_stream::StreamRead;
use super::refuse;
use super::respond::Form;
use super::subscribe_all::{AllSubscription, Checkpoints};
use super::subscribe_stream::StreamSubscription;
use super::uuids::UuidForm;
use crate::filter::{Filter, Subject};
use crate::metrics;
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_req::Options;
use crate::proto::streams::read_req::options::filter_options::{self, Window};
use crate::proto::streams::read_req::options::{
    CountOption, FilterOption, FilterOptions, ReadDirection, StreamOption, uuid_option,
};
use crate::storage::{Direction, Storage};

/// Between two checkpoints of a filtered subscription, times the client's multiplier, when it sets no other number.
const DEFAULT_WINDOW: u64 = 32;

/// A read or subscription under way, page by page.
pub(super) enum Pages {
    Stream(StreamRead),
    All(AllRead),
    StreamSubscription(StreamSubscription),
    AllSubscription(AllSubscription),
}

impl Pages {
    /// What is read, unless somebody subscribes to it.
    fn kind_of_read(&self) -> Option<&'static str> {
        match self {
            Self::Stream(_) => Some("stream"),
            Self::All(_) => Some("all"),
            Self::StreamSubscription(_) | Self::AllSubscription(_) => None,
        }
    }

    /// The next messages, possibly none; `None` at the end of a read. A subscription waits here.
    async fn next(&mut self) -> Result<Option<Vec<ReadResp>>, Status> {
        match self {
            Self::Stream(read) => read.next().await,
            Self::All(read) => read.next().await,
            Self::StreamSubscription(subscription) => subscription.next().await.map(Some),
            Self::AllSubscription(subscription) => subscription.next().await.map(Some),
        }
    }
}

/// Answers a read.
pub(super) async fn read(
    storage: &Storage,
    stop: &CancellationToken,
    options: Option<Options>,
) -> Result<BoxStream<'static, Result<ReadResp, Status>>, Status> {
    let options = options.ok_or_else(|| refuse::invalid("a read needs options"))?;
    let began = Instant::now();
    let mut pages = plan(storage, stop, options).await?;
    let first = pages.next().await?;
    if let Some(kind) = pages.kind_of_read() {
        metrics::read_began(kind, began.elapsed());
    }
    let Some(first) = first else { return Ok(stream::empty().boxed()) };
    let rest = stream::try_unfold(pages, |mut pages| async move {
        Ok::<_, Status>(pages.next().await?.map(|page| (page, pages)))
    });
    let messages = stream::once(async { Ok(first) }).chain(rest);
    Ok(messages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten().boxed())
}

/// Checks what was asked.
async fn plan(storage: &Storage, stop: &CancellationToken, options: Options) -> Result<Pages, Status> {
    let direction = match options.read_direction() {
        ReadDirection::Forwards => Direction::Forwards,
        ReadDirection::Backwards => Direction::Backwards,
    };
    let form = Form { uuids: uuid_form(&options), resolve_links: options.resolve_links };
    let compatibility = options.control_option.map_or(0, |control| control.compatibility);
    let filter = match options.filter_option {
        Some(FilterOption::Filter(filter)) => Some(filter),
        Some(FilterOption::NoFilter(())) | None => None,
    };
    let count =
        options.count_option.ok_or_else(|| refuse::invalid("a read says how many events it wants"))?;
    let subject = options.stream_option.ok_or_else(|| refuse::invalid("a read says what it reads"))?;
    match (subject, count) {
        (StreamOption::Stream(_), _) if filter.is_some() => {
            Err(refuse::invalid("only a read of everything can be filtered"))
        }
        (_, CountOption::Subscription(_)) if direction == Direction::Backwards => {
            Err(refuse::invalid("a subscription reads forwards"))
        }
        (StreamOption::Stream(stream), CountOption::Count(count)) => {
            let with_positions = compatibility >= 1;
            StreamRead::new(storage, &stream, direction, count, form, with_positions).map(Pages::Stream)
        }
        (StreamOption::Stream(stream), CountOption::Subscription(_)) => {
            StreamSubscription::new(storage, stop, &stream, form).await.map(Pages::StreamSubscription)
        }
        (StreamOption::All(all), CountOption::Count(count)) => {
            let filter = filter.as_ref().map(event_filter).transpose()?;
            AllRead::new(storage, all.all_option, direction, count, filter, form).await.map(Pages::All)
        }
        (StreamOption::All(all), CountOption::Subscription(_)) => {
            let checkpoints = filter.as_ref().map(checkpoints).transpose()?;
            let filter = filter.as_ref().map(event_filter).transpose()?;
            AllSubscription::new(storage, stop, all.all_option, filter.zip(checkpoints), form)
                .await
                .map(Pages::AllSubscription)
        }
    }
}

/// Structured unless text was asked for.
fn uuid_form(options: &Options) -> UuidForm {
    match options.uuid_option.as_ref().and_then(|option| option.content.as_ref()) {
        Some(uuid_option::Content::String(())) => UuidForm::Text,
        Some(uuid_option::Content::Structured(())) | None => UuidForm::Structured,
    }
}

fn event_filter(options: &FilterOptions) -> Result<Filter, Status> {
    let (subject, expression) = match &options.filter {
        Some(filter_options::Filter::StreamIdentifier(expression)) => (Subject::StreamName, expression),
        Some(filter_options::Filter::EventType(expression)) => (Subject::EventType, expression),
        None => return Err(refuse::invalid("a filter says what it looks at")),
    };
    let filter = Filter::new(subject, &expression.regex, expression.prefix.clone());
    filter.map_err(|error| refuse::invalid(error.to_string()))
}

fn checkpoints(options: &FilterOptions) -> Result<Checkpoints, Status> {
    let window = match options.window {
        Some(Window::Max(max)) => u64::from(max),
        Some(Window::Count(())) | None => DEFAULT_WINDOW,
    };
    match window * u64::from(options.checkpoint_interval_multiplier) {
        0 => Err(refuse::invalid("the checkpoint interval is at least 1")),
        interval => Ok(Checkpoints::new(interval)),
    }
}
