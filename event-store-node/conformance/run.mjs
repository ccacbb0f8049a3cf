// Runs the cases through a Node client: node run.mjs @kurrent/kurrentdb-client|@eventstore/db-client ADDRESS, with the
// cases on standard input. The client is found from the folder it is started in.
//
// Prints a line of JSON for each case: its name, and what went wrong, or null.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [name, address] = process.argv.slice(2);
const module = createRequire(`${process.cwd()}/`)(name);
const isKurrent = name.startsWith("@kurrent/");
const [Client, scheme] = isKurrent ? [module.KurrentDBClient, "kurrentdb"] : [module.EventStoreDBClient, "esdb"];
const client = Client.connectionString(`${scheme}://${address}?tls=false`);
const LIMIT_MS = 20_000;
// With credentials a call goes by Append, without by BatchAppend. Nobody looks at them without TLS.
const credentials = { username: "admin", password: "changeit" };
const state = isKurrent ? "streamState" : "expectedRevision";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function matches(expected, found) {
  if (isObject(expected)) {
    if ("one_of" in expected) return expected.one_of.some((one) => matches(one, found));
    if (!isObject(found) || (!("error" in expected) && "error" in found)) return false;
    return Object.entries(expected).every(([key, value]) => key in found && matches(value, found[key]));
  }
  if (Array.isArray(expected)) {
    return Array.isArray(found) && expected.length === found.length && expected.every((one, at) => matches(one, found[at]));
  }
  return expected === found;
}

function filled(value, run) {
  if (Array.isArray(value)) return value.map((one) => filled(one, run));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, run)]));
  return typeof value === "string" ? value.replaceAll("{run}", run) : value;
}

function errorOf(error) {
  const known = {
    "wrong-expected-version": "wrong_expected_version",
    "stream-deleted": "stream_deleted",
    "stream-not-found": "not_found",
    "maximum-append-size-exceeded": "too_large",
    "persistent-subscription-exists": "exists",
    "persistent-subscription-does-not-exist": "does_not_exist",
    "maximum-subscribers-reached": "max_subscribers",
  };
  const found = { error: known[error.type] ?? `${error.type}: ${error.message}` };
  const current = error.actualState ?? error.actualVersion;
  if (found.error === "wrong_expected_version") found.current = current === "no_stream" ? null : Number(current);
  return found;
}

const json = (value) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? Number(one) : one));

class Case {
  run = `${randomUUID().slice(0, 8)}-`;
  ids = {};
  saved = {};

  name(stream) {
    return stream === "$all" ? stream : this.run + stream;
  }

  async perform(step) {
    try {
      return (await this[step.op](step)) ?? {};
    } catch (error) {
      if (error instanceof Unexpected) throw error;
      return errorOf(error);
    }
  }

  async steps(steps) {
    for (const step of steps) {
      const deadline = Date.now() + LIMIT_MS;
      for (;;) {
        const found = await this.perform(step);
        if (matches(step.gives ?? {}, found)) break;
        if (!step.eventually || Date.now() > deadline) throw new Unexpected(`${json(step)} gave ${json(found)}`);
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  }

  // what is appended

  event(spec, number) {
    const id = spec.id ? (this.ids[spec.id] ??= randomUUID()) : randomUUID();
    if (spec.link) {
      const [revision, stream] = spec.link;
      return module.binaryEvent({ id, type: "$>", data: Buffer.from(`${revision}@${this.name(stream)}`) });
    }
    if (spec.binary) return module.binaryEvent({ id, type: "T", data: Buffer.from(spec.binary) });
    return module.jsonEvent({ id, type: spec.type ?? "T", data: { n: number } });
  }

  events(step) {
    if (step.size) return [module.binaryEvent({ type: "T", data: Buffer.alloc(step.size) })];
    return (step.events ?? Array(step.count).fill({})).map((spec, number) => this.event(spec, number));
  }

  expected({ expected }) {
    return { exists: "stream_exists" }[expected] ?? (typeof expected === "number" ? BigInt(expected) : expected);
  }

  async append(step, options = { credentials }) {
    const sent = { [state]: this.expected(step), ...options };
    const result = await client.appendToStream(this.name(step.stream), this.events(step), sent);
    if (step.save) this.saved[step.save] = result.position;
  }

  batch(step) {
    return this.append(step, {});
  }

  equal({ left, right }) {
    if (json(this.saved[left]) !== json(this.saved[right])) throw new Unexpected(`${left} is not ${right}`);
  }

  // what is read

  told(events) {
    const own = events.map(({ link, event }) => link ?? event);
    const each = (of) => events.map(({ event }) => (event ? of(event) : null));
    return {
      revisions: own.map((event) => Number(event.revision)),
      types: each((event) => event.type),
      streams: each((event) => (event.streamId.startsWith(this.run) ? event.streamId.slice(this.run.length) : event.streamId)),
      n: each((event) => (event.isJson ? (event.data.n ?? null) : null)),
      json: each((event) => event.isJson),
    };
  }

  async collect(reading) {
    const events = [];
    for await (const event of reading) events.push(event);
    return events;
  }

  reading(step) {
    const direction = step.backwards ? module.BACKWARDS : module.FORWARDS;
    const maxCount = step.count ? { maxCount: step.count } : {};
    return { direction, resolveLinkTos: step.resolve ?? false, ...maxCount };
  }

  async read(step) {
    const fromRevision = step.from === undefined ? (step.backwards ? module.END : module.START) : BigInt(step.from);
    return this.told(await this.collect(client.readStream(this.name(step.stream), { fromRevision, ...this.reading(step) })));
  }

  position(at, otherwise) {
    return isObject(at) ? this.saved[at.saved] : (at ?? otherwise);
  }

  filter(step, options = {}) {
    const spec = step.filter;
    if (!spec) return {};
    const make = spec.on === "stream" ? module.streamNameFilter : module.eventTypeFilter;
    if (spec.regex) return { filter: make({ regex: spec.regex, ...options }) };
    const prefixes = spec.prefix.map((prefix) => (spec.on === "stream" ? this.name(prefix) : prefix));
    return { filter: make({ prefixes, ...options }) };
  }

  isOwn({ link, event }) {
    return (link ?? event).streamId.startsWith(this.run);
  }

  /** So many of this case's own events: others may write meanwhile, and then more is asked for. */
  async read_all(step) {
    const fromPosition = this.position(step.from, step.backwards ? module.END : module.START);
    const wanted = step.count ?? Infinity;
    for (let asked = wanted; ; asked *= 2) {
      const options = { fromPosition, ...this.reading({ ...step, count: step.count && asked }), ...this.filter(step) };
      const events = await this.collect(client.readAll(options));
      const own = events.filter((event) => this.isOwn(event));
      if (own.length >= wanted || events.length < asked) return this.told(own.slice(0, wanted));
    }
  }

  subscribe(step) {
    const told = { history: [], live: [], caught_up: 0, checkpoints: false };
    const checkpointReached = () => void (told.checkpoints = true);
    const resolveLinkTos = step.resolve ?? false;
    const subscription =
      step.stream === "$all"
        ? client.subscribeToAll({
            fromPosition: this.position(step.from),
            resolveLinkTos,
            ...this.filter(step, { checkpointInterval: 1, checkpointReached }),
          })
        : client.subscribeToStream(this.name(step.stream), {
            fromRevision: typeof step.from === "number" ? BigInt(step.from) : step.from,
            resolveLinkTos,
          });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Unexpected(`only ${json(told)}`)), LIMIT_MS);
      const end = (settle, value) => {
        clearTimeout(timer);
        subscription.unsubscribe().then(() => settle(value), reject);
      };
      subscription.on("data", (event) => {
        if (step.stream === "$all" && !this.isOwn(event)) return;
        (told.caught_up ? told.live : told.history).push(event);
        if (told.caught_up && told.live.length >= step.live) {
          end(resolve, { ...told, history: this.told(told.history), live: this.told(told.live) });
        }
      });
      subscription.on("caughtUp", () => {
        told.caught_up += 1;
        if (told.caught_up === 1) this.steps(step.then).catch((error) => end(reject, error));
      });
      subscription.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
    });
  }

  // deletion and metadata

  async delete(step) {
    await client.deleteStream(this.name(step.stream), { expectedRevision: this.expected(step) });
  }

  async tombstone(step) {
    await client.tombstoneStream(this.name(step.stream), { expectedRevision: this.expected(step) });
  }

  async set_metadata(step) {
    await client.setStreamMetadata(this.name(step.stream), step.metadata);
  }

  async get_metadata(step) {
    const { metadata } = await client.getStreamMetadata(this.name(step.stream));
    return { metadata: metadata ?? null };
  }

  // persistent subscriptions

  settings({ settings }) {
    const names = {
      maxRetryCount: "maxRetryCount",
      maxSubscribers: "maxSubscriberCount",
      resolve: "resolveLinkTos",
      strategy: "consumerStrategyName",
      minCheckpoint: "checkPointLowerBound",
      checkpointAfter: "checkPointAfter",
    };
    const changes = Object.entries(names).filter(([key]) => key in settings);
    const from = typeof settings.from === "number" ? BigInt(settings.from) : this.position(settings.from);
    return { startFrom: from, ...Object.fromEntries(changes.map(([key, to]) => [to, settings[key]])) };
  }

  /** One call for a stream, another for everything. */
  group(call, step, ...more) {
    const isAll = step.stream === "$all";
    const method = call.replace("*", isAll ? "ToAll" : "ToStream");
    return client[method](...(isAll ? [] : [this.name(step.stream)]), step.group, ...more);
  }

  ps_create(step) {
    const isAll = step.stream === "$all";
    const defaults = isAll
      ? module.persistentSubscriptionToAllSettingsFromDefaults
      : module.persistentSubscriptionToStreamSettingsFromDefaults;
    return this.group("createPersistentSubscription*", step, defaults(this.settings(step)), this.filter(step));
  }

  ps_update(step) {
    const settings = module.persistentSubscriptionToStreamSettingsFromDefaults(this.settings(step));
    return this.group("updatePersistentSubscription*", step, settings);
  }

  ps_delete(step) {
    return this.group("deletePersistentSubscription*", step);
  }

  ps_replay(step) {
    return this.group("replayParkedMessages*", step);
  }

  ps_restart() {
    return client.restartPersistentSubscriptionSubsystem();
  }

  async ps_list(step) {
    const found = await client.listPersistentSubscriptionsToStream(this.name(step.stream));
    return { groups: found.map((info) => info.groupName).sort() };
  }

  async ps_info(step) {
    const { settings, stats, connections } = await this.group("getPersistentSubscription*Info", step);
    const { lastCheckpointedEventRevision } = stats;
    return {
      parked: Number(stats.parkedMessageCount),
      inFlight: stats.totalInFlightMessages,
      connections: connections.length,
      lastCheckpoint: lastCheckpointedEventRevision === undefined ? "" : String(lastCheckpointedEventRevision),
      maxRetryCount: settings.maxRetryCount,
      maxSubscribers: settings.maxSubscriberCount,
      strategy: settings.consumerStrategyName,
    };
  }

  async ps_use(step) {
    const consumer = this.group("subscribeToPersistentSubscription*", step, { bufferSize: step.buffer ?? 10 });
    const confirmed = new Promise((done, failed) => consumer.once("confirmation", done).once("error", failed));
    const timer = setTimeout(() => consumer.destroy(new Unexpected("no more events came")), LIMIT_MS);
    const seen = [];
    const answer = async (script) => {
      // Not `for await`, which would end the subscription with the loop.
      const events = consumer.iterator({ destroyOnReturn: false });
      for (const todo of script) {
        const { value: event, done } = await events.next();
        if (done) throw new Unexpected("the subscription has ended");
        seen.push(event);
        if (todo === "ack") await consumer.ack(event);
        else if (todo !== "none") await consumer.nack(todo, "as the case says", event);
      }
    };
    try {
      await confirmed;
      await answer(step.script);
      await this.steps(step.during ?? []);
      await answer(step.more ?? []);
    } finally {
      clearTimeout(timer);
      consumer.on("error", () => {});
      await consumer.unsubscribe();
    }
    const told = this.told(seen);
    return { ...told, seen: told.revisions, retries: seen.map((event) => event.retryCount ?? 0) };
  }
}

class Unexpected extends Error {}

for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  const running = new Case();
  let wrong = null;
  try {
    await running.steps(filled(one.steps, running.run));
  } catch (error) {
    wrong = `${error.constructor.name}: ${error.message}`;
  }
  console.log(JSON.stringify({ case: one.name, wrong }));
}
process.exit(0);
