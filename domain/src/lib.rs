//! Pure rules: commands, events and state. No I/O, no clock, no randomness.
