//! PersistentSubscriptions: groups of competing consumers.

use std::time::Duration;

use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::persistent_info::subscription_info;
use super::persistent_settings::{key, stream_source, wanted};
use super::{persistent_read, persistent_refuse, refuse};
use crate::persistent::{GroupError, GroupKey, Source, Subscriptions};
use crate::proto::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptions;
use crate::proto::persistent_subscriptions::replay_parked_req::options::StopAtOption;
use crate::proto::persistent_subscriptions::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, GetInfoReq, GetInfoResp, ListReq, ListResp, ReadReq,
    ReadResp, ReplayParkedReq, ReplayParkedResp, UpdateReq, UpdateResp, delete_req, get_info_req, list_req,
    replay_parked_req,
};

/// Makes, changes and serves groups.
#[derive(Debug)]
pub(crate) struct PersistentSubscriptionsService {
    subscriptions: Subscriptions,
    write_timeout: Duration,
}

impl PersistentSubscriptionsService {
    pub(crate) fn new(subscriptions: Subscriptions, write_timeout: Duration) -> Self {
        Self { subscriptions, write_timeout }
    }

    /// Carries a change out to its end, whether the client waits for it or not.
    async fn change<F>(&self, key: &GroupKey, change: F) -> Result<(), Status>
    where
        F: Future<Output = Result<(), GroupError>> + Send + 'static,
    {
        carry_out(self.write_timeout, key, change).await
    }
}

#[tonic::async_trait]
impl PersistentSubscriptions for PersistentSubscriptionsService {
    type ReadStream = BoxStream<'static, Result<ReadResp, Status>>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let wanted = wanted(request.into_inner().options)?;
        let (subscriptions, key) = (self.subscriptions.clone(), wanted.key.clone());
        let settings = wanted.settings.map_err(|error| persistent_refuse::group(&key, &error))?;
        let change =
            async move { subscriptions.create(wanted.key, wanted.start_from, wanted.filter, settings).await };
        self.change(&key, change).await?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let wanted = wanted(request.into_inner().options)?;
        let (subscriptions, key) = (self.subscriptions.clone(), wanted.key.clone());
        let settings = wanted.settings.map_err(|error| persistent_refuse::group(&key, &error))?;
        let change = async move { subscriptions.update(wanted.key, wanted.start_from, settings).await };
        self.change(&key, change).await?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        use delete_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(no_options)?;
        let source = match options.stream_option {
            Some(StreamOption::StreamIdentifier(stream)) => stream_source(Some(&stream))?,
            Some(StreamOption::All(())) => Source::All,
            None => return Err(no_source()),
        };
        let key = key(source, options.group_name)?;
        let (subscriptions, group) = (self.subscriptions.clone(), key.clone());
        self.change(&key, async move { subscriptions.delete(group).await }).await?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn read(&self, request: Request<Streaming<ReadReq>>) -> Result<Response<Self::ReadStream>, Status> {
        persistent_read::read(&self.subscriptions, request).await.map(Response::new)
    }

    async fn get_info(&self, request: Request<GetInfoReq>) -> Result<Response<GetInfoResp>, Status> {
        use get_info_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(no_options)?;
        let source = match options.stream_option {
            Some(StreamOption::StreamIdentifier(stream)) => stream_source(Some(&stream))?,
            Some(StreamOption::All(())) => Source::All,
            None => return Err(no_source()),
        };
        let key = key(source, options.group_name)?;
        let info = self.subscriptions.info(&key).await;
        let info = info.map_err(|error| persistent_refuse::group(&key, &error))?;
        Ok(Response::new(GetInfoResp { subscription_info: Some(subscription_info(&info)) }))
    }

    async fn replay_parked(
        &self,
        request: Request<ReplayParkedReq>,
    ) -> Result<Response<ReplayParkedResp>, Status> {
        use replay_parked_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(no_options)?;
        let source = match options.stream_option {
            Some(StreamOption::StreamIdentifier(stream)) => stream_source(Some(&stream))?,
            Some(StreamOption::All(())) => Source::All,
            None => return Err(no_source()),
        };
        let key = key(source, options.group_name)?;
        let stop_at = match options.stop_at_option {
            Some(StopAtOption::StopAt(revision)) => Some(
                u64::try_from(revision)
                    .map_err(|_| refuse::invalid("a replay stops at a revision, which is not negative"))?,
            ),
            Some(StopAtOption::NoLimit(())) | None => None,
        };
        let replayed = self.subscriptions.replay(&key, stop_at).await;
        replayed.map_err(|error| persistent_refuse::group(&key, &error))?;
        Ok(Response::new(ReplayParkedResp {}))
    }

    async fn list(&self, request: Request<ListReq>) -> Result<Response<ListResp>, Status> {
        use list_req::options::ListOption;
        use list_req::stream_option::StreamOption;
        let options = request.into_inner().options.ok_or_else(no_options)?;
        let source = match options.list_option {
            Some(ListOption::ListAllSubscriptions(())) => None,
            Some(ListOption::ListForStream(option)) => Some(match option.stream_option {
                Some(StreamOption::Stream(stream)) => stream_source(Some(&stream))?,
                Some(StreamOption::All(())) => Source::All,
                None => return Err(no_source()),
            }),
            None => return Err(refuse::invalid("a list says of what")),
        };
        let found = self.subscriptions.list(source.as_ref()).await;
        let found = found.map_err(|error| {
            let key = GroupKey { source: source.unwrap_or(Source::All), group: String::new() };
            persistent_refuse::group(&key, &error)
        })?;
        Ok(Response::new(ListResp { subscriptions: found.iter().map(subscription_info).collect() }))
    }

    async fn restart_subsystem(&self, _request: Request<()>) -> Result<Response<()>, Status> {
        restart(&self.subscriptions, self.write_timeout).await.map(Response::new)
    }
}

/// Starts all groups again, which drops their consumers.
pub(super) async fn restart(subscriptions: &Subscriptions, write_timeout: Duration) -> Result<(), Status> {
    let subscriptions = subscriptions.clone();
    let all = GroupKey { source: Source::All, group: String::new() };
    carry_out(write_timeout, &all, async move { subscriptions.restart().await }).await
}

async fn carry_out<F>(write_timeout: Duration, key: &GroupKey, change: F) -> Result<(), Status>
where
    F: Future<Output = Result<(), GroupError>> + Send + 'static,
{
    match tokio::time::timeout(write_timeout, tokio::spawn(change)).await {
        Ok(Ok(changed)) => changed.map_err(|error| persistent_refuse::group(key, &error)),
        Ok(Err(_)) => Err(refuse::stopping()),
        Err(_) => Err(refuse::timed_out()),
    }
}

fn no_options() -> Status {
    refuse::invalid("a persistent subscription needs options")
}

fn no_source() -> Status {
    refuse::invalid("a persistent subscription says what it is to")
}
