//! When it strikes, and how hard.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::machine::Blow;

/// How many kills there are in all.
pub const KILLS: usize = AIMED + AT_THE_BEGINNING + AMONG_DOCUMENTS + CARRYING_OUT;

/// Kills for which orders are brought to standings that are to be seen. They come first: later a new order waits for
/// tens of thousands of commands before its own.
const AIMED: usize = 6;

/// Kills while customers, products and opening stock come in, and while the documents do.
const AT_THE_BEGINNING: usize = 2;
const AMONG_DOCUMENTS: usize = 4;

/// Kills while the sagas carry the orders out. Every other one comes as the log has grown to a certain length, and
/// between them one after so many calls of the sandbox.
const CARRYING_OUT: usize = 8;
const CARRYING_OUT_FROM: usize = KILLS - CARRYING_OUT;
const CALLS: Range<usize> = 1..200;

/// Of the events that no saga causes. There are some 8,850, and the first document is about the 6,700th.
const SENT: [(Range<u64>, usize); 3] =
    [(0..1_500, AIMED), (1_500..6_500, AT_THE_BEGINNING), (6_750..8_600, AMONG_DOCUMENTS)];

/// Of all events, of which there are some 107,000.
const RECORDED: Range<u64> = 20_000..96_000;

/// How many orders the sagas, which fold again from nothing, have met when it strikes again.
const FOLDED: Range<u64> = 50..1_000;

/// How many kills take PostgreSQL too.
const WITH_POSTGRES: usize = 6;

/// When to strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As the log holds so many events that no saga has caused.
    Sent(u64),
    /// As it holds so many events.
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
    let mut moments = Vec::new();
    for (range, kills) in SENT {
        moments.extend(one_of_each_part(range, kills, &mut random).into_iter().map(Moment::Sent));
    }
    for recorded in one_of_each_part(RECORDED, CARRYING_OUT / 2, &mut random) {
        moments.push(Moment::Asked(random.random_range(CALLS)));
        moments.push(Moment::Recorded(recorded));
    }
    let mut blows = [Blow::Process; KILLS];
    // Not the last one: the fold from nothing is struck too.
    let dropped = CARRYING_OUT_FROM + 1 + 2 * random.random_range(0..CARRYING_OUT / 2 - 1);
    blows[dropped] = Blow::ProcessAndDatabase;
    moments[dropped + 1] = Moment::Folded(random.random_range(FOLDED));
    // Where it is quick or looks at the saga's table afterwards, PostgreSQL is left alone.
    let is_open = |number: &usize| {
        let is_quick = matches!(moments[*number], Moment::Asked(_));
        *number >= AIMED && *number != dropped && !is_quick
    };
    let mut others: Vec<_> = (0..KILLS).filter(is_open).collect();
    others.shuffle(&mut random);
    for number in others.into_iter().take(WITH_POSTGRES) {
        blows[number] = Blow::ProcessAndPostgres;
    }
    let kills = moments.into_iter().zip(blows).enumerate();
    kills.map(|(number, (moment, blow))| Kill { moment, blow, is_aimed: number < AIMED }).collect()
}

/// So many numbers of a range, one from each of its equal parts.
fn one_of_each_part(range: Range<u64>, parts: usize, random: &mut StdRng) -> Vec<u64> {
    let length = (range.end - range.start) / parts as u64;
    let begins = (0..parts as u64).map(|part| range.start + part * length);
    begins.map(|begin| random.random_range(begin..begin + length)).collect()
}
