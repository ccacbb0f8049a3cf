//! One key per person; seals and opens the personal fields of events.
