//! What the shop's processes (sagas) leave in the log themselves, in streams `<saga>-<id>`. Nobody decides here: a
//! command of a saga that was refused or changed nothing left no event of its aggregate, so it leaves this one.

mod event;

pub use event::Event;
