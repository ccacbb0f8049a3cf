//! The steps of a case that are about persistent subscriptions.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::api::*;
use super::{Checked, Running, text};

impl Running {
    fn stream_settings(&self, step: &Value) -> PersistentSubscriptionOptions {
        let from = match &step["settings"]["from"] {
            Value::Number(revision) => StreamPosition::Position(revision.as_u64().unwrap_or_default()),
            from if from == "end" => StreamPosition::End,
            _ => StreamPosition::Start,
        };
        let mut options = PersistentSubscriptionOptions::default().start_from(from);
        let settings = options.settings_mut();
        let given = &step["settings"];
        let number = |key: &str| given[key].as_i64().and_then(|value| i32::try_from(value).ok());
        settings.resolve_link_tos = given["resolve"] == true;
        settings.max_retry_count = number("maxRetryCount").unwrap_or(settings.max_retry_count);
        settings.max_subscriber_count = number("maxSubscribers").unwrap_or(settings.max_subscriber_count);
        settings.checkpoint_lower_bound = number("minCheckpoint").unwrap_or(settings.checkpoint_lower_bound);
        if let Some(after) = given["checkpointAfter"].as_u64() {
            settings.checkpoint_after = Duration::from_millis(after);
        }
        if given["strategy"] == "DispatchToSingle" {
            settings.consumer_strategy_name = SystemConsumerStrategy::DispatchToSingle;
        }
        options
    }

    /// The calls that manage groups.
    pub(super) async fn group(&self, step: &Value) -> Result<Value> {
        let (client, stream, group) = (&self.client, self.name(step), text(step, "group"));
        let is_all = text(step, "stream") == "$all";
        match text(step, "op") {
            "ps_create" if is_all => {
                let from = self.position(&step["settings"]["from"], StreamPosition::Start);
                let options = PersistentSubscriptionToAllOptions::default().start_from(from);
                let options = match self.filter(step) {
                    Some(filter) => options.filter(filter),
                    None => options,
                };
                client.create_persistent_subscription_to_all(group, &options).await?;
            }
            "ps_create" => {
                client.create_persistent_subscription(stream, group, &self.stream_settings(step)).await?;
            }
            "ps_update" => {
                client.update_persistent_subscription(stream, group, &self.stream_settings(step)).await?;
            }
            "ps_delete" if is_all => {
                client.delete_persistent_subscription_to_all(group, &Default::default()).await?;
            }
            "ps_delete" => client.delete_persistent_subscription(stream, group, &Default::default()).await?,
            "ps_replay" => client.replay_parked_messages(stream, group, &Default::default()).await?,
            "ps_restart" => client.restart_persistent_subscription_subsystem(&Default::default()).await?,
            "ps_list" => {
                let found =
                    client.list_persistent_subscriptions_for_stream(stream, &Default::default()).await?;
                let mut groups: Vec<_> = found.into_iter().map(|info| info.group_name).collect();
                groups.sort();
                return Ok(json!({ "groups": groups }));
            }
            "ps_info" if is_all => {
                let info = client.get_persistent_subscription_info_to_all(group, &Default::default()).await?;
                return Ok(info_of(&info));
            }
            "ps_info" => {
                let info =
                    client.get_persistent_subscription_info(stream, group, &Default::default()).await?;
                return Ok(info_of(&info));
            }
            other => panic!("no such operation: {other}"),
        }
        Ok(json!({}))
    }

    pub(super) async fn ps_use(&mut self, step: &Value) -> Checked<Result<Value>> {
        let buffer = step["buffer"].as_u64().unwrap_or(10) as usize;
        let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(buffer);
        let (client, group) = (self.client.clone(), text(step, "group"));
        let connected = if text(step, "stream") == "$all" {
            client.subscribe_to_persistent_subscription_to_all(group, &options).await
        } else {
            client.subscribe_to_persistent_subscription(self.name(step), group, &options).await
        };
        let mut consumer = match connected {
            Ok(consumer) => consumer,
            Err(error) => return Ok(Err(error)),
        };
        let nothing = Vec::new();
        let mut seen = Vec::new();
        let script = step["script"].as_array().unwrap_or(&nothing);
        if let Err(error) = answer(&mut consumer, script, &mut seen).await {
            return Ok(Err(error));
        }
        self.steps(step["during"].as_array().unwrap_or(&nothing)).await?;
        let more = step["more"].as_array().unwrap_or(&nothing);
        if let Err(error) = answer(&mut consumer, more, &mut seen).await {
            return Ok(Err(error));
        }
        let (events, retries): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let mut told = self.told(&events);
        told["seen"] = told["revisions"].clone();
        told["retries"] = json!(retries);
        Ok(Ok(told))
    }
}

async fn answer(
    consumer: &mut PersistentSubscription,
    script: &[Value],
    seen: &mut Vec<(ResolvedEvent, usize)>,
) -> Result<()> {
    for todo in script {
        let (event, retries) = loop {
            match consumer.next_subscription_event().await? {
                PersistentSubscriptionEvent::EventAppeared { retry_count, event } => {
                    break (event, retry_count);
                }
                PersistentSubscriptionEvent::Confirmed(_) => {}
            }
        };
        let id = event.get_original_event().id;
        let nack = match todo.as_str().unwrap_or_default() {
            "park" => Some(NakAction::Park),
            "retry" => Some(NakAction::Retry),
            "skip" => Some(NakAction::Skip),
            "stop" => Some(NakAction::Stop),
            _ => None,
        };
        match nack {
            Some(action) => consumer.nack_ids([id], action, "as the case says").await?,
            None if todo == "ack" => consumer.ack_ids([id]).await?,
            None => {}
        }
        seen.push((event, retries));
    }
    Ok(())
}

fn info_of<A>(info: &PersistentSubscriptionInfo<A>) -> Value {
    let (stats, settings) = (&info.stats, info.settings.as_ref());
    json!({
        "parked": stats.parked_message_count,
        "inFlight": stats.total_in_flight_messages,
        "connections": info.connections.len(),
        "lastCheckpoint": stats.last_checkpointed_event_revision.map(|at| at.to_string()).unwrap_or_default(),
        "maxRetryCount": settings.map(|settings| settings.max_retry_count),
        "maxSubscribers": settings.map(|settings| settings.max_subscriber_count),
        "strategy": settings.map(|settings| format!("{:?}", settings.consumer_strategy_name)),
    })
}
