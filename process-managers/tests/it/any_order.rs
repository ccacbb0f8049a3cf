//! Whatever order the answers come in, and whenever somebody calls the order off, it comes to a good end.

use std::collections::VecDeque;

use domain::ShopEvent;
use domain::order::{self, CancelReason};
use domain::stock::Action;
use process_managers::fulfilment::{Command, Fulfilment};
use proptest::prelude::*;

use crate::story::*;
use crate::world::{Answer, Gateways, World};

/// What the world's dice decide.
#[derive(Debug, Clone)]
struct Dice {
    gateways: Gateways,
    /// Ordered units of each product, on hand, and the price of one.
    products: Vec<(i64, i64, i64)>,
    /// What happens next: carry out one of the outbox, or let the saga see one more event.
    turns: Vec<u16>,
    /// At which turn somebody does something by hand.
    by_hand: Vec<(u16, u8)>,
}

fn gateways() -> impl Strategy<Value = Gateways> {
    prop_oneof![
        3 => Just(Gateways::Kind),
        1 => Just(Gateways::DeclineAtAuthorization),
        1 => Just(Gateways::DeclineAtCapture),
        1 => Just(Gateways::RefuseToCarry),
        1 => Just(Gateways::LoseIt),
    ]
}

fn dice(by_hand: std::ops::Range<usize>, deeds: std::ops::Range<u8>) -> impl Strategy<Value = Dice> {
    let product = (1_i64..5, prop_oneof![4 => Just(9_i64), 1 => 0_i64..5], 0_i64..300);
    (
        gateways(),
        prop::collection::vec(product, 1..4),
        prop::collection::vec(any::<u16>(), 64),
        prop::collection::vec((0_u16..60, deeds), by_hand),
    )
        .prop_map(|(gateways, products, turns, by_hand)| Dice { gateways, products, turns, by_hand })
}

/// A run of the world with the saga in it.
struct Run {
    world: World,
    story: Story<Fulfilment>,
    /// In the log, and not folded yet.
    unseen: VecDeque<ShopEvent>,
    outbox: Vec<Command>,
    asked: Vec<Command>,
}

impl Run {
    fn begin(dice: &Dice) -> Self {
        let numbered = || dice.products.iter().zip(0..).map(|(found, number)| (product(number), *found));
        let on_hand = numbered().map(|(product, (_, on_hand, _))| (product, on_hand)).collect();
        let mut world = World::new(dice.gateways, &on_hand);
        let placed = placed(numbered().map(|(id, (units, _, price))| line(id, units, price)).collect());
        world.order.push(placed.clone());
        Self {
            world,
            story: Story::new(Fulfilment, ORDER.0),
            unseen: VecDeque::from([placed.into()]),
            outbox: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn happened(&mut self, answer: Answer, command: Option<&Command>) {
        match (answer, command) {
            (Ok(events), _) => self.unseen.extend(events),
            (Err((code, _)), Some(command)) => {
                let subject = command.subject(ORDER);
                self.unseen.push_back(refused(ORDER.0, command.name(), subject, code.as_deref()).into());
            }
            (Err(_), None) => {}
        }
    }

    fn step(&mut self, turn: u16) {
        if !self.outbox.is_empty() && (self.unseen.is_empty() || turn.is_multiple_of(2)) {
            let command = self.outbox.remove(usize::from(turn / 2) % self.outbox.len());
            let answer = self.world.carry_out(command.clone());
            self.happened(answer, Some(&command));
        } else if let Some(event) = self.unseen.pop_front() {
            let commands = self.story.tell(event).to_vec();
            self.asked.extend(commands.iter().cloned());
            self.outbox.extend(commands);
        }
    }

    fn by_hand(&mut self, deed: u8) {
        let first = product(0);
        let foreign = domain::ids::PaymentId(uuid::Uuid::from_u128(7));
        let answer = match deed {
            0 => self.world.order(order::Command::Cancel { reason: CancelReason::Requested, note: None }),
            1 => self.world.order(order::Command::MarkReserved),
            2 => self.world.order(order::Command::MarkPaid { payment_id: payment_id() }),
            3 => self.world.order(order::Command::MarkPaid { payment_id: foreign }),
            4 => self.world.order(order::Command::MarkShipped { shipment_id: shipment_id() }),
            5 => self.world.order(order::Command::MarkDelivered),
            6 => self.world.stock(first, Action::Release { order_id: ORDER }),
            7 => self.world.shipment(domain::shipment::Command::Fail { reason: reason("by hand") }),
            _ => self.world.shipment(domain::shipment::Command::Deliver),
        };
        self.happened(answer, None);
    }

    fn play(dice: &Dice) -> Self {
        let mut run = Self::begin(dice);
        let mut turns = 0;
        let mut next = dice.turns.iter().cycle();
        while !(run.outbox.is_empty() && run.unseen.is_empty()) {
            let deeds: Vec<_> = dice.by_hand.iter().filter(|(at, _)| *at == turns).copied().collect();
            deeds.into_iter().for_each(|(_, deed)| run.by_hand(deed));
            run.step(*next.next().unwrap());
            turns += 1;
            assert!(turns < 500, "it does not come to an end: {:?}", run.asked);
        }
        run
    }

    fn count(&self, name: &str) -> usize {
        self.asked.iter().filter(|command| command.name() == name).count()
    }

    fn status(&self) -> order::Status {
        match domain::fold::<order::Order>(self.world.order.iter()) {
            order::State::Placed(order) => order.status,
            order::State::Unknown => panic!("no order"),
        }
    }
}

proptest! {
    #[test]
    fn every_order_ends_with_goods_and_money_accounted_for(dice in dice(0..2, 0..1)) {
        let run = Run::play(&dice);
        prop_assert!(run.story.is_over(), "{:?} {:?}", run.story.state(), run.story.trouble());
        for (number, _) in (0..).zip(&dice.products) {
            let (reserved, released, shipped) = run.world.moved(product(number), ORDER);
            prop_assert_eq!(reserved, released + shipped);
        }
        let book = &run.world.book;
        prop_assert_eq!(book.held, 0);
        let gross: i64 = dice.products.iter().map(|(units, _, price)| units * price).sum();
        match run.status() {
            order::Status::Delivered => {
                prop_assert_eq!((book.captured, book.refunded), (gross, 0));
            }
            other => {
                prop_assert_eq!(other, order::Status::Cancelled);
                prop_assert_eq!(book.captured, book.refunded);
            }
        }
        let is_kind = dice.gateways == Gateways::Kind && dice.by_hand.is_empty();
        if is_kind && dice.products.iter().all(|(units, on_hand, _)| units <= on_hand) {
            prop_assert_eq!(run.status(), order::Status::Delivered);
        }
        for once in ["AUTHORIZE_PAYMENT", "CAPTURE_PAYMENT", "REFUND_PAYMENT", "DISPATCH_SHIPMENT"] {
            prop_assert!(run.count(once) <= 1, "{} more than once: {:?}", once, run.asked);
        }
    }

    /// People may do what the rules allow: the saga ends, or says what it cannot do; it never asks for ever.
    #[test]
    fn no_order_is_wedged_by_what_people_do(dice in dice(0..6, 0..9)) {
        let run = Run::play(&dice);
        prop_assert!(
            run.story.is_over() || run.story.trouble().is_some(),
            "{:?} {:?}", run.story.state(), run.asked
        );
        if run.story.is_over() {
            for (number, _) in (0..).zip(&dice.products) {
                let (reserved, released, shipped) = run.world.moved(product(number), ORDER);
                prop_assert_eq!(reserved, released + shipped);
            }
            prop_assert_eq!(run.world.book.held, 0);
        }
    }
}

#[test]
fn the_same_answers_in_the_same_order_ask_for_the_same() {
    let dice = Dice {
        gateways: Gateways::Kind,
        products: vec![(1, 9, 100), (2, 9, 100)],
        turns: (0..64).collect(),
        by_hand: vec![],
    };
    let (first, second) = (Run::play(&dice), Run::play(&dice));
    assert_eq!(first.asked, second.asked);
    assert_eq!(first.story.state(), second.story.state());
}
