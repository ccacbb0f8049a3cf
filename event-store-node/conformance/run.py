"""Runs the cases through a Python client: run.py kurrentdbclient|esdbclient ADDRESS, with the cases on standard input.

Prints a line of JSON for each case: its name, and what went wrong, or null.
"""

import importlib
import json
import math
import re
import sys
import time
import uuid

CLIENT, ADDRESS = sys.argv[1:3]
module = importlib.import_module(CLIENT)
LIMIT = 20


def connect():
    scheme, kind = ("esdb", "EventStoreDBClient") if CLIENT == "esdbclient" else ("kurrentdb", "KurrentDBClient")
    return getattr(module, kind)(f"{scheme}://{ADDRESS}?tls=false")


def error_of(error):
    name = type(error).__name__.removesuffix("Error")
    text = str(error)
    if name in ("WrongCurrentVersion", "WrongExpectedVersion"):
        at = re.search(r"last event is (\d+) not", text)
        return {"error": "wrong_expected_version", "current": int(at[1]) if at else None}
    known = {
        "StreamIsDeleted": "stream_deleted",
        "MaximumAppendSizeExceeded": "too_large",
        "AlreadyExists": "exists",
        "MaximumSubscriptionsReached": "max_subscribers",
        "NotFound": "not_found",
    }
    # These two have no exception of their own when Append is refused.
    if "Maximum append size" in text:
        return {"error": "too_large"}
    if name == "FailedPrecondition" and "is deleted" in text:
        return {"error": "stream_deleted"}
    return {"error": known.get(name, f"{name}: {text}")}


class Case:
    def __init__(self, client):
        self.client = client
        self.run = uuid.uuid4().hex[:8] + "-"
        self.ids = {}
        self.saved = {}

    def name(self, stream):
        return stream if stream == "$all" else self.run + stream

    def group_of(self, step):
        """The stream is None for everything."""
        stream = self.name(step["stream"])
        return step["group"], None if stream == "$all" else stream

    def perform(self, step):
        try:
            return getattr(self, step["op"])(step) or {}
        except AssertionError:
            raise
        except Exception as error:
            found = error_of(error)
            if found["error"] == "not_found" and step["op"].startswith("ps_"):
                return {"error": "does_not_exist"}
            return found

    def steps(self, steps):
        for step in steps:
            deadline = time.monotonic() + LIMIT
            while True:
                found = self.perform(step)
                if matches(step.get("gives", {}), found):
                    break
                if not step.get("eventually") or time.monotonic() > deadline:
                    raise AssertionError(f"{json.dumps(step, ensure_ascii=False)} gave {found}")
                time.sleep(0.05)

    # what is appended

    def event(self, number, spec):
        kind, data, content = spec.get("type", "T"), json.dumps({"n": number}).encode(), "application/json"
        if "link" in spec:
            revision, stream = spec["link"]
            kind, data, content = "$>", f"{revision}@{self.name(stream)}".encode(), "application/octet-stream"
        elif "binary" in spec:
            data, content = spec["binary"].encode(), "application/octet-stream"
        id = self.ids.setdefault(spec["id"], uuid.uuid4()) if "id" in spec else uuid.uuid4()
        return module.NewEvent(type=kind, data=data, content_type=content, id=id)

    def events(self, step):
        if "size" in step:
            return [module.NewEvent(type="T", data=bytes(step["size"]), content_type="application/octet-stream")]
        specs = step.get("events", [{}] * step.get("count", 0))
        return [self.event(number, spec) for number, spec in enumerate(specs)]

    def expected(self, step):
        states = module.StreamState
        named = {"any": states.ANY, "no_stream": states.NO_STREAM, "exists": states.EXISTS}
        return named.get(step["expected"], step["expected"])

    def append(self, step, one_by_itself=True):
        events = self.events(step)
        # A single event goes by Append, a sequence by BatchAppend.
        sent = events[0] if one_by_itself and len(events) == 1 else events
        position = self.client.append_to_stream(
            self.name(step["stream"]), current_version=self.expected(step), events=sent
        )
        if "save" in step:
            self.saved[step["save"]] = position

    def batch(self, step):
        self.append(step, one_by_itself=False)

    def equal(self, step):
        left, right = self.saved[step["left"]], self.saved[step["right"]]
        assert left == right, f"{left} is not {right}"

    # what is read

    def told(self, events):
        own = [event.link or event for event in events]
        number = lambda event: json.loads(event.data).get("n") if event.content_type == "application/json" else None
        return {
            "revisions": [event.stream_position for event in own],
            "types": [event.type for event in events],
            "streams": [event.stream_name.removeprefix(self.run) for event in events],
            "n": [number(event) for event in events],
            "json": [event.content_type == "application/json" for event in events],
        }

    def read(self, step):
        options = {"limit": step["count"]} if "count" in step else {}
        events = self.client.get_stream(
            self.name(step["stream"]),
            stream_position=step.get("from"),
            backwards=step.get("backwards", False),
            resolve_links=step.get("resolve", False),
            **options,
        )
        return self.told(events)

    def filter(self, step):
        """Full matches of regular expressions are what this client asks for."""
        spec = step.get("filter")
        if spec is None:
            return {}
        if "regex" in spec:
            inner = spec["regex"].removeprefix("^")
            pattern = inner.removesuffix("$") if inner.endswith("$") else inner + ".*"
        else:
            pattern = "(" + "|".join(re.escape(self.prefix(spec, prefix)) + ".*" for prefix in spec["prefix"]) + ")"
        return {"filter_include": (pattern,), "filter_by_stream_name": spec["on"] == "stream"}

    def prefix(self, spec, prefix):
        return self.name(prefix) if spec["on"] == "stream" else prefix

    def position(self, step):
        at = step.get("from")
        return self.saved[at["saved"]] if isinstance(at, dict) else None

    def is_own(self, event):
        return (event.link or event).stream_name.startswith(self.run)

    def read_all(self, step):
        """So many of this case's own events: others may write meanwhile, and then more is asked for."""
        wanted = step.get("count", math.inf)
        asked = wanted
        while True:
            events = self.page_of_all(step, asked)
            own = list(filter(self.is_own, events))
            if len(own) >= wanted or len(events) < asked:
                return self.told(own[: step.get("count")])
            asked *= 2

    def page_of_all(self, step, count):
        options = {} if count == math.inf else {"limit": count}
        events = self.client.read_all(
            commit_position=self.position(step),
            backwards=step.get("backwards", False),
            **options,
            **self.filter(step),
        )
        return list(events)

    def subscribe(self, step):
        start = step["from"]
        options = {"resolve_links": step.get("resolve", False), "include_caught_up": True, "timeout": LIMIT}
        options["from_end"] = start == "end"
        if step["stream"] == "$all":
            options |= {"commit_position": self.position(step), "include_checkpoints": "filter" in step}
            # Every 32 events, as other clients ask for.
            options |= {"window_size": 32, "checkpoint_interval_multiplier": 1}
            subscription = self.client.subscribe_to_all(**options, **self.filter(step))
        else:
            at = start if isinstance(start, int) else None
            subscription = self.client.subscribe_to_stream(self.name(step["stream"]), stream_position=at, **options)
        history, live, caught_up, checkpoints = [], [], 0, 0
        for event in subscription:
            if isinstance(event, module.Checkpoint):
                checkpoints += 1
            elif isinstance(event, module.CaughtUp):
                caught_up += 1
                if caught_up == 1:
                    self.steps(step["then"])
            elif step["stream"] != "$all" or self.is_own(event):
                (live if caught_up else history).append(event)
            if caught_up and len(live) >= step["live"]:
                break
        subscription.stop()
        told = {"history": self.told(history), "live": self.told(live)}
        return told | {"caught_up": caught_up, "checkpoints": checkpoints > 0}

    # deletion and metadata

    def delete(self, step):
        self.client.delete_stream(self.name(step["stream"]), current_version=self.expected(step))

    def tombstone(self, step):
        self.client.tombstone_stream(self.name(step["stream"]), current_version=self.expected(step))

    def set_metadata(self, step):
        known = {"maxCount": "$maxCount", "maxAge": "$maxAge", "truncateBefore": "$tb"}
        metadata = {known.get(key, key): value for key, value in step["metadata"].items()}
        self.client.set_stream_metadata(self.name(step["stream"]), metadata=metadata)

    def get_metadata(self, step):
        metadata, version = self.client.get_stream_metadata(self.name(step["stream"]))
        if version == module.StreamState.NO_STREAM:
            return {"metadata": None}
        known = {"$maxCount": "maxCount", "$maxAge": "maxAge", "$tb": "truncateBefore"}
        return {"metadata": {known.get(key, key): value for key, value in metadata.items()}}

    # persistent subscriptions

    def settings(self, step):
        given = step["settings"]
        names = {
            "maxRetryCount": "max_retry_count",
            "maxSubscribers": "max_subscriber_count",
            "resolve": "resolve_links",
            "strategy": "consumer_strategy",
            "minCheckpoint": "min_checkpoint_count",
        }
        options = {names[key]: value for key, value in given.items() if key in names}
        if "checkpointAfter" in given:
            options["checkpoint_after"] = given["checkpointAfter"] / 1000
        start = given["from"]
        if start == "end":
            options["from_end"] = True
        elif isinstance(start, dict):
            options["commit_position"] = self.saved[start["saved"]]
        elif start != "start":
            options["stream_position"] = start
        return options

    def ps_create(self, step):
        group, stream = self.group_of(step)
        if stream is None:
            self.client.create_subscription_to_all(group, **self.settings(step), **self.filter(step))
        else:
            self.client.create_subscription_to_stream(group, stream, **self.settings(step))

    def ps_update(self, step):
        group, stream = self.group_of(step)
        self.client.update_subscription_to_stream(group, stream, **self.settings(step))

    def ps_delete(self, step):
        self.client.delete_subscription(*self.group_of(step))

    def ps_replay(self, step):
        self.client.replay_parked_events(*self.group_of(step))

    def ps_list(self, step):
        found = self.client.list_subscriptions_to_stream(self.name(step["stream"]))
        return {"groups": sorted(info.group_name for info in found)}

    def ps_info(self, step):
        info = self.client.get_subscription_info(*self.group_of(step))
        connections = {"connections": len(info.connections)} if hasattr(info, "connections") else {}
        return connections | {
            "parked": info.parked_message_count,
            "inFlight": info.total_in_flight_messages,
            "lastCheckpoint": info.last_checkpointed_event_position,
            "maxRetryCount": info.max_retry_count,
            "maxSubscribers": info.max_subscriber_count,
            "strategy": info.consumer_strategy,
        }

    def ps_use(self, step):
        group, stream = self.group_of(step)
        options = {"max_ack_batch_size": 1, "timeout": LIMIT, "event_buffer_size": step.get("buffer", 10)}
        if stream is None:
            consumer = self.client.read_subscription_to_all(group, **options)
        else:
            consumer = self.client.read_subscription_to_stream(group, stream, **options)
        seen = []
        with consumer:
            script = list(step["script"])
            if script:
                self.answer(consumer, script, seen)
            self.steps(step.get("during", []))
            if more := step.get("more"):
                self.answer(consumer, list(more), seen)
            consumer.stop()
        told = self.told(seen)
        return told | {"seen": told["revisions"], "retries": [event.retry_count or 0 for event in seen]}

    def answer(self, consumer, script, seen):
        for event in consumer:
            seen.append(event)
            todo = script.pop(0)
            if todo == "ack":
                consumer.ack(event)
            elif todo != "none":
                consumer.nack(event, todo)
            if not script:
                return


def matches(expected, found):
    if isinstance(expected, dict):
        if "one_of" in expected:
            return any(matches(one, found) for one in expected["one_of"])
        if "error" not in expected and isinstance(found, dict) and "error" in found:
            return False
        return isinstance(found, dict) and all(key in found and matches(expected[key], found[key]) for key in expected)
    if isinstance(expected, list):
        same = isinstance(found, list) and len(expected) == len(found)
        return same and all(matches(one, other) for one, other in zip(expected, found))
    return type(expected) is type(found) and expected == found


def filled(value, run):
    if isinstance(value, dict):
        return {key: filled(one, run) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, run) for one in value]
    return value.replace("{run}", run) if isinstance(value, str) else value


client = connect()
for case in json.load(sys.stdin):
    running = Case(client)
    try:
        running.steps(filled(case["steps"], running.run))
        wrong = None
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    print(json.dumps({"case": case["name"], "wrong": wrong}, ensure_ascii=False), flush=True)
client.close()
