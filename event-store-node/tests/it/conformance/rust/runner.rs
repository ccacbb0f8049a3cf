//! Carries out the steps of a case through a Rust client.

#[path = "groups.rs"]
mod groups;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::api::*;

const LIMIT: Duration = Duration::from_secs(20);
/// What a client does not tell is held equal to anything: a batch append of these clients says that the revision was
/// wrong, but not which one there is.
const NOT_TOLD: &str = "not told";

/// With what is not as the case says.
type Checked<T> = std::result::Result<T, String>;

/// What went wrong, if anything.
pub async fn run(address: &str, steps: &[Value]) -> Option<String> {
    let settings = format!("{}://{address}?tls=false", SCHEME).parse().expect("a connection string");
    let client = Client::new(settings).expect("a client");
    let run = format!("{}-", &Uuid::new_v4().simple().to_string()[..8]);
    let steps: Vec<_> = steps.iter().map(|step| filled(step, &run)).collect();
    let mut running = Running { client, run, ids: HashMap::new(), saved: HashMap::new() };
    match tokio::time::timeout(3 * LIMIT, running.steps(&steps)).await {
        Ok(outcome) => outcome.err(),
        Err(_) => Some("it does not come to an end".to_owned()),
    }
}

fn filled(value: &Value, run: &str) -> Value {
    match value {
        Value::String(text) => text.replace("{run}", run).into(),
        Value::Array(values) => values.iter().map(|one| filled(one, run)).collect(),
        Value::Object(values) => {
            Value::Object(values.iter().map(|(key, one)| (key.clone(), filled(one, run))).collect())
        }
        other => other.clone(),
    }
}

fn matches(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        _ if *found == NOT_TOLD => true,
        (Value::Object(expected), found) => {
            if let Some(Value::Array(one_of)) = expected.get("one_of") {
                return one_of.iter().any(|one| matches(one, found));
            }
            let unforeseen = !expected.contains_key("error") && found.get("error").is_some();
            let same =
                |(key, one): (&String, &Value)| found.get(key).is_some_and(|found| matches(one, found));
            !unforeseen && found.is_object() && expected.iter().all(same)
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(one, other)| matches(one, other))
        }
        _ => expected == found,
    }
}

fn error_of(error: &Error, op: &str) -> Value {
    let kind = match error {
        Error::WrongExpectedVersion { current, .. } => {
            let current = match current {
                CurrentRevision::Current(revision) => json!(revision),
                CurrentRevision::NoStream => Value::Null,
            };
            return json!({ "error": "wrong_expected_version", "current": current });
        }
        Error::ResourceDeleted => "stream_deleted".to_owned(),
        Error::ResourceNotFound if op.starts_with("ps_") => "does_not_exist".to_owned(),
        Error::ResourceNotFound => "not_found".to_owned(),
        Error::ResourceAlreadyExists => "exists".to_owned(),
        Error::Grpc { message, .. } if message.contains("WrongExpectedVersion") => {
            return json!({ "error": "wrong_expected_version", "current": NOT_TOLD });
        }
        Error::Grpc { message, .. }
            if message.to_lowercase().replace(' ', "").contains("maximumappendsize") =>
        {
            "too_large".to_owned()
        }
        Error::Grpc { message, .. } if message == "StreamDeleted" => "stream_deleted".to_owned(),
        Error::Grpc { message, .. } if message.starts_with("Maximum subscriptions reached") => {
            "max_subscribers".to_owned()
        }
        other => other.to_string(),
    };
    json!({ "error": kind })
}

fn text<'a>(step: &'a Value, key: &str) -> &'a str {
    step[key].as_str().unwrap_or_default()
}

struct Running {
    client: Client,
    run: String,
    ids: HashMap<String, Uuid>,
    saved: HashMap<String, Position>,
}

impl Running {
    fn name(&self, step: &Value) -> String {
        format!("{}{}", self.run, text(step, "stream"))
    }

    async fn steps(&mut self, steps: &[Value]) -> Checked<()> {
        for step in steps {
            let began = Instant::now();
            let nothing = json!({});
            let expected = step.get("gives").unwrap_or(&nothing);
            loop {
                let found = Box::pin(self.perform(step)).await?;
                if matches(expected, &found) {
                    break;
                }
                if step["eventually"] != true || began.elapsed() > LIMIT {
                    return Err(format!("{step} gave {found}"));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, step: &Value) -> Checked<Value> {
        let op = text(step, "op");
        let told = match op {
            "append" => self.append(step).await,
            "batch" => self.batch(step).await,
            "equal" => {
                let [left, right] = ["left", "right"].map(|side| self.saved[text(step, side)]);
                return if left == right { Ok(json!({})) } else { Err(format!("{left:?} is not {right:?}")) };
            }
            "read" => self.read(step).await,
            "read_all" => self.read_all(step).await,
            "subscribe" => match self.subscribe(step).await? {
                Ok(told) => Ok(told),
                Err(error) => Err(error),
            },
            "delete" => {
                let options = delete(self.expected(step));
                self.client.delete_stream(self.name(step), &options).await.map(|_| json!({}))
            }
            "tombstone" => {
                let options = tombstone(self.expected(step));
                self.client.tombstone_stream(self.name(step), &options).await.map(|_| json!({}))
            }
            "set_metadata" => self.set_metadata(step).await,
            "get_metadata" => self.get_metadata(step).await,
            "ps_use" => match self.ps_use(step).await? {
                Ok(told) => Ok(told),
                Err(error) => Err(error),
            },
            _ => self.group(step).await,
        };
        Ok(told.unwrap_or_else(|error| error_of(&error, op)))
    }

    fn expected(&self, step: &Value) -> State {
        match &step["expected"] {
            Value::Number(revision) => exact(revision.as_u64().unwrap_or_default()),
            expected if expected == "no_stream" => State::NoStream,
            expected if expected == "exists" => State::StreamExists,
            _ => State::Any,
        }
    }

    fn events(&mut self, step: &Value) -> Vec<EventData> {
        if let Some(size) = step["size"].as_u64() {
            return vec![EventData::binary("T", vec![0; size as usize].into())];
        }
        let plain = vec![json!({}); step["count"].as_u64().unwrap_or_default() as usize];
        let specs = step["events"].as_array().unwrap_or(&plain).clone();
        specs.iter().enumerate().map(|(number, spec)| self.event(number, spec)).collect()
    }

    fn event(&mut self, number: usize, spec: &Value) -> EventData {
        let id = match spec["id"].as_str() {
            Some(label) => *self.ids.entry(label.to_owned()).or_insert_with(Uuid::new_v4),
            None => Uuid::new_v4(),
        };
        let event = if let Some(link) = spec["link"].as_array() {
            let target = format!("{}@{}{}", link[0], self.run, link[1].as_str().unwrap_or_default());
            EventData::binary("$>", target.into())
        } else if let Some(bytes) = spec["binary"].as_str() {
            EventData::binary("T", bytes.to_owned().into())
        } else {
            let event_type = spec["type"].as_str().unwrap_or("T");
            EventData::json(event_type, &json!({ "n": number })).expect("JSON")
        };
        event.id(id)
    }

    async fn append(&mut self, step: &Value) -> Result<Value> {
        let events = self.events(step);
        let options = append(self.expected(step));
        let written = self.client.append_to_stream(self.name(step), &options, events).await?;
        if let Some(name) = step["save"].as_str() {
            self.saved.insert(name.to_owned(), written.position);
        }
        Ok(json!({}))
    }

    async fn batch(&mut self, step: &Value) -> Result<Value> {
        let events = self.events(step);
        // The first refusal ends a session of these clients, so every append has its own.
        let session = self.client.batch_append(&BatchAppendOptions::default()).await?;
        let written = session.append_to_stream(self.name(step), self.expected(step), events).await?;
        if let (Some(name), Some(position)) = (step["save"].as_str(), written.current_position()) {
            self.saved.insert(name.to_owned(), position);
        }
        Ok(json!({}))
    }

    fn told(&self, events: &[ResolvedEvent]) -> Value {
        let own: Vec<_> = events.iter().map(ResolvedEvent::get_original_event).collect();
        let each = |of: &dyn Fn(&RecordedEvent) -> Value| -> Vec<Value> {
            events.iter().map(|event| event.event.as_ref().map_or(Value::Null, of)).collect()
        };
        let number = |event: &RecordedEvent| {
            let data: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            if event.is_json { data["n"].clone() } else { Value::Null }
        };
        let stream = |event: &RecordedEvent| {
            let stream = stream_of(event);
            json!(stream.strip_prefix(&self.run).unwrap_or(stream))
        };
        json!({
            "revisions": own.iter().map(|event| event.revision).collect::<Vec<_>>(),
            "types": each(&|event| json!(event.event_type)),
            "streams": each(&stream),
            "n": each(&number),
            "json": each(&|event| json!(event.is_json)),
        })
    }

    async fn read(&self, step: &Value) -> Result<Value> {
        let backwards = step["backwards"] == true;
        let from = match step["from"].as_u64() {
            Some(revision) => StreamPosition::Position(revision),
            None if backwards => StreamPosition::End,
            None => StreamPosition::Start,
        };
        let options = ReadStreamOptions::default().position(from).max_count(count(step));
        let options = if backwards { options.backwards() } else { options };
        let options = if step["resolve"] == true { options.resolve_link_tos() } else { options };
        Ok(self.told(&collect(self.client.read_stream(self.name(step), &options).await?).await?))
    }

    fn position(&self, at: &Value, otherwise: StreamPosition<Position>) -> StreamPosition<Position> {
        match at["saved"].as_str() {
            Some(name) => StreamPosition::Position(self.saved[name]),
            None if at == "end" => StreamPosition::End,
            None => otherwise,
        }
    }

    fn filter(&self, step: &Value) -> Option<SubscriptionFilter> {
        let spec = step.get("filter")?;
        let is_stream = spec["on"] == "stream";
        let filter = if is_stream {
            SubscriptionFilter::on_stream_name()
        } else {
            SubscriptionFilter::on_event_type()
        };
        if let Some(regex) = spec["regex"].as_str() {
            return Some(filter.regex(regex));
        }
        let prefixes = spec["prefix"].as_array()?.iter().filter_map(Value::as_str);
        let run = if is_stream { self.run.as_str() } else { "" };
        Some(prefixes.fold(filter, |filter, prefix| filter.add_prefix(format!("{run}{prefix}"))))
    }

    /// So many of this case's own events: others may write meanwhile, and then more is asked for.
    async fn read_all(&self, step: &Value) -> Result<Value> {
        let wanted = count(step);
        let mut asked = wanted;
        loop {
            let mut events = self.page_of_all(step, asked).await?;
            let is_all_there_is = events.len() < asked;
            events.retain(|event| self.is_own(event));
            if events.len() >= wanted || is_all_there_is {
                events.truncate(wanted);
                return Ok(self.told(&events));
            }
            asked = asked.saturating_mul(2);
        }
    }

    fn is_own(&self, event: &ResolvedEvent) -> bool {
        stream_of(event.get_original_event()).starts_with(&self.run)
    }

    async fn page_of_all(&self, step: &Value, count: usize) -> Result<Vec<ResolvedEvent>> {
        let backwards = step["backwards"] == true;
        let otherwise = if backwards { StreamPosition::End } else { StreamPosition::Start };
        let from = self.position(&step["from"], otherwise);
        let options = ReadAllOptions::default();
        let options = if backwards { options.backwards() } else { options };
        let options = options.position(from).max_count(count);
        let options = match self.filter(step) {
            Some(filter) => filtered(options, filter),
            None => options,
        };
        collect(self.client.read_all(&options).await?).await
    }

    async fn subscribe(&mut self, step: &Value) -> Checked<Result<Value>> {
        let is_all = text(step, "stream") == "$all";
        let mut subscription = if is_all {
            let from = self.position(&step["from"], StreamPosition::Start);
            let options = SubscribeToAllOptions::default().position(from);
            let options = match self.filter(step) {
                Some(filter) => options.filter(filter),
                None => options,
            };
            self.client.subscribe_to_all(&options).await
        } else {
            let from = match &step["from"] {
                Value::Number(revision) => StreamPosition::Position(revision.as_u64().unwrap_or_default()),
                from if from == "end" => StreamPosition::End,
                _ => StreamPosition::Start,
            };
            let options = SubscribeToStreamOptions::default().start_from(from);
            let options = if step["resolve"] == true { options.resolve_link_tos() } else { options };
            self.client.subscribe_to_stream(self.name(step), &options).await
        };
        let live_wanted = step["live"].as_u64().unwrap_or_default() as usize;
        let (mut history, mut live) = (Vec::new(), Vec::new());
        let (mut caught_up, mut checkpoints) = (0, 0);
        while caught_up == 0 || live.len() < live_wanted {
            let event = match subscription.next_subscription_event().await {
                Ok(event) => event,
                Err(error) => return Ok(Err(error)),
            };
            if is_caught_up(&event) {
                caught_up += 1;
                if caught_up == 1 {
                    self.steps(step["then"].as_array().unwrap_or(&Vec::new())).await?;
                }
            }
            match event {
                SubscriptionEvent::EventAppeared(event) => {
                    if is_all && !self.is_own(&event) {
                        continue;
                    }
                    if caught_up == 0 { history.push(event) } else { live.push(event) }
                }
                SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
                _ => {}
            }
        }
        let (history, live) = (self.told(&history), self.told(&live));
        let checkpoints = checkpoints > 0;
        Ok(Ok(
            json!({ "history": history, "live": live, "caught_up": caught_up, "checkpoints": checkpoints }),
        ))
    }

    async fn set_metadata(&self, step: &Value) -> Result<Value> {
        let stored: Map<_, _> = renamed(&step["metadata"], |(own, stored)| (own, stored));
        let metadata: StreamMetadata = serde_json::from_value(Value::Object(stored)).expect("metadata");
        let options = append(State::Any);
        self.client.set_stream_metadata(self.name(step), &options, &metadata).await.map(|_| json!({}))
    }

    async fn get_metadata(&self, step: &Value) -> Result<Value> {
        let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
        let found = self.client.get_stream_metadata(self.name(step), &options).await?;
        let StreamMetadataResult::Success(found) = found else { return Ok(json!({ "metadata": null })) };
        let stored = serde_json::to_value(found.metadata()).expect("JSON");
        Ok(json!({ "metadata": renamed(&stored, |(own, stored)| (stored, own)) }))
    }
}

async fn collect(mut reading: ReadStream) -> Result<Vec<ResolvedEvent>> {
    let mut events = Vec::new();
    while let Some(event) = reading.next().await? {
        events.push(event);
    }
    Ok(events)
}

fn count(step: &Value) -> usize {
    step["count"].as_u64().map_or(usize::MAX, |count| count as usize)
}

/// What the cases call it, and how it is stored.
fn renamed(
    metadata: &Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Map<String, Value> {
    let names = [("maxCount", "$maxCount"), ("maxAge", "$maxAge"), ("truncateBefore", "$tb")].map(direction);
    let entries = metadata.as_object().cloned().unwrap_or_default().into_iter();
    let rename = |(key, value): (String, Value)| {
        let to = names.iter().find(|(from, _)| *from == key);
        (to.map_or(key, |(_, to)| (*to).to_owned()), value)
    };
    entries.map(rename).collect()
}
