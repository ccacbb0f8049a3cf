//! Reads a request: from a body or an address, with the position it asks for.

use async_graphql::{Request, Variables};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Query};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use contract::{ApiError, ErrorCode, Position};
use serde::Deserialize;

use super::MIN_POSITION_HEADER;

/// What a client sends. Names besides these are left alone, as GraphQL over HTTP has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Parameters {
    fn request(self) -> Result<Request, ApiError> {
        let query = self.query.ok_or_else(|| bad("the request has no `query`"))?;
        let variables = serde_json::Value::Object(self.variables.unwrap_or_default());
        let mut request = Request::new(query).variables(Variables::from_json(variables));
        request.operation_name = self.operation_name.filter(|name| !name.is_empty());
        Ok(request)
    }
}

/// Reads a POST.
pub(super) async fn from_body(request: axum::extract::Request) -> Result<Request, ApiError> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(is_json) {
        return Err(ErrorCode::UnsupportedMediaType.into());
    }
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| body_error(&rejection))?;
    let document: serde_json::Value = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(ErrorCode::MalformedJson).with_message(format!("the body is not valid JSON: {error}"))
    })?;
    // A list of the values would be taken for them.
    if !document.is_object() {
        return Err(bad("the body is not a GraphQL request: it is no JSON object"));
    }
    let parameters: Parameters = serde_json::from_value(document)
        .map_err(|error| bad(format!("the body is not a GraphQL request: {error}")))?;
    parameters.request()
}

/// Reads a GET. There, variables are JSON in a parameter.
pub(super) fn from_address(uri: &Uri) -> Result<Request, ApiError> {
    let mut parameters = Parameters { query: None, operation_name: None, variables: None };
    let Query(pairs): Query<Vec<(String, String)>> =
        Query::try_from_uri(uri).map_err(|_| bad("the address cannot be read"))?;
    for (name, value) in pairs {
        match name.as_str() {
            "query" => parameters.query = Some(value),
            "operationName" => parameters.operation_name = Some(value),
            "variables" if !value.is_empty() => {
                let variables = serde_json::from_str(&value);
                parameters.variables = variables.map_err(|_| bad("`variables` is not a JSON object"))?;
            }
            _ => {}
        }
    }
    parameters.request()
}

/// The position that an answer must have reached, if the client asks for one.
pub(super) fn min_position(headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let Some(value) = headers.get(MIN_POSITION_HEADER) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position.map(Some).ok_or_else(|| {
        ApiError::new(ErrorCode::InvalidInput)
            .with_message("the header Headwater-Min-Position holds no position that this service gave out")
            .with_details(serde_json::json!({"header": "Headwater-Min-Position"}))
    })
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn body_error(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge.into(),
        _ => bad("the body could not be read"),
    }
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest).with_message(message)
}
