//! The aggregates whose commands are carried out here.

use domain::Decider;
use domain::lines::Line;
use domain::order::{self, Order};
use domain::payment::Payment;
use domain::product::Product;
use domain::returns::{self, Return};
use domain::shipment::Shipment;
use domain::stock::Stock;
use domain::user::User;

use crate::executor::Aggregate;

/// What a line takes besides its description, bytes.
const LINE_BYTES: usize = 192;

impl Aggregate for Product {}
impl Aggregate for Stock {}
impl Aggregate for User {}
impl Aggregate for Payment {}
impl Aggregate for Shipment {}

impl Aggregate for Order {
    fn weight(state: &<Self as Decider>::State) -> usize {
        match state {
            order::State::Placed(order) => 1 + weight_of_lines(&order.lines),
            order::State::Unknown => 1,
        }
    }
}

impl Aggregate for Return {
    fn weight(state: &<Self as Decider>::State) -> usize {
        match state {
            returns::State::Received(goods) => 1 + weight_of_lines(&goods.lines),
            returns::State::Unknown => 1,
        }
    }
}

fn weight_of_lines(lines: &[Line]) -> usize {
    let text = |line: &Line| line.description.as_ref().map_or(0, |text| text.as_str().len());
    lines.iter().map(|line| LINE_BYTES + text(line)).sum::<usize>() / 1024
}

#[cfg(test)]
mod tests {
    use domain::ids::ProductId;
    use domain::value::{Description, Quantity, Sku};

    use super::*;

    #[test]
    fn lines_weigh_what_they_hold() {
        let line = |text: Option<usize>| {
            let sku = Sku::new("85123A").unwrap();
            Line {
                product_id: ProductId::from_sku(&sku),
                sku,
                description: text.map(|length| Description::new(&"x".repeat(length)).unwrap()),
                quantity: Quantity::new(1).unwrap(),
                unit_price_minor: 255,
            }
        };
        assert_eq!(weight_of_lines(&[line(None)]), 0);
        assert_eq!(weight_of_lines(&vec![line(None); 16]), 3);
        assert_eq!(weight_of_lines(&vec![line(Some(832)); 16]), 16);
    }
}
