use serde_json::Value;

use super::{CATEGORY, Command, Event, State, Status};
use crate::decider::Decider;
use crate::ids::UserId;

/// The rules of a user.
pub struct User;

/// Why a command for a user was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody registered it yet.
    NotFound,
    /// The customer number is taken.
    AlreadyRegistered,
    /// The account is closed.
    Deactivated,
}

rejection_codes! {
    NotFound => UserNotFound,
    AlreadyRegistered => UserAlreadyRegistered,
    Deactivated => UserDeactivated,
}

impl Rejection {
    /// Nothing besides.
    #[must_use]
    pub const fn details(&self) -> Option<Value> {
        None
    }
}

impl Decider for User {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let State::Known { user_id, country, name, email, status, .. } = state else {
            return match command {
                Command::Register { customer_number, country, name, email } => {
                    let user_id = UserId::from_number(&customer_number);
                    Ok(vec![Event::Registered { user_id, customer_number, country, name, email }])
                }
                Command::ChangeProfile { .. } | Command::Deactivate => Err(Rejection::NotFound),
            };
        };
        let user_id = *user_id;
        match (command, status) {
            (Command::Register { .. }, _) => Err(Rejection::AlreadyRegistered),
            (Command::Deactivate, Status::Active) => Ok(vec![Event::Deactivated { user_id }]),
            (Command::Deactivate, Status::Deactivated) => Ok(vec![]),
            (Command::ChangeProfile { .. }, Status::Deactivated) => Err(Rejection::Deactivated),
            (
                Command::ChangeProfile { country: new_country, name: new_name, email: new_email },
                Status::Active,
            ) => {
                // Personal fields are not compared, only whether there are any: a decision must come out the
                // same after their key was destroyed.
                let personal = name.is_some() || email.is_some() || new_name.is_some() || new_email.is_some();
                if new_country == *country && !personal {
                    return Ok(vec![]);
                }
                Ok(vec![Event::ProfileChanged {
                    user_id,
                    country: new_country,
                    name: new_name,
                    email: new_email,
                }])
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Registered { user_id, customer_number, country, name, email } = event {
            return State::Known {
                user_id: *user_id,
                customer_number: customer_number.clone(),
                country: country.clone(),
                name: name.clone(),
                email: email.clone(),
                status: Status::Active,
            };
        }
        if let State::Known { country, name, email, status, .. } = &mut state {
            match event {
                Event::Registered { .. } => {}
                Event::ProfileChanged { country: new_country, name: new_name, email: new_email, .. } => {
                    country.clone_from(new_country);
                    name.clone_from(new_name);
                    email.clone_from(new_email);
                }
                Event::Deactivated { .. } => *status = Status::Deactivated,
            }
        }
        state
    }
}
