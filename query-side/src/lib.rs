//! GraphQL over the read models.
