//! The OpenAPI document: what the routes say of themselves, and what holds for all of them.

use contract::ErrorCode;
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, HeaderBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};

use crate::contexts::Contexts;
use crate::http::headers::{IDEMPOTENCY_KEY, KEY_CHARACTERS_MAX};
use crate::router::commands_router;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headwater commands",
        version = "1",
        description = "Commands of the shop, and aggregates as they stand in the log. Everything else is asked of GraphQL.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "products", description = "Products of the catalogue"),
        (name = "stock", description = "The stock of products"),
        (name = "users", description = "Registered customers"),
        (name = "orders", description = "Orders"),
        (name = "payments", description = "Payments of orders"),
        (name = "shipments", description = "Shipments of orders"),
        (name = "returns", description = "Returns of goods")
    ),
    components(schemas(ErrorBody))
)]
struct Head;

/// An error.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it stands for contract::ApiError in the document")]
struct ErrorBody {
    error: ErrorFields,
}

#[derive(ToSchema)]
#[schema(as = ErrorFields)]
#[expect(dead_code, reason = "it stands for contract::ApiError in the document")]
#[serde(rename_all = "camelCase")]
struct ErrorFields {
    /// The line of the error table, which never changes.
    #[schema(example = "PRODUCT_NOT_FOUND")]
    code: String,
    /// One sentence for a person.
    message: String,
    /// Names the request in logs and traces.
    request_id: String,
    /// What a program may want to know besides.
    details: Option<Value>,
}

/// The document of the whole command side.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    complete(commands_router(&Contexts::all()).into_openapi())
}

/// What stands in the document besides the routes.
pub(crate) fn head(contexts: &Contexts) -> utoipa::openapi::OpenApi {
    let mut head = Head::openapi();
    if let Some(tags) = &mut head.tags {
        tags.retain(|tag| contexts.iter().any(|context| context.name() == tag.name));
    }
    head
}

/// What a command can answer besides success, and what a read can.
const COMMAND_ERRORS: &[u16] = &[400, 404, 409, 412, 413, 415, 422, 429, 503];
const READ_ERRORS: &[u16] = &[400, 404, 503];

/// Adds to every operation what its route does not repeat: the headers of commands, and the errors.
pub(crate) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.get_or_insert_default();
    for parameter in command_headers() {
        components.parameters.insert(parameter.name.clone(), RefOr::T(parameter));
    }
    for status in COMMAND_ERRORS {
        components.responses.insert(error_name(*status), RefOr::T(error_response(*status)));
    }
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = &mut item.get {
            add_errors(operation, READ_ERRORS);
            add_answer_headers(operation, &["ETag", "Headwater-Position"]);
        }
        if let Some(operation) = &mut item.post {
            let headers = command_headers().map(|header| RefOr::Ref(parameter_ref(&header.name)));
            operation.parameters.get_or_insert_default().extend(headers);
            add_errors(operation, COMMAND_ERRORS);
            add_answer_headers(operation, &["ETag", "Headwater-Position", "Location", "Idempotent-Replayed"]);
        }
    }
    document
}

fn command_headers() -> impl Iterator<Item = Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let key = ParameterBuilder::new()
        .name(IDEMPOTENCY_KEY)
        .description(Some(
            "Makes the command safe to send again: it is carried out once, and every later request with the same key \
             and body gets the same answer.",
        ))
        .schema(Some(text().min_length(Some(1)).max_length(Some(KEY_CHARACTERS_MAX))));
    let if_match = ParameterBuilder::new()
        .name("if-match")
        .description(Some("Carry the command out only at this revision, as it stands in ETag."))
        .schema(Some(text()));
    [key, if_match]
        .into_iter()
        .map(|header| header.parameter_in(ParameterIn::Header).required(Required::False).build())
}

fn parameter_ref(name: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{name}"))
}

fn error_name(status: u16) -> String {
    format!("Error{status}")
}

/// An error's answer: which lines of the error table have this status.
fn error_response(status: u16) -> Response {
    let codes: Vec<String> = ErrorCode::ALL
        .iter()
        .filter(|code| code.http_status() == status)
        .map(|code| format!("`{}`", code.as_str()))
        .collect();
    ResponseBuilder::new()
        .description(codes.join(", "))
        .content("application/json", Content::new(Some(Ref::from_schema_name("Error"))))
        .build()
}

fn add_errors(operation: &mut Operation, statuses: &[u16]) {
    for status in statuses {
        let response = RefOr::Ref(Ref::from_response_name(error_name(*status)));
        operation.responses.responses.insert(status.to_string(), response);
    }
}

fn add_answer_headers(operation: &mut Operation, names: &[&str]) {
    let answers = operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
    for (_, response) in answers {
        if let RefOr::T(response) = response {
            for name in names {
                let schema = ObjectBuilder::new().schema_type(Type::String);
                let header = HeaderBuilder::new().schema(Some(schema)).build();
                response.headers.insert((*name).to_owned(), RefOr::T(header));
            }
        }
    }
}
