//! The bounded contexts: which kinds of aggregates a process takes commands for. Each has its own routes, and nothing
//! of another one is needed to serve it, since whatever a command names elsewhere is looked up in the log.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One kind of aggregate with its routes, named as it stands in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Products of the catalogue.
    Products,
    /// Their stock.
    Stock,
    /// Registered customers.
    Users,
    /// Orders.
    Orders,
    /// Payments of orders.
    Payments,
    /// Shipments of orders.
    Shipments,
    /// Returns of goods.
    Returns,
}

impl Context {
    /// Every context, in the order of the routes.
    pub const ALL: [Context; 7] = [
        Context::Products,
        Context::Stock,
        Context::Users,
        Context::Orders,
        Context::Payments,
        Context::Shipments,
        Context::Returns,
    ];

    /// How it stands in addresses behind `/v1/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Context::Products => "products",
            Context::Stock => "stock",
            Context::Users => "users",
            Context::Orders => "orders",
            Context::Payments => "payments",
            Context::Shipments => "shipments",
            Context::Returns => "returns",
        }
    }
}

/// The contexts that a process serves, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contexts(BTreeSet<Context>);

/// The word for every context.
const ALL: &str = "all";

impl Contexts {
    /// Every context.
    #[must_use]
    pub fn all() -> Self {
        Self(Context::ALL.into())
    }

    /// Those that are served, in the order of the routes.
    pub fn iter(&self) -> impl Iterator<Item = Context> {
        self.0.iter().copied()
    }
}

/// A text that names no contexts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no context {0:?}; there are {names}, and {ALL} for every one", names = names(Context::ALL))]
pub struct UnknownContext(String);

impl FromStr for Contexts {
    type Err = UnknownContext;

    /// Names with commas between them, or `all`.
    fn from_str(text: &str) -> Result<Self, UnknownContext> {
        if text.trim() == ALL {
            return Ok(Self::all());
        }
        text.split(',').map(str::trim).map(named).collect::<Result<_, _>>().map(Self)
    }
}

fn named(name: &str) -> Result<Context, UnknownContext> {
    let found = Context::ALL.into_iter().find(|context| context.name() == name);
    found.ok_or_else(|| UnknownContext(name.to_owned()))
}

impl fmt::Display for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == Context::ALL.len() { f.write_str(ALL) } else { f.write_str(&names(self.iter())) }
    }
}

fn names(contexts: impl IntoIterator<Item = Context>) -> String {
    contexts.into_iter().map(Context::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_named_with_commas_between_them() {
        let read = |text: &str| text.parse::<Contexts>().map(|contexts| contexts.iter().collect::<Vec<_>>());
        assert_eq!(read("orders,payments"), Ok(vec![Context::Orders, Context::Payments]));
        assert_eq!(read(" payments , orders,orders"), Ok(vec![Context::Orders, Context::Payments]));
        assert_eq!(read("all"), Ok(Context::ALL.to_vec()));
        for context in Context::ALL {
            assert_eq!(read(context.name()), Ok(vec![context]));
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_those_there_are() {
        for (text, name) in [
            ("orders,carts", "carts"),
            ("", ""),
            ("orders,", ""),
            ("Orders", "Orders"),
            ("all,orders", "all"),
        ] {
            let refused = text.parse::<Contexts>().unwrap_err().to_string();
            assert!(refused.contains(&format!("no context {name:?}")), "{refused}");
            for context in Context::ALL {
                assert!(refused.contains(context.name()), "{refused}");
            }
        }
    }

    #[test]
    fn contexts_read_what_they_show() {
        for text in ["all", "orders, payments", "stock"] {
            assert_eq!(text.parse::<Contexts>().unwrap().to_string(), text);
        }
    }
}
