//! When it strikes, and how hard.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::machine::Blow;

/// How many kills there are in all.
pub const KILLS: usize = AIMED + SENDING + CARRYING_OUT;

/// Kills for which orders are brought to standings that are to be seen. They come first: later a new order waits for
/// tens of thousands of commands before its own.
const AIMED: usize = 6;

/// Kills while the file is being sent, and how much of its 8,716 requests is carried out before each.
const SENDING: usize = 6;
const SENT: Range<u64> = 50..300;

/// Kills while the sagas carry out some 98,000 commands, and how many events, or for every other one how many calls of
/// the sandbox come before each.
const CARRYING_OUT: usize = 8;
const CARRYING_OUT_FROM: usize = AIMED + SENDING;
const RECORDED: Range<u64> = 2_000..9_000;
const ASKED: Range<usize> = 1..200;

/// How many orders the sagas, which fold again from nothing, have met when it strikes again.
const FOLDED: Range<u64> = 50..1_000;

/// How many kills take PostgreSQL too.
const WITH_POSTGRES: usize = 6;

/// When to strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As the log has taken so many more events that no saga has caused, counted from the kill before.
    Sent(u64),
    /// As it has taken so many more events, counted like that.
    Recorded(u64),
    /// As the sandbox has received so many calls since the start: the last of them have no answer yet.
    Asked(usize),
    /// As the saga has met so many orders.
    Folded(u64),
}

/// When to strike, and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub moment: Moment,
    pub blow: Blow,
    /// Whether orders are brought to a standing that was not seen yet, if there is one.
    pub is_aimed: bool,
}

/// The kills of a seed.
pub fn of_seed(seed: u64) -> Vec<Kill> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kill = |number| {
        let moment = match number {
            0..AIMED => Moment::Sent(random.random_range(SENT) / 2),
            AIMED..CARRYING_OUT_FROM => Moment::Sent(random.random_range(SENT)),
            _ if number % 2 == 0 => Moment::Asked(random.random_range(ASKED)),
            _ => Moment::Recorded(random.random_range(RECORDED)),
        };
        Kill { moment, blow: Blow::Process, is_aimed: number < AIMED }
    };
    let mut kills: Vec<_> = (0..KILLS).map(&mut kill).collect();
    // The fold from nothing is struck too.
    let dropped = CARRYING_OUT_FROM + 1 + 2 * random.random_range(0..CARRYING_OUT / 2 - 1);
    kills[dropped].blow = Blow::ProcessAndDatabase;
    kills[dropped + 1].moment = Moment::Folded(random.random_range(FOLDED));
    let may_be_hard = |number: &usize| {
        let is_quick = matches!(kills[*number].moment, Moment::Asked(_));
        *number >= AIMED && *number != dropped && !is_quick
    };
    let mut others: Vec<_> = (0..KILLS).filter(may_be_hard).collect();
    others.shuffle(&mut random);
    for number in others.into_iter().take(WITH_POSTGRES) {
        kills[number].blow = Blow::ProcessAndPostgres;
    }
    kills
}
